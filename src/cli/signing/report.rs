//! Parts of the report of a verification.

use jiff::Timestamp;
use model_signing::certificate::Summary;
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
