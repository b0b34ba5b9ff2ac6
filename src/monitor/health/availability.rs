//! Logs that cannot be read, or that refuse requests.

use jiff::{SignedDuration, Timestamp};

use super::subject::Subject;
use crate::finding::Verdict;
use crate::moment;
use crate::store::{PassError, PassErrorKind, PassHistory};

/// A log that cannot be read in this many passes in a row is a finding. Until then, the exit code and `status` report
/// it.
const UNAVAILABLE_PASSES: u32 = 3;

/// Entries that a log leaves out in this many passes in a row are a finding: no replica lags for as long.
const MISSING_PASSES: u32 = 2;

/// How long a log may refuse requests in fewer passes than that, which may be hours apart. Logs count requests by the
/// minute, so that a refusal that lasts longer does not end by itself.
const LIMITED_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// Whether the recorded passes could not read the log. `error` and `failed_passes` are those of the last passes.
pub(super) fn assess(
    log: &Subject<'_>,
    error: Option<&PassError>,
    failed_passes: u32,
    pass_history: &PassHistory,
    now: Timestamp,
) -> Vec<(Verdict, String)> {
    let name = log.name;
    let mut found = Vec::new();
    if let Some(error) = error {
        // If all of these passes were refused requests, that is reported instead: the log does answer.
        let only_limited = pass_history.limited_passes >= failed_passes;
        match error.kind {
            PassErrorKind::UnverifiableCheckpoint => found.push((
                Verdict::UnverifiableCheckpoint,
                format!(
                    "the newest checkpoint of {name} cannot be verified: {}",
                    error.message
                ),
            )),
            PassErrorKind::EntriesMissing if failed_passes >= MISSING_PASSES => found.push((
                Verdict::EntriesMissing,
                format!("{name} does not show all of its entries: {}", error.message),
            )),
            PassErrorKind::Unavailable | PassErrorKind::Malformed
                if failed_passes >= UNAVAILABLE_PASSES && !only_limited =>
            {
                found.push((
                    Verdict::Unavailable,
                    format!(
                        "{name} could not be read to its end for {} passes: {}",
                        failed_passes, error.message
                    ),
                ));
            }
            _ => {}
        }
    }
    if let Some(since) = pass_history.limited_since
        && (pass_history.limited_passes >= UNAVAILABLE_PASSES
            || now.duration_since(moment::past(since, now)) > LIMITED_AFTER)
    {
        found.push((
            Verdict::RateLimited,
            format!(
                "{name} has refused requests because there were too many since {}",
                moment::shown(since)
            ),
        ));
    }
    found
}
