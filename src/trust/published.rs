//! A TUF repository and its documents as they were published, for signing models and verifying them.

use std::path::PathBuf;

use jiff::Timestamp;

use super::settings::RepositorySettings;
use super::tuf::Tuf;
use super::{Problem, TrustError};
use crate::http;

/// What a repository has published, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The trusted root, JSON.
    pub trusted_root: Vec<u8>,
    /// The signing configurations, JSON: the default one first, and then that of Rekor v2 where there is one.
    pub signing_configs: Vec<Vec<u8>>,
    /// When the repository was last asked and everything was right.
    pub refreshed: Timestamp,
}

/// A TUF repository, and what is kept of it in a file.
pub struct Publisher(Tuf);

impl Publisher {
    /// A repository. Makes no request.
    ///
    /// # Errors
    /// A root to begin with that cannot be used.
    pub fn open(repository: &RepositorySettings, cache: PathBuf) -> Result<Self, TrustError> {
        Ok(Self(Tuf::open(repository, cache)?.0))
    }

    /// What is kept, verified again; `None` if there is nothing.
    pub fn kept(&self) -> Option<Published> {
        self.0.published()
    }

    /// Asks the repository, and keeps what it answers.
    ///
    /// # Errors
    /// What was kept before stays as it is.
    pub async fn refresh(&mut self, http: &http::Client, now: Timestamp) -> Result<(), Problem> {
        self.0.refresh(http, now).await.map(drop)
    }
}
