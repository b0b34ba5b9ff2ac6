//! Sigstore's documents about an instance: JSON in protobuf's mapping.

use serde_json::{Map, Value};

use crate::json::Document;

/// Longest trusted root or trust configuration that is read: 4 MiB. That of the public instance has 10 KiB.
pub const MAX_TRUST_BYTES: usize = 4 << 20;

/// Why trust cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Longer than [`MAX_TRUST_BYTES`].
    #[error("longer than {MAX_TRUST_BYTES} bytes, which no trusted root is")]
    TooLong,
    /// Not JSON of that kind.
    #[error("{0}")]
    Format(String),
    /// Another document.
    #[error("its mediaType is {found:?}, and should begin with {needed:?}")]
    MediaType {
        /// What it is.
        found: String,
        /// What it should begin with.
        needed: &'static str,
    },
    /// Nothing in it can be used together.
    #[error("cannot be used: {0}")]
    Unusable(String),
}

/// Every name of a trusted root, a signing configuration and a client trust configuration (sigstore_trustroot.proto).
const NAMES: [&str; 35] = [
    "baseUrl",
    "caUrls",
    "certChain",
    "certificateAuthorities",
    "certificates",
    "checkpointKeyId",
    "commonName",
    "count",
    "ctlogs",
    "end",
    "hashAlgorithm",
    "keyDetails",
    "keyId",
    "logId",
    "majorApiVersion",
    "mediaType",
    "oidcUrls",
    "operator",
    "organization",
    "publicKey",
    "rawBytes",
    "rekorTlogConfig",
    "rekorTlogUrls",
    "selector",
    "signingConfig",
    "start",
    "subject",
    "timestampAuthorities",
    "tlogs",
    "trustedRoot",
    "tsaConfig",
    "tsaUrls",
    "uri",
    "url",
    "validFor",
];

/// Reads a JSON object, its names in camelCase: protobuf's JSON mapping allows snake_case as well.
// Off-spec: protobuf's mapping takes the last of two members of one name, and ignores names that it does not know. Here, two of
// one name and a slip in a name are errors: two readers must not read two values, and a period that is not read is no limit.
pub(super) fn document(json: &[u8]) -> Result<Map<String, Value>, TrustError> {
    if json.len() > MAX_TRUST_BYTES {
        return Err(TrustError::TooLong);
    }
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let parsed = Document::parse(json, MAX_TRUST_BYTES);
    let value = parsed.and_then(|document| document.to_value(&NAMES));
    match value.map_err(|error| TrustError::Format(error.to_string()))? {
        Value::Object(object) => Ok(object),
        _ => Err(TrustError::Format("not a JSON object".to_owned())),
    }
}

pub(super) fn media_type(
    document: &Map<String, Value>,
    needed: &'static str,
) -> Result<(), TrustError> {
    let found = document.get("mediaType").and_then(Value::as_str);
    let found = found.unwrap_or_default();
    if found.starts_with(needed) {
        return Ok(());
    }
    Err(TrustError::MediaType {
        found: found.chars().take(80).collect(),
        needed,
    })
}
