//! The cost of changes, counted and not timed: SQLite calls a handler regularly while it works, about once for each row
//! that it reads.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;

use super::SqliteStore;
use crate::expect::Expectation;
use crate::finding::{
    ChannelRoute, Evidence, Finding, FindingId, NewFinding, Routes, Severity, State, Verdict,
};
use crate::identity::Chain;
use crate::log::{LogId, Protocol, TreeId};
use crate::store::{
    Alerts as _, Condition, Conditions as _, CoveredRanges as _, Expectations as _, FindingQuery,
    Findings as _, Handling, HandlingRequest, Kept, NewRegistration, NewTree, Positions as _,
    Rescanned, Scope, Settings, WatchKey, WatchSet,
};

const ORIGIN: &str = "log.example";

/// A store, and a counter of the work of SQLite.
struct Counted {
    _dir: tempfile::TempDir,
    store: SqliteStore,
    steps: Arc<AtomicU64>,
}

impl Counted {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let channel = ChannelRoute {
            name: "all".to_owned(),
            ..ChannelRoute::default()
        };
        let settings = Settings {
            path: dir.path().join("store.db"),
            routes: Routes::new(vec![channel], HashMap::new()),
        };
        let store = SqliteStore::open(settings).await.unwrap();
        let steps = Arc::new(AtomicU64::new(0));
        // All connections at once: a call may use any of those that read.
        let mut connections = vec![store.writer.as_ref().unwrap().acquire().await.unwrap()];
        for _ in 0..store.reader.options().get_max_connections() {
            connections.push(store.reader.acquire().await.unwrap());
        }
        for connection in &mut connections {
            let steps = Arc::clone(&steps);
            let mut handle = connection.lock_handle().await.unwrap();
            handle.set_progress_handler(1, move || {
                steps.fetch_add(1, Ordering::Relaxed);
                true
            });
        }
        drop(connections);
        Self {
            _dir: dir,
            store,
            steps,
        }
    }

    /// A store with this many findings, each in an alert of its own.
    async fn with_findings(count: u64) -> Self {
        let counted = Self::open().await;
        let found = (0..count).map(signing).collect();
        counted.store.rescanned(&rescanned(found)).await.unwrap();
        counted
    }

    /// The work of SQLite during a call.
    async fn cost<T, E: std::fmt::Debug>(&self, call: impl Future<Output = Result<T, E>>) -> u64 {
        let before = self.steps.load(Ordering::Relaxed);
        call.await.unwrap();
        self.steps.load(Ordering::Relaxed) - before
    }
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// Like a hash, it differs from others at its end too.
fn leaf(index: u64) -> [u8; 32] {
    let mut leaf = [7; 32];
    leaf[24..].copy_from_slice(&index.to_be_bytes());
    leaf
}

fn signing(index: u64) -> NewFinding {
    let id = FindingId::of_signing("watch", ORIGIN, index, &leaf(index), 0);
    let summary = format!("entry {index}");
    let finding = Finding {
        watch: Some("watch".to_owned()),
        log: Some("main".to_owned()),
        origin: Some(ORIGIN.to_owned()),
        index: Some(index),
        leaf_hash: Some(hex::encode(leaf(index))),
        proven: Some(true),
        kind: Some("hashedrekord 0.0.1".to_owned()),
        digest: Some(format!("sha256:{index:064x}")),
        chain: Some(Chain::Trusted),
        state: State::Open,
        ..Finding::new(
            id,
            Verdict::IdentityUnexpected,
            Severity::High,
            summary,
            now(),
        )
    };
    NewFinding {
        finding,
        rule: Some([1; 32]),
        evidence: Evidence::default(),
    }
}

fn rescanned(findings: Vec<NewFinding>) -> Rescanned {
    Rescanned {
        tree: TreeId::new(ORIGIN),
        range: 0..0,
        watches: WatchSet::from_iter([]),
        closes_gap: false,
        findings,
        kept: Kept::default(),
        now: now(),
    }
}

fn registration(index: u64) -> NewRegistration {
    let expectation = Expectation {
        leaf_hashes: vec![leaf(index)],
        digest: format!("sha256:{index:064x}"),
        who: "owner".to_owned(),
        certificate_sha256: String::new(),
        logged_sha256: None,
        signing: None,
        statement: None,
        key_sha256: String::new(),
        not_before: now(),
        entries: Vec::new(),
    };
    NewRegistration::by_operator(format!("{index}.sig"), expectation)
}

/// The cost of each kind of change with this many other findings.
async fn changes(findings: u64) -> Vec<(&'static str, u64)> {
    let counted = Counted::with_findings(findings).await;
    let store = &counted.store;
    let scope = Scope {
        verdicts: &[Verdict::StoreFailing],
        origin: None,
    };
    let condition = Condition::new(Verdict::StoreFailing, "store", "failed".to_owned());
    store.assess(&scope, &[condition], now()).await.unwrap();
    let (one, other) = (registration(5), registration(6));
    let mut costs = vec![(
        "expect add",
        counted.cost(store.register_all(&[one], now())).await,
    )];
    store.register_all(&[other], now()).await.unwrap();
    costs.push((
        "expect remove",
        counted.cost(store.unregister(2, now())).await,
    ));
    let id = signing(7).finding.id;
    let request = request();
    costs.push((
        "findings ack",
        counted.cost(store.handle(&[id], &request)).await,
    ));
    costs.push((
        "health resolves",
        counted.cost(store.assess(&scope, &[], now())).await,
    ));
    // None of the findings comes back from a dispute; the same query finds that out.
    let known = rescanned(vec![signing(8)]);
    costs.push(("found again", counted.cost(store.rescanned(&known)).await));
    let list = FindingQuery {
        limit: Some(1),
        ..FindingQuery::open()
    };
    costs.push((
        "ack of one of many",
        counted.cost(store.handle_matching(&list, &request)).await,
    ));
    costs
}

fn request() -> HandlingRequest<'static> {
    HandlingRequest {
        handling: Handling::Ack,
        author: "jane",
        reason: "seen",
        at: now(),
    }
}

#[tokio::test]
async fn a_change_costs_the_same_beside_ten_times_as_many_findings() {
    let (few, many) = (changes(300).await, changes(3_000).await);
    for ((change, few), (_, many)) in few.into_iter().zip(many) {
        assert!(few > 0, "{change}: nothing was counted");
        assert!(
            many <= few + few / 4 + 20,
            "{change}: {few}, and then {many}"
        );
    }
}

#[tokio::test]
async fn what_is_open_or_held_is_listed_and_counted_at_the_same_cost_beside_ten_times_as_many_others()
 {
    let mut costs = Vec::new();
    for others in [300, 3_000] {
        let counted = Counted::with_findings(others).await;
        let store = &counted.store;
        let all = FindingQuery::default();
        store.handle_matching(&all, &request()).await.unwrap();
        let mut held = signing(1_000_000);
        held.finding.state = State::Held;
        let found = vec![held, signing(1_000_001)];
        store.rescanned(&rescanned(found)).await.unwrap();
        let held = FindingQuery {
            states: vec![State::Held],
            ..FindingQuery::default()
        };
        let mut cost = 0;
        for query in [FindingQuery::open(), held] {
            let listed = async { store.findings(&query).try_collect::<Vec<_>>().await };
            cost += counted.cost(listed).await;
            cost += counted.cost(store.count(&query)).await;
            assert_eq!(store.count(&query).await.unwrap(), 1);
        }
        costs.push(cost);
    }
    assert!(costs[0] > 0 && costs[1] <= costs[0] + 20, "{costs:?}");
}

#[tokio::test]
async fn the_health_of_a_log_is_assessed_at_the_same_cost_beside_ten_times_as_many_that_fail() {
    let mut costs = Vec::new();
    for others in [20, 200] {
        let counted = Counted::open().await;
        let verdicts: &[Verdict] = &[Verdict::Unavailable];
        let mut cost = 0;
        for log in 0..others {
            let (name, origin) = (format!("log-{log}"), format!("{log}.example"));
            let summary = "it does not answer".to_owned();
            let failed = Condition::of_log(Verdict::Unavailable, &name, &origin, summary);
            let scope = Scope {
                verdicts,
                origin: Some(origin),
            };
            let store = &counted.store;
            store
                .assess(&scope, std::slice::from_ref(&failed), now())
                .await
                .unwrap();
            cost = counted.cost(store.assess(&scope, &[failed], now())).await;
        }
        costs.push(cost);
    }
    assert!(costs[0] > 0 && costs[1] <= costs[0] + 20, "{costs:?}");
}

#[tokio::test]
async fn alerts_are_handed_out_at_the_same_cost_beside_others_that_were_delivered() {
    let mut costs = Vec::new();
    for findings in [300, 3_000] {
        let counted = Counted::with_findings(findings).await;
        let store = &counted.store;
        // All of them become one digest, which stays claimed; then one more alert waits.
        store.claim_alerts("all", 20, now()).await.unwrap();
        sqlx::query("UPDATE alert SET state = 'delivered'")
            .execute(store.writer.as_ref().unwrap())
            .await
            .unwrap();
        let more = rescanned(vec![signing(1_000_000)]);
        store.rescanned(&more).await.unwrap();
        costs.push(counted.cost(store.claim_alerts("all", 20, now())).await);
    }
    assert!(costs[1] <= costs[0] + costs[0] / 4 + 20, "{costs:?}");
}

fn watches(count: u8) -> WatchSet {
    let watch = |n| WatchKey {
        name: format!("watch-{n}"),
        conditions: [n; 32],
    };
    (0..count).map(watch).collect()
}

async fn begun(counted: &Counted, trees: u64) {
    for tree in 0..trees {
        let log = NewTree {
            id: TreeId::new(format!("{tree}.example")),
            log: LogId::new(format!("{tree}.example")),
            name: format!("log-{tree}"),
            protocol: Protocol::RekorV2,
            base: 0,
            follower: tlog::Follower::new(tlog::CompactRange::new()).state(),
            checkpoints: Vec::new(),
            now: now(),
        };
        counted.store.begin(&log).await.unwrap();
    }
}

#[tokio::test]
async fn the_coverage_of_one_tree_is_read_at_the_same_cost_beside_ten_times_as_many_trees() {
    let mut costs = Vec::new();
    for trees in [20, 200] {
        let counted = Counted::open().await;
        begun(&counted, trees).await;
        let (store, watches) = (&counted.store, watches(50));
        for tree in 0..trees {
            store
                .watching(&TreeId::new(format!("{tree}.example")), &watches)
                .await
                .unwrap();
        }
        let declared = counted
            .cost(store.watching(&TreeId::new("7.example"), &watches))
            .await;
        let read = counted
            .cost(store.tree_coverage(&watches, Some(&TreeId::new("7.example"))))
            .await;
        costs.push(declared + read);
    }
    assert!(costs[0] > 0 && costs[1] <= costs[0] + 20, "{costs:?}");
}

#[tokio::test]
async fn watches_that_never_changed_take_one_row_each_for_all_trees() {
    let counted = Counted::open().await;
    begun(&counted, 30).await;
    for tree in 0..30 {
        let tree = TreeId::new(format!("{tree}.example"));
        counted.store.watching(&tree, &watches(40)).await.unwrap();
    }
    let rows: Vec<i64> = sqlx::query_scalar(
        "SELECT count(*) FROM coverage UNION ALL SELECT count(*) FROM watch_set_member
         UNION ALL SELECT count(*) FROM tree_watch_set",
    )
    .fetch_all(counted.store.writer.as_ref().unwrap())
    .await
    .unwrap();
    assert_eq!(rows, [0, 40, 30]);
    let coverage = counted
        .store
        .tree_coverage(&watches(40), None)
        .await
        .unwrap();
    assert_eq!(coverage.len(), 30);
    assert!(coverage.iter().all(|tree| tree.uneven.is_empty()));
}

#[tokio::test]
async fn a_step_of_a_rescan_costs_the_same_for_ten_times_as_many_watches() {
    let mut costs = Vec::new();
    for count in [20, 200] {
        let counted = Counted::open().await;
        begun(&counted, 1).await;
        let step = |range| Rescanned {
            tree: TreeId::new("0.example"),
            range,
            watches: watches(count),
            ..rescanned(Vec::new())
        };
        counted.store.rescanned(&step(0..10)).await.unwrap();
        costs.push(counted.cost(counted.store.rescanned(&step(10..20))).await);
    }
    assert!(costs[1] <= costs[0] + 20, "{costs:?}");
}
