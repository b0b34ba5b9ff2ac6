//! Keyless signatures: by a certificate that Sigstore issued for minutes to an identity, proven by a transparency log.
//!
//! The cryptography of Sigstore is that of the `sigstore-verify` crates. What they do not check, or not as strictly as a
//! model needs it, is checked here, before and after: the shape of the bundle, the log that an entry names, the hash of the
//! envelope in it, the validity of the authorities' own certificates, key usage, every name of the certificate, both of its
//! issuer extensions, and which timestamp authority counts.
//!
//! Nothing counts that was not verified: at least one log entry with its inclusion proof and its checkpoint, the embedded
//! certificate timestamp, and a time by the log or by a timestamp authority, at each of which the certificate was valid.
//! [`KeylessError`] names the check that failed.
//!
//! The first verification installs the cryptography of `sigstore-crypto` for this process, unless the program has installed
//! another one: it verifies no signature twice.
//!
//! Signing ([`Draft`]) is here as far as it needs no network: requests and answers are bytes, and what is finished has
//! passed this same verification.

mod attempt;
mod body;
mod bridge;
mod convert;
mod direct;
mod document;
mod entries;
mod identity;
mod known;
mod library;
mod opened;
mod policy;
mod remembered;
mod services;
mod signing;
mod token;
mod trust;
mod verified;
mod verifiers;

pub use attempt::{verify, verify_bundle};
pub use document::{MAX_TRUST_BYTES, TrustError};
pub use identity::{Identity, Name, NameKind};
pub use opened::{OpenedKeyless, verify_attestation};
pub use policy::{IdentityPattern, PatternError, Policy, Requirement};
pub use services::{Service, ServiceError, ServiceKind, Services, SigningConfig};
pub use signing::{
    AnswerError, Certificate, Draft, DraftError, EphemeralKey, Finished, KeyFailure, LogRequest,
};
pub use token::{CertifiedName, DEFAULT_AUDIENCE, IdentityToken, MAX_TOKEN_BYTES, TokenError};
pub use trust::{Instance, Trust};
pub use verified::{Artifact, LogEntry, Signer, TimeSource, Verified, VerifiedTime};

#[doc(inline)]
pub use crate::keyless_error::{Check, KeylessError};
