//! Values in columns: how they are written, and how they are read with every check.

use jiff::Timestamp;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tlog::Head;
use tlog::frontier::CompactRange;
use tlog::hash::Hash;

use super::fail::Fail;
use crate::finding::{FaultKind, FindingId, Severity, State, Verdict};
use crate::store::{Action, PassError, PassErrorKind};

/// A position. Sizes of trees end at 2^63 - 1, so that no real size is refused.
pub(super) fn integer(value: u64) -> Result<i64, Fail> {
    i64::try_from(value).map_err(|_| Fail::corrupt(format!("position {value} is above 2^63 - 1")))
}

/// A stored position or count.
pub(super) fn natural(value: i64) -> Result<u64, Fail> {
    u64::try_from(value).map_err(|_| Fail::corrupt(format!("{value} where a count was stored")))
}

/// A stored count of passes or attempts.
pub(super) fn small(value: i64) -> Result<u32, Fail> {
    u32::try_from(value)
        .map_err(|_| Fail::corrupt(format!("{value} where a small count was stored")))
}

/// Microseconds since 1970-01-01T00:00:00Z.
pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// A stored time.
pub(super) fn moment(micros: i64) -> Result<Timestamp, Fail> {
    Timestamp::from_microsecond(micros).map_err(|_| Fail::corrupt(format!("time {micros}")))
}

/// A stored time that may be absent.
pub(super) fn moment_if(micros: Option<i64>) -> Result<Option<Timestamp>, Fail> {
    micros.map(moment).transpose()
}

/// A word of the contract.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> Result<T, Fail> {
    let word: StrDeserializer<'_, WordError> = text.into_deserializer();
    T::deserialize(word).map_err(|error| Fail::corrupt(error.to_string()))
}

/// A stored kind of a fault.
pub(super) fn fault(text: &str) -> Result<FaultKind, Fail> {
    FaultKind::from_word(text).ok_or_else(|| Fail::corrupt(format!("fault {text:?}")))
}

/// A stored verdict.
pub(super) fn verdict(text: &str) -> Result<Verdict, Fail> {
    Verdict::from_word(text).ok_or_else(|| Fail::corrupt(format!("verdict {text:?}")))
}

/// A stored kind of a pass error.
pub(super) fn pass_error(kind: &str, message: String) -> Result<PassError, Fail> {
    let kind = PassErrorKind::from_word(kind)
        .ok_or_else(|| Fail::corrupt(format!("kind of error {kind:?}")))?;
    Ok(PassError { kind, message })
}

/// Why the last pass of a row failed, if it did.
pub(super) fn last_error(row: &SqliteRow) -> Result<Option<PassError>, Fail> {
    match (row.try_get("error_kind")?, row.try_get("error_message")?) {
        (Some(kind), Some(message)) => pass_error(kind, message).map(Some),
        _ => Ok(None),
    }
}

/// A stored state.
pub(super) fn state(text: &str) -> Result<State, Fail> {
    State::from_word(text).ok_or_else(|| Fail::corrupt(format!("state {text:?}")))
}

/// Severities in the order of their stored numbers.
const SEVERITIES: [Severity; 5] = [
    Severity::Info,
    Severity::Low,
    Severity::Medium,
    Severity::High,
    Severity::Critical,
];

/// A stored action of a row of history.
pub(super) fn action(text: &str) -> Result<Action, Fail> {
    Action::from_word(text).ok_or_else(|| Fail::corrupt(format!("action {text:?}")))
}

/// The stored number of a severity: SQL compares it.
pub(super) const fn rank(severity: Severity) -> i64 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}

/// A stored severity.
pub(super) fn severity(rank: i64) -> Result<Severity, Fail> {
    usize::try_from(rank)
        .ok()
        .and_then(|rank| SEVERITIES.get(rank).copied())
        .ok_or_else(|| Fail::corrupt(format!("severity {rank}")))
}

/// A stored id of a finding.
pub(super) fn finding_id(bytes: &[u8]) -> Result<FindingId, Fail> {
    <[u8; 16]>::try_from(bytes)
        .map(FindingId::from_bytes)
        .map_err(|_| Fail::corrupt(format!("an id of {} bytes", bytes.len())))
}

/// 32 stored bytes.
pub(super) fn bytes32(bytes: &[u8]) -> Result<[u8; 32], Fail> {
    bytes
        .try_into()
        .map_err(|_| Fail::corrupt(format!("a hash of {} bytes", bytes.len())))
}

/// The concatenated hashes of a frontier.
pub(super) fn frontier_bytes(frontier: &CompactRange) -> Vec<u8> {
    frontier
        .hashes()
        .iter()
        .flat_map(Hash::as_bytes)
        .copied()
        .collect()
}

/// A stored frontier.
pub(super) fn frontier(size: i64, hashes: &[u8]) -> Result<CompactRange, Fail> {
    let (hashes, rest) = hashes.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(Fail::corrupt("a frontier of broken hashes"));
    }
    CompactRange::from_parts(
        natural(size)?,
        hashes.iter().copied().map(Hash::new).collect(),
    )
    .map_err(|error| Fail::corrupt(error.to_string()))
}

/// A stored checkpoint.
pub(super) fn head(size: i64, root: &[u8], note: &[u8]) -> Result<Head, Fail> {
    Ok(Head {
        size: natural(size)?,
        root: Hash::new(bytes32(root)?),
        note: note.into(),
    })
}
