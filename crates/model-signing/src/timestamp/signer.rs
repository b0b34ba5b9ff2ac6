//! The signature of a token: by which certificate, over what, and whether that certificate is for timestamps.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use pkcs8::ObjectIdentifier;
use x509_parser::prelude::{ParsedExtension, SubjectPublicKeyInfo, X509Certificate};

use super::TimestampError;
use super::token::{CertificateId, SignerId, TST_INFO, Token};
use crate::certificate;
use crate::key::{Curve, Hash};

/// The hash function with this content of its object identifier, 2.16.840.1.101.3.4.2.{1,2,3}; no other one counts.
pub(super) fn hash_named(oid: &[u8]) -> Option<Hash> {
    match oid.strip_prefix(&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02])? {
        [1] => Some(Hash::Sha256),
        [2] => Some(Hash::Sha384),
        [3] => Some(Hash::Sha512),
        _ => None,
    }
}

/// A certificate that may have signed a token.
#[derive(Debug)]
pub(super) struct SignerCertificate<'a> {
    pub(super) der: &'a [u8],
    x509: X509Certificate<'a>,
}

impl<'a> SignerCertificate<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let x509 = certificate::read(der).ok()?;
        Some(Self { der, x509 })
    }

    pub(super) fn shown(&self) -> String {
        certificate::shown_subject(&self.x509)
    }

    pub(super) fn is_valid_at(&self, time: i64) -> bool {
        let validity = self.x509.validity();
        (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&time)
    }

    pub(super) fn is_named_by(&self, id: &SignerId<'_>) -> bool {
        match id {
            SignerId::IssuerAndSerial(issuer, serial) => {
                self.x509.issuer().as_raw() == *issuer
                    && self.x509.tbs_certificate.raw_serial() == *serial
            }
            SignerId::KeyIdentifier(id) => self.x509.extensions().iter().any(|extension| {
                matches!(extension.parsed_extension(), ParsedExtension::SubjectKeyIdentifier(own) if own.0 == *id)
            }),
        }
    }

    /// RFC 3161 §2.3: the extended key usage is critical and holds timeStamping alone; and a key usage, where there is one,
    /// lets it sign.
    pub(super) fn check_usage(&self) -> Result<(), TimestampError> {
        let usage = self.x509.extended_key_usage().map_err(|_| {
            TimestampError::Usage("its extended key usage is there twice or malformed")
        })?;
        let Some(usage) = usage else {
            return Err(TimestampError::Usage("it has no extended key usage"));
        };
        let only = usage.value;
        let has_others = only.any
            || only.server_auth
            || only.client_auth
            || only.code_signing
            || only.email_protection
            || only.ocsp_signing
            || !only.other.is_empty();
        if !only.time_stamping || has_others {
            return Err(TimestampError::Usage(
                "its extended key usage is not timeStamping alone",
            ));
        }
        if !usage.critical {
            return Err(TimestampError::Usage(
                "its extended key usage is not critical",
            ));
        }
        match self.x509.key_usage() {
            Ok(None) => Ok(()),
            Ok(Some(usage)) if usage.value.digital_signature() || usage.value.non_repudiation() => {
                Ok(())
            }
            _ => Err(TimestampError::Usage(
                "its key usage does not allow signing",
            )),
        }
    }

    pub(super) fn verify(&self, token: &Token<'_>) -> Result<(), TimestampError> {
        let key = self.x509.public_key();
        let algorithm = algorithm(key, token.signer.algorithm, token.signer.digest)
            .ok_or(TimestampError::Unsupported("a signature algorithm"))?;
        UnparsedPublicKey::new(algorithm, &key.subject_public_key.data)
            .verify(&token.signer.attributes_der, token.signer.signature)
            .map_err(|_| TimestampError::Signature)
    }
}

/// The signed attributes are about this token, and about this certificate (RFC 5652 §5.6, RFC 5816 §2.2.1).
pub(super) fn check_attributes(token: &Token<'_>, signer: &[u8]) -> Result<(), TimestampError> {
    let attributes = &token.signer.attributes;
    if attributes.content_type != Some(TST_INFO) {
        return Err(TimestampError::Attributes(
            "their content type is not TSTInfo",
        ));
    }
    let hash = hash_named(token.signer.digest).ok_or(TimestampError::Unsupported(
        "another digest of the signer than SHA-256, SHA-384 or SHA-512",
    ))?;
    let digest = hash.of(token.info_der);
    if attributes.message_digest != Some(digest.as_ref()) {
        return Err(TimestampError::Attributes("their digest is another one"));
    }
    // RFC 3161 §2.4.2 requires it; some authorities leave it out, and the signer is then identified by its name alone.
    match &attributes.certificate {
        None => Ok(()),
        Some(id) if is_hash_of(id, signer)? => Ok(()),
        Some(_) => Err(TimestampError::Attributes("they name another certificate")),
    }
}

fn is_hash_of(id: &CertificateId<'_>, certificate: &[u8]) -> Result<bool, TimestampError> {
    let digest = match (id.is_sha1, id.hash) {
        // Version 1 of the attribute has no other hash. It only names the certificate, on top of a signature.
        (true, _) => digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate),
        (false, None) => Hash::Sha256.of(certificate),
        (false, Some(oid)) => hash_named(oid)
            .ok_or(TimestampError::Unsupported(
                "another hash for the signer's certificate",
            ))?
            .of(certificate),
    };
    Ok(digest.as_ref() == id.value)
}

/// How a signer with such a key signs. The signature algorithm of CMS may name the kind of key alone; the hash is then the
/// signer's digest algorithm.
fn algorithm(
    key: &SubjectPublicKeyInfo<'_>,
    algorithm: &[u8],
    digest: &[u8],
) -> Option<&'static dyn VerificationAlgorithm> {
    // 1.2.840.10045.4.3.{2,3,4}: ECDSA with SHA-256, SHA-384, SHA-512.
    let hash = match algorithm.strip_prefix(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03]) {
        Some([2]) => Hash::Sha256,
        Some([3]) => Hash::Sha384,
        Some([4]) => Hash::Sha512,
        Some(_) => return None,
        None => match algorithm.strip_prefix(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01]) {
            // 1.2.840.113549.1.1.{11,12,13}: RSA with SHA-256, SHA-384, SHA-512.
            Some([11]) => Hash::Sha256,
            Some([12]) => Hash::Sha384,
            Some([13]) => Hash::Sha512,
            _ => hash_named(digest)?,
        },
    };
    let is_pss = algorithm == [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
    Some(match key.algorithm.algorithm.to_id_string().as_str() {
        "1.3.101.112" => &signature::ED25519,
        "1.2.840.113549.1.1.1" => match (is_pss, hash) {
            (false, Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (false, Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (false, Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            (true, Hash::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
            (true, Hash::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
            (true, Hash::Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
        },
        "1.2.840.10045.2.1" => {
            let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
            let curve = ObjectIdentifier::new(&curve.to_id_string()).ok()?;
            Curve::from_oid(curve).ok()?.verification(hash)
        }
        _ => return None,
    })
}
