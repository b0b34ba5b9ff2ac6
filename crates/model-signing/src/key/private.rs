//! Private keys as tools write them: SEC1, PKCS#8, and both encrypted.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
};
use pkcs8::der::asn1::{AnyRef, BitStringRef, ContextSpecific, OctetStringRef};
use pkcs8::der::{self, Decode as _, Encode as _, Reader as _, SliceReader, TagNumber};
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs8::pkcs5::{EncryptionScheme, Error as Pkcs5Error};
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef};

use super::{Curve, KeyError, PublicKey, curve_of, domain, legacy, shown};
use crate::pem::{self, Block};

/// A private key in memory. Its number is kept by the cryptographic library, which wipes it.
pub struct PrivateKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

impl PrivateKey {
    /// Reads the first private key of a PEM file; other blocks, such as `EC PARAMETERS`, are skipped.
    ///
    /// Reads SEC1 (`EC PRIVATE KEY`, encrypted by OpenSSL's older method or not) and PKCS#8 (`PRIVATE KEY`, and
    /// `ENCRYPTED PRIVATE KEY` with PBES2: AES, and PBKDF2 or scrypt).
    ///
    /// # Errors
    ///
    /// [`KeyError`], which names what the file has instead, or that a password is needed, wrong or pointless.
    pub fn from_pem(text: &[u8], password: Option<&[u8]>) -> Result<Self, KeyError> {
        let mut first = None;
        for block in pem::blocks(text)? {
            let block = block?;
            match block.label {
                b"EC PRIVATE KEY" => return Self::from_sec1_block(&block, password),
                b"PRIVATE KEY" => {
                    not_encrypted(password)?;
                    return Self::from_pkcs8(&block.contents);
                }
                b"ENCRYPTED PRIVATE KEY" => {
                    return Self::from_encrypted_pkcs8(&block.contents, password);
                }
                b"RSA PRIVATE KEY" => return Err(not_elliptic("RSA")),
                b"DSA PRIVATE KEY" => return Err(not_elliptic("DSA")),
                other => drop(first.get_or_insert_with(|| shown(other))),
            }
        }
        Err(KeyError::NoKey {
            needed: "PRIVATE KEY",
            found: first,
        })
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message`, hashed as the curve demands; ECDSA in DER, with fresh randomness.
    ///
    /// # Errors
    ///
    /// [`SigningFailed`] if the cryptographic library fails, which the caller cannot mend.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        Ok(signature.map_err(|_| SigningFailed)?.as_ref().to_vec())
    }

    fn from_sec1_block(block: &Block<'_>, password: Option<&[u8]>) -> Result<Self, KeyError> {
        if block.header(b"Proc-Type") == Some(b"4,ENCRYPTED") {
            let password = password.ok_or(KeyError::PasswordNeeded)?;
            let method = block.header(b"DEK-Info").unwrap_or_default();
            let der = legacy::decrypt(method, password, &block.contents)?;
            // The padding of a wrong password is right once in 256 times.
            return Self::from_sec1(&der).map_err(|error| match error {
                KeyError::Malformed { .. } => KeyError::WrongPassword,
                other => other,
            });
        }
        not_encrypted(password)?;
        Self::from_sec1(&block.contents)
    }

    fn from_sec1(der: &[u8]) -> Result<Self, KeyError> {
        let curve = sec1_curve(der)?;
        let pair = EcdsaKeyPair::from_private_key_der(signing(curve), der);
        Self::from_pair(curve, pair)
    }

    fn from_encrypted_pkcs8(der: &[u8], password: Option<&[u8]>) -> Result<Self, KeyError> {
        let cipher = encryption_of(der).ok_or_else(not_pkcs8)?.to_string();
        let unsupported = KeyError::UnsupportedCipher { cipher };
        let encrypted =
            EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| unsupported.clone())?;
        let password = password.ok_or(KeyError::PasswordNeeded)?;
        check_cost(&encrypted.encryption_algorithm)?;
        let decrypted = encrypted.decrypt(password).map_err(|error| match error {
            pkcs8::Error::EncryptedPrivateKey(
                Pkcs5Error::UnsupportedAlgorithm { .. } | Pkcs5Error::NoPbes1CryptSupport,
            ) => unsupported,
            _ => KeyError::WrongPassword,
        })?;
        Self::from_pkcs8(decrypted.as_bytes())
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| not_pkcs8())?;
        let curve = curve_of(&info.algorithm)?;
        let pair = EcdsaKeyPair::from_private_key_der(signing(curve), der);
        Self::from_pair(curve, pair)
    }

    fn from_pair(
        curve: Curve,
        pair: Result<EcdsaKeyPair, aws_lc_rs::error::KeyRejected>,
    ) -> Result<Self, KeyError> {
        let pair = pair.map_err(|_| KeyError::Malformed {
            reason: "its number is not a private key on its curve, or its public half is that of another key",
        })?;
        let public = PublicKey::from_point(curve, pair.public_key().as_ref())?;
        Ok(Self { pair, public })
    }
}

/// The cryptographic library could not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library could not sign")]
pub struct SigningFailed;

fn signing(curve: Curve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
    }
}

fn not_encrypted(password: Option<&[u8]>) -> Result<(), KeyError> {
    match password {
        Some(_) => Err(KeyError::NotEncrypted),
        None => Ok(()),
    }
}

fn not_elliptic(algorithm: &str) -> KeyError {
    KeyError::NotElliptic {
        algorithm: algorithm.to_owned(),
    }
}

fn not_pkcs8() -> KeyError {
    KeyError::Malformed {
        reason: "it is not a PKCS#8 structure in DER",
    }
}

/// Most rounds of PBKDF2: half a minute of time, and twenty times what is recommended today.
const MAX_ROUNDS: u32 = 10_000_000;

/// Most memory for scrypt. OpenSSL's own limit is 32 MiB; a key file must not take the machine down.
const MAX_SCRYPT_BYTES: u64 = 1 << 30;

fn check_cost(scheme: &EncryptionScheme) -> Result<(), KeyError> {
    let cost = match scheme.pbes2().map(|scheme| &scheme.kdf) {
        Some(Kdf::Pbkdf2(kdf)) if kdf.iteration_count > MAX_ROUNDS => {
            format!("{} rounds of PBKDF2", kdf.iteration_count)
        }
        Some(Kdf::Scrypt(kdf)) => {
            let lanes = u64::from(kdf.block_size) * u64::from(kdf.parallelization.max(1));
            let bytes = kdf.cost_parameter.saturating_mul(128).saturating_mul(lanes);
            if bytes <= MAX_SCRYPT_BYTES {
                return Ok(());
            }
            format!("{bytes} bytes of memory for scrypt")
        }
        _ => return Ok(()),
    };
    Err(KeyError::TooCostly { cost })
}

/// The algorithm that an EncryptedPrivateKeyInfo names.
fn encryption_of(der: &[u8]) -> Option<ObjectIdentifier> {
    let read = |mut reader: SliceReader<'_>| {
        reader.sequence(|info| -> der::Result<ObjectIdentifier> {
            let algorithm = AlgorithmIdentifierRef::decode(info)?;
            <&OctetStringRef>::decode(info)?;
            Ok(algorithm.oid)
        })
    };
    SliceReader::new(der).and_then(read).ok()
}

/// The curve that an ECPrivateKey (RFC 5915) names: outside of PKCS#8 nothing else does.
fn sec1_curve(der: &[u8]) -> Result<Curve, KeyError> {
    let malformed = KeyError::Malformed {
        reason: "it is not an ECPrivateKey in DER that names its curve",
    };
    let parameters = sec1_parameters(der).ok().flatten().ok_or(malformed)?;
    match ObjectIdentifier::from_der(&parameters) {
        Ok(oid) => Curve::from_oid(oid),
        Err(_) => domain::curve(&parameters),
    }
}

fn sec1_parameters(der: &[u8]) -> der::Result<Option<Vec<u8>>> {
    let mut reader = SliceReader::new(der)?;
    let parameters = reader.sequence(|key| -> der::Result<_> {
        u8::decode(key)?;
        <&OctetStringRef>::decode(key)?;
        let parameters = ContextSpecific::<AnyRef<'_>>::decode_explicit(key, TagNumber(0))?;
        ContextSpecific::<BitStringRef<'_>>::decode_explicit(key, TagNumber(1))?;
        Ok(parameters)
    })?;
    reader.finish()?;
    parameters.map(|it| it.value.to_der()).transpose()
}
