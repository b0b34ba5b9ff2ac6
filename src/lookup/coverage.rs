//! How far a lookup looked, and whether that is everything that was asked for. Pure.
//!
//! "There is no such signing" is true only if every entry was looked at, of each log that was asked for, up to a head that is
//! not old. Whatever is missing for that has its reason in the answer.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::line::LogCoverage;
use crate::report::log::ReadingMode;

/// How old the newest proven head of a log may be: an older one shows nothing of what was signed since.
pub const MAX_AGE: SignedDuration = SignedDuration::from_hours(2);

/// Why an answer is not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "web", schema(as = LookupWhyKind))]
pub enum WhyKind {
    /// Entries were not read or not proven, or the log broke a promise.
    Unread,
    /// Entries were read and never compared with a watch that selects what is asked for.
    Gap,
    /// The newest proven head is old.
    Behind,
    /// No watch selects everything that is asked for, and the log was not read for this question.
    NotScanned,
    /// The log is not read in full.
    Guided,
    /// No log holds what is asked for.
    NotInLog,
    /// The log did not answer.
    Unavailable,
    /// There are more signings than were asked for.
    Limit,
}

impl WhyKind {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Gap => "gap",
            Self::Behind => "behind",
            Self::NotScanned => "not-scanned",
            Self::Guided => "guided",
            Self::NotInLog => "not-in-log",
            Self::Unavailable => "unavailable",
            Self::Limit => "limit",
        }
    }
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "web", schema(as = LookupWhy))]
pub struct Why {
    /// The log; `None`: it is about the question.
    pub log: Option<String>,
    /// Its kind.
    pub kind: WhyKind,
    /// One sentence for a person. May hold text from a log: escape it where it is shown.
    pub message: String,
}

/// How far a lookup looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "web", schema(as = LookupCoverage))]
pub struct Coverage {
    /// `coverage`.
    #[serde(rename = "type")]
    pub line_type: &'static str,
    /// Every entry that was asked for was looked at.
    pub complete: bool,
    /// Why not.
    pub why: Vec<Why>,
    /// What was looked at of each tree.
    pub logs: Vec<LogCoverage>,
}

/// What of the question and of the result decides about completeness.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Only what was logged at this time or later.
    pub since: Option<Timestamp>,
    /// The present.
    pub now: Timestamp,
    /// A digest was asked for that may be that of a model or of a file in a model, and nothing was found.
    pub digest_not_found: bool,
    /// There are more signings than were asked for.
    pub is_cut: bool,
}

/// How far one tree was read. Positions count within the tree.
#[derive(Debug, Clone)]
pub struct TreeReach {
    /// Its origin.
    pub origin: String,
    /// The entries of its log before its first one.
    pub base: u64,
    /// Where reading began; `None`: nothing of it was read.
    pub first: Option<u64>,
    /// Everything before `first` was logged before this time; `None`: that is not known.
    pub first_time: Option<Timestamp>,
    /// A signed checkpoint covers every entry from `first` to here.
    pub proven: u64,
    /// The largest checkpoint that was verified.
    pub head: Option<u64>,
    /// It takes no more entries.
    pub has_ended: bool,
    /// When everything up to the newest checkpoint was proven last.
    pub proven_at: Option<Timestamp>,
    /// Why the last attempt to read it failed.
    pub error: Option<String>,
    /// It broke a promise, and that finding is open.
    pub is_faulty: bool,
    /// What was read and not compared with any watch that selects everything that is asked for; `None`: there is no such watch.
    pub gaps: Option<Vec<Range<u64>>>,
    /// It was read for this question.
    pub scan: Option<Scanned>,
    /// The only entry that is asked for.
    pub only: Option<u64>,
}

/// What was read of a tree for this question.
#[derive(Debug, Clone)]
pub struct Scanned {
    /// The entries that were read and proven, counted within the tree.
    pub range: Range<u64>,
    /// Everything before the range was logged before this time, if it does not begin at the first entry.
    pub from_time: Option<Timestamp>,
    /// The size of the tree that they were proven in.
    pub head: u64,
    /// When the log showed that head; `None`: an earlier one was used.
    pub head_at: Option<Timestamp>,
    /// Why that is not the newest head.
    pub head_why: Option<(WhyKind, String)>,
    /// Why not everything was read.
    pub failed: Option<String>,
}

/// How far one log was read.
#[derive(Debug, Clone)]
pub struct LogReach {
    /// Its name.
    pub name: String,
    /// How it is read.
    pub mode: ReadingMode,
    /// Of a guided log: the CT logs that hold the certificates of its signers.
    pub guides: Vec<String>,
    /// Of a log with several trees: when the list of its trees was read last, and why it could not be read. `None`: the log has
    /// one tree.
    pub list: Option<(Option<Timestamp>, Option<String>)>,
    /// Why nothing of it can be read; `None`: it can.
    pub unreadable: Option<String>,
    /// Its trees.
    pub trees: Vec<TreeReach>,
}

/// Whether everything that was asked for was looked at, and why not.
pub fn coverage(asked: &Asked, logs: &[LogReach]) -> Coverage {
    let mut why = Vec::new();
    for log in logs {
        if log.mode == ReadingMode::Tail {
            of_log(asked, log, &mut why);
        }
    }
    for log in logs.iter().filter(|log| log.mode == ReadingMode::Guided) {
        why.push(of_guided(log, &why));
    }
    if logs.is_empty() {
        why.push(about(
            None,
            WhyKind::Unread,
            "no log is followed".to_owned(),
        ));
    }
    if asked.digest_not_found {
        let message = "no entry that was looked at holds this digest. The digest of a model, of a file in it, or of anything else that a signed statement is about is in no log: it is known only of registered bundles and of attestations that a log keeps";
        why.push(about(None, WhyKind::NotInLog, message.to_owned()));
    }
    if asked.is_cut {
        let message = "there are more such signings: --limit names how many are shown".to_owned();
        why.push(about(None, WhyKind::Limit, message));
    }
    Coverage {
        line_type: "coverage",
        complete: why.is_empty(),
        why,
        logs: logs.iter().flat_map(|log| lines(asked, log)).collect(),
    }
}

fn about(log: Option<&str>, kind: WhyKind, message: String) -> Why {
    Why {
        log: log.map(str::to_owned),
        kind,
        message,
    }
}

/// A guided log is never complete. Whether its CT logs are, for certificates, is stated.
fn of_guided(log: &LogReach, others: &[Why]) -> Why {
    if let Some(reason) = &log.unreadable {
        return about(Some(&log.name), WhyKind::Unavailable, reason.clone());
    }
    let is_complete = |guide: &String| !others.iter().any(|why| why.log.as_ref() == Some(guide));
    let (complete, not): (Vec<&String>, Vec<&String>) =
        log.guides.iter().partition(|guide| is_complete(guide));
    let join = |names: &[&String]| {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        names.join(", ")
    };
    let mut message = "it is not read in full: its entries are found through its search index, which may leave entries out".to_owned();
    if !complete.is_empty() {
        message.push_str("; for certificates the answer is complete in its CT logs ");
        message.push_str(&join(&complete));
    }
    if !not.is_empty() {
        message.push_str("; for certificates the answer is not complete in its CT logs ");
        message.push_str(&join(&not));
    }
    about(Some(&log.name), WhyKind::Guided, message)
}

fn of_log(asked: &Asked, log: &LogReach, why: &mut Vec<Why>) {
    let mut add = |kind, message: String| why.push(about(Some(&log.name), kind, message));
    if let Some(reason) = &log.unreadable {
        return add(WhyKind::Unavailable, reason.clone());
    }
    if let Some((read_at, error)) = &log.list
        && let Some((kind, message)) = is_old(asked, *read_at, error.as_deref())
    {
        add(kind, format!("its list of trees: {message}"));
    }
    if log.trees.is_empty() {
        return add(WhyKind::Unread, "nothing of it was read".to_owned());
    }
    for tree in &log.trees {
        let label = if log.trees.len() > 1 {
            format!("its tree {}: ", tree.origin)
        } else {
            String::new()
        };
        for (kind, message) in of_tree(asked, tree) {
            add(kind, format!("{label}{message}"));
        }
    }
}

/// Why a head is too old, if it is.
fn is_old(
    asked: &Asked,
    proven_at: Option<Timestamp>,
    error: Option<&str>,
) -> Option<(WhyKind, String)> {
    // A time in the future shows nothing either.
    let is_fresh = proven_at.is_some_and(|at| {
        let age = asked.now.duration_since(at);
        age <= MAX_AGE && age >= -MAX_AGE
    });
    if is_fresh {
        return None;
    }
    Some(match (proven_at, error) {
        (_, Some(error)) => (WhyKind::Unavailable, error.to_owned()),
        (Some(at), None) => (
            WhyKind::Behind,
            format!("its newest proven state is of {at}: what was logged since is not known"),
        ),
        (None, None) => (WhyKind::Unread, "it was never read to its end".to_owned()),
    })
}

fn of_tree(asked: &Asked, tree: &TreeReach) -> Vec<(WhyKind, String)> {
    let mut why = Vec::new();
    if tree.is_faulty {
        let message = "it broke a promise, and that finding is open: what it shows of other entries is no evidence";
        why.push((WhyKind::Unread, message.to_owned()));
    }
    let global = |index: u64| tree.base.saturating_add(index);
    let looked = if let Some(scan) = &tree.scan {
        why.extend(scan.head_why.clone());
        if let Some(failed) = &scan.failed {
            why.push((WhyKind::Unavailable, failed.clone()));
        }
        Looked {
            range: scan.range.clone(),
            from_time: scan.from_time,
            head: scan.head,
            proven_at: scan.head_at.or(tree.proven_at),
        }
    } else {
        let Some(first) = tree.first else {
            let reason = tree.error.as_deref().unwrap_or("nothing of it was read");
            why.push((WhyKind::Unread, reason.to_owned()));
            return why;
        };
        Looked {
            range: first..tree.proven,
            from_time: tree.first_time,
            head: tree.head.unwrap_or(tree.proven),
            proven_at: tree.proven_at,
        }
    };
    if let Some(only) = tree.only {
        if looked.range.contains(&only) {
            if tree.scan.is_none() {
                why.extend(not_compared(tree, only..only + 1, &global));
            }
            return why;
        }
        // Behind the end: whether it was logged depends on how new that is.
        if only < looked.head {
            let message = format!("entry {} was not read", global(only));
            why.push((WhyKind::Unread, message));
            return why;
        }
    } else {
        let begins = looked.range.start == 0
            || matches!((asked.since, looked.from_time), (Some(since), Some(time)) if time <= since);
        if !begins {
            let message = format!(
                "the entries before {} were not read",
                global(looked.range.start)
            );
            why.push((WhyKind::Unread, message));
        }
        if looked.range.end < looked.head {
            let message = format!(
                "the entries from {} to {} are not proven",
                global(looked.range.end),
                global(looked.head)
            );
            why.push((WhyKind::Unread, message));
        }
        if tree.scan.is_none() {
            why.extend(not_compared(tree, looked.range.clone(), &global));
        }
    }
    if !tree.has_ended
        && let Some(old) = is_old(asked, looked.proven_at, tree.error.as_deref())
    {
        why.push(old);
    }
    why
}

struct Looked {
    range: Range<u64>,
    from_time: Option<Timestamp>,
    head: u64,
    proven_at: Option<Timestamp>,
}

/// What of this range was read and not compared with what is asked for.
fn not_compared(
    tree: &TreeReach,
    range: Range<u64>,
    global: &dyn Fn(u64) -> u64,
) -> Option<(WhyKind, String)> {
    if range.is_empty() {
        return None;
    }
    let Some(gaps) = &tree.gaps else {
        let message =
            "no watch selects everything that is asked for: only --scan looks at the other entries";
        return Some((WhyKind::NotScanned, message.to_owned()));
    };
    let gap = gaps
        .iter()
        .find(|gap| gap.start < range.end && range.start < gap.end)?;
    let message = format!(
        "the entries from {} to {} were read before a watch selected what is asked for: `modelwatch rescan` compares them",
        global(gap.start),
        global(gap.end)
    );
    Some((WhyKind::Gap, message))
}

/// What was looked at of each tree of a log.
fn lines<'a>(asked: &'a Asked, log: &'a LogReach) -> impl Iterator<Item = LogCoverage> + 'a {
    log.trees.iter().map(move |tree| {
        let global = |index: u64| tree.base.saturating_add(index);
        let is_read = tree.first.is_some() && log.mode == ReadingMode::Tail;
        let scanned = tree.scan.as_ref();
        let from = scanned.map(|scan| scan.range.start).or(tree.first);
        let to = scanned
            .map(|scan| scan.range.end)
            .or(is_read.then_some(tree.proven));
        let from_time = match scanned {
            Some(scan) => scan.from_time,
            None => tree.first_time.filter(|_| tree.first != Some(0)),
        };
        LogCoverage {
            log: log.name.clone(),
            origin: tree.origin.clone(),
            mode: log.mode,
            from: from.map(global),
            to: to.map(global),
            head: scanned.map(|scan| scan.head).or(tree.head).map(global),
            proven: is_read.then(|| global(tree.proven)),
            gaps: tree
                .gaps
                .iter()
                .flatten()
                .map(|gap| (global(gap.start), global(gap.end)))
                .collect(),
            scanned: scanned.map(|scan| (global(scan.range.start), global(scan.range.end))),
            from_time: from_time.or(asked
                .since
                .filter(|_| from.is_some_and(|from| from > 0) && scanned.is_some())),
            to_time: scanned.and_then(|scan| scan.head_at).or(tree.proven_at),
        }
    })
}

#[cfg(test)]
mod tests;
