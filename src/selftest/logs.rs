//! Tests whether each log is read and proven, and whether a false leaf is detected. Passes of the real monitor write to
//! new databases.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tlog::Checkpoint;

use super::report::{Check, LogReport};
use super::staged::{Staged, Twist};
use crate::clock::SystemClock;
use crate::finding::{FaultKind, Finding, Routes, Verdict};
use crate::judge::Rules;
use crate::log::{LogId, Protocol, Shard, Start, TreeId};
use crate::monitor::{Log, LogOutcome, Monitor, MonitoredLog, Progress, Stop};
use crate::report::log::ReadingMode;
use crate::service::ServiceError;
use crate::store::sqlite::SqliteStore;
use crate::store::{FindingQuery, PassErrorKind, Settings, Store, TreeState};

/// A log that answered, fixed at its newest checkpoint.
pub(super) struct Rehearsal {
    log: Log,
    checkpoint: Bytes,
    /// The first entry of its last bundle, which is the part that is read.
    start: u64,
}

impl Rehearsal {
    /// The log, read from its last bundle on, with this change.
    pub(super) fn staged(&self, twist: Twist) -> Log {
        Log {
            shard: Arc::new(Shard {
                start: Start::Index(self.start),
                ..Shard::clone(&self.log.shard)
            }),
            source: Arc::new(Staged {
                inner: Arc::clone(&self.log.source),
                checkpoint: self.checkpoint.clone(),
                twist,
            }),
        }
    }
}

/// One tree that is tested: the only one of a log, or one of several.
pub(super) struct Trial {
    log: Log,
    /// The names of the CT logs, if they guide it.
    guided_by: Option<Vec<String>>,
}

/// The stored state of the logs, in the copy of the store.
pub(super) struct Known {
    /// The trees.
    pub(super) trees: BTreeMap<TreeId, TreeState>,
    /// For guided logs: the first entry that is reported.
    pub(super) guided_from: BTreeMap<LogId, u64>,
}

fn mode(guided_by: Option<&Vec<String>>) -> ReadingMode {
    guided_by.map_or(ReadingMode::Tail, |_| ReadingMode::Guided)
}

/// The trees of a log; a report instead if its server does not list them.
pub(super) async fn trials(log: &MonitoredLog) -> (Vec<Trial>, Option<LogReport>) {
    let (log, guided_by) = match log {
        MonitoredLog::Tree(log) => {
            let log = log.clone();
            let guided_by = None;
            return (vec![Trial { log, guided_by }], None);
        }
        MonitoredLog::RekorV1(log) => (log, None),
        MonitoredLog::Guided(guided) => {
            let names = guided.guides.iter().map(|guide| guide.name.clone());
            (&guided.log, Some(names.collect()))
        }
    };
    let (trees, error) = log.ask().await;
    let trials = trees.into_iter().map(|log| Trial {
        log,
        guided_by: guided_by.clone(),
    });
    let trials = trials.collect();
    let report = error.map(|error| LogReport {
        name: log.name.clone(),
        origin: log.id().to_string(),
        tree: None,
        protocol: Protocol::RekorV1.as_str(),
        mode: mode(guided_by.as_ref()),
        guided_by: guided_by.unwrap_or_default(),
        head: None,
        from: None,
        begun_late: false,
        proven: None,
        entry: Check::unanswered(format!("which trees it has: {}", error.message)),
        history: Check::skipped("its trees are not known"),
        swapped_leaf: Check::skipped("its trees are not known"),
    });
    (trials, report)
}

/// Tests one tree. `known` is its state in the copy of the store. There is a rehearsal if it was read.
pub(super) async fn try_one(
    trial: &Trial,
    known: &Known,
    rules: &Arc<Rules>,
    scratch: &Path,
) -> Result<(LogReport, Option<Rehearsal>), ServiceError> {
    let Trial { log, guided_by } = trial;
    let guided_from = known.guided_from.get(&log.shard.log);
    let known = known.trees.get(&log.shard.id());
    let base = log.shard.base;
    let counted = |local: u64| base.saturating_add(local);
    let skipped = || Check::skipped("the checkpoint could not be fetched");
    let mut report = LogReport {
        name: log.shard.name.clone(),
        origin: log.shard.origin.as_str().to_owned(),
        tree: log.shard.label.clone(),
        protocol: log.shard.protocol.as_str(),
        mode: mode(guided_by.as_ref()),
        guided_by: guided_by.clone().unwrap_or_default(),
        head: None,
        from: match guided_by {
            Some(_) => guided_from.copied(),
            None => known
                .filter(|state| state.follower.is_some())
                .map(|state| counted(state.first)),
        },
        begun_late: match guided_by {
            Some(_) => guided_from.is_some_and(|from| *from > 0),
            None => known.is_some_and(|state| state.follower.is_some() && state.first > 0),
        },
        proven: known
            .and_then(|state| state.follower.as_ref())
            .filter(|_| guided_by.is_none())
            .map(|follower| counted(follower.proven.size())),
        entry: skipped(),
        history: skipped(),
        swapped_leaf: skipped(),
    };
    let (raw, checkpoint) = match newest(log).await {
        Ok(newest) => newest,
        Err(check) => {
            report.entry = check;
            return Ok((report, None));
        }
    };
    let size = checkpoint.size();
    report.head = Some(counted(size));
    report.history = history(log, known, &checkpoint).await;
    let rehearsal = Rehearsal {
        log: log.clone(),
        checkpoint: raw,
        start: size
            .checked_sub(1)
            .map_or(0, |last| log.source.bundle(last, size).start),
    };
    if size == 0 {
        report.entry = Check::skipped("its checkpoint verifies; it has no entry yet");
        report.swapped_leaf = Check::skipped("it has no entry yet");
        return Ok((report, Some(rehearsal)));
    }
    let (outcome, _) = pass(&rehearsal.staged(Twist::Honest), rules, scratch).await?;
    report.entry = match outcome.error {
        None if outcome.proven => Check::ok(format!(
            "its checkpoint of {size} entries verifies, {} fetched again and proven",
            entries(counted(rehearsal.start), counted(size))
        )),
        None => Check::unanswered("it was interrupted"),
        Some(error) if error.kind == PassErrorKind::LogFault => Check::failed(error.message),
        Some(error) => Check::unanswered(error.message),
    };
    if !outcome.proven {
        report.swapped_leaf = Check::skipped("its entries could not be read");
        return Ok((report, None));
    }
    let (outcome, findings) =
        pass(&rehearsal.staged(Twist::Swapped(size - 1)), rules, scratch).await?;
    let caught = findings.iter().any(|finding| {
        finding.verdict == Verdict::LogFault && finding.fault == Some(FaultKind::RootMismatch)
    });
    report.swapped_leaf = if caught && !outcome.proven {
        Check::ok(format!(
            "a bit flipped in entry {} was caught (root-mismatch)",
            counted(size - 1)
        ))
    } else {
        Check::failed(format!(
            "a bit flipped in entry {} went unnoticed",
            counted(size - 1)
        ))
    };
    Ok((report, Some(rehearsal)))
}

async fn newest(log: &Log) -> Result<(Bytes, Checkpoint), Check> {
    let shard = &log.shard;
    let raw = log.source.checkpoint().await;
    let raw = raw.map_err(|error| Check::unanswered(error.to_string()))?;
    // It has no checkpoint that verifies, so its entries are not read.
    let checkpoint = shard
        .open(&raw)
        .map_err(|error| Check::failed(format!("its checkpoint does not verify: {error}")))?;
    Ok((raw, checkpoint))
}

/// Whether the log's present tree still begins with the proven one.
async fn history(log: &Log, known: Option<&TreeState>, checkpoint: &Checkpoint) -> Check {
    // For a guided log, a head without a position was verified.
    let head = known.and_then(|state| {
        let follower = state.follower.as_ref();
        follower
            .and_then(|follower| follower.proven_head.as_ref())
            .or(state.verified.as_ref())
    });
    let Some(head) = head.filter(|head| head.size > 0) else {
        return Check::skipped("nothing of it was proven before");
    };
    if head.size > checkpoint.size() {
        return Check::unanswered(format!(
            "it shows {} entries, and {} were proven before",
            checkpoint.size(),
            head.size
        ));
    }
    let broken = || {
        Check::failed(format!(
            "its first {} entries are not those that were proven before",
            head.size
        ))
    };
    let whole = || {
        Check::ok(format!(
            "the {} proven before are still its first",
            head.size
        ))
    };
    if head.size == checkpoint.size() {
        return if head.root == checkpoint.root() {
            whole()
        } else {
            broken()
        };
    }
    match log.source.split(head.size, checkpoint.size()).await {
        Err(error) => Check::unanswered(error.to_string()),
        Ok(split) if split.root() != checkpoint.root() => {
            Check::failed("its hashes do not give the root that it signed")
        }
        Ok(split) if split.frontier().root() != head.root => broken(),
        Ok(_) => whole(),
    }
}

/// One pass over one log, into a new database without channels.
async fn pass(
    log: &Log,
    rules: &Arc<Rules>,
    scratch: &Path,
) -> Result<(LogOutcome, Vec<Finding>), ServiceError> {
    let store = fresh(scratch).await?;
    let monitor = Monitor::new(
        Arc::clone(&store),
        Arc::new(SystemClock),
        Progress::default(),
        Stop::default(),
    );
    let outcomes = monitor.pass(&[log.clone().into()], rules, false).await?;
    let query = FindingQuery::default();
    let findings = store.findings(&query).try_collect().await?;
    let outcome = outcomes
        .into_iter()
        .next()
        .expect("a pass over one log has one outcome");
    store.close().await;
    Ok((outcome, findings))
}

/// A new database in the scratch directory, without channels.
pub(super) async fn fresh(scratch: &Path) -> Result<Arc<dyn Store>, ServiceError> {
    let path = tempfile::Builder::new()
        .prefix("pass-")
        .tempdir_in(scratch)
        .map_err(ServiceError::system("a temporary directory cannot be made"))?
        .keep()
        .join("modelwatch.db");
    let settings = Settings {
        path,
        routes: Routes::default(),
    };
    Ok(Arc::new(SqliteStore::open(settings).await?))
}

fn entries(start: u64, end: u64) -> String {
    if start + 1 == end {
        format!("entry {start} was")
    } else {
        format!("entries {start} to {} were", end - 1)
    }
}
