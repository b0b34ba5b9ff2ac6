//! Why the newest trust is not trusted.

use super::TrustError;

/// Why what is trusted could not be renewed. What was trusted before goes on serving.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nobody answered, or not in the way of a repository: nothing was offered.
    #[error("cannot be asked: {0}")]
    Unreachable(String),
    /// Something was offered that must not be trusted.
    #[error("{why}: {said}")]
    Refused {
        /// What is wrong with it.
        why: Refusal,
        /// The same in detail.
        said: String,
    },
}

/// What is wrong with a trust that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its time is over: it may be an old one, replayed.
    Expired,
    /// It is not signed as it has to be, or its parts do not fit each other.
    Forged,
    /// It is older than what was seen before.
    RolledBack,
    /// It cannot be understood, or the configuration cannot work with it.
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
            said: error.to_string(),
        }
    }
}
