//! Signatures on certificates: ECDSA, RSA and Ed25519, by what the two certificates say.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::prelude::SubjectPublicKeyInfo;

use super::error::ChainError;
use super::parsed::Certificate;
use super::scheme::{Scheme, scheme};
use crate::pss::Digest;

/// Verifies the signature of `issuer` on `subject`.
pub(super) fn verify(
    subject: &Certificate<'_>,
    issuer: &Certificate<'_>,
) -> Result<(), ChainError> {
    let bad = || ChainError::BadSignature {
        subject: subject.shown(),
        issuer: issuer.shown(),
    };
    let x509 = &subject.x509;
    // The outer algorithm is not signed; the inner one is.
    if x509.signature_algorithm != x509.tbs_certificate.signature {
        return Err(bad());
    }
    let key = issuer.x509.public_key();
    let algorithm = scheme(&x509.signature_algorithm).and_then(|scheme| algorithm(scheme, key));
    let Some(algorithm) = algorithm else {
        return Err(ChainError::UnsupportedSignature {
            subject: subject.shown(),
            algorithm: x509.signature_algorithm.algorithm.to_id_string(),
        });
    };
    // An unused bit that is set would make two certificates of one.
    if x509.signature_value.unused_bits != 0 {
        return Err(bad());
    }
    UnparsedPublicKey::new(algorithm, &key.subject_public_key.data)
        .verify(x509.tbs_certificate.as_ref(), &x509.signature_value.data)
        .map_err(|_| bad())
}

/// What makes the signature of `issuer` on `subject` too weak for the present, if anything does.
pub(super) fn weakness(
    subject: &Certificate<'_>,
    issuer: &Certificate<'_>,
) -> Option<&'static str> {
    let weak_digest = match scheme(&subject.x509.signature_algorithm) {
        Some(
            Scheme::Ecdsa(Digest::Sha1)
            | Scheme::RsaPkcs1(Digest::Sha1)
            | Scheme::RsaPss(Digest::Sha1),
        ) => Some("SHA-1"),
        _ => None,
    };
    weak_digest.or_else(|| match issuer.x509.public_key().parsed() {
        Ok(x509_parser::public_key::PublicKey::RSA(key)) if key.key_size() < 2048 => {
            Some("an RSA key of less than 2048 bits")
        }
        _ => None,
    })
}

fn algorithm(
    scheme: Scheme,
    key: &SubjectPublicKeyInfo<'_>,
) -> Option<&'static dyn VerificationAlgorithm> {
    // The reference takes certificate authorities with short keys and SHA-1, and so must we; strict does not.
    Some(match scheme {
        Scheme::Ed25519 => &signature::ED25519,
        Scheme::RsaPkcs1(Digest::Sha1) => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Scheme::RsaPkcs1(Digest::Sha256) => {
            &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
        }
        Scheme::RsaPkcs1(Digest::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        Scheme::RsaPkcs1(Digest::Sha512) => {
            &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
        }
        Scheme::RsaPss(Digest::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
        Scheme::RsaPss(Digest::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
        Scheme::RsaPss(Digest::Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
        Scheme::RsaPkcs1(Digest::Sha224) | Scheme::RsaPss(Digest::Sha1 | Digest::Sha224) => {
            return None;
        }
        Scheme::Ecdsa(digest) => {
            // A curve that is spelt out in numbers has no object identifier: OpenSSL refuses it in a chain as well.
            let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
            match (curve.to_id_string().as_str(), digest) {
                ("1.2.840.10045.3.1.7", Digest::Sha1) => &signature::ECDSA_P256_SHA1_ASN1,
                ("1.2.840.10045.3.1.7", Digest::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
                ("1.2.840.10045.3.1.7", Digest::Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
                ("1.2.840.10045.3.1.7", Digest::Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
                ("1.3.132.0.34", Digest::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
                ("1.3.132.0.34", Digest::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
                ("1.3.132.0.34", Digest::Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
                ("1.3.132.0.35", Digest::Sha1) => &signature::ECDSA_P521_SHA1_ASN1,
                ("1.3.132.0.35", Digest::Sha224) => &signature::ECDSA_P521_SHA224_ASN1,
                ("1.3.132.0.35", Digest::Sha256) => &signature::ECDSA_P521_SHA256_ASN1,
                ("1.3.132.0.35", Digest::Sha384) => &signature::ECDSA_P521_SHA384_ASN1,
                ("1.3.132.0.35", Digest::Sha512) => &signature::ECDSA_P521_SHA512_ASN1,
                ("1.3.132.0.10", Digest::Sha256) => &signature::ECDSA_P256K1_SHA256_ASN1,
                _ => return None,
            }
        }
    })
}
