//! Why a log could not be read.

use std::io;
use std::time::Duration;

use crate::http::HttpError;
use crate::log::GlobalIndex;

/// Why a log could not be read. It says nothing about whether the log is honest: that is judged
/// only on what could be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The log does not have it: HTTP 404 or 410, no such file.
    #[error("not found: {asked}")]
    Absent {
        /// What was asked for, relative to the log.
        resource: String,
        /// Each address that was asked, and what came of it.
        asked: String,
    },
    /// It could not be had.
    #[error("{resource} cannot be read: {cause}")]
    Unavailable {
        /// What was asked for, relative to the log.
        resource: String,
        /// What went wrong.
        cause: Cause,
    },
    /// The log wants to be left alone for longer than one resource may take: nothing else should be
    /// asked of it before that time is over.
    #[error("{resource} cannot be read: {cause}")]
    RateLimited {
        /// What was asked for, relative to the log.
        resource: String,
        /// How long, from now.
        retry_after: Duration,
        /// The log's answer.
        cause: Cause,
    },
    /// Longer than any such resource can be, or than the caller wants to hold.
    #[error("{resource} is longer than {limit_bytes} bytes")]
    TooLarge {
        /// What was asked for, with its address.
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
    /// It was read, and is not what a log would serve there.
    #[error("{resource} is malformed: {reason}")]
    Malformed {
        /// What was asked for, with its address.
        resource: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The log answered, and left entries out, also when it was asked for them again.
    #[error("the log leaves entry {first} out of its replies (in all {count} of those asked for)")]
    EntriesMissing {
        /// The first that is missing, as people would ask for it.
        first: GlobalIndex,
        /// How many are, of one request.
        count: usize,
    },
    /// A replica answered that has not grown that far yet. It may have, when it is asked again.
    #[error("{resource} cannot be had yet: {said}")]
    Skew {
        /// What was asked for, relative to the log.
        resource: String,
        /// How the log said so.
        said: String,
    },
    /// Not a question that a log can answer: leaves of several bundles, or beyond the tree.
    #[error("leaves {start}..{end} do not lie within one bundle of a tree of {size} leaves")]
    OutOfRange {
        /// The first leaf asked for.
        start: u64,
        /// One past the last.
        end: u64,
        /// The tree's size.
        size: u64,
    },
}

/// What kept us from reading.
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

impl SourceError {
    /// Whether the log wants fewer requests: 429, with or without a time to wait.
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

    /// Whether the log understood the question and does not answer it (HTTP 400 or 422): as one does that is older than the
    /// kind of question. To ask again would change nothing.
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

    /// The kind of error as `status` names it: `unavailable` (cannot be fetched), `malformed`
    /// (fetched, but not what it should be), `entries-missing` or `unverifiable-checkpoint`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Absent { .. }
            | Self::Unavailable { .. }
            | Self::RateLimited { .. }
            | Self::Skew { .. }
            | Self::OutOfRange { .. } => "unavailable",
            Self::TooLarge { .. } | Self::Malformed { .. } => "malformed",
            Self::EntriesMissing { .. } => "entries-missing",
            Self::CheckpointTooLong { .. } => "unverifiable-checkpoint",
        }
    }
}
