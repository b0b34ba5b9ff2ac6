//! Why a file of a log could not be read.

use super::error::{Cause, SourceError};
use crate::http::HttpError;

/// Why a file could not be read; the caller adds its name.
#[derive(Debug)]
pub(super) enum TransportError {
    TooLarge { limit_bytes: usize },
    Other(Cause),
}

impl From<Cause> for TransportError {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Http(HttpError::TooLarge { limit_bytes, .. }) => Self::TooLarge { limit_bytes },
            cause => Self::Other(cause),
        }
    }
}

impl TransportError {
    pub(super) fn about(self, resource: &str) -> SourceError {
        let resource = resource.to_owned();
        match self {
            Self::TooLarge { limit_bytes } => SourceError::TooLarge {
                resource,
                limit_bytes,
            },
            Self::Other(cause) => match &cause {
                Cause::Http(HttpError::RateLimited { retry_after, .. }) => {
                    SourceError::RateLimited {
                        resource,
                        retry_after: *retry_after,
                        cause,
                    }
                }
                _ => SourceError::Unavailable { resource, cause },
            },
        }
    }

    /// Whether the server forbids this path (400 to 499). Storage buckets without permission to list their content
    /// answer so for absent files.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Other(Cause::Http(HttpError::Status {
                status: 400..=499,
                ..
            }))
        )
    }

    /// Whether the server refuses this request, and may accept one for less: a bad request, or one for too much.
    pub(super) fn is_refusal_of_many(&self) -> bool {
        matches!(
            self,
            Self::Other(Cause::Http(HttpError::Status {
                status: 400 | 413 | 414 | 416 | 422,
                ..
            }))
        )
    }
}
