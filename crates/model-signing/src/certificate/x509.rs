//! The structure of a certificate.

use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::error::ChainError;

/// Reads the structure of a certificate; what its extensions hold is for `parsed`.
pub(crate) fn read(der: &[u8]) -> Result<X509Certificate<'_>, ChainError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(malformed(der, "something follows it")),
        Err(_) => Err(malformed(der, "it is not an X.509 certificate in DER")),
    }
}

pub(super) fn malformed(der: &[u8], reason: &'static str) -> ChainError {
    ChainError::Malformed {
        fingerprint: crate::key::sha256_hex(der),
        reason,
    }
}
