//! Updates of the trusted root at the same time as passes: no pass waits for a repository to answer.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::escape;
use crate::http;
use crate::report::time;
use crate::trust::{RefreshReason, Trust, TrustState, TrustUpdater};

/// The updater of the trusted root, here or in the task that updates it.
pub struct Renewal {
    /// `None` while it is in the task, or if no source of trust is configured.
    updater: Option<TrustUpdater>,
    /// Its last result.
    known: TrustState,
    running: Option<JoinHandle<TrustUpdater>>,
    is_configured: bool,
}

impl Renewal {
    pub fn new(updater: Option<TrustUpdater>) -> Self {
        let known = updater.as_ref().map_or_else(
            || TrustState {
                trust: None,
                update: None,
                problem: None,
            },
            TrustUpdater::known,
        );
        Self {
            is_configured: updater.is_some(),
            updater,
            known,
            running: None,
        }
    }

    /// Whether a source of trust is configured.
    pub const fn is_configured(&self) -> bool {
        self.is_configured
    }

    /// The trusted root now, and the result of the last update.
    pub fn known(&self) -> TrustState {
        self.known.clone()
    }

    /// Updates the trusted root and waits for it: at a start, when nothing else can be done. `in_any_case`, or if it is
    /// due.
    pub async fn look(&mut self, http: &http::Client, in_any_case: bool, now: Timestamp) {
        if let Some(updater) = &mut self.updater {
            if in_any_case {
                updater.refresh(http, now).await;
            } else {
                updater.refresh_if_due(http, now).await;
            }
            self.take_over();
        }
    }

    /// Begins an update if it is due. A file is read at once; a repository is read in a task.
    pub async fn begin_if_due(&mut self, http: &http::Client, now: Timestamp) {
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finished().await;
        }
        match &mut self.updater {
            Some(updater) if !updater.uses_network() => {
                updater.refresh(http, now).await;
                self.take_over();
            }
            Some(updater) if updater.is_due(now) => self.begin(http, now),
            _ => {}
        }
    }

    /// Begins an update for these reasons, if the last one was long enough ago. Returns whether it did.
    pub fn request_refresh(
        &mut self,
        reasons: &[RefreshReason],
        http: &http::Client,
        now: Timestamp,
    ) -> bool {
        let grants = |updater: &mut TrustUpdater| updater.request_refresh(reasons, now);
        let is_granted = self.updater.as_mut().is_some_and(grants);
        if is_granted {
            tracing::info!("the trusted root is updated: a newer one may explain a finding");
            self.begin(http, now);
        }
        is_granted
    }

    fn begin(&mut self, http: &http::Client, now: Timestamp) {
        if let Some(mut updater) = self.updater.take() {
            let http = http.clone();
            self.running = Some(tokio::spawn(async move {
                updater.refresh(&http, now).await;
                updater
            }));
        }
    }

    /// Waits until the running update is over; forever if there is none. It may be dropped and called again.
    pub async fn finished(&mut self) {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let ended = running.await;
        self.running = None;
        match ended {
            Ok(updater) => {
                self.updater = Some(updater);
                self.take_over();
            }
            // Only a bug leads here: do not hide it.
            Err(panic) if panic.is_panic() => std::panic::resume_unwind(panic.into_panic()),
            Err(_) => {}
        }
    }

    /// Goes back to the previous trusted root, because the newest one does not fit the configuration. The newest is
    /// tried again.
    pub fn refuse(&mut self, before: Arc<Trust>, said: String) {
        if let Some(updater) = &mut self.updater {
            updater.refuse(before, said);
            self.known = updater.known();
        }
    }

    /// Takes the new result of the updater, and logs a new problem, with the date of the trusted root that stays in
    /// use.
    fn take_over(&mut self) {
        let Some(updater) = &self.updater else { return };
        let known = updater.known();
        if known.problem != self.known.problem
            && let (Some(problem), Some(_)) = (&known.problem, &known.trust)
        {
            let since = known.update.map_or_else(String::new, |update| {
                format!(", verified {}", time(update.refreshed))
            });
            tracing::warn!(
                "the trusted root was not updated, the old one{since} stays in use: {}",
                escape::terminal(&problem.to_string())
            );
        }
        self.known = known;
    }
}
