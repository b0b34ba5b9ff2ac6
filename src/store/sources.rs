//! Sources that registrations are read from.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Registration, SourceChange, SourceContent, SourceFailure, SourceState, StoreError};
use crate::finding::FindingId;

/// What is kept of sources that registrations are read from.
///
/// Laws:
/// 1. What a source registered stays registered until a reading finds it gone. A source that cannot be read changes nothing.
/// 2. New registrations are recorded before others are withdrawn, and the commit that was read after both: a crash between them is
///    mended by the next reading.
/// 3. A commit is confirmed by its own name only: a branch that was rewritten again meanwhile is not confirmed.
#[async_trait]
pub trait RegistrationSources: Send + Sync {
    /// Everything that is kept of sources, by name.
    async fn sources(&self) -> Result<Vec<SourceState>, StoreError>;

    /// The registrations of a source, oldest first; `findings` of them is 0.
    async fn registrations_of(&self, source: &str) -> Result<Vec<Registration>, StoreError>;

    /// Records what a source holds now.
    async fn source_read(&self, content: &SourceContent) -> Result<SourceChange, StoreError>;

    /// Records that a source could not be read.
    async fn source_failed(&self, failure: &SourceFailure) -> Result<(), StoreError>;

    /// Accepts the history of a rewritten branch, if this commit is still the one it was rewritten to. Answers whether it is.
    async fn confirm_source(&self, name: &str, commit: &str) -> Result<bool, StoreError>;

    /// The tags that trusted certificates of open and held signings name, of these watches or of every one: the newest first, at most
    /// `limit`.
    async fn signed_tags(
        &self,
        watches: Option<&[String]>,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;

    /// Withdraws everything that other sources than these registered: they are configured no longer. Answers the findings that
    /// changed.
    async fn forget_sources(
        &self,
        configured: &[String],
        now: Timestamp,
    ) -> Result<Vec<FindingId>, StoreError>;
}
