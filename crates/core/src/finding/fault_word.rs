//! A kind of fault as its word, or null.

use serde::de::{Deserialize as _, Deserializer, Error as _};
use serde::{Serialize as _, Serializer};
use tlog::FaultKind;

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference to the field"
)]
pub(super) fn serialize<S: Serializer>(
    fault: &Option<FaultKind>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    fault.map(FaultKind::as_str).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<FaultKind>, D::Error> {
    let Some(word) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    match FaultKind::from_word(&word) {
        Some(kind) => Ok(Some(kind)),
        None => Err(D::Error::custom(format_args!(
            "{word:?} is no kind of fault"
        ))),
    }
}
