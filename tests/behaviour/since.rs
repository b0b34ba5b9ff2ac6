//! `start = DATE`: the first position of a certificate log, of a log of several trees, and of a guided one.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use modelwatch::http;
use modelwatch::judge::Rules;
use modelwatch::log::{LogId, Protocol, Shard, Start, TreeId};
use modelwatch::monitor::{
    CtGuide, Guided, Log, LogOutcome, Monitor, MonitoredLog, Progress, RekorV1Log, Stop,
};
use modelwatch::source::rekor_v1::Client;
use modelwatch::store::Store;
use tempfile::TempDir;

use crate::world::{
    FakeV1, Faults, FaultyStore, Leaf, TestClock, Watched, dated, directory, open, other_leaves,
    routes, rules, usual,
};

/// A store, and the watches.
struct Site {
    store: Arc<FaultyStore>,
    rules: Arc<Rules>,
    _directory: TempDir,
}

impl Site {
    async fn new() -> Self {
        let directory = directory();
        let specs = usual();
        Self {
            store: open(
                &directory,
                &Arc::new(Faults::default()),
                &routes(&specs, &[]),
            )
            .await,
            rules: rules(&specs, true),
            _directory: directory,
        }
    }

    async fn pass(&self, log: MonitoredLog) -> LogOutcome {
        let store: Arc<dyn Store> = self.store.clone();
        let clock = Arc::new(TestClock::new());
        let monitor = Monitor::new(store, clock, Progress::default(), Stop::default());
        // A date is not the end: nothing is skipped unintentionally.
        let outcomes = monitor.pass(&[log], &self.rules, false).await.unwrap();
        outcomes.into_iter().next().unwrap()
    }

    /// The first entry of this origin that is read, counted within its tree.
    async fn first(&self, origin: &str) -> u64 {
        let state = self
            .store
            .inner
            .tree(&TreeId::new(origin))
            .await
            .unwrap()
            .unwrap();
        assert!(state.follower.is_some(), "{origin}");
        state.first
    }
}

fn time(written: &str) -> Timestamp {
    written.parse().unwrap()
}

#[tokio::test]
async fn a_certificate_log_is_read_from_the_time_that_its_leaves_bear() {
    // One leaf a minute from midnight on; they need not be readable.
    let midnight = time("2026-11-01T00:00:00Z").as_millisecond();
    let leaves = (0..4000_i64).map(|minute| {
        let at = u64::try_from(midnight + minute * 60_000).unwrap();
        Leaf::of_bytes([&[0, 0], &at.to_be_bytes()[..], b"\xff\xff"].concat())
    });
    let leaves: Vec<_> = leaves.collect();
    for (since, expected) in [
        // An hour and two bundles too early, never too late.
        ("2026-11-02T12:00:00Z", 2160 - 60 - 512..=2160 - 60),
        ("2026-11-01T00:00:00Z", 0..=0),
        ("2020-01-01T00:00:00Z", 0..=0),
        ("2026-11-20T00:00:00Z", 4000 - 256..=4000),
    ] {
        let site = Site::new().await;
        let start = Start::Time(time(since));
        let watched = Watched::new("ct.example", start);
        watched.log.grow(leaves.clone());
        let log = Log {
            shard: Arc::new(Shard {
                protocol: Protocol::CtStatic,
                ..Shard::clone(&watched.shard)
            }),
            source: watched.log.clone(),
        };
        let outcome = site.pass(log.into()).await;
        assert!(outcome.proven, "{outcome:?}");
        let first = site.first("ct.example").await;
        assert!(expected.contains(&first), "{since}: {first}");
    }
}

/// A log of two trees: 120 entries of the first six days of November, 80 of the next four.
async fn two_trees(start: Start) -> (FakeV1, RekorV1Log) {
    let log = FakeV1::start().await;
    let mut keys = vec![log.rotate(101)];
    log.grow(0, (0..120).map(|i| dated((i / 20 + 1) as u8, true, i)));
    keys.push(log.rotate(202));
    log.grow(1, (120..200).map(|i| dated((i / 20 + 1) as u8, true, i)));
    let followed = RekorV1Log {
        name: "v1".to_owned(),
        server: Client::new(http::Client::default(), log.url.clone()),
        keys,
        start,
        silence_after: None,
        rollback_after: Duration::ZERO,
    };
    (log, followed)
}

/// For a date: where each tree is read from, at the earliest and at the latest.
const DATES: [(&str, [(u64, u64); 2]); 5] = [
    ("2026-10-01T00:00:00Z", [(0, 0), (0, 0)]),
    ("2026-11-03T12:00:00Z", [(50, 60), (0, 0)]),
    // The second tree begins on the seventh.
    ("2026-11-07T12:00:00Z", [(110, 120), (10, 20)]),
    ("2026-11-07T00:00:00Z", [(110, 120), (0, 0)]),
    ("2026-11-15T00:00:00Z", [(110, 120), (70, 80)]),
];

#[tokio::test]
async fn each_tree_of_a_log_is_read_from_the_date_on() {
    for (since, expected) in DATES {
        let site = Site::new().await;
        let (log, followed) = two_trees(Start::Time(time(since))).await;
        let outcome = site.pass(MonitoredLog::RekorV1(followed)).await;
        assert!(outcome.proven, "{outcome:?}");
        for (tree, (earliest, latest)) in expected.into_iter().enumerate() {
            let first = site.first(&log.origin(tree)).await;
            assert!(
                (earliest..=latest).contains(&first),
                "{since}, tree {tree}: {first}"
            );
        }
    }
}

#[tokio::test]
async fn a_guided_log_alerts_from_the_first_entry_of_the_date_over_all_trees() {
    for (since, [first, second]) in DATES {
        let site = Site::new().await;
        let (_log, followed) = two_trees(Start::Time(time(since))).await;
        let id = followed.id();
        let guided = Guided {
            log: followed,
            guides: vec![CtGuide {
                name: "ct".to_owned(),
                id: Some(LogId::new("ct.example")),
            }],
        };
        // Its index does not answer here, and no certificate log is read: only its start is tested.
        site.pass(MonitoredLog::Guided(guided)).await;
        let guide = site.store.inner.guide(&id).await.unwrap().unwrap();
        let earliest = if first.0 < 110 {
            first.0
        } else {
            110.min(120 + second.0)
        };
        let latest = if first.1 < 120 {
            first.1
        } else {
            120 + second.1
        };
        assert!(
            (earliest..=latest).contains(&guide.start),
            "{since}: {}",
            guide.start
        );
    }
}

#[tokio::test]
async fn a_date_to_come_is_refused_and_a_log_without_dates_is_read_in_full() {
    let site = Site::new().await;
    let (log, followed) = two_trees(Start::Time(time("2126-01-01T00:00:00Z"))).await;
    let outcome = site.pass(MonitoredLog::RekorV1(followed)).await;
    assert!(outcome.error.unwrap().message.contains("in the future"));
    assert!(
        site.store
            .inner
            .tree(&TreeId::new(log.origin(1)))
            .await
            .unwrap()
            .unwrap()
            .follower
            .is_none()
    );

    let site = Site::new().await;
    let log = FakeV1::start().await;
    let keys = vec![log.rotate(101)];
    log.grow(
        0,
        other_leaves(1).chain((0..40).map(crate::world::unreadable)),
    );
    let followed = RekorV1Log {
        name: "v1".to_owned(),
        server: Client::new(http::Client::default(), log.url.clone()),
        keys,
        start: Start::Time(time("2026-11-10T00:00:00Z")),
        silence_after: None,
        rollback_after: Duration::ZERO,
    };
    let outcome = site.pass(MonitoredLog::RekorV1(followed)).await;
    assert!(outcome.proven, "{outcome:?}");
    assert_eq!(site.first(&log.origin(0)).await, 0);
}
