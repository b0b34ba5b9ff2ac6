//! Verifying signatures with keys as certificates carry them.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};

use super::der::{self, DerError, Reader};

/// Why a signature is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The key cannot be read.
    #[error("the public key is malformed: {0}")]
    Key(#[from] DerError),
    /// The key's algorithm or curve is not supported.
    #[error("the public key is of an unsupported type")]
    UnsupportedKey,
    /// The signature's algorithm is not supported, or does not belong to the key.
    #[error("the signature's algorithm is unsupported for this key")]
    UnsupportedAlgorithm,
    /// The signature is not by this key over this message.
    #[error("the signature does not verify")]
    Mismatch,
}

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on NIST P-256.
    P256,
    /// ECDSA on NIST P-384.
    P384,
    /// ECDSA on NIST P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// RSA with a modulus of that many bits, rounded up to whole bytes.
    Rsa {
        /// Length of the modulus.
        bits: usize,
    },
}

/// A parsed SubjectPublicKeyInfo: its type, and the key in the form of `aws-lc-rs` (point, RSAPublicKey, bytes).
struct PublicKey<'a> {
    kind: KeyType,
    bytes: &'a [u8],
}

impl KeyType {
    /// The type of a key.
    ///
    /// # Errors
    /// [`SignatureError::Key`] or [`SignatureError::UnsupportedKey`].
    pub fn of(spki: &[u8]) -> Result<Self, SignatureError> {
        PublicKey::read(spki).map(|key| key.kind)
    }

    /// How Sigstore's clients sign with such a key, and over which hash.
    fn usual(
        self,
    ) -> (
        &'static dyn VerificationAlgorithm,
        Option<&'static digest::Algorithm>,
    ) {
        match self {
            Self::P256 => (&ECDSA_P256_SHA256_ASN1, Some(&digest::SHA256)),
            Self::P384 => (&ECDSA_P384_SHA384_ASN1, Some(&digest::SHA384)),
            Self::P521 => (&ECDSA_P521_SHA512_ASN1, Some(&digest::SHA512)),
            Self::Ed25519 => (&ED25519, None),
            Self::Rsa { .. } => (&RSA_PKCS1_2048_8192_SHA256, Some(&digest::SHA256)),
        }
    }
}

impl<'a> PublicKey<'a> {
    fn read(spki: &'a [u8]) -> Result<Self, SignatureError> {
        let mut fields = Reader::new(der::only(spki, der::SEQUENCE)?);
        let algorithm = fields.expect(der::SEQUENCE)?;
        let bits = fields.octets_of_bits()?;
        let bytes = fields.bytes(&bits);
        fields.end()?;
        let mut algorithm = fields.inside(&algorithm.content);
        let oid = algorithm.expect(der::OID)?;
        let kind = match algorithm.bytes(&oid.content) {
            EC_PUBLIC_KEY => {
                let curve = algorithm.expect(der::OID)?;
                match algorithm.bytes(&curve.content) {
                    CURVE_P256 => KeyType::P256,
                    CURVE_P384 => KeyType::P384,
                    CURVE_P521 => KeyType::P521,
                    _ => return Err(SignatureError::UnsupportedKey),
                }
            }
            ID_ED25519 => KeyType::Ed25519,
            RSA_ENCRYPTION | RSA_PSS => {
                let mut numbers = Reader::new(der::only(bytes, der::SEQUENCE)?);
                let modulus = numbers.expect(der::INTEGER)?;
                let modulus = numbers.bytes(&modulus.content);
                // A leading zero only keeps the number positive.
                let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
                let bits = modulus.len() * 8;
                KeyType::Rsa { bits }
            }
            _ => return Err(SignatureError::UnsupportedKey),
        };
        Ok(Self { kind, bytes })
    }

    fn verify(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        UnparsedPublicKey::new(algorithm, self.bytes)
            .verify(message, signature)
            .map_err(|_| SignatureError::Mismatch)
    }
}

/// Verifies a signature over `message` with the hash algorithm that Sigstore uses for the key's type: P-256 and RSA
/// (PKCS#1 v1.5) with SHA-256, P-384 with SHA-384, P-521 with SHA-512, Ed25519 without.
///
/// # Errors
/// See [`SignatureError`].
pub fn verify(spki: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let key = PublicKey::read(spki)?;
    key.verify(key.kind.usual().0, message, signature)
}

/// Like [`verify`], from the digest of the message by that hash algorithm. Not possible with Ed25519.
///
/// # Errors
/// See [`SignatureError`]. A digest of another length belongs to another algorithm:
/// [`SignatureError::UnsupportedAlgorithm`].
pub fn verify_digest(spki: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let key = PublicKey::read(spki)?;
    let (algorithm, hash) = key.kind.usual();
    let digest = hash
        .and_then(|hash| Digest::import_less_safe(digest, hash).ok())
        .ok_or(SignatureError::UnsupportedAlgorithm)?;
    UnparsedPublicKey::new(algorithm, key.bytes)
        .verify_digest(&digest, signature)
        .map_err(|_| SignatureError::Mismatch)
}

/// Verifies the signature of a certificate: the algorithm is the one its DER AlgorithmIdentifier names.
pub(super) fn verify_certificate(
    issuer_spki: &[u8],
    algorithm: &[u8],
    tbs: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let key = PublicKey::read(issuer_spki)?;
    let mut identifier = Reader::new(der::only(algorithm, der::SEQUENCE)?);
    let oid = identifier.expect(der::OID)?;
    let oid = identifier.bytes(&oid.content);
    let algorithm: &'static dyn VerificationAlgorithm = match (key.kind, oid) {
        (KeyType::P256, ECDSA_SHA256) => &ECDSA_P256_SHA256_ASN1,
        (KeyType::P256, ECDSA_SHA384) => &ECDSA_P256_SHA384_ASN1,
        (KeyType::P256, ECDSA_SHA512) => &ECDSA_P256_SHA512_ASN1,
        (KeyType::P384, ECDSA_SHA256) => &ECDSA_P384_SHA256_ASN1,
        (KeyType::P384, ECDSA_SHA384) => &ECDSA_P384_SHA384_ASN1,
        (KeyType::P384, ECDSA_SHA512) => &ECDSA_P384_SHA512_ASN1,
        (KeyType::P521, ECDSA_SHA256) => &ECDSA_P521_SHA256_ASN1,
        (KeyType::P521, ECDSA_SHA384) => &ECDSA_P521_SHA384_ASN1,
        (KeyType::P521, ECDSA_SHA512) => &ECDSA_P521_SHA512_ASN1,
        (KeyType::Ed25519, ID_ED25519) => &ED25519,
        (KeyType::Rsa { .. }, RSA_SHA256) => &RSA_PKCS1_2048_8192_SHA256,
        (KeyType::Rsa { .. }, RSA_SHA384) => &RSA_PKCS1_2048_8192_SHA384,
        (KeyType::Rsa { .. }, RSA_SHA512) => &RSA_PKCS1_2048_8192_SHA512,
        (KeyType::Rsa { .. }, RSA_PSS) => pss(&mut identifier)?,
        _ => return Err(SignatureError::UnsupportedAlgorithm),
    };
    key.verify(algorithm, tbs, signature)
}

/// RSASSA-PSS-params (RFC 4055 §3.1) begin with the hash in `[0]`. The mask hash and the salt's length must be the
/// usual ones for it: others do not verify.
fn pss(identifier: &mut Reader<'_>) -> Result<&'static dyn VerificationAlgorithm, SignatureError> {
    let parameters = identifier.expect(der::SEQUENCE)?;
    let mut parameters = identifier.inside(&parameters.content);
    let hash = parameters.expect(der::constructed(0))?;
    let hash = parameters.inside(&hash.content).expect(der::SEQUENCE)?;
    let mut hash = parameters.inside(&hash.content);
    let oid = hash.expect(der::OID)?;
    match hash.bytes(&oid.content) {
        SHA256 => Ok(&RSA_PSS_2048_8192_SHA256),
        SHA384 => Ok(&RSA_PSS_2048_8192_SHA384),
        SHA512 => Ok(&RSA_PSS_2048_8192_SHA512),
        _ => Err(SignatureError::UnsupportedAlgorithm),
    }
}

/// 1.2.840.10045.2.1 and its curves (RFC 5480 §2.1).
const EC_PUBLIC_KEY: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
const CURVE_P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
const CURVE_P384: &[u8] = b"\x2b\x81\x04\x00\x22";
const CURVE_P521: &[u8] = b"\x2b\x81\x04\x00\x23";
/// 1.2.840.10045.4.3.* (RFC 5758 §3.2).
const ECDSA_SHA256: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x02";
const ECDSA_SHA384: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x03";
const ECDSA_SHA512: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x04";
/// 1.3.101.112 (RFC 8410 §3).
const ID_ED25519: &[u8] = b"\x2b\x65\x70";
/// 1.2.840.113549.1.1.* (RFC 8017 appendix C).
const RSA_ENCRYPTION: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const RSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
const RSA_SHA256: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
const RSA_SHA384: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c";
const RSA_SHA512: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d";
/// 2.16.840.1.101.3.4.2.* (RFC 5754 §2).
const SHA256: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01";
const SHA384: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x02";
const SHA512: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x03";
