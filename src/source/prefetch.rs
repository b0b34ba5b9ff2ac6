//! Prefetching: several bundles at once, delivered in order, within a memory limit that holds whatever the log serves.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use futures_util::{Stream, stream};
use tokio::task::JoinHandle;

use super::budget::Share;
use super::log_source::{LogSource, Prefetch};
use super::{Cause, Leaves, SourceError};

/// This many of the last bundles determine the expected size of the next ones.
const RECENT: usize = 32;

/// Bundles that are always read ahead: as many as a machine with two cores scans at once.
const LEAST_WINDOW: usize = 4;

/// The leaves `range` of a tree of `size` leaves, bundle by bundle, in order and without gaps. The first error is
/// delivered at its position and ends the stream.
///
/// Bundles are read by tasks of the current Tokio runtime, so reading continues while the caller works; dropping the
/// stream ends the tasks.
///
/// Each prefetched bundle gets a share of the memory limit: 1.5 times the largest recent bundle. If it turns out
/// longer, it is dropped and read again, alone, when it is the next one to deliver. So a log that suddenly serves
/// bundles of 16 MB costs time, not memory.
///
/// If the caller is slower than the log, for example because each batch has many findings, fewer bundles are read ahead with each
/// that it takes: what lies ready would only be memory. If the caller has to wait, twice as many are read at once, up to the limit,
/// with which a stream begins.
pub fn leaves(
    source: Arc<dyn LogSource>,
    range: Range<u64>,
    size: u64,
    settings: Prefetch,
) -> impl Stream<Item = Result<Leaves, SourceError>> + Send + Unpin {
    let ahead = Ahead {
        source,
        size,
        window: settings.max_in_flight,
        settings,
        next: range.start,
        end: range.end,
        queue: VecDeque::new(),
        recent: VecDeque::with_capacity(RECENT),
        widened: range.start,
    };
    Box::pin(stream::unfold(ahead, |mut ahead| async move {
        let item = ahead.deliver().await?;
        Some((item, ahead))
    }))
}

struct Ahead {
    source: Arc<dyn LogSource>,
    size: u64,
    settings: Prefetch,
    /// The first leaf that is not being read yet.
    next: u64,
    end: u64,
    queue: VecDeque<Fetch>,
    /// Sizes of the last bundles that were delivered.
    recent: VecDeque<usize>,
    /// How many bundles are read ahead, up to the limits.
    window: usize,
    /// The first leaf that was not being read yet when the window was widened.
    widened: u64,
}

struct Fetch {
    want: Range<u64>,
    /// Its share of the memory limit; `None` for no limit.
    share: Option<usize>,
    /// Its part of what all logs share.
    held: Share,
    task: JoinHandle<Result<Leaves, SourceError>>,
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ahead {
    async fn deliver(&mut self) -> Option<Result<Leaves, SourceError>> {
        if self.queue.is_empty() && self.next < self.end {
            let held = match &self.settings.shared {
                Some(budget) => budget.wait(self.expected()).await,
                None => Share::default(),
            };
            self.start(None, held);
        }
        self.adapt();
        self.fill();
        let Some(mut fetch) = self.queue.pop_front() else {
            return self.stuck().map(Err);
        };
        let mut result = match (&mut fetch.task).await {
            Ok(result) => result,
            Err(e) => Err(SourceError::Unavailable {
                resource: format!("the leaves from {}", fetch.want.start),
                cause: Cause::Io(std::io::Error::other(e)),
            }),
        };
        if let (Err(SourceError::TooLarge { .. }), Some(_)) = (&result, fetch.share) {
            result = self.source.leaves(fetch.want.clone(), self.size).await;
        }
        match &mut result {
            Ok(leaves) => {
                let held = std::mem::take(&mut fetch.held);
                leaves.hold(held.shrink(leaves.size_bytes()));
                if self.recent.len() == RECENT {
                    self.recent.pop_front();
                }
                self.recent.push_back(leaves.size_bytes());
            }
            Err(_) => self.stop(),
        }
        Some(result)
    }

    /// Reads further ahead if the caller has to wait for the next bundle, and less far if all of them lie ready. The bundles of a
    /// wider window arrive a round trip later: until then, waiting shows nothing new.
    fn adapt(&mut self) {
        let Some(next) = self.queue.front() else {
            return;
        };
        if self.queue.iter().all(|fetch| fetch.task.is_finished()) {
            self.window = self.window.saturating_sub(1).max(LEAST_WINDOW);
        } else if !next.task.is_finished() && next.want.start >= self.widened {
            let most = self.settings.max_in_flight.max(1);
            self.window = self.window.saturating_mul(2).min(most);
            self.widened = self.next;
        }
    }

    /// Starts as many fetches as limits allow. The range is never listed: it may have 2^62 leaves.
    fn fill(&mut self) {
        let (share, expected) = (self.share(), self.expected());
        let mut reserved: usize = self.queue.iter().filter_map(|f| f.share).sum();
        while !self.queue.is_empty()
            && self.next < self.end
            && self.queue.len() < self.window.min(self.settings.max_in_flight.max(1))
        {
            reserved = reserved.saturating_add(share);
            if reserved > self.settings.budget_bytes {
                return;
            }
            let held = match &self.settings.shared {
                Some(budget) => budget.take(expected),
                None => Some(Share::default()),
            };
            let Some(held) = held else { return };
            if !self.start(Some(share), held) {
                return;
            }
        }
    }

    /// Starts to read the next bundle. Returns whether there is one.
    fn start(&mut self, share: Option<usize>, held: Share) -> bool {
        let bundle = self.source.bundle(self.next, self.size);
        let want = self.next..bundle.end.min(self.end);
        if want.is_empty() {
            return false;
        }
        self.next = want.end;
        self.queue.push_back(self.fetch(want, share, held));
        true
    }

    fn fetch(&self, want: Range<u64>, share: Option<usize>, held: Share) -> Fetch {
        let (source, size, asked) = (Arc::clone(&self.source), self.size, want.clone());
        let task = tokio::spawn(async move {
            match share {
                Some(limit_bytes) => source.leaves_within(asked, size, limit_bytes).await,
                None => source.leaves(asked, size).await,
            }
        });
        Fetch {
            want,
            share,
            held,
            task,
        }
    }

    /// The share of the next prefetched bundle.
    fn share(&self) -> usize {
        let smallest = self.settings.budget_bytes / self.settings.max_in_flight.max(1);
        if self.recent.is_empty() {
            self.settings.first_guess_bytes
        } else {
            self.expected().max(smallest)
        }
    }

    /// The size of the next bundle, by the largest of the last ones with a reserve.
    fn expected(&self) -> usize {
        match self.recent.iter().max() {
            Some(largest) => largest.saturating_add(largest / 2),
            None => self.settings.first_guess_bytes,
        }
    }

    /// No bundle is being read: all were read, or the rest is not in the tree.
    fn stuck(&mut self) -> Option<SourceError> {
        let error = (self.next < self.end).then_some(SourceError::OutOfRange {
            start: self.next,
            end: self.end,
            size: self.size,
        });
        self.stop();
        error
    }

    fn stop(&mut self) {
        self.queue.clear();
        self.next = self.end;
    }
}

#[cfg(test)]
mod tests;
