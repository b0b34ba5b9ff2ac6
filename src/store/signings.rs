//! Signings under watched identities, as they are compared with their bundles.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

use super::StoreError;
use crate::finding::{State, Verdict};
use crate::identity::Chain;

/// Which signings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SigningQuery {
    /// Selected by one of these watches, by name; empty: by any.
    pub watches: Vec<String>,
    /// Made at this time or later, by a trusted certificate. A signing of which no such certificate shows the time is always
    /// one of them.
    pub since: Option<Timestamp>,
    /// Made before this time, as above.
    pub until: Option<Timestamp>,
}

/// What a finding about an entry shows of a signing, or of a certificate in a CT log, or of an entry with a watched name in it
/// that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSigning {
    /// The log's name at the time.
    pub log: String,
    /// The tree.
    pub origin: String,
    /// The entry, counted over all trees of its log.
    pub index: u64,
    /// RFC 6962 leaf hash, hex.
    pub leaf_hash: String,
    /// Whether a signed checkpoint covers the entry, and its batch was not false.
    pub is_proven: bool,
    /// What is thought of it, registrations taken into account.
    pub verdict: Verdict,
    /// The state of the finding.
    pub state: State,
    /// Kind and version of the entry.
    pub kind: String,
    /// The digest that the entry holds, `algorithm:hex`.
    pub digest: Option<String>,
    /// As [`SignedAs::signature`](crate::expect::SignedAs::signature), hex.
    pub signature_sha256: Option<String>,
    /// SHA-256 of the certificate's TBSCertificate, hex.
    pub tbs_sha256: Option<String>,
    /// Of a certificate in a CT log: SHA-256 of its TBSCertificate as the log holds it, hex. `None`: a signing.
    pub logged_sha256: Option<String>,
    /// SHA-256 of the DER certificate, hex.
    pub certificate_sha256: Option<String>,
    /// SHA-256 of the key, hex.
    pub key_sha256: Option<String>,
    /// Whether its certificate leads to a trusted authority.
    pub chain: Option<Chain>,
    /// Every name of the signer, a JSON array of `{"type","value"}`.
    pub names: String,
    /// The OIDC issuer that the certificate names.
    pub issuer: Option<String>,
}

/// Signings under watched identities.
///
/// Laws:
/// 1. A signing that several watches select is answered once for each of them, one after the other.
/// 2. The order is that of lists of findings: by log name, index, watch and id.
#[async_trait]
pub trait Signings: Send + Sync {
    /// The signings of a query; read in pages, in flat memory.
    fn signings<'a>(
        &'a self,
        query: &SigningQuery,
    ) -> BoxStream<'a, Result<StoredSigning, StoreError>>;

    /// The signings whose entry has one of these leaf hashes, hex.
    async fn signings_of_leaves(
        &self,
        leaf_hashes: &[String],
    ) -> Result<Vec<StoredSigning>, StoreError>;
}
