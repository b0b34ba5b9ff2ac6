//! Why the newest trusted root is not used.

use super::error::TrustError;

/// Why the trusted root could not be updated. The old one stays in use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The repository did not answer, or the answer is not that of a repository: nothing was served.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// A trusted root was served that must not be used.
    #[error("{why}: {message}")]
    Refused {
        /// The reason.
        why: Refusal,
        /// The same in detail.
        message: String,
    },
}

/// Why a trusted root was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It has expired: it may be an old one, replayed.
    Expired,
    /// It is not signed as required, or its parts contradict each other.
    Forged,
    /// It is older than one that was seen before.
    RolledBack,
    /// It cannot be parsed, or contradicts the configuration.
    Unusable,
}

impl Refusal {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Forged => "forged",
            Self::RolledBack => "rolled back",
            Self::Unusable => "unusable",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<TrustError> for Problem {
    fn from(error: TrustError) -> Self {
        Self::Refused {
            why: Refusal::Unusable,
            message: error.to_string(),
        }
    }
}
