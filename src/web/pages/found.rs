//! The finding that an address names.

use super::failure::Failure;
use crate::store::{FindingRecord, Findings, StoreError};

/// Fewest digits of an id.
const MIN_DIGITS: usize = 4;

/// The finding with this id, or with one that begins so.
///
/// # Errors
///
/// There is none, there are several, or the store cannot be read.
pub(super) async fn record(store: &dyn Findings, id: &str) -> Result<FindingRecord, Failure> {
    let is_id = (MIN_DIGITS..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_id {
        return Err(Failure::absent(
            "The id of a finding has 32 hexadecimal digits, or at least the first 4 of them.",
        ));
    }
    match store.finding(&id.to_ascii_lowercase()).await {
        Ok(Some(record)) => Ok(record),
        Ok(None) => Err(Failure::absent("There is no finding with this id.")),
        Err(StoreError::Ambiguous(_)) => Err(Failure::absent(
            "Several findings have an id that begins with these digits: use more of them.",
        )),
        Err(error) => Err(error.into()),
    }
}
