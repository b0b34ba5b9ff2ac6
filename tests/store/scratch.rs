//! A store to test, and findings, followers and times to put into it.

use std::collections::HashMap;
use std::path::PathBuf;

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use modelwatch::expect::Expectation;
use modelwatch::finding::{
    ChannelRoute, Evidence, Finding, FindingId, NewFinding, Routes, Selection, Severity, State,
    Verdict,
};
use modelwatch::identity::Chain;
use modelwatch::log::{LogId, Protocol, TreeId};
use modelwatch::store::sqlite::SqliteStore;
use modelwatch::store::{
    Batch, FindingQuery, Handling, HandlingRequest, Kept, NewTree, Settings, Store,
};
use tempfile::TempDir;
use tlog::{CompactRange, FollowerState, Head, leaf_hash};

pub(crate) const ORIGIN: &str = "log.example";
pub(crate) const LOG: &str = "main";

/// The tree of the log.
pub(crate) fn tree() -> TreeId {
    TreeId::new(ORIGIN)
}

/// The log.
pub(crate) fn log_id() -> LogId {
    LogId::new(ORIGIN)
}

/// One store in its own directory.
pub(crate) struct ScratchStore {
    dir: TempDir,
    pub store: Box<dyn Store>,
}

impl ScratchStore {
    /// Two channels: `all`, and `urgent` from critical on. The watch `quiet` alerts on `all` only.
    pub(crate) async fn open() -> Self {
        Self::at(tempfile::tempdir().unwrap()).await
    }

    async fn at(dir: TempDir) -> Self {
        crate::plans::log_statements();
        let settings = settings(dir.path().join("store.db"));
        let store = Box::new(SqliteStore::open(settings).await.unwrap());
        Self { dir, store }
    }

    /// The same database with other channels, as after a restart with another configuration.
    pub(crate) async fn with_channels(self, channels: Vec<ChannelRoute>) -> Self {
        self.store.close().await;
        let settings = settings_with(self.path(), channels);
        let store = Box::new(SqliteStore::open(settings).await.unwrap());
        Self { store, ..self }
    }

    /// The database.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("store.db")
    }

    /// Opens it again after a crash: nothing is closed in order.
    pub(crate) async fn after_a_crash(self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["store.db", "store.db-wal"] {
            // Everything that a commit has returned for is in these two files, or it is lost.
            std::fs::copy(self.dir.path().join(name), dir.path().join(name)).unwrap();
        }
        Self::at(dir).await
    }

    /// A log that was begun at its first entry.
    pub(crate) async fn with_log() -> Self {
        let scratch = Self::open().await;
        scratch.begin(0).await;
        scratch
    }

    pub(crate) async fn begin(&self, first: u64) {
        let log = NewTree {
            id: tree(),
            log: log_id(),
            name: LOG.into(),
            protocol: Protocol::RekorV2,
            base: 0,
            follower: follower(first, first),
            checkpoints: Vec::new(),
            now: at(0),
        };
        self.store.begin(&log).await.unwrap();
    }

    /// Reads on from (seen, proven) to (seen, proven).
    pub(crate) async fn read(
        &self,
        from: (u64, u64),
        to: (u64, u64),
        found: Vec<NewFinding>,
    ) -> u64 {
        self.store.commit(&batch(from, to, found)).await.unwrap()
    }

    pub(crate) async fn list(&self) -> Vec<Finding> {
        self.query(&FindingQuery::default()).await
    }

    pub(crate) async fn unresolved(&self) -> Vec<Finding> {
        let states = State::ALL.into_iter();
        let query = FindingQuery {
            states: states.filter(|state| *state != State::Resolved).collect(),
            ..FindingQuery::default()
        };
        self.query(&query).await
    }

    pub(crate) async fn query(&self, query: &FindingQuery) -> Vec<Finding> {
        self.store.findings(query).try_collect().await.unwrap()
    }

    pub(crate) async fn get(&self, id: FindingId) -> Finding {
        self.store
            .finding(&id.to_string())
            .await
            .unwrap()
            .unwrap()
            .finding
    }

    /// The reasons of a finding's history.
    pub(crate) async fn history(&self, id: FindingId) -> Vec<(State, String)> {
        let record = self.store.finding(&id.to_string()).await.unwrap().unwrap();
        record
            .history
            .into_iter()
            .map(|row| (row.state, row.reason))
            .collect()
    }

    /// In how many alerts of each channel a finding is.
    pub(crate) async fn alerts_of(&self, id: FindingId) -> HashMap<String, usize> {
        let record = self.store.finding(&id.to_string()).await.unwrap().unwrap();
        let mut sent = HashMap::new();
        for (channel, ..) in record.alerts {
            *sent.entry(channel).or_default() += 1;
        }
        sent
    }
}

pub(crate) fn settings(path: PathBuf) -> Settings {
    let channel = |name: &str, min_severity| ChannelRoute {
        name: name.into(),
        selection: Selection::from_severity(min_severity),
        ..ChannelRoute::default()
    };
    let channels = vec![
        channel("all", Severity::Info),
        channel("urgent", Severity::Critical),
    ];
    settings_with(path, channels)
}

pub(crate) fn settings_with(path: PathBuf, channels: Vec<ChannelRoute>) -> Settings {
    let by_watch = HashMap::from([("quiet".to_owned(), vec!["all".to_owned()])]);
    Settings {
        path,
        routes: Routes::new(channels, by_watch),
    }
}

/// Minutes after some morning.
pub(crate) fn at(minutes: i64) -> Timestamp {
    "2026-11-21T08:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

pub(crate) fn range(size: u64) -> CompactRange {
    let mut range = CompactRange::new();
    for index in 0..size {
        range.push(leaf_hash(&index.to_be_bytes()));
    }
    range
}

pub(crate) fn head(size: u64) -> Head {
    let root = range(size).root();
    Head {
        size,
        root,
        note: format!("{ORIGIN}\n{size}\n{root}\n").into_bytes().into(),
    }
}

pub(crate) fn follower(seen: u64, proven: u64) -> FollowerState {
    let pending = if seen > proven {
        vec![head(seen + 10)]
    } else {
        Vec::new()
    };
    let proven_head = (proven > 0).then(|| head(proven));
    FollowerState {
        proven: range(proven),
        head: pending.last().cloned().or_else(|| proven_head.clone()),
        proven_head,
        seen: range(seen),
        pending,
    }
}

pub(crate) fn batch(from: (u64, u64), to: (u64, u64), findings: Vec<NewFinding>) -> Batch {
    Batch {
        tree: tree(),
        expected: from,
        follower: follower(to.0, to.1),
        checkpoints: Vec::new(),
        findings,
        kept: Kept::default(),
        now: at(1),
    }
}

/// The leaf hash of an entry.
pub(crate) fn leaf(index: u64) -> [u8; 32] {
    *leaf_hash(&index.to_be_bytes()).as_bytes()
}

/// What a bundle whose signing is the entry at an index registers.
pub(crate) fn expectation(index: u64) -> Expectation {
    Expectation {
        leaf_hashes: vec![leaf(index)],
        digest: "sha256:00".into(),
        who: "somebody".into(),
        certificate_sha256: hex::encode([1; 32]),
        logged_sha256: None,
        signing: None,
        statement: None,
        key_sha256: hex::encode([2; 32]),
        not_before: at(-1),
        entries: Vec::new(),
    }
}

/// A signing by a watched identity at an index; each has its own run.
pub(crate) fn signing(index: u64) -> NewFinding {
    watched("falcon", index)
}

pub(crate) fn watched(watch: &str, index: u64) -> NewFinding {
    let leaf = leaf(index);
    let finding = Finding {
        id: FindingId::of_signing(watch, ORIGIN, index, &leaf, 0),
        verdict: Verdict::IdentityUnexpected,
        severity: Severity::High,
        watch: Some(watch.into()),
        in_shape: Some(true),
        log: Some(LOG.into()),
        origin: Some(ORIGIN.into()),
        index: Some(index),
        leaf_hash: Some(hex::encode(leaf)),
        proven: Some(false),
        kind: Some("hashedrekord 0.0.2".into()),
        digest: Some("sha256:00".into()),
        san: serde_json::from_str(r#"[{"type":"uri","value":"https://example/\u202e"}]"#).unwrap(),
        issuer: Some("https://issuer.example".into()),
        extensions: [(
            "run_invocation_uri".to_owned(),
            format!("https://run.example/{index}"),
        )]
        .into(),
        certificate_sha256: Some(hex::encode([7; 32])),
        key_sha256: Some(hex::encode([8; 32])),
        key_fingerprint: Some("SHA256:AAAA".into()),
        chain: Some(Chain::Trusted),
        not_before: Some(at(-1)),
        first_seen: at(1),
        state: State::Open,
        fault: None,
        summary: format!("entry {index}"),
        anomalies: Vec::new(),
    };
    let evidence = Evidence {
        certificate: Some(vec![0x30, 0x00]),
        ..Evidence::default()
    };
    NewFinding {
        finding,
        rule: Some([1; 32]),
        evidence,
    }
}

pub(crate) fn held(index: u64) -> NewFinding {
    let mut new = signing(index);
    new.finding.state = State::Held;
    new
}

pub(crate) fn untrusted(index: u64) -> NewFinding {
    let mut new = signing(index);
    new.finding.verdict = Verdict::UntrustedChain;
    new.finding.severity = Severity::Low;
    new.finding.chain = Some(Chain::Untrusted);
    new
}

pub(crate) fn critical(mut new: NewFinding) -> NewFinding {
    new.finding.severity = Severity::Critical;
    new
}

/// A request to acknowledge, by Jane.
pub(crate) fn ack(reason: &str, at: Timestamp) -> HandlingRequest<'_> {
    HandlingRequest {
        handling: Handling::Ack,
        author: "jane",
        reason,
        at,
    }
}
