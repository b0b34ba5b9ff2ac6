//! Logs that show no new entry.

use jiff::{SignedDuration, Timestamp};

use super::subject::Subject;
use crate::moment;
use crate::store::TreeState;

/// Why the log may have stopped, if it has shown no new entry for longer than allowed.
pub(super) fn assess(log: &Subject<'_>, state: &TreeState, now: Timestamp) -> Option<String> {
    let limit = log.silence_after?;
    if state.frozen.is_some() || !state.is_begun() {
        return None;
    }
    let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
    let silent = now.duration_since(moment::past(state.size_since, now));
    (silent > limit).then(|| {
        format!(
            "{} has shown nothing new since {}: it may have stopped, or an old checkpoint is being replayed",
            log.name,
            moment::shown(state.size_since)
        )
    })
}
