//! The platforms that vouch for the workflows that they run.

use std::fmt;

/// A platform that vouches for the workflows that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// GitHub Actions.
    GitHub,
    /// A machine, function or container of Google Cloud.
    GoogleCloud,
    /// Buildkite.
    Buildkite,
    /// GitLab CI/CD.
    GitLab,
    /// CircleCI.
    CircleCi,
}

impl Platform {
    /// Whether a new token can be requested when the first one has expired.
    pub const fn is_renewable(self) -> bool {
        // GitLab sets a variable, once for each job.
        !matches!(self, Self::GitLab)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GitHub => "GitHub Actions",
            Self::GoogleCloud => "Google Cloud",
            Self::Buildkite => "Buildkite",
            Self::GitLab => "GitLab CI/CD",
            Self::CircleCi => "CircleCI",
        })
    }
}
