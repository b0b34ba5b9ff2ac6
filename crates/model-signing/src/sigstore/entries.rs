//! The log entries of a bundle: which log proves which of them.

use std::collections::BTreeSet;
use std::slice;

use sigstore_verify::trust_root::TransparencyLog;
use sigstore_verify::types;

use super::convert;
use super::trust::Trust;
use super::verifiers::Part;
use crate::bundle::{Bundle, TlogEntry};
use crate::keyless_error::KeylessError;

/// Whether one entry is there twice: with the whole id of its log, or with the beginning of it.
pub(super) fn has_duplicate(entries: &[TlogEntry]) -> bool {
    let is_same = |one: &TlogEntry, other: &TlogEntry| {
        one.log_index == other.log_index
            && one.canonicalized_body == other.canonicalized_body
            && (one.log_id.starts_with(&other.log_id) || other.log_id.starts_with(&one.log_id))
    };
    // A bundle has at most 32 entries.
    let mut rest = entries;
    while let Some((one, after)) = rest.split_first() {
        if after.iter().any(|other| is_same(one, other)) {
            return true;
        }
        rest = after;
    }
    false
}

/// Whether an entry names this log. What it has may be the beginning of the log's id.
pub(super) fn is_named(log: &TransparencyLog, entry: &TlogEntry) -> bool {
    log.log_id.key_id.as_bytes().starts_with(&entry.log_id)
}

/// The places of the logs that can prove an entry: those that it names, because an entry of one log is not proven by another
/// one's checkpoint. Where no log has such an id, any of them may prove it, as sigstore-python does it: the first
/// four bytes are those of a signature of the checkpoint in any case.
fn logs_of_one(entry: &TlogEntry, logs: &[TransparencyLog]) -> Vec<usize> {
    let places = (0..).zip(logs);
    let named = places.filter(|(_, log)| is_named(log, entry));
    let named: Vec<usize> = named.map(|(place, _)| place).collect();
    if named.is_empty() {
        return (0..logs.len()).collect();
    }
    named
}

/// The places of the logs that can prove any of the entries.
pub(super) fn logs_of(entries: &[TlogEntry], logs: &[TransparencyLog]) -> Vec<usize> {
    let places: BTreeSet<usize> = entries
        .iter()
        .flat_map(|entry| logs_of_one(entry, logs))
        .collect();
    places.into_iter().collect()
}

/// A bundle with each of several entries alone, and what it is verified with. The library takes the keys of all logs for every
/// entry, so each entry is verified once more with its own logs, and otherwise with `part`. `proven` are the times that were
/// verified with all entries together, in seconds of Unix time: an entry of Rekor v2 proves none itself.
pub(super) fn each(
    bundle: &Bundle,
    signature: &[u8],
    trust: &Trust,
    part: &Part,
    proven: &[i64],
) -> Result<Vec<(types::Bundle, Part)>, KeylessError> {
    let entries = bundle.tlog_entries();
    if entries.len() < 2 {
        return Ok(Vec::new());
    }
    let bridge = trust.verifiers.bridge()?;
    let proven: BTreeSet<i64> = proven.iter().copied().collect();
    let stamps = proven.iter().map(|time| bridge.stamp(signature, *time));
    let stamps: Vec<_> = stamps.collect::<Result<_, _>>()?;
    let single = |entry| {
        let part = Part {
            logs: logs_of_one(entry, &trust.root.tlogs),
            has_bridge: true,
            ..part.clone()
        };
        let one = convert::bundle(bundle, slice::from_ref(entry), &stamps)?;
        Ok((one, part))
    };
    entries.iter().map(single).collect()
}
