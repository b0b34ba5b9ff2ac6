//! Progress of a pass, for the progress bar and the watchdog of systemd.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The progress of a pass; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Figures>);

#[derive(Debug, Default)]
struct Figures {
    running: AtomicBool,
    /// Number of leaves that were read and answers that were received.
    steps: AtomicU64,
    read: AtomicU64,
    goals: Mutex<Vec<(String, u64)>>,
}

impl Progress {
    /// Begins anew.
    pub fn begin(&self) {
        self.0.read.store(0, Ordering::Relaxed);
        self.goals().clear();
        self.0.running.store(true, Ordering::Relaxed);
        self.step();
    }

    /// Nothing is being read any more.
    pub fn end(&self) {
        self.0.running.store(false, Ordering::Relaxed);
        self.step();
    }

    /// Records that a log has this many entries to read in this pass.
    pub fn goal(&self, log: &str, entries: u64) {
        self.goals().push((log.to_owned(), entries));
        self.step();
    }

    /// Records that this many entries were read.
    pub fn read(&self, entries: u64) {
        self.0.read.fetch_add(entries, Ordering::Relaxed);
        self.step();
    }

    fn step(&self) {
        self.0.steps.fetch_add(1, Ordering::Relaxed);
    }

    fn goals(&self) -> std::sync::MutexGuard<'_, Vec<(String, u64)>> {
        // A panic cannot leave this list in an invalid state.
        self.0.goals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a pass is running.
    pub fn running(&self) -> bool {
        self.0.running.load(Ordering::Relaxed)
    }

    /// A number that changes while the pass makes progress.
    pub fn steps(&self) -> u64 {
        self.0.steps.load(Ordering::Relaxed)
    }

    /// Number of entries that were read in this pass, and number of entries to read.
    pub fn entries(&self) -> (u64, u64) {
        let goal = self.goals().iter().map(|(_, entries)| entries).sum();
        (self.0.read.load(Ordering::Relaxed), goal)
    }
}
