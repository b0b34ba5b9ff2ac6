//! Positions that are there, and are not what they seem.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Subject;
use crate::escape::few;
use crate::log::Shard;
use crate::moment;
use crate::monitor::MonitoredLog;
use crate::store::{LogState, PassHistory, Positions, StoreError, Values};

/// For how long it is said that a log was begun anew, or a database taken over from another
/// configuration: nothing can undo it, and whoever has not read it in a week will not.
const SAID_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Where it is remembered that the database was another configuration's.
const MEMORY: &str = "database.foreign";

/// How many logs are named in one sentence.
const NAMED_LOGS: usize = 5;

/// Why the stored position of a log is not what it seems.
pub(super) fn assess(
    log: Subject<'_>,
    state: &LogState,
    pass_history: &PassHistory,
    now: Timestamp,
) -> Option<String> {
    if let Some(why) = log.tree.and_then(|shard| foreign_key(shard, state)) {
        return Some(why);
    }
    let restart = pass_history.restart.as_ref()?;
    if now.duration_since(moment::past(restart.at, now)) > SAID_FOR {
        return None;
    }
    let at = restart.at.strftime("%Y-%m-%dT%H:%M:%SZ");
    Some(if restart.reached < restart.first {
        format!(
            "{} was begun anew at entry {} ({at}), although it had been followed up to entry {}: what lies between was not read",
            log.name, restart.first, restart.reached
        )
    } else {
        format!(
            "{} was begun anew at entry {} ({at}), although it had been followed before: what it showed until then may not have been read",
            log.name, restart.first
        )
    })
}

/// The stored checkpoints are signed by none of the keys that speak for the log now: the position is another log's, or
/// the key was changed. As soon as a pass has proven everything under the key of now, the position is vouched for by it.
fn foreign_key(shard: &Shard, state: &LogState) -> Option<String> {
    state.error.as_ref()?;
    let follower = state.follower.as_ref()?;
    let head = follower.proven_head.as_ref().or(follower.head.as_ref())?;
    shard.open(&head.note).is_err().then(|| {
        format!(
            "the stored position of {} is vouched for by a checkpoint that none of its keys signed: the database is of another log, or the key was changed",
            shard.name
        )
    })
}

/// When the database was found to know other logs, and which.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Foreign {
    at: Timestamp,
    logs: Vec<(String, String)>,
}

/// Notes, before a pass gives the configured logs their positions, that the database knows none of them but others.
pub(super) async fn note_foreign(
    store: &(impl Positions + Values + ?Sized),
    logs: &[MonitoredLog],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut known = store.logs().await?;
    known.retain(LogState::is_begun);
    let is_ours = |state: &LogState| {
        logs.iter()
            .any(|log| is_of(log, &state.origin, &state.name))
    };
    if logs.is_empty() || known.is_empty() || known.iter().any(is_ours) {
        return Ok(());
    }
    let logs = known
        .into_iter()
        .map(|state| (state.origin, state.name))
        .collect();
    let foreign = Foreign { at: now, logs };
    let text = serde_json::to_string(&foreign).expect("a struct of plain values is JSON");
    store.put_value(MEMORY, &text).await
}

/// Whether what is stored under this origin and name is of that log. The trees of a Rekor v1 log are known by its name.
pub(super) fn is_of(log: &MonitoredLog, origin: &str, name: &str) -> bool {
    let is_origin = match log {
        MonitoredLog::Tree(log) => log.shard.origin.as_str() == origin,
        MonitoredLog::RekorV1(_) | MonitoredLog::Guided(_) => false,
    };
    is_origin || log.name() == name
}

/// What is to be said of it: for a week, or until one of the other logs is followed again.
pub(super) async fn foreign(
    store: &dyn Values,
    logs: &[MonitoredLog],
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let Some(text) = store.get_value(MEMORY).await? else {
        return Ok(None);
    };
    let Ok(mut foreign) = serde_json::from_str::<Foreign>(&text) else {
        return Ok(None);
    };
    if moment::is_ahead(foreign.at, now) {
        // Written down, or it would be said for as long as the clock was ahead.
        foreign.at = now;
        let text = serde_json::to_string(&foreign).expect("a struct of plain values is JSON");
        store.put_value(MEMORY, &text).await?;
    }
    let is_followed = foreign
        .logs
        .iter()
        .any(|(origin, name)| logs.iter().any(|log| is_of(log, origin, name)));
    if is_followed || now.duration_since(foreign.at) > SAID_FOR {
        return Ok(None);
    }
    let names = foreign.logs.iter().map(|(_, name)| name);
    Ok(Some(format!(
        "the database knew none of the configured logs, but {}: it may be that of another configuration, and the positions of this one lost",
        few(names, NAMED_LOGS)
    )))
}
