//! Bundles of the usual form, verified without `sigstore-verify`.
//!
//! Nearly all bundles have one form: a statement in an envelope, signed with a P-256 key whose certificate is alone in the
//! bundle, and one entry of Rekor: `dsse 0.0.1` with a promise, or `hashedrekord 0.0.2`. `sigstore-verify` reads the
//! certificate three times, writes it again for its SCT, and needs a timestamp of the [`Bridge`]: that takes as long as all
//! signatures. Here it reads the certificate once, and the keys of the trusted root are parsed once for all bundles.
//!
//! This decides nothing but that a bundle verifies. Whatever it does not accept, for any reason, is verified by
//! `sigstore-verify`, which names the check that failed. It must never accept what that refuses: every check of it is here, as
//! strict or stricter, and each signature is verified by the same functions. With debug assertions, which tests have,
//! [`verify_bundle`] lets `sigstore-verify` repeat what was accepted here.
//!
//! [`Bridge`]: super::bridge::Bridge
//! [`verify_bundle`]: super::verify_bundle

mod entry;
mod sct;
#[cfg(test)]
#[expect(clippy::expect_used, reason = "a panic is how a test fails")]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, UnixTime};
use sigstore_verify::crypto::{
    SigningScheme, WEBPKI_VERIFICATION_ALGS, default_provider, parse_certificate_info,
};
use sigstore_verify::types::{DerCertificate, Sha256Hash, Statement};
use webpki::{EndEntityCert, KeyUsage};

use self::entry::Logged;
use super::bridge::P256_SPKI;
use super::known::Known;
use super::library::first_subject;
use super::remembered::remembered;
use super::trust::Trust;
use crate::bundle::{Bundle, Content, MODEL_SIGNATURE_MEDIA_TYPE};
use crate::dsse::{Envelope, IN_TOTO_PAYLOAD_TYPE};

/// 1.3.6.1.5.5.7.3.3, the content of the object identifier.
const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];

/// Bytes of an uncompressed point of P-256 (SEC 1 §2.3.3).
const POINT_BYTES: usize = 65;

/// The verified times of a bundle of the usual form that verifies, in seconds of Unix time: first those of the timestamps,
/// which were verified before, then that of the promise. `None` for any other bundle.
///
/// The bundle must have passed the checks of its shape. Whose identity it is, the key usage and the present are checked
/// afterwards.
pub(super) fn verify(
    bundle: &Bundle,
    stamped: &[i64],
    trust: &Trust,
    now: i64,
) -> Option<Vec<i64>> {
    let Content::Dsse(envelope) = bundle.content() else {
        return None;
    };
    let ([certificate], [entry], [signature]) = (
        bundle.certificates(),
        bundle.tlog_entries(),
        envelope.signatures.as_slice(),
    ) else {
        return None;
    };
    if !bundle.has_single_certificate()
        || bundle.media_type() != MODEL_SIGNATURE_MEDIA_TYPE
        || envelope.payload_type != IN_TOTO_PAYLOAD_TYPE
        || !is_statement(bundle, envelope)
    {
        return None;
    }
    // Before the first signature is verified.
    let _ = remembered();
    let logged = Logged {
        entry,
        certificate,
        signature: &signature.sig,
        envelope,
    };
    let mut seconds = stamped.to_vec();
    let pae = envelope.pae();
    seconds.extend(logged.verify(&pae, trust, now)?);
    let times = seconds.iter().copied();
    let times: Option<Vec<(i64, Timestamp)>> = times
        .map(|seconds| Some((seconds, Timestamp::from_second(seconds).ok()?)))
        .collect();
    verify_certificate(certificate, &trust.known, &times?, &pae, &signature.sig)?;
    Some(seconds)
}

/// Whether the payload is a statement about the SHA-256 digest that `sigstore-verify` would be asked about.
fn is_statement(bundle: &Bundle, envelope: &Envelope) -> bool {
    first_subject(bundle).is_ok_and(|digest| {
        serde_json::from_slice::<Statement>(&envelope.payload)
            .is_ok_and(|statement| statement.matches_sha256(&Sha256Hash::new(digest)))
    })
}

/// That the certificate leads to an authority at each of the times, has the SCT of a trusted log, and is of the key that made
/// `signature` over `message`.
fn verify_certificate(
    certificate: &[u8],
    known: &Known,
    times: &[(i64, Timestamp)],
    message: &[u8],
    signature: &[u8],
) -> Option<()> {
    // Other readers take certificates that `sigstore-verify` refuses, such as one with a name that is not in ASCII.
    parse_certificate_info(&DerCertificate::from_bytes(certificate)).ok()?;
    let der = CertificateDer::from(certificate);
    let leaf = EndEntityCert::try_from(&der).ok()?;
    let spki = leaf.subject_public_key_info();
    let point = spki.as_ref().strip_prefix(P256_SPKI)?;
    if point.len() != POINT_BYTES || point.first() != Some(&4) {
        return None;
    }
    default_provider()
        .verify_raw(SigningScheme::EcdsaP256Sha256, point, message, signature)
        .ok()?;
    let anchors = known.anchors_at(times);
    let mut issuer = None;
    for (seconds, _) in times {
        let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(*seconds).ok()?));
        let path = leaf
            .verify_for_usage(
                WEBPKI_VERIFICATION_ALGS,
                &anchors,
                &[],
                at,
                KeyUsage::required(CODE_SIGNING),
                None,
                None,
            )
            .ok()?;
        // Without intermediates, the anchor itself has issued the certificate.
        issuer = Some(path.anchor().subject_public_key_info.to_vec());
    }
    // Without a time there is no issuer.
    sct::verify(certificate, &issuer?, known)
}
