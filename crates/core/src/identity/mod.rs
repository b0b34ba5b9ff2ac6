//! Signers: certificates and keys, and whether the trusted root covers them.
//!
//! Everything here is pure: the input are bytes, the output an identity or an error; no clock and no network. Anyone
//! may log a certificate of their own, so nothing is trusted before [`Authorities::judge`] has verified the signatures.
//! An irregularity never removes an identity: it is kept, with an [`Anomaly`].
//!
//! Certificates are parsed by our own DER parser (`der`), and by `x509-parser` if the former fails:
//! `certificate/mod.rs` explains why there are two.

mod anomaly;
mod authorities;
mod ber;
mod certificate;
mod curve;
pub mod der;
#[cfg(test)]
mod encodings;
mod extension;
mod general_name;
mod key;
mod material;
mod openpgp;
mod pkcs7;
mod precertificate;
mod san;
mod sct;
mod signature;
mod ssh;
#[cfg(test)]
mod tests;
mod text;
mod time;

pub use anomaly::Anomaly;
pub use authorities::{Assessment, Authorities, AuthorityChain, AuthorityError, Chain};
pub use certificate::{Certificate, CertificateError, MAX_CERTIFICATE_BYTES};
pub use extension::{Extension, Extensions};
pub use key::{Key, KeyError, KeyFormat};
pub use openpgp::PgpError;
pub use pkcs7::{Pkcs7Error, found_in_pkcs7, signers_of_pkcs7};
pub use san::{MAX_NAMES, San, SanType};
pub use sct::{CtLog, SctState, StatedSct};
pub use signature::{KeyType, SignatureError, verify, verify_digest};

/// Whose key made a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// A key that a certificate binds to names.
    Certificate(Box<Certificate>),
    /// A key alone.
    Key(Key),
}

impl Signer {
    /// The certificate, if the key came in one.
    pub fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Certificate(certificate) => Some(certificate),
            Self::Key(_) => None,
        }
    }

    /// The key, if it came without a certificate.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Certificate(_) => None,
            Self::Key(key) => Some(key),
        }
    }

    /// The names of the signer: from the issuer of the certificate, or from the maker of the key.
    pub fn names(&self) -> &[San] {
        match self {
            Self::Certificate(certificate) => certificate.sans(),
            Self::Key(key) => key.names(),
        }
    }

    /// SHA-256 of the key: see [`Certificate::key_sha256`] and [`Key::key_sha256`].
    pub fn key_sha256(&self) -> [u8; 32] {
        match self {
            Self::Certificate(certificate) => certificate.key_sha256(),
            Self::Key(key) => key.key_sha256(),
        }
    }

    /// Every hash that the key's owner may have, the first of them as it was logged: see [`Key::hashes`].
    pub fn key_hashes(&self) -> Vec<[u8; 32]> {
        match self {
            Self::Certificate(certificate) => certificate.key_hashes(),
            Self::Key(key) => key.hashes(),
        }
    }

    /// SHA-256 of the key in its canonical form: see [`Key::canonical_sha256`].
    pub fn canonical_key_sha256(&self) -> Option<[u8; 32]> {
        match self {
            Self::Certificate(certificate) => key::canonical_of_spki(certificate.spki_der()),
            Self::Key(key) => key.canonical_sha256(),
        }
    }

    /// Its assessment by the trusted root; without one the chain is [`Chain::Unknown`].
    pub fn judge(&self, authorities: Option<&Authorities>) -> Assessment {
        match (self, authorities) {
            (Self::Key(_), _) => Assessment::of_key(),
            (Self::Certificate(certificate), Some(authorities)) => authorities.judge(certificate),
            (Self::Certificate(certificate), None) => Assessment::without_authorities(certificate),
        }
    }
}
