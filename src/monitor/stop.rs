//! A request to stop, for all tasks.

use std::sync::Arc;

use tokio::sync::watch;

/// A request to stop; clones share it. It cannot be withdrawn.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Requests all tasks to stop.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether a stop was requested.
    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until a stop is requested.
    pub async fn wait(&self) {
        let mut receiver = self.0.subscribe();
        // The sender lives in `self`: waiting cannot fail while it is borrowed.
        let _ = receiver.wait_for(|requested| *requested).await;
    }
}
