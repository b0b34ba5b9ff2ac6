//! What the library does not check of a log entry's body: the hash of the whole envelope in a `dsse` entry.
//!
//! The log hashes the JSON text that the signer sent. That text is not kept, but every known client writes it in one of a few
//! ways; an entry whose hash none of them gives is about another envelope.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::bundle::TlogEntry;
use crate::dsse::Envelope;
use crate::hash::{Algorithm, Hasher};
use crate::keyless_error::{Check, KeylessError};

#[derive(Deserialize)]
struct Body {
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(rename = "envelopeHash")]
    envelope_hash: Hash,
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

/// That a `dsse` 0.0.1 entry has the hash of this envelope.
pub(super) fn check_envelope_hash(
    entry: &TlogEntry,
    envelope: &Envelope,
) -> Result<(), KeylessError> {
    let bad = |reason: String| KeylessError::new(Check::LogEntry, reason);
    let body = entry.canonicalized_body.as_deref().unwrap_or_default();
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| bad(format!("the body of the dsse entry: {error}")))?;
    let hash = body.spec.envelope_hash;
    if hash.algorithm != "sha256" {
        return Err(bad(format!(
            "the entry hashes the envelope with {:?}, not with sha256",
            hash.algorithm
        )));
    }
    let payload = STANDARD.encode(&envelope.payload);
    for form in forms(envelope) {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(form.before.as_bytes());
        hasher.update(payload.as_bytes());
        hasher.update(form.after.as_bytes());
        if hasher.finish().to_string() == hash.value {
            return Ok(());
        }
    }
    Err(bad(format!(
        "the entry has the envelope hash {:?}, which is not this envelope's in any form that clients send",
        hash.value
    )))
}

/// A way to write the envelope, around its payload in base64.
struct Form {
    before: String,
    after: String,
}

/// The likeliest forms first: those of sigstore-python, sigstore-go and sigstore-js. Each is written when it is asked for.
fn forms(envelope: &Envelope) -> impl Iterator<Item = Form> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let kind = quoted(&envelope.payload_type);
    let signature = envelope.signatures.first().map(|signature| {
        let keyid = signature.keyid.as_deref().unwrap_or_default();
        (quoted(&STANDARD.encode(&signature.sig)), quoted(keyid))
    });
    let separators = [(":", ","), (": ", ", "), (":", ", "), (": ", ",")];
    let spelled = signature.into_iter().flat_map(move |(sig, keyid)| {
        separators.into_iter().flat_map(move |(colon, comma)| {
            let (sig, keyid) = (sig.clone(), keyid.clone());
            (0..3).map(move |order| {
                let signatures = match order {
                    0 => format!("[{{\"sig\"{colon}{sig}}}]"),
                    1 => format!("[{{\"sig\"{colon}{sig}{comma}\"keyid\"{colon}{keyid}}}]"),
                    _ => format!("[{{\"keyid\"{colon}{keyid}{comma}\"sig\"{colon}{sig}}}]"),
                };
                (colon, comma, signatures)
            })
        })
    });
    spelled.flat_map(move |(colon, comma, signatures)| {
        let kind = format!("\"payloadType\"{colon}{kind}");
        let signatures = format!("\"signatures\"{colon}{signatures}");
        let payload = format!("\"payload\"{colon}\"");
        [
            Form {
                before: format!("{{{payload}"),
                after: format!("\"{comma}{kind}{comma}{signatures}}}"),
            },
            Form {
                before: format!("{{{kind}{comma}{payload}"),
                after: format!("\"{comma}{signatures}}}"),
            },
        ]
    })
}
