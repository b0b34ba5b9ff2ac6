//! Whether the passes over the CT logs that guide a log have ended.

use tokio::sync::watch;

use super::monitored_log::CtGuide;

/// A CT log that a guided pass waits for.
#[derive(Clone)]
pub(super) struct GuideStatus {
    /// Which CT log.
    pub(super) guide: CtGuide,
    /// Whether its pass proved everything, once that has ended; `None`: it is not part of this pass.
    pub(super) ended: Option<watch::Receiver<Option<bool>>>,
}

impl GuideStatus {
    pub(super) fn has_ended(&self) -> bool {
        self.ended.as_ref().is_none_or(|ended| {
            // A sender that was dropped belongs to a pass that panicked.
            ended.borrow().is_some() || ended.has_changed().is_err()
        })
    }

    pub(super) async fn wait(&mut self) {
        if let Some(ended) = &mut self.ended {
            // An error means that the sender was dropped: see `has_ended`.
            let _ = ended.wait_for(Option::is_some).await;
        }
    }
}
