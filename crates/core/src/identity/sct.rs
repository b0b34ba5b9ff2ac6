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

/// What an SCT in a certificate states, and whether it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatedSct {
    /// The id of the log that it names: SHA-256 of the log's key.
    pub log_id: [u8; 32],
    /// When that log promised to include the certificate.
    pub at: Option<Timestamp>,
    /// Whether it counts.
    pub state: SctState,
}

/// Whether an SCT counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SctState {
    /// The signature of a log of the trusted root, within the time for which it is trusted.
    Verified,
    /// The same, outside of that time.
    Untimely,
    /// The signature does not verify.
    Invalid,
    /// By a log that the trusted root does not contain.
    UnknownLog,
    /// By a log of the trusted root with a key of a kind that is not supported.
    Unchecked,
}

/// The SCTs of a certificate, at most [`MAX_SCTS`]; `None` inside stands for one that cannot be read, and
/// `None` for a list that cannot be read.
/// `issuer_spki` is the key of the CA that issued it.
pub(super) fn stated(
    certificate: &Certificate,
    issuer_spki: &[u8],
    logs: &[CtLog],
    unchecked: &[[u8; 32]],
) -> Option<Vec<Option<StatedSct>>> {
    let logged = Logged::of(certificate.tbs_der()).ok()?;
    let list = logged.list.and_then(scts)?;
    let issuer = sha256(issuer_spki);
    let state = |sct: &Sct<'_>| {
        let Some(log) = logs.iter().find(|log| log.id() == *sct.log_id) else {
            return if unchecked.contains(sct.log_id) {
                SctState::Unchecked
            } else {
                SctState::UnknownLog
            };
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
            (true, true) => SctState::Verified,
            (true, false) => SctState::Untimely,
            (false, _) => SctState::Invalid,
        }
    };
    let stated = list.into_iter().map(|bytes| {
        let sct = Sct::read(bytes)?;
        Some(StatedSct {
            log_id: *sct.log_id,
            at: sct.moment(),
            state: state(&sct),
        })
    });
    Some(stated.collect())
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
    let Some(scts) = stated(certificate, issuer_spki, logs, unchecked) else {
        return Some(Anomaly::FalseSct);
    };
    let is = |state| scts.iter().flatten().any(|sct| sct.state == state);
    if is(SctState::Verified) {
        return None;
    }
    let any_false = is(SctState::Invalid) || scts.iter().any(Option::is_none);
    let any_untimely = is(SctState::Untimely);
    let any_unchecked = is(SctState::Unchecked);
    let any_unknown = any_unchecked || is(SctState::UnknownLog);
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
