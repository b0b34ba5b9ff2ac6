//! Why bytes are not a key, or a signature is not by it.

use std::fmt;

use crate::pem::PemError;

/// Why bytes are not a key that can sign or verify models.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// No block of a requested kind.
    #[error("{}, where a PEM block `{needed}` is needed", Found(.found))]
    NoKey {
        /// The label of the block that is needed.
        needed: &'static str,
        /// The label of the first block, if there is one.
        found: Option<String>,
    },
    /// A private key of a kind that does not sign models.
    #[error(
        "a key of the kind {algorithm}: only keys on the elliptic curves P-256, P-384 and P-521 can sign models"
    )]
    NotElliptic {
        /// Its name, or its object identifier.
        algorithm: String,
    },
    /// A public key of a kind that no model is verified with: ML-DSA, X25519, an RSA key of 1024 bits.
    #[error(
        "a key of the kind {algorithm}, with which models are not verified: there are keys on the elliptic curves \
         P-256, P-384 and P-521, Ed25519, and RSA from 2048 to 4096 bits"
    )]
    NotVerified {
        /// Its name, or its object identifier.
        algorithm: String,
    },
    /// An elliptic curve that model signatures do not have.
    #[error("a key on the curve {curve}: only the curves P-256, P-384 and P-521 can sign models")]
    UnsupportedCurve {
        /// Its name, or its object identifier.
        curve: String,
    },
    /// The structure is broken, or the numbers are no key: a point that is not on the curve.
    #[error("the key is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The private key is encrypted, and no password was given.
    #[error("the private key is encrypted, and no password was given")]
    PasswordNeeded,
    /// A password was given for a private key that is not encrypted, although its owner seems to expect encryption.
    #[error("a password was given, but the private key is not encrypted")]
    NotEncrypted,
    /// The private key cannot be decrypted with the password.
    #[error("the private key cannot be decrypted: the password is wrong, or the file is damaged")]
    WrongPassword,
    /// The private key is encrypted in a way that is not read here.
    #[error(
        "the private key is encrypted with {cipher}, which is not read; convert it with `openssl pkcs8 -topk8`"
    )]
    UnsupportedCipher {
        /// The name that the file gives.
        cipher: String,
    },
    /// The private key is encrypted so that to try a password costs more time or memory than is spent here.
    #[error("the private key is encrypted at a cost that is beyond all measure: {cost}")]
    TooCostly {
        /// What it would cost.
        cost: String,
    },
}

struct Found<'a>(&'a Option<String>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // The label is foreign text.
            Some(label) => write!(f, "a PEM block {label:?}"),
            None => f.write_str("no PEM block"),
        }
    }
}

/// The signature is not one by that key over those bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;
