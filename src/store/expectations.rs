//! Registered signings.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{NewRegistration, Registration, StoreError};
use crate::finding::FindingId;

/// Signings that the owner registered, or the signer.
///
/// Laws:
/// 1. The verdict that a registration gives a finding is decided inside the transaction that writes the finding, and inside the one
///    that registers the bundle: neither order of the two loses it.
/// 2. A command registers a signing once for each authority, and a source once for each file. A number is never used twice.
/// 3. The strongest authority counts. `operator` and `repository` make a finding `expected` and resolved. `signer` makes it
///    `self-registered`, one severity lower, and changes nothing else: not its state, and nothing of a finding that is out of
///    shape or has an anomaly.
/// 4. A statement that a bundle holds is known from then on: findings with its digest that are `identity-unexpected` become
///    `model-unexpected` or `other-predicate`, also after the registration is gone.
#[async_trait]
pub trait Expectations: Send + Sync {
    /// Registers signings; their findings change, with history. Answers of each whether it was new, and the findings whose
    /// verdict changed. Checkpoints that they carry wait to be compared with their logs. Many are registered in groups, each
    /// a transaction: after an error the same call registers the rest.
    async fn register_all(
        &self,
        signings: &[NewRegistration],
        now: Timestamp,
    ) -> Result<Vec<(bool, Vec<FindingId>)>, StoreError>;

    /// All registrations, oldest first.
    async fn registrations(&self) -> Result<Vec<Registration>, StoreError>;

    /// The registrations after this number, oldest first, at most `limit`.
    async fn registrations_after(
        &self,
        number: i64,
        limit: u32,
    ) -> Result<Vec<Registration>, StoreError>;

    /// Registers the signing of a registration as the operator, for every watch; answers the findings that changed. `None` if
    /// there is no such registration.
    async fn confirm(
        &self,
        number: i64,
        author: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Vec<FindingId>>, StoreError>;

    /// Removes a registration by its number; findings that it made `expected` or `self-registered`, and no other one does, are
    /// open and alerted again. `None` if there is no such registration.
    async fn unregister(
        &self,
        number: i64,
        now: Timestamp,
    ) -> Result<Option<Vec<FindingId>>, StoreError>;

    /// Queues the daily digest of findings that only their signer registered, a day after the last one or after the first of
    /// them. Answers how many findings it has.
    async fn remind_of_self_registered(&self, now: Timestamp) -> Result<u64, StoreError>;
}
