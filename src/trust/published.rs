//! A TUF repository and its documents as they were published, for signing models and verifying them.

use std::path::PathBuf;

use jiff::Timestamp;

use super::settings::RepositorySettings;
use super::tuf::{Published, Tuf};
use super::{Problem, TrustError};
use crate::http;

/// A TUF repository, with its cache in a file.
pub struct Publisher(Tuf);

impl Publisher {
    /// A repository. It sends no request.
    ///
    /// # Errors
    /// The first root cannot be used.
    pub fn open(repository: &RepositorySettings, cache: PathBuf) -> Result<Self, TrustError> {
        Ok(Self(Tuf::open(repository, cache)?.0))
    }

    /// The content of the cache, verified when it was read; `None` if there is none.
    pub fn kept(&self) -> Option<&Published> {
        self.0.published()
    }

    /// Updates from the repository, and stores the result.
    ///
    /// # Errors
    /// The cache stays unchanged.
    pub async fn refresh(&mut self, http: &http::Client, now: Timestamp) -> Result<(), Problem> {
        self.0.refresh(http, now).await.map(drop)
    }
}
