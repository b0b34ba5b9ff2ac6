//! Why a pass over a log ends before everything is proven.

use crate::source::{SourceError, SourceErrorKind};
use crate::store::{PassError, PassErrorKind, StoreError};

/// Why a pass over a log ends before everything is proven.
pub(super) enum Halt {
    /// The store failed. Nothing can be recorded, so this ends the passes over all logs.
    Store(StoreError),
    /// The log showed a smaller checkpoint than before.
    Behind(PassError),
    /// This log's pass cannot be finished.
    Failed(PassError),
    /// This log's pass cannot be finished because the server limits the number of requests.
    Limited(PassError),
    /// The program was told to stop, or the time of the pass is over.
    Stopped,
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<SourceError> for Halt {
    fn from(error: SourceError) -> Self {
        let reported = PassError::from(&error);
        if error.is_rate_limit() {
            Self::Limited(reported)
        } else {
            Self::Failed(reported)
        }
    }
}

impl Halt {
    pub(super) fn failed(kind: PassErrorKind, message: String) -> Self {
        Self::Failed(PassError::new(kind, message))
    }
}

impl From<&SourceError> for PassError {
    fn from(error: &SourceError) -> Self {
        let kind = match error.kind() {
            SourceErrorKind::Unavailable => PassErrorKind::Unavailable,
            SourceErrorKind::Malformed => PassErrorKind::Malformed,
            SourceErrorKind::EntriesMissing => PassErrorKind::EntriesMissing,
            SourceErrorKind::UnverifiableCheckpoint => PassErrorKind::UnverifiableCheckpoint,
        };
        Self::new(kind, error.to_string())
    }
}
