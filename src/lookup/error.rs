//! Why a lookup has no answer.

use crate::store::StoreError;
use crate::watch::WatchError;

/// Why a lookup has no answer.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The question names a log that is not followed.
    #[error("no log named {0} is followed")]
    UnknownLog(String),
    /// No search index can be asked.
    #[error(
        "the search index has none of these conditions: give --identity, --digest, --model, --bundle or --uuid"
    )]
    NotInIndex,
    /// The conditions cannot be compiled.
    #[error(transparent)]
    Conditions(#[from] WatchError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
