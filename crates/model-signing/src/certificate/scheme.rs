//! The algorithms of the signatures on certificates.

use x509_parser::prelude::{SubjectPublicKeyInfo, X509Certificate};
use x509_parser::x509::AlgorithmIdentifier;

use crate::pss::{self, Digest};

const RSA: &str = "1.2.840.113549.1.1.1";
const RSA_PSS: &str = "1.2.840.113549.1.1.10";
const EC: &str = "1.2.840.10045.2.1";
const ED25519: &str = "1.3.101.112";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Ecdsa(Digest),
    RsaPkcs1(Digest),
    RsaPss(Digest),
    Ed25519,
}

/// Whether the algorithm that `subject` is signed with is one for that kind of key.
pub(super) fn fits_key(subject: &X509Certificate<'_>, key: &SubjectPublicKeyInfo<'_>) -> bool {
    let kind = key.algorithm.algorithm.to_id_string();
    match subject
        .signature_algorithm
        .algorithm
        .to_id_string()
        .as_str()
    {
        ED25519 => kind == ED25519,
        RSA_PSS => kind == RSA || kind == RSA_PSS,
        oid if oid.starts_with("1.2.840.113549.1.1.") => kind == RSA,
        oid if oid.starts_with("1.2.840.10045.4.") => kind == EC,
        // The verification that follows reports that it is not supported.
        _ => true,
    }
}

pub(super) fn scheme(algorithm: &AlgorithmIdentifier<'_>) -> Option<Scheme> {
    Some(match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.10045.4.1" => Scheme::Ecdsa(Digest::Sha1),
        "1.2.840.10045.4.3.1" => Scheme::Ecdsa(Digest::Sha224),
        "1.2.840.10045.4.3.2" => Scheme::Ecdsa(Digest::Sha256),
        "1.2.840.10045.4.3.3" => Scheme::Ecdsa(Digest::Sha384),
        "1.2.840.10045.4.3.4" => Scheme::Ecdsa(Digest::Sha512),
        "1.2.840.113549.1.1.5" => Scheme::RsaPkcs1(Digest::Sha1),
        "1.2.840.113549.1.1.11" => Scheme::RsaPkcs1(Digest::Sha256),
        "1.2.840.113549.1.1.12" => Scheme::RsaPkcs1(Digest::Sha384),
        "1.2.840.113549.1.1.13" => Scheme::RsaPkcs1(Digest::Sha512),
        RSA_PSS => Scheme::RsaPss(pss::digest(algorithm)?),
        ED25519 => Scheme::Ed25519,
        _ => return None,
    })
}
