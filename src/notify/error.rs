//! Why a message was not delivered, by cause.

use std::time::Duration;

use crate::escape;

use super::template::TemplateError;
use crate::secret::SecretError;

/// Longest text of a server or program that is kept, in characters: its first words describe the error; the rest is in
/// its own log.
pub(super) const REMOTE_TEXT_CHARS: usize = 300;

/// Why a message was not delivered. None of these ends the tries of an alert.
///
/// Texts of servers and programs are bounded and escaped for a terminal; secrets are never included, and recipients
/// only in [`Recipients`](Self::Recipients), for the operator. A log gets [`without_names`](Self::without_names).
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// There is no channel with this name.
    #[error("there is no channel {0:?}")]
    NoSuchChannel(String),
    /// The operator's mistake: a secret is not there.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The operator's mistake: a template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The operator's mistake: the channel cannot work as it is configured.
    #[error("{what}")]
    Setup {
        /// What cannot work.
        what: String,
    },
    /// The other side does not accept anything from us: wrong address, wrong password, gone.
    #[error("{reason}")]
    Denied {
        /// Its message.
        reason: String,
    },
    /// The other side does not accept this very message; the next may fare better.
    #[error("{reason}")]
    Refused {
        /// Its message.
        reason: String,
    },
    /// The other side does not accept it for some recipients, or for any.
    #[error("{server} does not accept mail for {}{}", named(unreached), others(*reached))]
    Recipients {
        /// The other side.
        server: String,
        /// Those that do not have it; at least one.
        unreached: Vec<Unreached>,
        /// How many have it, now or since an earlier attempt.
        reached: usize,
    },
    /// No answer, or a request to try later.
    #[error("{reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// The waiting time that the server requests.
        retry_after: Option<Duration>,
    },
    /// A program did not do it.
    #[error("{program} {outcome}{}{stderr}", if stderr.is_empty() { "" } else { ": " })]
    Program {
        /// The program.
        program: String,
        /// How it ended.
        outcome: String,
        /// The end of its standard error.
        stderr: String,
    },
    /// The standard output of modelwatch.
    #[error("standard output cannot be written")]
    Output(#[source] std::io::Error),
}

/// A recipient that was not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// Its address, as configured.
    pub recipient: String,
    /// The server's message, without names of recipients.
    pub reason: String,
    /// The server's answer is permanent.
    pub for_good: bool,
}

/// Recipients that are named in one sentence.
const NAMED: usize = 5;

fn named(unreached: &[Unreached]) -> String {
    let named = unreached
        .iter()
        .map(|one| format!("{} ({})", one.recipient, one.reason));
    escape::few(named, NAMED)
}

fn others(reached: usize) -> String {
    match reached {
        0 => String::new(),
        1 => "; 1 other recipient has it".to_owned(),
        n => format!("; {n} other recipients have it"),
    }
}

impl NotifyError {
    /// The same for a log: without the names of recipients.
    pub fn without_names(&self) -> String {
        match self {
            Self::Recipients {
                server,
                unreached,
                reached,
            } => {
                let reason = unreached.first().map_or("", |one| one.reason.as_str());
                format!(
                    "{server} does not accept mail for {} of {} recipients ({reason})",
                    unreached.len(),
                    unreached.len() + reached
                )
            }
            other => other.to_string(),
        }
    }

    pub(super) fn unavailable(reason: String) -> Self {
        Self::Unavailable {
            reason,
            retry_after: None,
        }
    }

    /// Whether only the operator can repair it: then it is reported at the first failure.
    pub fn needs_operator(&self) -> bool {
        match self {
            Self::Recipients { unreached, .. } => unreached.iter().any(|one| one.for_good),
            Self::NoSuchChannel(_)
            | Self::Secret(_)
            | Self::Template(_)
            | Self::Setup { .. }
            | Self::Denied { .. } => true,
            _ => false,
        }
    }

    /// Whether the error is about this message only, so that the next one may be tried at once.
    pub const fn is_about_the_message(&self) -> bool {
        match self {
            Self::Refused { .. } => true,
            // Some recipient has it, so the channel works.
            Self::Recipients { reached, .. } => *reached > 0,
            _ => false,
        }
    }

    /// The waiting time that the server requests.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// A text of a server or program, bounded and escaped.
pub(super) fn remote_text(text: &str) -> String {
    escape::terminal(&escape::truncate(text.trim(), REMOTE_TEXT_CHARS)).into_owned()
}
