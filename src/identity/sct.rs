//! Signed certificate timestamps: a log's promise, inside a certificate, that it has logged it (RFC 6962 §3.2, §3.3).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA256_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use jiff::Timestamp;

use super::der;
use super::key::sha256;
use super::precertificate::Logged;
use super::signature::KeyType;
use super::{Anomaly, Certificate};

/// Most timestamps of one certificate that are verified. Fulcio embeds one, CAs of the web two or three.
const MAX_SCTS: usize = 16;

/// The signature algorithm of a log with such a key: the SignatureAndHashAlgorithm (RFC 5246 §7.4.1.4.1, RFC 8422
/// §5.1.3) contains the hash, which does not follow from the curve: RFC 6962 §2.1.4 requires SHA-256 for all.
fn algorithm(key: KeyType, algorithm_bytes: [u8; 2]) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (key, algorithm_bytes) {
        (KeyType::P256, [4, 3]) => &ECDSA_P256_SHA256_ASN1,
        (KeyType::P384, [4, 3]) => &ECDSA_P384_SHA256_ASN1,
        (KeyType::P384, [5, 3]) => &ECDSA_P384_SHA384_ASN1,
        (KeyType::P521, [4, 3]) => &ECDSA_P521_SHA256_ASN1,
        (KeyType::P521, [6, 3]) => &ECDSA_P521_SHA512_ASN1,
        (KeyType::Rsa { .. }, [4, 1]) => &RSA_PKCS1_2048_8192_SHA256,
        (KeyType::Ed25519, [8, 7]) => &ED25519,
        _ => return None,
    })
}

/// A certificate transparency log of the trusted root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CtLog {
    /// Its public key, DER SubjectPublicKeyInfo.
    pub spki_der: Vec<u8>,
    /// From when and until when the trusted root trusts it.
    pub valid_for: (Option<Timestamp>, Option<Timestamp>),
}

impl CtLog {
    /// The id by which timestamps name it: SHA-256 of its key (RFC 6962 §3.2).
    pub fn id(&self) -> [u8; 32] {
        sha256(&self.spki_der)
    }

    fn verifies(&self, algorithm_bytes: [u8; 2], message: &[u8], signature: &[u8]) -> bool {
        let key = KeyType::of(&self.spki_der).ok();
        key.and_then(|key| algorithm(key, algorithm_bytes))
            .is_some_and(|algorithm| {
                UnparsedPublicKey::new(algorithm, &self.spki_der)
                    .verify(message, signature)
                    .is_ok()
            })
    }

    fn covers(&self, moment: Timestamp) -> bool {
        let (from, until) = self.valid_for;
        from.is_none_or(|from| from <= moment) && until.is_none_or(|until| moment <= until)
    }
}

/// One timestamp, its signature not verified.
struct Sct<'a> {
    log_id: &'a [u8; 32],
    timestamp: u64,
    extensions: &'a [u8],
    algorithm: [u8; 2],
    signature: &'a [u8],
}

impl<'a> Sct<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[0])?;
        let (log_id, rest) = rest.split_first_chunk()?;
        let (timestamp, rest) = rest.split_first_chunk()?;
        let (extensions, rest) = vector(rest)?;
        let (algorithm, rest) = rest.split_first_chunk()?;
        let (signature, rest) = vector(rest)?;
        rest.is_empty().then_some(Self {
            log_id,
            timestamp: u64::from_be_bytes(*timestamp),
            extensions,
            algorithm: *algorithm,
            signature,
        })
    }

    /// The bytes that the log signed: RFC 6962 §3.2, `digitally-signed`, with a precert_entry.
    fn message(&self, issuer_key_sha256: &[u8; 32], tbs: &[u8]) -> Option<Vec<u8>> {
        let length = u32::try_from(tbs.len()).ok()?.to_be_bytes();
        let [0, length @ ..] = length else {
            return None;
        };
        let extensions = u16::try_from(self.extensions.len()).ok()?.to_be_bytes();
        let mut message = vec![0, 0];
        message.extend(self.timestamp.to_be_bytes());
        message.extend([0, 1]);
        message.extend(issuer_key_sha256);
        message.extend(length);
        message.extend(tbs);
        message.extend(extensions);
        message.extend(self.extensions);
        Some(message)
    }

    fn moment(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(i64::try_from(self.timestamp).ok()?).ok()
    }
}

/// Why none of a certificate's SCTs counts. `None` if one does, or if there is none at all (then [`Anomaly::NoSct`] is
/// reported), or if the only ones are by `unchecked` logs, whose keys cannot be used here, and none is invalid.
/// `issuer_spki` is the key of the CA that issued it.
///
/// One that verifies is enough: Fulcio embeds the SCT of the one log to which it writes.
pub(super) fn anomaly(
    certificate: &Certificate,
    issuer_spki: &[u8],
    logs: &[CtLog],
    unchecked: &[[u8; 32]],
) -> Option<Anomaly> {
    if certificate.anomalies().contains(&Anomaly::NoSct) {
        return None;
    }
    let Ok(logged) = Logged::of(certificate.tbs_der()) else {
        return Some(Anomaly::FalseSct);
    };
    let Some(scts) = logged.list.and_then(scts) else {
        return Some(Anomaly::FalseSct);
    };
    let issuer = sha256(issuer_spki);
    let (mut any_false, mut any_untimely, mut any_unknown) = (false, false, false);
    let mut any_unchecked = false;
    for sct in scts {
        let Some(sct) = Sct::read(sct) else {
            any_false = true;
            continue;
        };
        let Some(log) = logs.iter().find(|log| log.id() == *sct.log_id) else {
            any_unchecked |= unchecked.contains(sct.log_id);
            any_unknown = true;
            continue;
        };
        let verified = sct
            .message(&issuer, &logged.tbs)
            .is_some_and(|message| log.verifies(sct.algorithm, &message, sct.signature));
        // A log may be listed several times, each with another time.
        let timely = sct.moment().is_some_and(|moment| {
            logs.iter()
                .any(|log| log.id() == *sct.log_id && log.covers(moment))
        });
        match (verified, timely) {
            (true, true) => return None,
            (true, false) => any_untimely = true,
            (false, _) => any_false = true,
        }
    }
    if any_unchecked && !any_false && !any_untimely {
        return None;
    }
    Some(match (any_false, any_untimely, any_unknown) {
        (false, true, _) => Anomaly::UntimelySct,
        (false, false, true) => Anomaly::UnknownSct,
        _ => Anomaly::FalseSct,
    })
}

/// Splits `SignedCertificateTimestampList` (RFC 6962 §3.3), which is in a separate OCTET STRING.
fn scts(value: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut list, rest) = vector(der::only(value, der::OCTET_STRING).ok()?)?;
    if !rest.is_empty() {
        return None;
    }
    let mut scts = Vec::new();
    while !list.is_empty() && scts.len() < MAX_SCTS {
        let (sct, rest) = vector(list)?;
        scts.push(sct);
        list = rest;
    }
    Some(scts)
}

/// A TLS vector with a length of two bytes, and what follows it.
fn vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
