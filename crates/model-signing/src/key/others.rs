//! Public keys that sign models elsewhere and are only verified here: Ed25519 and RSA.

use aws_lc_rs::signature::{
    ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
};
use ed25519_dalek::{Digest as _, Sha512, Signature, VerifyingKey};
use pkcs8::der::asn1::{AnyRef, UintRef};
use pkcs8::der::{self, Decode as _, Reader as _, SliceReader};
use pkcs8::spki::AlgorithmIdentifierRef;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::AlgorithmIdentifier;

use super::error::{BadSignature, KeyError};
use crate::pss;

/// Shortest and longest modulus in bits. Longer keys only cost time: the format has none.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// A public key that is not on an elliptic curve of NIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OtherKey {
    /// Its 32 bytes.
    Ed25519(Vec<u8>),
    /// An RSAPublicKey in DER (RFC 8017 section A.1.1).
    Rsa {
        der: Vec<u8>,
        /// The key is for PSS alone (id-RSASSA-PSS, RFC 4055).
        only_pss: bool,
    },
}

impl OtherKey {
    /// Reads the two parts of a SubjectPublicKeyInfo; `None` if the algorithm is not one of these.
    pub(super) fn read(
        algorithm: &AlgorithmIdentifierRef<'_>,
        key: &[u8],
    ) -> Result<Option<Self>, KeyError> {
        match algorithm.oid.to_string().as_str() {
            "1.3.101.112" => {
                if algorithm.parameters.is_some() || key.len() != 32 {
                    return Err(KeyError::Malformed {
                        reason: "it has not the form of an Ed25519 key",
                    });
                }
                Ok(Some(Self::Ed25519(key.to_vec())))
            }
            "1.2.840.113549.1.1.1" => Self::rsa(key, false).map(Some),
            "1.2.840.113549.1.1.10" => {
                check_pss_parameters(algorithm)?;
                Self::rsa(key, true).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn rsa(key: &[u8], only_pss: bool) -> Result<Self, KeyError> {
        let bits = modulus_bits(key).map_err(|_| KeyError::Malformed {
            reason: "it is not an RSAPublicKey in DER",
        })?;
        if !RSA_BITS.contains(&bits) {
            return Err(KeyError::NotVerified {
                algorithm: format!("RSA with {bits} bits"),
            });
        }
        Ok(Self::Rsa {
            der: key.to_vec(),
            only_pss,
        })
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "Ed25519",
            Self::Rsa { .. } => "RSA",
        }
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let verified = match self {
            Self::Ed25519(key) => {
                let pure = UnparsedPublicKey::new(&ED25519, key).verify(message, signature);
                // The bundle does not name the variant, and neither can be taken for the other.
                return pure.or_else(|_| verify_prehashed(key, message, signature));
            }
            Self::Rsa { der, only_pss } => {
                let pss = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, der);
                let pkcs1 = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der);
                match pkcs1.verify(message, signature) {
                    Ok(()) if !only_pss => Ok(()),
                    // The bundle does not name the padding.
                    _ => pss.verify(message, signature),
                }
            }
        };
        verified.map_err(|_| BadSignature)
    }
}

/// Verifies Ed25519ph (RFC 8032 section 5.1) without a context. The Go implementation of model signing signs so with an Ed25519
/// key (sampras343/model-transparency-go, pkg/signing/key_algorithm.go); sigstore-go signs envelopes with Ed25519 itself.
fn verify_prehashed(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
    let key: &[u8; 32] = key.try_into().map_err(|_| BadSignature)?;
    let key = VerifyingKey::from_bytes(key).map_err(|_| BadSignature)?;
    let signature = Signature::from_slice(signature).map_err(|_| BadSignature)?;
    let hash = Sha512::new_with_prefix(message);
    key.verify_prehashed_strict(hash, None, &signature)
        .map_err(|_| BadSignature)
}

fn modulus_bits(key: &[u8]) -> der::Result<usize> {
    let mut reader = SliceReader::new(key)?;
    let bits = reader.sequence(|key| -> der::Result<usize> {
        let modulus = UintRef::decode(key)?;
        UintRef::decode(key)?;
        let [first, rest @ ..] = modulus.as_bytes() else {
            return Ok(0);
        };
        let leading = usize::try_from(first.leading_zeros()).unwrap_or_default();
        Ok(8 * (rest.len() + 1) - leading)
    })?;
    reader.finish()?;
    Ok(bits)
}

/// A key for PSS alone may limit hash and salt: only SHA-256 with a salt of 32 is verified.
fn check_pss_parameters(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<(), KeyError> {
    let Some(parameters) = algorithm.parameters else {
        return Ok(());
    };
    let fits = |parameters: AnyRef<'_>| -> Option<bool> {
        use pkcs8::der::Encode as _;
        let whole = AlgorithmIdentifierRef {
            oid: algorithm.oid,
            parameters: Some(parameters),
        };
        let der = whole.to_der().ok()?;
        let (_, parsed) = AlgorithmIdentifier::from_der(&der).ok()?;
        Some(pss::digest(&parsed)? == pss::Digest::Sha256)
    };
    match fits(parameters) {
        Some(true) => Ok(()),
        _ => Err(KeyError::NotVerified {
            algorithm: "RSA-PSS with another hash than SHA-256 or another salt than 32 bytes"
                .to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digits: &str) -> Vec<u8> {
        let pairs = digits.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        pairs.filter_map(byte).collect()
    }

    #[test]
    fn ed25519ph_verifies_by_its_test_vector() {
        // RFC 8032 section 7.3.
        let key = hex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf");
        let signature = hex(
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
        );
        let key = OtherKey::Ed25519(key);
        assert_eq!(key.verify(b"abc", &signature), Ok(()));
        assert!(key.verify(b"abd", &signature).is_err());
        for at in 0..signature.len() {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            assert!(key.verify(b"abc", &changed).is_err(), "{at}");
        }
        assert!(key.verify(b"abc", &signature[1..]).is_err());
    }
}
