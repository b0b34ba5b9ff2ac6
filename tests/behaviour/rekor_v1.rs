//! A Rekor v1 log and its trees, over HTTP: rotation, gaps in replies, lagging replicas, false answers.

use std::sync::Arc;
use std::time::Duration;

use modelwatch::clock::Clock;
use modelwatch::finding::{FaultKind, Finding};
use modelwatch::http;
use modelwatch::judge::Rules;
use modelwatch::log::{Start, TreeId};
use modelwatch::monitor::{
    LogOutcome, Monitor, MonitorError, MonitoredLog, Progress, RekorV1Log, Stop,
};
use modelwatch::source::rekor_v1::Client;
use modelwatch::store::{FindingQuery, Store, TreeState};

use futures_util::TryStreamExt as _;

use crate::world::{
    Anomaly, FakeV1, Faults, FaultyStore, Signer, TestClock, directory, open, other_leaves, routes,
    rules, usual,
};

pub struct V1 {
    pub log: FakeV1,
    pub keys: Vec<Vec<u8>>,
    pub start: Start,
    pub store: Arc<FaultyStore>,
    clock: Arc<TestClock>,
    pub rules: Arc<Rules>,
    _directory: tempfile::TempDir,
}

impl V1 {
    /// A log of one tree with 25 entries, the owner's signing at 23.
    pub async fn new() -> Self {
        let log = FakeV1::start().await;
        let keys = vec![log.rotate(101)];
        log.grow(0, other_leaves(23));
        log.grow(0, [Signer::Release.signs(0)]);
        log.grow(0, other_leaves(1));
        let directory = directory();
        let specs = usual();
        let routes = routes(&specs, &[]);
        Self {
            log,
            keys,
            start: Start::Beginning,
            store: open(&directory, &Arc::new(Faults::default()), &routes).await,
            clock: Arc::new(TestClock::new()),
            rules: rules(&specs, true),
            _directory: directory,
        }
    }

    /// A second tree under a known key, with the owner's signing as its entry 4.
    pub fn rotate(&mut self) {
        let key = self.log.rotate(202);
        self.keys.push(key);
        self.log.grow(1, other_leaves(4));
        self.log.grow(1, [Signer::Release.signs(1)]);
        self.log.grow(1, other_leaves(7));
    }

    pub fn followed(&self) -> MonitoredLog {
        MonitoredLog::RekorV1(RekorV1Log {
            name: "v1".to_owned(),
            server: Client::new(http::Client::default(), self.log.url.clone()),
            keys: self.keys.clone(),
            start: self.start,
            silence_after: None,
            rollback_after: Duration::ZERO,
        })
    }

    fn monitor(&self) -> Monitor {
        let store: Arc<dyn Store> = self.store.clone();
        let clock: Arc<dyn Clock> = self.clock.clone();
        Monitor::new(store, clock, Progress::default(), Stop::default())
    }

    pub async fn pass(&self, bootstrap: bool) -> Result<LogOutcome, MonitorError> {
        let logs = [self.followed()];
        let outcomes = self.monitor().pass(&logs, &self.rules, bootstrap).await?;
        let [outcome] = outcomes.as_slice() else {
            panic!("one log has one outcome, however many its trees")
        };
        Ok(outcome.clone())
    }

    pub async fn good(&self) {
        let outcome = self.pass(false).await.unwrap();
        assert!(outcome.proven, "{outcome:?}");
    }

    pub async fn bad(&self) -> String {
        let outcome = self.pass(false).await.unwrap();
        assert!(!outcome.proven);
        outcome.error.unwrap().kind.to_string()
    }

    pub async fn tree(&self, place: usize) -> TreeState {
        let id = TreeId::new(self.log.origin(place));
        let state = self.store.inner.tree(&id).await.unwrap();
        state.unwrap()
    }

    /// `(base, seen, proven)` of a tree.
    pub async fn position(&self, place: usize) -> (u64, u64, u64) {
        let state = self.tree(place).await;
        let follower = state.follower.unwrap();
        (state.base, follower.seen.size(), follower.proven.size())
    }

    pub async fn findings(&self) -> Vec<Finding> {
        let query = FindingQuery::default();
        let found = self.store.inner.findings(&query);
        found.try_collect().await.unwrap()
    }

    /// `(index, proven, state)` of the findings of the watch `release`.
    pub async fn released(&self) -> Vec<(u64, Option<bool>, &'static str)> {
        let findings = self.findings().await;
        findings
            .iter()
            .filter(|finding| finding.watch.as_deref() == Some("release"))
            .map(|f| (f.index.unwrap(), f.proven, f.state.as_str()))
            .collect()
    }

    pub async fn open_verdicts(&self) -> Vec<String> {
        let findings = self.findings().await;
        findings
            .iter()
            .filter(|f| f.watch.is_none() && f.state.as_str() == "open")
            .map(|f| {
                f.fault
                    .map_or(f.verdict.as_str(), FaultKind::as_str)
                    .to_owned()
            })
            .collect()
    }
}

#[tokio::test]
async fn a_rotation_between_two_passes_ends_the_old_tree_and_begins_the_new_one_at_its_base() {
    let mut v1 = V1::new().await;
    v1.good().await;
    assert_eq!(v1.position(0).await, (0, 25, 25));
    v1.log.grow(0, other_leaves(6));
    v1.rotate();
    v1.good().await;
    assert_eq!(v1.position(0).await, (0, 31, 31));
    assert_eq!(v1.position(1).await, (31, 12, 12));
    let found = v1.released().await;
    assert_eq!(found, [(23, Some(true), "open"), (35, Some(true), "open")]);
    let frozen: Vec<bool> = [v1.tree(0).await, v1.tree(1).await]
        .iter()
        .map(|tree| tree.frozen.is_some())
        .collect();
    assert_eq!(frozen, [true, false]);
    v1.good().await;
    assert_eq!(v1.open_verdicts().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_ended_tree_that_grows_is_a_fault() {
    let mut v1 = V1::new().await;
    v1.rotate();
    v1.good().await;
    v1.log.grow(0, other_leaves(1));
    // The new tree would begin one later: it is not read on, and no finding gets another index.
    assert_eq!(v1.bad().await, "malformed");
    assert_eq!(v1.open_verdicts().await, ["grew-after-freeze"]);
    assert_eq!(v1.position(0).await, (0, 26, 26));
    assert_eq!(v1.position(1).await, (25, 12, 12));
}

#[tokio::test]
async fn a_start_counts_over_all_trees() {
    for (at, first, indexes) in [
        (0, (0, 0), vec![23, 29]),
        (24, (24, 0), vec![29]),
        (25, (25, 0), vec![29]),
        (26, (25, 1), vec![29]),
        (30, (25, 5), vec![]),
    ] {
        let mut v1 = V1::new().await;
        v1.rotate();
        v1.start = Start::Index(at);
        v1.good().await;
        let starts = (v1.tree(0).await.first, v1.tree(1).await.first);
        assert_eq!(starts, first, "{at}");
        let found: Vec<u64> = v1.released().await.iter().map(|found| found.0).collect();
        assert_eq!(found, indexes, "{at}");
        assert_eq!(v1.position(1).await, (25, 12, 12));
    }
}

#[tokio::test]
async fn an_end_is_never_taken_silently_and_what_appears_later_is_read_from_its_first_entry() {
    let mut v1 = V1::new().await;
    v1.start = Start::End;
    let refused = v1.pass(false).await;
    assert!(matches!(refused, Err(MonitorError::NeedsBootstrap(names)) if names == ["v1"]));
    assert!(v1.pass(true).await.unwrap().proven);
    assert_eq!(v1.tree(0).await.first, 25);
    v1.rotate();
    v1.good().await;
    assert_eq!(v1.tree(1).await.first, 0);
    assert_eq!(v1.released().await, [(29, Some(true), "open")]);
}

#[tokio::test]
async fn an_entry_that_a_reply_leaves_out_is_requested_again() {
    let v1 = V1::new().await;
    v1.log.odd(Anomaly::DropsOnce(23));
    v1.good().await;
    assert_eq!(v1.released().await, [(23, Some(true), "open")]);
}

#[tokio::test]
async fn an_entry_that_is_held_back_stops_reading_before_it_and_is_reported() {
    let v1 = V1::new().await;
    v1.log.odd(Anomaly::Hides(13));
    assert_eq!(v1.bad().await, "entries-missing");
    assert_eq!(v1.position(0).await, (0, 10, 0));
    assert_eq!(v1.bad().await, "entries-missing");
    assert_eq!(v1.open_verdicts().await, ["entries-missing"]);
    v1.log.heal();
    v1.good().await;
    assert_eq!(v1.open_verdicts().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_smaller_checkpoint_is_a_lagging_replica_until_it_is_a_rollback() {
    let v1 = V1::new().await;
    v1.good().await;
    v1.log.show(0, 20);
    for _ in 0..2 {
        assert_eq!(v1.bad().await, "behind");
        assert_eq!(v1.open_verdicts().await, Vec::<String>::new());
    }
    assert_eq!(v1.bad().await, "behind");
    assert_eq!(v1.open_verdicts().await, ["rollback"]);
}

#[tokio::test]
async fn a_tree_with_another_history_is_a_fork_and_the_notes_of_its_log_prove_it() {
    let v1 = V1::new().await;
    v1.good().await;
    v1.log.fork(0, 3, Signer::UnknownIssuer.signs(9));
    v1.log.grow(0, other_leaves(8));
    assert_eq!(v1.bad().await, "log-fault");
    assert_eq!(v1.open_verdicts().await, ["fork"]);
    assert_eq!(v1.position(0).await, (0, 25, 25));
}

#[tokio::test]
async fn a_false_entry_in_a_later_tree_disputes_what_was_found_in_that_tree_only() {
    let mut v1 = V1::new().await;
    v1.rotate();
    v1.log.odd(Anomaly::Swaps(30));
    assert_eq!(v1.bad().await, "log-fault");
    assert_eq!(v1.open_verdicts().await, ["root-mismatch"]);
    let found = v1.released().await;
    assert_eq!(
        found,
        [(23, Some(true), "open"), (29, Some(false), "disputed")]
    );
    v1.log.heal();
    v1.good().await;
    let found = v1.released().await;
    assert_eq!(found, [(23, Some(true), "open"), (29, Some(true), "open")]);
}

#[tokio::test]
async fn a_tree_under_an_unknown_key_is_not_trusted_and_the_older_ones_are_read() {
    let v1 = V1::new().await;
    v1.log.rotate(202);
    v1.log.grow(1, other_leaves(3));
    assert_eq!(v1.bad().await, "unverifiable-checkpoint");
    assert_eq!(v1.position(0).await, (0, 25, 25));
    assert!(v1.tree(1).await.follower.is_none());
    assert_eq!(v1.open_verdicts().await, ["unverifiable-checkpoint"]);
}

#[tokio::test]
async fn a_tree_that_vanishes_or_moves_is_reported() {
    let mut v1 = V1::new().await;
    v1.rotate();
    let key = v1.log.rotate(303);
    v1.keys.push(key);
    v1.good().await;
    v1.log.odd(Anomaly::ForgetsOldest);
    for _ in 0..3 {
        v1.bad().await;
    }
    let reported = v1.open_verdicts().await;
    assert!(reported.contains(&"unavailable".to_owned()), "{reported:?}");
    v1.log.heal();
    v1.good().await;
    assert_eq!(v1.open_verdicts().await, Vec::<String>::new());
    v1.log.odd(Anomaly::Reorders);
    assert_eq!(v1.bad().await, "malformed");
    v1.log.heal();
    v1.good().await;
}

#[tokio::test]
async fn a_log_that_does_not_answer_is_reported_under_its_address() {
    let v1 = V1::new().await;
    v1.log.odd(Anomaly::Down);
    for _ in 0..3 {
        assert_eq!(v1.bad().await, "unavailable");
    }
    let findings = v1.findings().await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].origin.as_deref(), Some(v1.log.url.as_str()));
    v1.log.heal();
    v1.good().await;
    assert_eq!(v1.open_verdicts().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_log_that_is_too_busy_to_list_its_trees_is_limiting_and_not_unavailable() {
    let v1 = V1::new().await;
    v1.good().await;
    v1.log.odd(Anomaly::Limits);
    for _ in 0..2 {
        assert_eq!(v1.bad().await, "unavailable");
        assert_eq!(v1.open_verdicts().await, Vec::<String>::new());
    }
    assert_eq!(v1.bad().await, "unavailable");
    assert_eq!(v1.open_verdicts().await, ["rate-limited"]);
    v1.log.heal();
    v1.good().await;
    assert_eq!(v1.open_verdicts().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_rescan_closes_the_gaps_of_every_tree() {
    let mut v1 = V1::new().await;
    v1.rotate();
    let specs = usual();
    v1.rules = rules(&specs[2..], true);
    v1.good().await;
    assert_eq!(v1.released().await, []);
    v1.rules = rules(&specs, true);
    v1.good().await;
    let done = v1.monitor().rescan(&v1.followed(), &v1.rules, None).await;
    assert_eq!(done.unwrap(), (37, 4));
    let found = v1.released().await;
    assert_eq!(found, [(23, Some(true), "open"), (29, Some(true), "open")]);
    assert_eq!(v1.open_verdicts().await, Vec::<String>::new());
}
