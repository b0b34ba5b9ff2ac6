//! A request to come to an end, seen by every task.

use std::sync::Arc;

use tokio::sync::watch;

/// Clones share one request; once made it stays.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Asks everything to come to an end.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was asked for.
    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is asked for.
    pub async fn wait(&self) {
        let mut receiver = self.0.subscribe();
        // The sender lives in `self`: waiting cannot fail while it is borrowed.
        let _ = receiver.wait_for(|requested| *requested).await;
    }
}
