//! Is each log read, proven, and caught when it lies? By passes of the real monitor into databases of their own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tlog::Checkpoint;

use super::report::{Check, LogReport};
use super::staged::{Staged, Twist};
use crate::clock::SystemClock;
use crate::finding::{Finding, Routes, Verdict};
use crate::monitor::{Followed, Log, LogOutcome, Monitor, Progress, Rules, Stop};
use crate::shard::{Protocol, Shard, Start};
use crate::store::sqlite::SqliteStore;
use crate::store::{FindingQuery, LogState, Settings, Store};

/// A log that answered, held at its newest checkpoint.
pub(super) struct Rehearsal {
    log: Log,
    checkpoint: Bytes,
    /// The first entry of its last bundle, which is what is read.
    start: u64,
}

impl Rehearsal {
    /// The log, read from its last bundle on, with this done to it.
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

/// One tree that is tried: all that a log has, or one of several.
pub(super) struct Trial {
    log: Log,
    mode: &'static str,
}

/// The trees of a log; a report instead if it does not say which it has.
pub(super) async fn trials(log: &Followed) -> (Vec<Trial>, Option<LogReport>) {
    let (log, mode) = match log {
        Followed::Tree(log) => {
            let log = log.clone();
            return (vec![Trial { log, mode: "tail" }], None);
        }
        Followed::RekorV1(log) => (log, "tail"),
        Followed::Guided(guided) => (&guided.log, "guided"),
    };
    let (trees, error) = log.ask().await;
    let trials = trees.into_iter().map(|log| Trial { log, mode }).collect();
    let report = error.map(|error| LogReport {
        name: log.name.clone(),
        origin: log.origin(),
        protocol: Protocol::RekorV1.as_str(),
        mode,
        head: None,
        from: None,
        proven: None,
        entry: Check::unanswered(format!("which trees it has: {}", error.message)),
        history: Check::skipped("its trees are not known"),
        swapped_leaf: Check::skipped("its trees are not known"),
    });
    (trials, report)
}

/// Tries one tree. `known` is what the copy of the store knows of it. There is a rehearsal if it was read well.
pub(super) async fn try_one(
    trial: &Trial,
    known: &BTreeMap<String, LogState>,
    rules: &Arc<Rules>,
    scratch: &Path,
) -> anyhow::Result<(LogReport, Option<Rehearsal>)> {
    let Trial { log, mode } = trial;
    let known = known.get(log.shard.origin.as_str());
    let skipped = || Check::skipped("the checkpoint could not be had");
    let mut report = LogReport {
        name: log.shard.name.clone(),
        origin: log.shard.origin.as_str().to_owned(),
        protocol: log.shard.protocol.as_str(),
        mode,
        head: None,
        from: known
            .filter(|state| state.follower.is_some())
            .map(|state| state.first),
        proven: known
            .and_then(|state| state.follower.as_ref())
            .map(|follower| follower.proven.size()),
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
    report.head = Some(size);
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
            "its checkpoint of {size} entries verifies; {} fetched again and proven",
            entries(rehearsal.start, size)
        )),
        None => Check::unanswered("it was interrupted"),
        Some(error) if error.kind == "log-fault" => Check::failed(error.message),
        Some(error) => Check::unanswered(error.message),
    };
    if !outcome.proven {
        report.swapped_leaf = Check::skipped("its entries could not be read");
        return Ok((report, None));
    }
    let (outcome, findings) =
        pass(&rehearsal.staged(Twist::Swapped(size - 1)), rules, scratch).await?;
    let caught = findings.iter().any(|finding| {
        finding.verdict == Verdict::LogFault && finding.fault.as_deref() == Some("root-mismatch")
    });
    report.swapped_leaf = if caught && !outcome.proven {
        Check::ok(format!(
            "entry {}, served with one bit flipped, is a root-mismatch",
            size - 1
        ))
    } else {
        Check::failed(format!(
            "entry {}, served with one bit flipped, went unnoticed",
            size - 1
        ))
    };
    Ok((report, Some(rehearsal)))
}

async fn newest(log: &Log) -> Result<(Bytes, Checkpoint), Check> {
    let shard = &log.shard;
    let raw = log.source.checkpoint().await;
    let raw = raw.map_err(|error| Check::unanswered(error.to_string()))?;
    // Not a checkpoint that verifies: whatever it is, what the log holds is not seen.
    let checkpoint = Checkpoint::open(&raw, &shard.origin, &shard.verifiers)
        .map_err(|error| Check::failed(format!("its checkpoint does not verify: {error}")))?;
    Ok((raw, checkpoint))
}

/// Whether the log's present tree still begins with the one that was proven.
async fn history(log: &Log, known: Option<&LogState>, checkpoint: &Checkpoint) -> Check {
    // Of a log that is guided, what was verified is a head without a position.
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
            "it still begins with the {} entries that were proven before",
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

/// One pass over one log, into a new database that nobody is told of.
async fn pass(
    log: &Log,
    rules: &Arc<Rules>,
    scratch: &Path,
) -> anyhow::Result<(LogOutcome, Vec<Finding>)> {
    let store = fresh(scratch).await?;
    let monitor = Monitor::new(
        Arc::clone(&store),
        Arc::new(SystemClock),
        Progress::default(),
        Stop::default(),
    );
    let outcomes = monitor.pass(&[log.clone().into()], rules, false).await?;
    let query = FindingQuery {
        all: true,
        limit: None,
    };
    let findings = store.findings(&query).try_collect().await?;
    let outcome = outcomes
        .into_iter()
        .next()
        .context("a pass says how it ended")?;
    store.close().await;
    Ok((outcome, findings))
}

/// A new database in the scratch directory, without channels.
pub(super) async fn fresh(scratch: &Path) -> anyhow::Result<Arc<dyn Store>> {
    let path = tempfile::Builder::new()
        .prefix("pass-")
        .tempdir_in(scratch)
        .context("a temporary directory cannot be made")?
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
