//! Stored positions that belong to another log, or that were begun again.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::subject::Subject;
use crate::escape::few;
use crate::log::Shard;
use crate::moment;
use crate::monitor::monitored_log::MonitoredLog;
use crate::store::{PassHistory, Positions, StoreError, TreeState, Values};

/// How long it is reported that a log was begun again, or that the database belongs to another configuration. It cannot
/// be undone.
const REPORT_PERIOD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The key of the stored value.
const KEY: &str = "database.foreign";

/// Most logs that one sentence names.
const NAMED_LOGS: usize = 5;

/// Why the stored position of a log may be wrong.
pub(super) fn assess(
    log: &Subject<'_>,
    state: &TreeState,
    pass_history: &PassHistory,
    now: Timestamp,
) -> Option<String> {
    if let Some(why) = log.tree.and_then(|shard| foreign_key(shard, state)) {
        return Some(why);
    }
    let restart = pass_history.restart.as_ref()?;
    if now.duration_since(moment::past(restart.at, now)) > REPORT_PERIOD {
        return None;
    }
    let at = moment::shown(restart.at);
    Some(if restart.reached < restart.first {
        format!(
            "{} was begun again at entry {} ({at}), although it had been followed up to entry {}: the entries between were not read",
            log.name, restart.first, restart.reached
        )
    } else {
        format!(
            "{} was begun again at entry {} ({at}), although it had been followed before: earlier entries may not have been read",
            log.name, restart.first
        )
    })
}

/// No present key of the log signed the stored checkpoint: the position belongs to another log, or the key was changed.
/// After a pass that proves everything, the stored checkpoint is signed by a present key.
fn foreign_key(shard: &Shard, state: &TreeState) -> Option<String> {
    state.error.as_ref()?;
    let follower = state.follower.as_ref()?;
    let head = follower.proven_head.as_ref().or(follower.head.as_ref())?;
    shard.open(&head.note).is_err().then(|| {
        format!(
            "the stored position of {} belongs to a checkpoint that none of its keys signed: the database is of another log, or the key was changed",
            shard.name
        )
    })
}

/// The other logs in the database, and when they were found.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Foreign {
    at: Timestamp,
    /// For each, its id and its name in the configuration at that time.
    logs: Vec<(String, String)>,
}

/// Records, before a pass gives the configured logs their positions, that the database contains other logs only.
pub(super) async fn note_foreign(
    store: &(impl Positions + Values + ?Sized),
    logs: &[MonitoredLog],
    now: Timestamp,
) -> Result<(), StoreError> {
    let begun = store.trees().await?.into_iter();
    let mut known: Vec<(String, String)> = begun
        .filter(TreeState::is_begun)
        .map(|state| (state.log.as_str().to_owned(), state.name))
        .collect();
    known.dedup();
    let is_ours = |(id, name): &(String, String)| logs.iter().any(|log| is_of(log, id, name));
    if logs.is_empty() || known.is_empty() || known.iter().any(is_ours) {
        return Ok(());
    }
    let logs = known;
    let foreign = Foreign { at: now, logs };
    let text = serde_json::to_string(&foreign).expect("a struct of plain values is JSON");
    store.put_value(KEY, &text).await
}

/// Whether the stored log with this id and name is this log, or was configured under its name: another key or another
/// address in one section is still the same configuration.
fn is_of(log: &MonitoredLog, id: &str, name: &str) -> bool {
    log.id().as_str() == id || log.name() == name
}

/// The sentence about it, for a week, or until one of the other logs is monitored again.
pub(super) async fn foreign(
    store: &dyn Values,
    logs: &[MonitoredLog],
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let Some(text) = store.get_value(KEY).await? else {
        return Ok(None);
    };
    let Ok(mut foreign) = serde_json::from_str::<Foreign>(&text) else {
        return Ok(None);
    };
    if moment::is_ahead(foreign.at, now) {
        // Stored, because otherwise it would be reported for as long as the clock was ahead.
        foreign.at = now;
        let text = serde_json::to_string(&foreign).expect("a struct of plain values is JSON");
        store.put_value(KEY, &text).await?;
    }
    let is_followed = foreign
        .logs
        .iter()
        .any(|(id, name)| logs.iter().any(|log| is_of(log, id, name)));
    if is_followed || now.duration_since(foreign.at) > REPORT_PERIOD {
        return Ok(None);
    }
    let names = foreign.logs.iter().map(|(_, name)| name);
    Ok(Some(format!(
        "the database had none of the configured logs, but {}: it may be that of another configuration, and the positions of this one lost",
        few(names, NAMED_LOGS)
    )))
}
