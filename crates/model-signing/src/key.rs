//! Keys, in PEM.
//!
//! Models are signed with ECDSA on the curves P-256, P-384 and P-521; the hash goes with the curve: SHA-256, SHA-384,
//! SHA-512. Signatures by others with Ed25519 and RSA are verified as well.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{self, EcdsaVerificationAlgorithm, ParsedPublicKey, UnparsedPublicKey};
use others::OtherKey;
use pkcs8::ObjectIdentifier;
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::pem::{self, PemError};

mod domain;
mod legacy;
mod others;
mod private;

pub use private::{PrivateKey, SigningFailed};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// An elliptic curve that model signatures may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say all")]
pub enum Curve {
    P256,
    P384,
    P521,
}

/// A hash function that goes before a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) fn of(self, bytes: &[u8]) -> aws_lc_rs::digest::Digest {
        let algorithm = match self {
            Self::Sha256 => &aws_lc_rs::digest::SHA256,
            Self::Sha384 => &aws_lc_rs::digest::SHA384,
            Self::Sha512 => &aws_lc_rs::digest::SHA512,
        };
        aws_lc_rs::digest::digest(algorithm, bytes)
    }
}

/// Why bytes are not a key that can sign or verify models.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// No block of a kind that was asked for.
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
    /// A password was given for a private key that is not encrypted: its owner believes that it is.
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

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// The name that NIST gave it: `P-256`.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    pub(crate) fn hash(self) -> Hash {
        match self {
            Self::P256 => Hash::Sha256,
            Self::P384 => Hash::Sha384,
            Self::P521 => Hash::Sha512,
        }
    }

    pub(crate) fn oid(self) -> ObjectIdentifier {
        match self {
            Self::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
            Self::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
            Self::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        }
    }

    pub(crate) fn from_oid(oid: ObjectIdentifier) -> Result<Self, KeyError> {
        let curve = Self::ALL.into_iter().find(|curve| curve.oid() == oid);
        curve.ok_or_else(|| KeyError::UnsupportedCurve {
            curve: curve_name(oid),
        })
    }

    /// How many bytes a coordinate has, and so each of the two numbers of a signature.
    #[cfg(all(unix, feature = "pkcs11"))]
    pub(crate) fn field_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The message, hashed as this curve demands.
    #[cfg(all(unix, feature = "pkcs11"))]
    pub(crate) fn digest(self, message: &[u8]) -> aws_lc_rs::digest::Digest {
        self.hash().of(message)
    }

    /// How ECDSA on this curve is verified after that hash.
    pub(crate) fn verification(self, hash: Hash) -> &'static EcdsaVerificationAlgorithm {
        match (self, hash) {
            (Self::P256, Hash::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Self::P256, Hash::Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
            (Self::P256, Hash::Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
            (Self::P384, Hash::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
            (Self::P384, Hash::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
            (Self::P384, Hash::Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
            (Self::P521, Hash::Sha256) => &signature::ECDSA_P521_SHA256_ASN1,
            (Self::P521, Hash::Sha384) => &signature::ECDSA_P521_SHA384_ASN1,
            (Self::P521, Hash::Sha512) => &signature::ECDSA_P521_SHA512_ASN1,
        }
    }
}

/// A public key that models are verified with. A point is on its curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    /// SubjectPublicKeyInfo; of an elliptic curve in the one form that everybody writes: named curve, uncompressed point.
    spki_der: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Elliptic(Curve),
    Other(OtherKey),
}

impl PublicKey {
    /// Reads the first block of a PEM file, which must be `PUBLIC KEY`: a SubjectPublicKeyInfo.
    ///
    /// Text around the block does not matter, nor does whether the point is compressed.
    ///
    /// ```
    /// use model_signing::key::{Curve, PublicKey};
    ///
    /// let pem = "-----BEGIN PUBLIC KEY-----
    /// MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
    /// 6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
    /// -----END PUBLIC KEY-----";
    /// let key = PublicKey::from_pem(pem.as_bytes())?;
    /// assert_eq!(key.curve(), Some(Curve::P256));
    ///
    /// let error = PublicKey::from_pem(b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----").unwrap_err();
    /// assert_eq!(error.to_string(), "a PEM block \"CERTIFICATE\", where a PEM block `PUBLIC KEY` is needed");
    /// # Ok::<(), model_signing::key::KeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`KeyError`], which names what the file has instead of a usable key.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let first = pem::blocks(text)?.next().transpose()?;
        match first {
            Some(block) if block.label == b"PUBLIC KEY" => Self::from_spki_der(&block.contents),
            other => Err(KeyError::NoKey {
                needed: "PUBLIC KEY",
                found: other.map(|block| shown(block.label)),
            }),
        }
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    ///
    /// [`KeyError`], as [`from_pem`](Self::from_pem).
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed {
            reason: "it is no SubjectPublicKeyInfo in DER",
        })?;
        let key = spki.subject_public_key.as_bytes();
        let key = key.ok_or(KeyError::Malformed {
            reason: "it is not a whole number of bytes",
        })?;
        if let Some(other) = OtherKey::read(&spki.algorithm, key)? {
            return Ok(Self {
                kind: Kind::Other(other),
                spki_der: der.to_vec(),
            });
        }
        match curve_of(&spki.algorithm) {
            Ok(curve) => Self::from_point(curve, key),
            Err(KeyError::NotElliptic { algorithm }) => Err(KeyError::NotVerified { algorithm }),
            Err(error) => Err(error),
        }
    }

    /// From a point as X9.62 encodes it, compressed or not.
    pub(crate) fn from_point(curve: Curve, point: &[u8]) -> Result<Self, KeyError> {
        let malformed = KeyError::Malformed {
            reason: "its point is not on its curve",
        };
        let parsed = ParsedPublicKey::new(curve.verification(curve.hash()), point)
            .map_err(|_| malformed.clone())?;
        let spki_der = parsed.as_der().map_err(|_| malformed)?.as_ref().to_vec();
        Ok(Self {
            kind: Kind::Elliptic(curve),
            spki_der,
        })
    }

    /// The curve it is on; `None` for Ed25519 and RSA.
    pub fn curve(&self) -> Option<Curve> {
        match self.kind {
            Kind::Elliptic(curve) => Some(curve),
            Kind::Other(_) => None,
        }
    }

    /// What kind of key it is: `P-256`, `Ed25519`, `RSA`.
    pub fn algorithm(&self) -> &'static str {
        match &self.kind {
            Kind::Elliptic(curve) => curve.name(),
            Kind::Other(other) => other.name(),
        }
    }

    /// SubjectPublicKeyInfo in DER. A point on a curve is uncompressed, and its curve named, whatever it was read from.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The PEM text of [`spki_der`](Self::spki_der), in lines of 64 columns.
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.spki_der)
    }

    /// What a bundle calls this key: lower-case hex of the SHA-256 of [`to_pem`](Self::to_pem).
    pub fn hint(&self) -> String {
        sha256_hex(self.to_pem().as_bytes())
    }

    /// Whether `signature` is by this key over `message`: ECDSA in DER, hashed as the curve demands; Ed25519; or RSA with
    /// SHA-256, PKCS #1 v1.5 or PSS with a salt of 32 bytes.
    ///
    /// # Errors
    ///
    /// [`BadSignature`], also if there is anything after the DER, or r and s are just side by side.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        match &self.kind {
            Kind::Elliptic(curve) => self.verify_with(curve.hash(), message, signature),
            Kind::Other(other) => other.verify(message, signature),
        }
    }

    /// With ECDSA after another hash than the one that goes with the curve.
    pub(crate) fn verify_with(
        &self,
        hash: Hash,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let curve = self.curve().ok_or(BadSignature)?;
        UnparsedPublicKey::new(curve.verification(hash), &self.spki_der)
            .verify(message, signature)
            .map_err(|_| BadSignature)
    }
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The curve that the algorithm of a key names.
fn curve_of(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<Curve, KeyError> {
    if algorithm.oid != EC_PUBLIC_KEY {
        return Err(KeyError::NotElliptic {
            algorithm: algorithm_name(algorithm.oid),
        });
    }
    let parameters = algorithm.parameters.ok_or(KeyError::Malformed {
        reason: "it names no curve",
    })?;
    match parameters.decode_as::<ObjectIdentifier>() {
        Ok(oid) => Curve::from_oid(oid),
        Err(_) => domain::curve(&parameters.to_der().map_err(|_| KeyError::Malformed {
            reason: "it names no curve",
        })?),
    }
}

fn algorithm_name(oid: ObjectIdentifier) -> String {
    match oid.to_string().as_str() {
        "1.2.840.113549.1.1.1" => "RSA".to_owned(),
        "1.2.840.113549.1.1.10" => "RSA-PSS".to_owned(),
        "1.2.840.10040.4.1" => "DSA".to_owned(),
        "1.3.101.112" => "Ed25519".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        "1.3.101.110" => "X25519".to_owned(),
        "2.16.840.1.101.3.4.3.17" => "ML-DSA-44".to_owned(),
        "2.16.840.1.101.3.4.3.18" => "ML-DSA-65".to_owned(),
        "2.16.840.1.101.3.4.3.19" => "ML-DSA-87".to_owned(),
        other => other.to_owned(),
    }
}

fn curve_name(oid: ObjectIdentifier) -> String {
    match oid.to_string().as_str() {
        "1.3.132.0.10" => "secp256k1".to_owned(),
        "1.3.132.0.33" => "P-224".to_owned(),
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1".to_owned(),
        other => other.to_owned(),
    }
}

/// A label of a foreign file, short enough to be shown. It is escaped where it is shown.
fn shown(label: &[u8]) -> String {
    String::from_utf8_lossy(label).chars().take(40).collect()
}
