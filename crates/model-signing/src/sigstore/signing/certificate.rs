//! The certificate that the authority has issued for one signature.

use crate::certificate::Summary;
use crate::keyless_error::{Check, KeylessError};
use crate::sigstore::identity::Identity;

/// A certificate that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    pub(super) der: Vec<u8>,
    /// Whom it names.
    pub identity: Identity,
    /// Until when signatures by it count, in seconds of Unix time.
    pub not_after: i64,
}

impl Certificate {
    /// A certificate of a file, of which nothing was verified.
    pub(super) fn of(der: Vec<u8>) -> Result<Self, KeylessError> {
        let identity = Identity::read(&der)?;
        let not_after = summary(&der)?.not_after;
        Ok(Self {
            der,
            identity,
            not_after,
        })
    }

    pub(super) fn valid_from(&self) -> Result<i64, KeylessError> {
        Ok(summary(&self.der)?.not_before)
    }
}

fn summary(der: &[u8]) -> Result<Summary, KeylessError> {
    Summary::of(der).map_err(|error| KeylessError::new(Check::CertificatePath, error.to_string()))
}
