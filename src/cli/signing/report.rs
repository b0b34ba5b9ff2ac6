//! Parts of the report of a verification.

use jiff::Timestamp;
use model_signing::certificate::Summary;
use model_signing::key::PublicKey;
use serde_json::{Value, json};

/// A certificate as a report has it; `None` if it cannot be read.
pub(super) fn certificate_report(der: &[u8]) -> Option<Value> {
    let time = |second| Timestamp::from_second(second).map(|time| time.to_string());
    let certificate = Summary::of(der).ok()?;
    Some(json!({
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "sha256": certificate.sha256,
        "not_before": time(certificate.not_before).ok(),
        "not_after": time(certificate.not_after).ok(),
    }))
}

/// Who signed, of a signature with a key or a certificate that was verified; all empty otherwise.
#[derive(Debug, Default)]
pub(super) struct SignerReport {
    /// `key` or `certificate`.
    pub(super) method: Option<&'static str>,
    pub(super) key: Option<Value>,
    pub(super) certificate: Option<Value>,
    /// When trusted authorities saw the signature, RFC 3339.
    pub(super) timestamps: Vec<String>,
}

impl SignerReport {
    /// `stamped`: the proven times, in seconds of Unix time.
    pub(super) fn new(key: &PublicKey, certificate: Option<&[u8]>, stamped: &[i64]) -> Self {
        let certificate = certificate.and_then(certificate_report);
        Self {
            method: Some(match certificate {
                Some(_) => "certificate",
                None => "key",
            }),
            key: Some(json!({"algorithm": key.algorithm(), "hint": key.hint()})),
            certificate,
            timestamps: stamped
                .iter()
                .filter_map(|second| Timestamp::from_second(*second).ok())
                .map(|time| time.to_string())
                .collect(),
        }
    }
}
