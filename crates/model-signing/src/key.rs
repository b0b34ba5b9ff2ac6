//! Keys, in PEM.
//!
//! Models are signed with ECDSA on the curves P-256, P-384 and P-521; the hash goes with the curve: SHA-256, SHA-384,
//! SHA-512. Signatures by others with Ed25519 and RSA are verified as well.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{ParsedPublicKey, UnparsedPublicKey};
use others::OtherKey;
use pkcs8::ObjectIdentifier;
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::pem;

mod curve;
mod domain;
mod error;
mod legacy;
mod others;
mod private;

pub use curve::Curve;
pub(crate) use curve::Hash;
pub use error::{BadSignature, KeyError};
pub use private::{PrivateKey, SigningFailed};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// A public key that models are verified with. A point is on its curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    /// SubjectPublicKeyInfo; for an elliptic curve in the usual form: named curve, uncompressed point.
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
            reason: "it is not a SubjectPublicKeyInfo in DER",
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

/// A label of a foreign file, short enough to be shown. It is escaped where it is shown.
fn shown(label: &[u8]) -> String {
    String::from_utf8_lossy(label).chars().take(40).collect()
}
