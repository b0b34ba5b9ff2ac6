//! Why a message was not taken, by whose fault.

use std::time::Duration;

use crate::escape;

use super::secret::SecretError;

/// Longest text of a remote side that is kept, in characters: enough for its first words, which
/// say what is wrong; the rest is for its own log.
pub(super) const REMOTE_TEXT_CHARS: usize = 300;

/// Why a message was not taken. None of these ends an alert: all are tried again.
///
/// What a remote side said is in here bounded and escaped for a terminal; secrets and recipients
/// are not in here at all.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// There is no such channel.
    #[error("there is no channel {0:?}")]
    NoSuchChannel(String),
    /// The operator's mistake: a secret is not there.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The operator's mistake: the channel cannot work as it is configured.
    #[error("{what}")]
    Setup {
        /// What cannot work.
        what: String,
    },
    /// The other side does not accept anything from us: wrong address, wrong password, gone.
    #[error("{reason}")]
    Denied {
        /// What it said.
        reason: String,
    },
    /// The other side does not accept this very message; the next may fare better.
    #[error("{reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// No answer, or one that says to come back.
    #[error("{reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// How long the other side wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// A program did not do it.
    #[error("{program} {outcome}{}{stderr}", if stderr.is_empty() { "" } else { ": " })]
    Program {
        /// The program.
        program: String,
        /// How it ended.
        outcome: String,
        /// The end of what it wrote to its standard error.
        stderr: String,
    },
    /// Our own standard output.
    #[error("standard output cannot be written")]
    Output(#[source] std::io::Error),
}

impl NotifyError {
    pub(super) fn unavailable(reason: String) -> Self {
        Self::Unavailable {
            reason,
            retry_after: None,
        }
    }

    /// Whether only a change by the operator can help: worth saying at the first time.
    pub const fn needs_operator(&self) -> bool {
        matches!(
            self,
            Self::NoSuchChannel(_) | Self::Secret(_) | Self::Setup { .. } | Self::Denied { .. }
        )
    }

    /// Whether it is about this message only, so that the next one may be tried at once.
    pub const fn is_about_the_message(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// How long the other side wants to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// What a remote side said, bounded and escaped.
pub(super) fn remote_text(text: &str) -> String {
    escape::terminal(&escape::truncate(text.trim(), REMOTE_TEXT_CHARS)).into_owned()
}
