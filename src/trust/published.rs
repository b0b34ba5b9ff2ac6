//! A TUF repository and its documents as they were published, for signing models and verifying them.

use std::path::PathBuf;

use jiff::Timestamp;

use super::settings::RepositorySettings;
use super::tuf::{Published, Tuf};
use super::{Problem, TrustError};
use crate::http;

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

    /// What is kept, as it was verified when it was read; `None` if there is nothing.
    pub fn kept(&self) -> Option<&Published> {
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
