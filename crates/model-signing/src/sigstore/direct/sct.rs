//! The signed certificate timestamp inside a certificate (RFC 6962 §3.2, §3.3).

use jiff::Timestamp;
use sigstore_verify::crypto::sha256;
use sigstore_verify::types::SignatureBytes;

use super::super::known::Known;
use crate::timestamp::der::{self, BOOLEAN, OCTET_STRING, OID, SEQUENCE, context};

/// 1.3.6.1.4.1.11129.2.4.2, the content of the object identifier.
const SCT_LIST: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02];

/// The content of a BOOLEAN in DER (X.690 §11.1).
const TRUE: &[u8] = &[0xff];

/// SHA-256 with ECDSA (RFC 5246 §7.4.1.4.1).
const ECDSA_SHA256: [u8; 2] = [4, 3];

/// That a certificate in DER has one SCT, which a trusted log signed for the issuer with this key, the content of its
/// SubjectPublicKeyInfo.
pub(super) fn verify(certificate: &[u8], issuer: &[u8], known: &Known) -> Option<()> {
    let (tbs, list) = without_scts(certificate)?;
    let sct = Sct::only(list)?;
    let moment = Timestamp::from_millisecond(i64::try_from(sct.timestamp).ok()?).ok()?;
    let log = known.ct_log(*sct.log_id, moment)?;
    let issuer = sha256(&der::encode(SEQUENCE, issuer));
    let message = sct.message(issuer.as_bytes(), &tbs)?;
    let signature = SignatureBytes::from_bytes(sct.signature);
    log.key.verify(&message, &signature).ok()
}

/// The TBSCertificate without the extension for SCTs, as the log has signed it, and the SCTs in that extension. All else is
/// taken byte for byte.
fn without_scts(certificate: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    const WHAT: &str = "a certificate";
    let outer = der::only(certificate, SEQUENCE, WHAT).ok()?;
    let mut fields = outer.inside().expect(SEQUENCE, WHAT).ok()?.inside();
    let mut tbs = Vec::with_capacity(certificate.len());
    let mut found = None;
    while !fields.is_empty() {
        let field = fields.any(WHAT).ok()?;
        if field.tag != context(3) {
            tbs.extend_from_slice(field.whole);
            continue;
        }
        let mut extensions = der::only(field.content, SEQUENCE, WHAT).ok()?.inside();
        let mut kept = Vec::with_capacity(field.content.len());
        while !extensions.is_empty() {
            let extension = extensions.expect(SEQUENCE, WHAT).ok()?;
            let mut parts = extension.inside();
            let kind = parts.expect(OID, WHAT).ok()?;
            let critical = parts.optional(BOOLEAN, WHAT).ok()?;
            let value = parts.expect(OCTET_STRING, WHAT).ok()?;
            parts.end(WHAT).ok()?;
            // DER leaves FALSE out, because it is the default (X.690 §11.5). Readers that write the certificate again to check
            // the log's signature leave it out too, and find another TBSCertificate.
            if critical.is_some_and(|critical| critical.content != TRUE) {
                return None;
            }
            if kind.content != SCT_LIST {
                kept.extend_from_slice(extension.whole);
                continue;
            }
            let list = der::only(value.content, OCTET_STRING, WHAT).ok()?;
            if found.replace(list.content).is_some() {
                return None;
            }
        }
        tbs.extend(der::encode(context(3), &der::encode(SEQUENCE, &kept)));
    }
    Some((der::encode(SEQUENCE, &tbs), found?))
}

/// One timestamp.
struct Sct<'a> {
    log_id: &'a [u8; 32],
    /// In milliseconds of Unix time.
    timestamp: u64,
    extensions: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Sct<'a> {
    /// The one timestamp of a list, of the only version that there is.
    fn only(list: &'a [u8]) -> Option<Self> {
        let (list, []) = vector(list)? else {
            return None;
        };
        let (sct, []) = vector(list)? else {
            return None;
        };
        let rest = sct.strip_prefix(&[0])?;
        let (log_id, rest) = rest.split_first_chunk()?;
        let (timestamp, rest) = rest.split_first_chunk()?;
        let (extensions, rest) = vector(rest)?;
        let rest = rest.strip_prefix(&ECDSA_SHA256)?;
        let (signature, []) = vector(rest)? else {
            return None;
        };
        Some(Self {
            log_id,
            timestamp: u64::from_be_bytes(*timestamp),
            extensions,
            signature,
        })
    }

    /// What the log has signed: `digitally-signed` of RFC 6962 §3.2, of a precert_entry.
    fn message(&self, issuer_key_sha256: &[u8; 32], tbs: &[u8]) -> Option<Vec<u8>> {
        let [0, length @ ..] = u32::try_from(tbs.len()).ok()?.to_be_bytes() else {
            return None;
        };
        let extensions = u16::try_from(self.extensions.len()).ok()?.to_be_bytes();
        Some(
            [
                &[0, 0][..],
                &self.timestamp.to_be_bytes(),
                &[0, 1],
                issuer_key_sha256,
                &length,
                tbs,
                &extensions,
                self.extensions,
            ]
            .concat(),
        )
    }
}

/// A vector with a length of two bytes (RFC 8446 §3.4), and what follows it.
fn vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
