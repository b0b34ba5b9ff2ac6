#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use tlog::Split;

use super::*;
use crate::source::Budget;

/// Leaves of one bundle of four, and the time to read one: the later, the faster.
#[derive(Default)]
struct Fake {
    /// The length of the single long leaf of each bundle, by bundle number; the last one repeats.
    lengths: Vec<usize>,
    absent_from: Option<u64>,
    requests: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    /// Bytes of bundles in memory: counted from when they were read until they are delivered.
    held: Arc<AtomicUsize>,
    most_held: AtomicUsize,
}

const WIDTH: u64 = 4;

impl Fake {
    async fn read(&self, want: Range<u64>, limit: usize) -> Result<Leaves, SourceError> {
        self.requests.fetch_add(1, SeqCst);
        let now = self.at_once.fetch_add(1, SeqCst) + 1;
        self.most_at_once.fetch_max(now, SeqCst);
        let bundle = want.start / WIDTH;
        tokio::time::sleep(Duration::from_millis(100 - (bundle * 7) % 90)).await;
        self.at_once.fetch_sub(1, SeqCst);
        if self.absent_from.is_some_and(|from| want.end > from) {
            let resource = format!("bundle {bundle}");
            let tried = resource.clone();
            return Err(SourceError::Absent { resource, tried });
        }
        let n = usize::try_from(bundle).unwrap();
        let length = *self.lengths.get(n).or(self.lengths.last()).unwrap_or(&8);
        self.hold(length.min(limit));
        if length > limit {
            self.held.fetch_sub(limit, SeqCst);
            let resource = format!("bundle {bundle}");
            return Err(SourceError::TooLarge {
                resource,
                limit_bytes: limit,
            });
        }
        let leaves = want.clone().map(|i| {
            let long = if i == want.start { length } else { 0 };
            let mut leaf = i.to_be_bytes().to_vec();
            leaf.resize(long.max(8), 0);
            leaf
        });
        Ok(Leaves::copied(want.start, leaves).unwrap())
    }

    fn hold(&self, bytes: usize) {
        let held = self.held.fetch_add(bytes, SeqCst) + bytes;
        self.most_held.fetch_max(held, SeqCst);
    }
}

#[async_trait]
impl LogSource for Fake {
    async fn checkpoint(&self) -> Result<Bytes, SourceError> {
        Ok(Bytes::new())
    }

    fn bundle(&self, index: u64, size: u64) -> Range<u64> {
        let start = index - index % WIDTH;
        start..(start + WIDTH).min(size)
    }

    async fn leaves(&self, want: Range<u64>, _: u64) -> Result<Leaves, SourceError> {
        self.read(want, usize::MAX).await
    }

    async fn leaves_within(
        &self,
        want: Range<u64>,
        _: u64,
        limit_bytes: usize,
    ) -> Result<Leaves, SourceError> {
        self.read(want, limit_bytes).await
    }

    async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError> {
        Ok(Split::new(at, size, Vec::new(), Vec::new()).unwrap())
    }
}

/// Reads everything; returns the indices in the order of their delivery, and how it ended.
async fn all(
    source: &Arc<Fake>,
    range: Range<u64>,
    size: u64,
    settings: Prefetch,
) -> (Vec<u64>, Option<SourceError>) {
    let source_dyn: Arc<dyn LogSource> = source.clone();
    let mut stream = leaves(source_dyn, range, size, settings);
    let mut indices = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            Err(error) => {
                assert!(stream.next().await.is_none(), "an error ends the stream");
                return (indices, Some(error));
            }
            Ok(bundle) => {
                let long = bundle.iter().next().unwrap().1.len();
                source.held.fetch_sub(long, SeqCst);
                for (index, leaf) in bundle.iter() {
                    assert_eq!(leaf[..8], index.to_be_bytes());
                    indices.push(index);
                }
            }
        }
    }
    (indices, None)
}

fn settings(max_in_flight: usize, budget_bytes: usize) -> Prefetch {
    Prefetch {
        max_in_flight,
        budget_bytes,
        ..Prefetch::default()
    }
}

#[tokio::test(start_paused = true)]
async fn leaves_come_in_order_without_gaps_however_the_answers_come() {
    for range in [0..0, 0..1, 0..400, 3..400, 5..6, 4..8, 3..5, 390..400] {
        let source = Arc::new(Fake::default());
        let (indices, error) = all(&source, range.clone(), 400, settings(8, 1 << 30)).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(indices, range.collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn requests_run_at_once_up_to_the_limit() {
    for limit in [1, 2, 32] {
        let source = Arc::new(Fake::default());
        all(&source, 0..1000, 1000, settings(limit, 1 << 30)).await;
        assert_eq!(source.most_at_once.load(SeqCst), limit);
    }
}

#[tokio::test(start_paused = true)]
async fn bundles_of_the_usual_size_keep_sixteen_requests_going() {
    let source = Arc::new(Fake {
        lengths: vec![580_000],
        ..Fake::default()
    });
    let (indices, _) = all(&source, 0..800, 800, Prefetch::default()).await;
    assert_eq!(indices.len(), 800);
    assert!(source.most_at_once.load(SeqCst) >= 16);
    assert_eq!(source.requests.load(SeqCst), 200, "none is read twice");
}

#[tokio::test(start_paused = true)]
async fn bundles_that_suddenly_grow_cost_time_and_not_memory() {
    const LARGE: usize = 16_000_000;
    let small_then_large = [vec![10_000; 40], vec![LARGE; 60]].concat();
    let by_turns = [vec![10_000; 20], vec![LARGE; 2]].concat().repeat(5);
    for lengths in [vec![LARGE; 100], small_then_large, by_turns] {
        let source = Arc::new(Fake {
            lengths,
            ..Fake::default()
        });
        let (indices, error) = all(&source, 0..400, 400, Prefetch::default()).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(indices.len(), 400);
        // One bundle may have any size; all others share the limit.
        let most = source.most_held.load(SeqCst);
        assert!(most <= Prefetch::default().budget_bytes + LARGE, "{most}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_error_comes_in_its_place_and_ends_the_stream() {
    let source = Arc::new(Fake {
        absent_from: Some(42),
        ..Fake::default()
    });
    let (indices, error) = all(&source, 0..400, 400, settings(8, 1 << 30)).await;
    assert_eq!(indices, (0..40).collect::<Vec<_>>());
    assert!(matches!(error, Some(SourceError::Absent { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_claims_2_to_the_62_leaves_and_has_none_fails_at_once() {
    let source = Arc::new(Fake {
        absent_from: Some(0),
        ..Fake::default()
    });
    let (indices, error) = all(&source, 0..1 << 62, 1 << 62, Prefetch::default()).await;
    assert!(indices.is_empty());
    assert!(matches!(error, Some(SourceError::Absent { .. })));
    assert!(source.requests.load(SeqCst) <= 32);
}

#[tokio::test(start_paused = true)]
async fn leaves_beyond_the_tree_are_an_error_and_not_an_early_end() {
    let source = Arc::new(Fake::default());
    let (indices, error) = all(&source, 0..20, 10, Prefetch::default()).await;
    assert_eq!(indices, (0..10).collect::<Vec<_>>());
    assert!(matches!(error, Some(SourceError::OutOfRange { .. })));
}

#[tokio::test(start_paused = true)]
async fn no_request_is_sent_after_the_stream_was_dropped() {
    let source = Arc::new(Fake::default());
    let source_dyn: Arc<dyn LogSource> = source.clone();
    let mut stream = leaves(source_dyn, 0..4000, 4000, settings(8, 1 << 30));
    stream.next().await.unwrap().unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(source.requests.load(SeqCst) <= 9);
    assert_eq!(Arc::strong_count(&source), 1, "no task keeps it");
}

#[tokio::test(start_paused = true)]
async fn many_logs_at_once_hold_no_more_bytes_than_their_budget() {
    const BUNDLE_BYTES: usize = 100_000;
    const LOGS: usize = 40;
    let budget_bytes = 8 * 160 * 1024;
    let shared = Some(Budget::new(budget_bytes));
    let held = Arc::default();
    let logs: Vec<Arc<Fake>> = (0..LOGS)
        .map(|_| {
            Arc::new(Fake {
                lengths: vec![BUNDLE_BYTES],
                held: Arc::clone(&held),
                ..Fake::default()
            })
        })
        .collect();
    let reading = logs.iter().map(async |source| {
        let settings = Prefetch {
            first_guess_bytes: 160 * 1024,
            shared: shared.clone(),
            ..Prefetch::default()
        };
        let source_dyn: Arc<dyn LogSource> = source.clone();
        let mut stream = leaves(source_dyn, 0..24, 24, settings);
        let mut count = 0;
        while let Some(bundle) = stream.next().await {
            let bundle = bundle.unwrap();
            // As long as it is scanned.
            tokio::time::sleep(Duration::from_millis(20)).await;
            count += bundle.len();
            source.held.fetch_sub(BUNDLE_BYTES, SeqCst);
        }
        count
    });
    let counts = futures_util::future::join_all(reading).await;
    assert_eq!(counts, [24; LOGS]);
    let most = logs.iter().map(|log| log.most_held.load(SeqCst)).max();
    assert!(most.unwrap() <= budget_bytes, "{most:?}");
    // Without a budget each of them would hold all of its bundles.
    assert!(most.unwrap() >= 4 * BUNDLE_BYTES, "{most:?}");
}

/// Reads 200 bundles, and takes this long for each. Answers how many were in memory, and how many were read, at once, at most,
/// during the later half.
async fn read_by_a_caller_that_takes(time: Duration) -> (usize, usize) {
    let source = Arc::new(Fake {
        lengths: vec![1_000],
        ..Fake::default()
    });
    let source_dyn: Arc<dyn LogSource> = source.clone();
    let mut stream = leaves(source_dyn, 0..800, 800, settings(32, 1 << 30));
    let mut count = 0;
    while let Some(bundle) = stream.next().await {
        bundle.unwrap();
        count += 1;
        if count == 100 {
            source.most_held.store(0, SeqCst);
            source.most_at_once.store(0, SeqCst);
        }
        tokio::time::sleep(time).await;
        source.held.fetch_sub(1_000, SeqCst);
    }
    assert_eq!(count, 200);
    let held = source.most_held.load(SeqCst) / 1_000;
    (held, source.most_at_once.load(SeqCst))
}

#[tokio::test(start_paused = true)]
async fn no_more_is_read_ahead_than_a_slow_caller_takes() {
    // A bundle is read in 10 to 100 ms.
    let (held, _) = read_by_a_caller_that_takes(Duration::from_millis(200)).await;
    assert!(held <= LEAST_WINDOW + 1, "{held}");
    let (_, at_once) = read_by_a_caller_that_takes(Duration::from_millis(1)).await;
    assert!(at_once >= 16, "{at_once}");
}
