//! A complete monitor under test: logs that hash, sign and can serve false data, a real store whose methods can fail, a
//! clock that is set by hand, and an inbox. [`World::step`] is one pass with its deliveries; [`World::check`] runs
//! after every step and asserts every invariant.

mod check;
mod clock;
mod fake_index;
mod fake_log;
mod fake_v1;
mod faulty_store;
#[path = "../../http_source/merkle.rs"]
mod merkle;
mod naive;
mod parts;
#[path = "../../store/register_one.rs"]
mod register_one;
mod who;
mod witness;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use modelwatch::clock::Clock as _;
use modelwatch::expect::Authority;
use modelwatch::finding::{Finding, FindingId, Routes};
use modelwatch::judge::Rules;
use modelwatch::log::{Start, TreeId};
use modelwatch::monitor::{
    LogOutcome, Monitor, MonitorError, MonitoredLog, Progress, RescanError, Settings, Stop,
};
use modelwatch::store::{
    Alerts as _, Delivery, Handling, HandlingRequest, NewRegistration, QueuedKind, Registrar,
    Store, StoreError, TreeState, Uneven,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tempfile::TempDir;

pub use clock::TestClock;
pub use fake_index::FakeIndex;
pub use fake_log::{BUNDLE, FakeLog, Question};
pub use fake_v1::{Anomaly, FakeV1, OTHER_HOST};
pub use faulty_store::{Fault, Faults, FaultyStore, Mode};
pub use naive::{Condition, Spec};
pub use parts::{Watched, directory, open, routes, rules, usual};
pub use register_one::RegisterOne;

pub use who::{
    GITHUB, Issued, Leaf, MAIL, OWL, RELEASE, Signer, attested, authorities, authority, dated,
    issue, issue_for, one_of_many, other_leaves, recorded, unreadable, written,
};
pub use witness::{Witness, line};

/// More than this many alerts at once become a digest: the same number as in the outbox.
const FLOOD: u32 = 20;

/// A request to acknowledge, by Jane.
pub fn ack(reason: &str, at: Timestamp) -> HandlingRequest<'_> {
    HandlingRequest {
        handling: Handling::Ack,
        author: "jane",
        reason,
        at,
    }
}

/// A delivered message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub channel: String,
    pub id: String,
    pub kind: QueuedKind,
    pub key: String,
    pub findings: Vec<FindingId>,
}

/// See the module.
pub struct World {
    directory: TempDir,
    pub clock: Arc<TestClock>,
    pub faults: Arc<Faults>,
    pub logs: Vec<Watched>,
    pub inbox: Vec<Message>,
    specs: Vec<Spec>,
    trusted: bool,
    rules: Arc<Rules>,
    routes: Routes,
    channels: Vec<String>,
    store: Arc<FaultyStore>,
    /// Gaps that a test has made: (watch, origin) -> the end of the range that was read before the watch was added.
    gaps: BTreeMap<(&'static str, String), u64>,
    /// Which leaves are registered, by whom: the authorities of each leaf hash.
    registered: BTreeMap<String, BTreeSet<Authority>>,
    /// The largest proven position that was ever stored.
    proven: HashMap<String, u64>,
    pub bootstrap: bool,
    /// The settings of the monitor besides watches.
    pub settings: Settings,
    /// The process that makes all passes until it ends; without one, each pass is a separate process.
    running: Option<Monitor>,
}

impl World {
    /// One log that is read from its beginning, one channel, and the usual watches.
    pub async fn new() -> Self {
        Self::with(&["main.example"], usual(), &["oncall"]).await
    }

    pub async fn with(origins: &[&str], specs: Vec<Spec>, channels: &[&str]) -> Self {
        let directory = directory();
        let faults = Arc::new(Faults::default());
        let channels: Vec<String> = channels.iter().map(|name| (*name).to_owned()).collect();
        let routes = routes(&specs, &channels);
        let store = open(&directory, &faults, &routes).await;
        Self {
            clock: Arc::new(TestClock::new()),
            logs: origins
                .iter()
                .map(|origin| Watched::new(origin, Start::Beginning))
                .collect(),
            inbox: Vec::new(),
            rules: rules(&specs, true),
            trusted: true,
            store,
            specs,
            routes,
            channels,
            directory,
            faults,
            gaps: BTreeMap::new(),
            registered: BTreeMap::new(),
            proven: HashMap::new(),
            bootstrap: false,
            settings: Settings::default(),
            running: None,
        }
    }

    /// The only log, or the first.
    pub fn log(&self) -> &Arc<FakeLog> {
        &self.logs[0].log
    }

    /// The store as the program has it, faults and all.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    /// The store as it is.
    pub fn truly(&self) -> &dyn Store {
        &*self.store.inner
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn database(&self) -> std::path::PathBuf {
        self.directory.path().join("world.db")
    }

    /// The tree of the first log.
    pub fn tree_id(&self) -> TreeId {
        TreeId::new(&self.log().origin)
    }

    /// The position of the first log.
    pub async fn state(&self) -> TreeState {
        let state = self.truly().tree(&self.tree_id()).await.expect("readable");
        state.expect("a pass over it has ended")
    }

    /// `(seen, proven)` of the first log.
    pub async fn position(&self) -> (u64, u64) {
        let follower = self.state().await.follower.expect("it has a position");
        (follower.seen.size(), follower.proven.size())
    }

    /// Every finding there is.
    pub async fn findings(&self) -> Vec<Finding> {
        check::findings(self.truly()).await
    }

    /// Findings of a verdict, as its word.
    pub async fn of(&self, verdict: &str) -> Vec<Finding> {
        let mut findings = self.findings().await;
        findings.retain(|finding| finding.verdict.as_str() == verdict);
        findings
    }

    /// Registers the signing of this leaf, and from then on expects the verdict that follows.
    pub async fn register_as(&mut self, leaf: &Leaf, authority: Authority) {
        let new = NewRegistration {
            by: Registrar::command(authority, None),
            ..NewRegistration::by_operator(
                format!("{authority}.sig"),
                crate::registered::expectation(leaf),
            )
        };
        self.truly()
            .register_all(&[new], self.now())
            .await
            .expect("writable");
        let authorities = self.registered.entry(leaf.hash.to_hex()).or_default();
        authorities.insert(authority);
    }

    /// Removes the registration of this leaf by this authority.
    pub async fn unregister_as(&mut self, leaf: &Leaf, authority: Authority) {
        let hash = leaf.hash;
        let all = self.truly().registrations().await.expect("readable");
        for one in all {
            let is_it =
                one.by.authority == authority && one.expectation.leaf_hashes == [*hash.as_bytes()];
            if is_it {
                let removed = self.truly().unregister(one.number, self.now()).await;
                removed.expect("writable");
            }
        }
        if let Some(authorities) = self.registered.get_mut(&hash.to_hex()) {
            authorities.remove(&authority);
        }
    }

    /// Messages that are about this finding.
    pub fn delivered(&self, id: FindingId) -> Vec<&Message> {
        self.inbox
            .iter()
            .filter(|message| message.findings.contains(&id))
            .collect()
    }

    // What happens. -----------------------------------------------------------------------------

    /// Other watches from now on, as after an edit of the configuration and a restart.
    pub async fn watch(&mut self, specs: Vec<Spec>) {
        for watched in &self.logs {
            let origin = &watched.log.origin;
            let known = self
                .truly()
                .tree(&TreeId::new(origin))
                .await
                .expect("readable");
            let Some(follower) = known.and_then(|state| state.follower) else {
                continue;
            };
            for spec in &specs {
                let same = self
                    .specs
                    .iter()
                    .any(|old| old.name == spec.name && old.selects == spec.selects);
                if !same {
                    self.gaps
                        .insert((spec.name, origin.clone()), follower.seen.size());
                }
            }
        }
        self.specs = specs;
        self.routes = routes(&self.specs, &self.channels);
        self.rules = rules(&self.specs, self.trusted);
        self.restart().await;
    }

    /// Watches a key alone, from now on; `step` cannot predict its findings, so passes are made one by one.
    pub fn watch_key(&mut self, sha256: [u8; 32]) {
        let conditions = modelwatch::watch::Conditions {
            key_sha256: vec![sha256],
            ..Default::default()
        };
        let watch = modelwatch::watch::Watch::new("key", conditions);
        let watches = modelwatch::watch::Watches::compile(vec![watch]).expect("a watch");
        self.rules = Rules::new(watches, Some(authorities())).into();
    }

    /// Whether the CA of generated certificates is in the trusted root.
    pub fn trust(&mut self, trusted: bool) {
        self.trusted = trusted;
        self.rules = rules(&self.specs, trusted);
    }

    /// The process ends and starts again.
    pub async fn restart(&mut self) {
        self.store = open(&self.directory, &self.faults, &self.routes).await;
        self.running = None;
    }

    /// Changes the database behind the program's back.
    pub async fn sabotage(&self, sql: &str) {
        let options = SqliteConnectOptions::new()
            .filename(self.database())
            .foreign_keys(false);
        let mut connection = options.connect().await.expect("it is there");
        let done = connection.execute(AssertSqlSafe(sql.to_owned())).await;
        done.expect("it is ours");
    }

    /// Replaces the stored proven frontier of the first log; returns the old one.
    pub async fn replace_frontier(&mut self, by: &[u8]) -> Vec<u8> {
        let database = format!("sqlite:{}", self.database().display());
        let mut db = SqliteConnection::connect(&database)
            .await
            .expect("it is there");
        let before = sqlx::query_scalar("SELECT proven_frontier FROM tree")
            .fetch_one(&mut db)
            .await
            .expect("it has one");
        sqlx::query("UPDATE tree SET proven_frontier = $1")
            .bind(by)
            .execute(&mut db)
            .await
            .expect("it is ours");
        self.restart().await;
        before
    }

    /// Removes the stored position of the first log; everything else stays.
    pub async fn forget_position(&mut self) {
        let database = format!("sqlite:{}", self.database().display());
        let mut db = SqliteConnection::connect(&database)
            .await
            .expect("it is there");
        for statement in [
            "DELETE FROM head",
            "DELETE FROM coverage",
            "DELETE FROM tree",
        ] {
            sqlx::query(statement)
                .execute(&mut db)
                .await
                .expect("it is ours");
        }
        self.proven.clear();
        self.restart().await;
    }

    /// One pass over every log, then the deliveries, then the check.
    ///
    /// # Errors
    /// The store failed, or a log would silently start at its end.
    pub async fn step(&mut self) -> Result<Vec<LogOutcome>, MonitorError> {
        let passed = self.pass().await;
        let ended = match passed {
            Ok(outcomes) => self
                .deliver()
                .await
                .map(|()| outcomes)
                .map_err(MonitorError::from),
            Err(error) => Err(error),
        };
        self.check().await;
        ended
    }

    /// A successful step: every log ends proven.
    pub async fn good_step(&mut self) {
        let outcomes = self.step().await.expect("nothing fails");
        for outcome in outcomes {
            assert!(outcome.proven, "{}: {:?}", outcome.log, outcome.error);
        }
    }

    /// A step in which the first log's pass cannot be finished: why not, in the contract's word.
    pub async fn bad_step(&mut self) -> String {
        let outcomes = self.step().await.expect("the store does not fail");
        assert!(!outcomes[0].proven, "{} was proven", outcomes[0].log);
        outcomes[0]
            .error
            .as_ref()
            .expect("a reason")
            .kind
            .to_string()
    }

    /// Steps, with a restart after each failure, until one succeeds.
    pub async fn settle(&mut self) {
        for _ in 0..8 {
            match self.step().await {
                Ok(outcomes) if outcomes.iter().all(|outcome| outcome.proven) => return,
                Ok(_) => {}
                Err(MonitorError::Store(_)) => self.restart().await,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("it never settles");
    }

    fn monitor(&self) -> Monitor {
        if let Some(running) = &self.running {
            return running.clone();
        }
        Monitor::new(
            self.store(),
            self.clock.clone(),
            Progress::default(),
            Stop::default(),
        )
        .with(self.settings.clone())
    }

    /// One process makes all passes from now on, until the next restart.
    pub fn keep_running(&mut self) {
        self.running = Some(self.monitor());
    }

    fn followed(&self) -> Vec<MonitoredLog> {
        let logs = self.logs.iter();
        logs.map(|watched| watched.log().into()).collect()
    }

    pub async fn pass(&self) -> Result<Vec<LogOutcome>, MonitorError> {
        let logs = self.followed();
        self.monitor()
            .pass(&logs, &self.rules, self.bootstrap)
            .await
    }

    /// Closes the gaps over the first log, unless it is dropped before its end.
    pub async fn rescan_only(&self) -> Result<(u64, u64), RescanError> {
        let log = self.logs[0].log().into();
        self.monitor().rescan(&log, &self.rules, None).await
    }

    /// Closes the gaps over every log, then checks. Answers how many findings are new.
    pub async fn rescan(&mut self) -> Result<u64, RescanError> {
        let mut new = 0;
        let mut ended = Ok(());
        for watched in &self.logs {
            match self
                .monitor()
                .rescan(&watched.log().into(), &self.rules, None)
                .await
            {
                Ok((_, found)) => {
                    new += found;
                    let origin = &watched.log.origin;
                    self.gaps.retain(|(_, of), _| of != origin);
                }
                Err(error) => ended = Err(error),
            }
        }
        // A rescan that is reported as failed may have closed gaps: the store has the result.
        if ended.is_err() {
            self.forget_closed_gaps().await;
        }
        self.check().await;
        ended.map(|()| new)
    }

    /// Does the requested rescans, then checks.
    pub async fn rescan_as_requested(&mut self) -> Result<(), StoreError> {
        let logs = self.followed();
        let ended = self.monitor().rescan_as_asked(&logs, &self.rules).await;
        self.forget_closed_gaps().await;
        self.check().await;
        ended
    }

    async fn forget_closed_gaps(&mut self) {
        let open = self.open_gaps().await;
        let is_watched = |name: &str| {
            self.rules
                .watch_set()
                .keys()
                .iter()
                .any(|key| key.name == name)
        };
        self.gaps.retain(|(watch, origin), _| {
            let is_of = |(tree, uneven): &(TreeId, Uneven)| {
                tree.as_str() == origin && uneven.watch.name == *watch
            };
            !is_watched(watch) || open.iter().any(is_of)
        });
    }

    /// What of each tree was read and never matched against a watch.
    pub async fn open_gaps(&self) -> Vec<(TreeId, Uneven)> {
        let coverage = self
            .truly()
            .tree_coverage(self.rules.watch_set(), None)
            .await;
        let trees = coverage.expect("readable").into_iter();
        trees
            .flat_map(|tree| {
                let of_tree = move |uneven| (tree.tree.clone(), uneven);
                tree.uneven.into_iter().map(of_tree)
            })
            .filter(|(_, uneven)| !uneven.gaps.is_empty())
            .collect()
    }

    /// Delivers all that is due, like the outbox.
    pub async fn deliver(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        for channel in self.channels.clone() {
            for alert in self.store.claim_alerts(&channel, FLOOD, now).await? {
                let findings = self.store.alert_findings(&alert.id, 1000).await?;
                self.inbox.push(Message {
                    channel: channel.clone(),
                    id: alert.id.clone(),
                    kind: alert.kind,
                    key: alert.key,
                    findings: findings.iter().map(|finding| finding.id).collect(),
                });
                self.store
                    .record_delivery(&alert.id, &Delivery::Delivered, now)
                    .await?;
            }
        }
        Ok(())
    }

    /// The values that are the same after every way to the same end: each finding's place, verdict, state and proof.
    pub async fn outcome(&self) -> BTreeSet<(FindingId, &'static str, &'static str, Option<bool>)> {
        let findings = self.findings().await;
        findings
            .iter()
            .map(|f| (f.id, f.verdict.as_str(), f.state.as_str(), f.proven))
            .collect()
    }
}
