//! Why a log could not be read.

use std::io;
use std::time::Duration;

use crate::http::HttpError;
use crate::log::GlobalIndex;

/// Why a log could not be read. This does not show that the log is dishonest: only what could be read is verified.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The log does not have it: HTTP 404 or 410, no such file.
    #[error("not found: {tried}")]
    Absent {
        /// The requested resource, relative to the log.
        resource: String,
        /// Each requested address, with its response.
        tried: String,
    },
    /// It could not be fetched.
    #[error("{resource} cannot be read: {cause}")]
    Unavailable {
        /// The requested resource, relative to the log.
        resource: String,
        /// The cause.
        cause: Cause,
    },
    /// The log asks for a longer pause than is allowed for one resource: no other request should be sent before the
    /// pause is over.
    #[error("{resource} cannot be read: {cause}")]
    RateLimited {
        /// The requested resource, relative to the log.
        resource: String,
        /// How long, from now.
        retry_after: Duration,
        /// The log's answer.
        cause: Cause,
    },
    /// Longer than any such resource can be, or than the caller's limit.
    #[error("{resource} is longer than {limit_bytes} bytes")]
    TooLarge {
        /// The requested resource, with its address.
        resource: String,
        /// The limit.
        limit_bytes: usize,
    },
    /// Longer than any checkpoint can be.
    #[error("the checkpoint is longer than {limit_bytes} bytes")]
    CheckpointTooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// It was read, and is not what a log serves there.
    #[error("{resource} is malformed: {reason}")]
    Malformed {
        /// The requested resource, with its address.
        resource: String,
        /// The reason.
        reason: String,
    },
    /// The log answered, and left entries out, also when they were requested again.
    #[error(
        "the log leaves entry {first} out of its replies ({count} of the requested entries in total)"
    )]
    EntriesMissing {
        /// The first missing entry, with its index over all trees.
        first: GlobalIndex,
        /// The number of missing entries, of one request.
        count: usize,
    },
    /// A replica answered that is behind. It may have caught up at the next request.
    #[error("{resource} is not available yet: {message}")]
    Skew {
        /// The requested resource, relative to the log.
        resource: String,
        /// The log's message.
        message: String,
    },
    /// An invalid request: leaves of several bundles, or beyond the tree.
    #[error("leaves {start}..{end} do not lie within one bundle of a tree of {size} leaves")]
    OutOfRange {
        /// The first requested leaf.
        start: u64,
        /// One past the last.
        end: u64,
        /// The tree's size.
        size: u64,
    },
}

/// The cause of a failed read.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// Over HTTP.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// From a directory.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// In a directory, something else than a file: a directory, a device, a pipe.
    #[error("not a regular file")]
    NotAFile,
}

/// The kind of a [`SourceError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceErrorKind {
    /// It could not be fetched.
    Unavailable,
    /// It was fetched, and is not what a log serves there.
    Malformed,
    /// The log left entries out of its replies.
    EntriesMissing,
    /// It cannot be a checkpoint.
    UnverifiableCheckpoint,
}

impl SourceError {
    /// Whether the log asks for fewer requests: 429, with or without a waiting time.
    pub fn is_rate_limit(&self) -> bool {
        const TOO_MANY_REQUESTS: u16 = 429;
        matches!(
            self,
            Self::RateLimited {
                cause: Cause::Http(HttpError::RateLimited {
                    status: TOO_MANY_REQUESTS,
                    ..
                }),
                ..
            } | Self::Unavailable {
                cause: Cause::Http(HttpError::Status {
                    status: TOO_MANY_REQUESTS,
                    ..
                }),
                ..
            }
        )
    }

    /// Whether the log refuses a valid request (HTTP 400 or 422), as an older server does for a newer kind of request.
    /// Another try would not help.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Unavailable {
                cause: Cause::Http(HttpError::Status {
                    status: 400 | 422,
                    ..
                }),
                ..
            }
        )
    }

    /// The kind of the error.
    pub fn kind(&self) -> SourceErrorKind {
        match self {
            Self::Absent { .. }
            | Self::Unavailable { .. }
            | Self::RateLimited { .. }
            | Self::Skew { .. }
            | Self::OutOfRange { .. } => SourceErrorKind::Unavailable,
            Self::TooLarge { .. } | Self::Malformed { .. } => SourceErrorKind::Malformed,
            Self::EntriesMissing { .. } => SourceErrorKind::EntriesMissing,
            Self::CheckpointTooLong { .. } => SourceErrorKind::UnverifiableCheckpoint,
        }
    }
}
