//! Why a command failed, by cause.

use std::io;

use tokio::task::JoinError;

use crate::config::ConfigError;
use crate::http::HttpError;
use crate::monitor::MonitorError;
use crate::notify::HeartbeatError;
pub use crate::outcome::{Mistake, causes};
use crate::store::StoreError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The configuration cannot be read, or is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another mistake of the operator.
    #[error(transparent)]
    Mistake(#[from] Mistake),
    /// A source of trust is configured, and no trusted root from it was ever verified.
    #[error("there is no trusted root yet, so nothing is read: {why}")]
    NoTrust {
        /// The reason.
        why: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or variable that HTTP needs is missing on this machine.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The heartbeat was not sent.
    #[error(transparent)]
    Heartbeat(#[from] HeartbeatError),
    /// Another error of the system.
    #[error("{what}: {source}")]
    System {
        /// The action that failed.
        what: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// The task that delivers alerts has ended.
    #[error("the deliveries have ended without a request")]
    DeliveriesEnded,
    /// The task that delivers alerts was cancelled.
    #[error(transparent)]
    Cancelled(#[from] JoinError),
}

impl From<MonitorError> for ServiceError {
    fn from(error: MonitorError) -> Self {
        match error {
            MonitorError::NeedsBootstrap(_) => Self::Mistake(Mistake(error.to_string())),
            MonitorError::Store(error) => Self::Store(error),
        }
    }
}

impl ServiceError {
    /// For `map_err` on errors of the system.
    pub fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }

    /// The error of the store behind it, if a retry does not help: the state in this process and the stored one differ.
    pub fn final_store_error(&self) -> Option<&StoreError> {
        let (Self::Store(error) | Self::Heartbeat(HeartbeatError::Store(error))) = self else {
            return None;
        };
        is_final(error).then_some(error)
    }
}

/// Whether a retry does not help.
pub fn is_final(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Moved { .. } | StoreError::Corrupt { .. } | StoreError::Displaced { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_store_is_final_also_behind_the_heartbeat() {
        let displaced = || StoreError::Displaced {
            what: "the database was moved".to_owned(),
        };
        let full = StoreError::Full {
            path: "modelwatch.db".into(),
        };
        for (error, is_final) in [
            (ServiceError::Store(displaced()), true),
            (
                ServiceError::Heartbeat(HeartbeatError::Store(displaced())),
                true,
            ),
            (ServiceError::Store(full), false),
            (ServiceError::DeliveriesEnded, false),
        ] {
            assert_eq!(error.final_store_error().is_some(), is_final, "{error}");
        }
    }
}
