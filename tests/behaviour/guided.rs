//! A Rekor v1 log that is not read in full: a CT log shows certificates, an index returns entries, and none of them
//! counts before it is proven.

mod attacked;
mod blind;
mod clocks;
mod lies;
mod looked_up;
mod mixed;
mod modes;
mod names;
mod polite;
mod reconciled;
mod trees;

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use modelwatch::clock::Clock;
use modelwatch::finding::{FaultKind, Finding, Routes};
use modelwatch::http::{self, Retry};
use modelwatch::judge::Rules;
use modelwatch::log::{LogId, Protocol, Shard, Start, TreeId};
use modelwatch::monitor::{
    CtGuide, Guided, Log, LogOutcome, Monitor, MonitorError, MonitoredLog, Progress, RekorV1Log,
    Settings, Stop,
};
use modelwatch::source::LogSource;
use modelwatch::source::rekor_v1::Client;
use modelwatch::store::{FindingQuery, Guide, Store, TreeState};
use tlog::Origin;

use crate::world::{
    Condition, FakeLog, FakeV1, Faults, FaultyStore, GITHUB, Issued, Leaf, MAIL, RELEASE, Spec,
    TestClock, directory, issue, open, other_leaves, rules,
};

/// A guided log, its CT log, and who watches them.
struct World {
    v1: FakeV1,
    keys: Vec<Vec<u8>>,
    start: Start,
    rollback_after: Duration,
    ct: Arc<FakeLog>,
    ct_name: &'static str,
    /// More logs of the configuration, before the guided one.
    more: Vec<Log>,
    guides: Vec<String>,
    name: String,
    store: Arc<FaultyStore>,
    faults: Arc<Faults>,
    clock: Arc<TestClock>,
    rules: Arc<Rules>,
    directory: tempfile::TempDir,
    /// Salts that were used.
    salt: u64,
    /// The other settings of the monitor.
    settings: Settings,
    /// Time limit of one request, with its retries.
    retry_within: Duration,
}

/// One watch by pattern, one by a name that it spells out.
fn specs() -> Vec<Spec> {
    let tags = Condition::Glob("https://github.com/acme/owl/.github/workflows/*@refs/tags/*");
    vec![
        Spec::new("release", [tags, Condition::Issuer(GITHUB)]),
        Spec::new("mail", [Condition::San(MAIL)]),
    ]
}

/// One log of a world under this name and protocol.
fn log(log: &Arc<FakeLog>, name: &str, protocol: Protocol) -> Log {
    Log {
        shard: Arc::new(Shard {
            name: name.to_owned(),
            log: LogId::new(&log.origin),
            origin: Origin::new(&log.origin).unwrap(),
            label: None,
            protocol,
            base: 0,
            ended: false,
            verifiers: vec![log.verifier()],
            promise_keys: Vec::new(),
            start: Start::Beginning,
            silence_after: None,
            rollback_after: Duration::ZERO,
        }),
        source: Arc::clone(log) as Arc<dyn LogSource>,
    }
}

impl World {
    /// A log of one tree with 25 entries of other people, and a CT log with one certificate of theirs.
    async fn new() -> Self {
        let v1 = FakeV1::start().await;
        let keys = vec![v1.rotate(101)];
        v1.grow(0, other_leaves(25));
        let directory = directory();
        let faults = Arc::new(Faults::default());
        let ct = Arc::new(FakeLog::new("ct.example"));
        let world = Self {
            v1,
            keys,
            start: Start::Beginning,
            rollback_after: Duration::ZERO,
            more: Vec::new(),
            guides: vec!["ct".to_owned()],
            name: "v1".to_owned(),
            store: open(&directory, &faults, &Routes::default()).await,
            faults,
            clock: Arc::new(TestClock::new()),
            rules: rules(&specs(), true),
            directory,
            ct,
            ct_name: "ct",
            salt: 0,
            settings: Settings::default(),
            retry_within: Retry::default().total,
        };
        let other = issue("https://else.example/w", world.now(), true);
        world.ct.grow([other.logged()]);
        world
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A certificate from now on, in the CT log.
    fn issue(&self, name: &str) -> Issued {
        let certificate = issue(name, self.now(), true);
        self.ct.grow([certificate.logged()]);
        certificate
    }

    /// A signing with it, logged and filed under its name. Its index.
    fn sign(&mut self, certificate: &Issued, name: &str) -> u64 {
        let leaf = self.signing(certificate);
        self.v1.log(leaf, name)
    }

    fn signing(&mut self, certificate: &Issued) -> Leaf {
        self.salt += 1;
        certificate.signs(self.salt)
    }

    fn v1_log(&self) -> RekorV1Log {
        let settings = http::Settings {
            retry: Retry {
                tries: 2,
                first_delay: Duration::from_millis(1),
                total: self.retry_within,
            },
            ..http::Settings::default()
        };
        RekorV1Log {
            name: self.name.clone(),
            server: Client::new(http::Client::new(settings), self.v1.url.clone()),
            keys: self.keys.clone(),
            start: self.start,
            silence_after: None,
            rollback_after: self.rollback_after,
        }
    }

    /// A CT log of the configuration.
    fn guide_named(&self, name: &str) -> CtGuide {
        let configured = self.more.iter().find(|log| log.shard.name == name);
        let id = match configured {
            Some(log) => log.shard.log.clone(),
            None if name == self.ct_name => LogId::new(&self.ct.origin),
            None => LogId::new(format!("{name}.example")),
        };
        CtGuide {
            name: name.to_owned(),
            id: Some(id),
        }
    }

    fn guided(&self) -> MonitoredLog {
        MonitoredLog::Guided(Guided {
            log: self.v1_log(),
            guides: self
                .guides
                .iter()
                .map(|name| self.guide_named(name))
                .collect(),
        })
    }

    /// All logs; the guided one is the last.
    fn logs(&self) -> Vec<MonitoredLog> {
        let ct = log(&self.ct, self.ct_name, Protocol::CtRfc6962);
        let more = self.more.iter().cloned();
        let mut logs: Vec<MonitoredLog> = [ct]
            .into_iter()
            .chain(more)
            .map(MonitoredLog::from)
            .collect();
        logs.push(self.guided());
        logs
    }

    fn monitor(&self) -> Monitor {
        let store: Arc<dyn Store> = self.store.clone();
        let clock: Arc<dyn Clock> = self.clock.clone();
        Monitor::new(store, clock, Progress::default(), Stop::default()).with(self.settings.clone())
    }

    async fn pass_over(
        &self,
        logs: &[MonitoredLog],
        bootstrap: bool,
    ) -> Result<LogOutcome, MonitorError> {
        let outcomes = self.monitor().pass(logs, &self.rules, bootstrap).await?;
        Ok(outcomes.last().unwrap().clone())
    }

    /// The result of the pass over the guided log.
    async fn pass(&self, bootstrap: bool) -> Result<LogOutcome, MonitorError> {
        self.pass_over(&self.logs(), bootstrap).await
    }

    async fn good(&self) {
        let outcome = self.pass(false).await.unwrap();
        assert!(outcome.proven, "{outcome:?}");
    }

    /// Why it could not be finished.
    async fn bad(&self) -> String {
        let outcome = self.pass(false).await.unwrap();
        assert!(!outcome.proven, "{outcome:?}");
        outcome.error.unwrap().kind.to_string()
    }

    /// A successful pass this many seconds later.
    async fn good_after(&self, seconds: i64) {
        self.clock.advance(seconds);
        self.good().await;
    }

    async fn restart(&mut self) {
        self.store = open(&self.directory, &self.faults, &Routes::default()).await;
    }

    fn truly(&self) -> &dyn Store {
        &*self.store.inner
    }

    async fn tree(&self, place: usize) -> TreeState {
        let id = TreeId::new(self.v1.origin(place));
        let state = self.truly().tree(&id).await.unwrap();
        state.unwrap()
    }

    /// `(base, verified size)` of a tree.
    async fn verified(&self, place: usize) -> (u64, u64) {
        let state = self.tree(place).await;
        (state.base, state.verified.unwrap().size)
    }

    async fn guide(&self) -> Guide {
        self.truly()
            .guide(&self.v1_log().id())
            .await
            .unwrap()
            .unwrap()
    }

    async fn findings(&self) -> Vec<Finding> {
        let query = FindingQuery::default();
        let found = self.truly().findings(&query);
        found.try_collect().await.unwrap()
    }

    /// The findings of watches in this log; each must be proven.
    async fn found_in(&self, log: &str) -> Vec<Finding> {
        let mut findings = self.findings().await;
        findings.retain(|finding| finding.watch.is_some() && finding.log.as_deref() == Some(log));
        assert!(
            findings.iter().all(|finding| finding.proven == Some(true)),
            "{findings:?}"
        );
        findings
    }

    /// `(index, watch)` of the entries that were found.
    async fn entries(&self) -> Vec<(u64, String)> {
        let findings = self.found_in(&self.name).await;
        let of = |f: Finding| (f.index.unwrap(), f.watch.unwrap());
        findings.into_iter().map(of).collect()
    }

    /// The summaries of the certificates that were found, with the results of their search.
    async fn reported(&self) -> Vec<String> {
        let of = |f: &Finding| {
            let (_, reported) = f.summary.split_once("; ").unwrap_or_default();
            reported.to_owned()
        };
        self.found_in("ct").await.iter().map(of).collect()
    }

    /// Open findings about the logs and the health of the watch.
    async fn open(&self) -> Vec<String> {
        let findings = self.findings().await;
        let mut open: Vec<String> = findings
            .iter()
            .filter(|f| f.watch.is_none() && f.state.as_str() == "open")
            .map(|f| {
                f.fault
                    .map_or(f.verdict.as_str(), FaultKind::as_str)
                    .to_owned()
            })
            .collect();
        open.sort_unstable();
        open
    }

    /// Names that the index was queried for since the last count, except for the harmless one.
    fn questions(&self) -> usize {
        self.v1.asked("index/retrieve") - self.v1.asked("harmless-")
    }
}

fn nothing() -> Vec<String> {
    Vec::new()
}

#[tokio::test]
async fn a_certificate_is_found_at_once_and_its_entry_is_joined_to_it() {
    let mut world = World::new().await;
    world.good().await;
    assert_eq!(world.entries().await, []);
    let certificate = world.issue(RELEASE);
    let index = world.sign(&certificate, RELEASE);
    world.good().await;
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
    assert_eq!(world.reported().await, ["its signing is entry 25 of v1"]);
    assert_eq!(world.open().await, nothing());
    let state = world.tree(0).await;
    assert_eq!(state.follower, None);
    assert_eq!(world.verified(0).await, (0, 26));
    // No query is repeated without need.
    world.v1.count_anew();
    world.good_after(60).await;
    assert_eq!(world.questions(), 0);
}

#[tokio::test]
async fn an_entry_that_reaches_the_index_late_is_found_at_the_next_time_of_asking() {
    let mut world = World::new().await;
    let certificate = world.issue(RELEASE);
    world.good().await;
    let leaf = world.signing(&certificate);
    world.v1.grow(0, [leaf]);
    // At once, after 1, 5 and 30 minutes, then each 30 minutes: not at each pass.
    for (seconds, questions) in [(30, 1), (30, 2), (240, 2), (60, 3), (1740, 3), (60, 4)] {
        world.good_after(seconds).await;
        let direct = world.v1.asked(MAIL);
        assert_eq!(world.questions() - direct, questions, "{seconds} later");
    }
    assert_eq!(world.entries().await, []);
    let id = world.v1.id(0, 25);
    world.v1.index(|index| index.file(RELEASE, &id));
    world.good_after(1740).await;
    assert_eq!(world.entries().await, []);
    world.good_after(60).await;
    assert_eq!(world.entries().await, [(25, "release".to_owned())]);
    assert_eq!(world.reported().await, ["its signing is entry 25 of v1"]);
}

#[tokio::test]
async fn the_finding_of_a_certificate_without_an_entry_reports_it_a_day_after_its_end() {
    let mut world = World::new().await;
    world.issue(RELEASE);
    // The index returns another name: it is not silent.
    let other = world.issue(&RELEASE.replace("v1", "v2"));
    world.sign(&other, &RELEASE.replace("v1", "v2"));
    world.good().await;
    for _ in 0..24 {
        world.good_after(3600).await;
    }
    assert_eq!(world.reported().await[0], "");
    world.good_after(600).await;
    let reported = &world.reported().await[0];
    assert!(
        reported.starts_with("no entry of it was found in v1"),
        "{reported}"
    );
    world.v1.count_anew();
    world.good_after(7200).await;
    assert_eq!(world.questions() - world.v1.asked(MAIL), 0);
}

#[tokio::test]
async fn a_name_that_a_watch_spells_out_needs_no_certificate() {
    let mut world = World::new().await;
    let impostor = issue(MAIL, world.now(), false);
    let index = world.sign(&impostor, MAIL);
    world.good().await;
    let found = world.found_in("v1").await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].verdict.as_str(), "untrusted-chain");
    assert_eq!(found[0].index, Some(index));
    assert_eq!(world.found_in("ct").await, []);
    // From then on hourly.
    let another = world.sign(&impostor, MAIL);
    world.good_after(3540).await;
    assert_eq!(world.entries().await.len(), 1);
    world.good_after(60).await;
    assert_eq!(world.entries().await[1].0, another);
}

#[tokio::test]
async fn what_cannot_be_fetched_is_fetched_by_the_next_pass() {
    for status in [503, 429] {
        for (path, after) in [
            ("index/retrieve", 0),
            ("index/retrieve", 1),
            ("entries/retrieve", 0),
            ("entries/retrieve", 1),
            ("log/proof", 0),
            ("api/v1/log", 0),
        ] {
            let mut world = World::new().await;
            world.good().await;
            let names = ["v1", "v2", "v3"].map(|tag| RELEASE.replace("v1", tag));
            for name in &names {
                let certificate = world.issue(name);
                world.sign(&certificate, name);
            }
            world.v1.fail(path, after, 100, status);
            world.v1.count_anew();
            assert_eq!(world.bad().await, "unavailable", "{status} {path} {after}");
            // Two tries each (but one where a longer time is named), three names at the most, and the harmless one.
            let asked = world.v1.asked(path);
            let most = match (status, path) {
                (429, "entries/retrieve") => 3,
                (429, "index/retrieve") => 2,
                (429, _) => 1,
                _ => 14,
            };
            assert!(
                asked <= after as usize + most,
                "{asked} {status} {path} {after}"
            );
            world.v1.heal();
            world.clock.advance(60);
            world.good().await;
            let found = world.entries().await;
            assert_eq!(found.len(), 3, "{status} {path} {after}: {found:?}");
            assert_eq!(world.open().await, nothing());
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_call_of_the_store_repeats_work_and_loses_none() {
    use crate::world::{Fault, Mode};
    let methods = [
        "record_head",
        "begin_guide",
        "set_exact_names",
        "enqueue",
        "found_entries",
        "answered",
        "spend",
        "end_pass",
        "commit",
    ];
    let expected = story(None).await;
    for method in methods {
        for mode in [Mode::NotDone, Mode::DoneButReportedFailed] {
            for after in [0, 1] {
                let fault = Fault {
                    method,
                    mode,
                    after,
                    times: 1,
                };
                assert_eq!(story(Some(fault)).await, expected, "{fault:?}");
            }
        }
    }
}

/// Two certificates with an entry each, and a death on the way: verdicts and sentences by log and index.
async fn story(fault: Option<crate::world::Fault>) -> Vec<(String, Option<u64>, String)> {
    let mut world = World::new().await;
    let name = RELEASE.replace("v1", "v2");
    for name in [RELEASE, &name] {
        let certificate = world.issue(name);
        world.sign(&certificate, name);
    }
    if let Some(fault) = fault {
        world.faults.arm(fault);
        let died = world.pass(false).await;
        let is_struck = world.faults.fired() == 1;
        assert!(is_struck || fault.after > 0, "{fault:?}");
        assert_eq!(died.is_err(), is_struck, "{fault:?}: {died:?}");
        world.restart().await;
        world.faults.disarm();
    }
    world.clock.advance(60);
    world.good().await;
    // Entries that were fetched and recorded are not fetched again.
    let fetched = world.v1.asked("entries/retrieve");
    assert!(fetched <= 3, "{fetched} {fault:?}");
    let findings = world.findings().await;
    let mut sent: Vec<_> = findings
        .into_iter()
        .map(|f| (f.log.unwrap_or_default(), f.index, f.summary))
        .collect();
    sent.sort_unstable();
    sent
}
