//! Sigstore's documents about an instance: JSON in protobuf's mapping.

use serde_json::{Map, Value};

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

/// Reads a JSON object, its names in camelCase: protobuf's JSON mapping allows snake_case as well.
pub(super) fn document(json: &[u8]) -> Result<Map<String, Value>, TrustError> {
    if json.len() > MAX_TRUST_BYTES {
        return Err(TrustError::TooLong);
    }
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let value = serde_json::from_slice(json)
        .map_err(|error| TrustError::Format(format!("not JSON: {error}")))?;
    match camel(value)? {
        Value::Object(object) => Ok(object),
        _ => Err(TrustError::Format("not a JSON object".to_owned())),
    }
}

fn camel(value: Value) -> Result<Value, TrustError> {
    Ok(match value {
        Value::Array(items) => {
            Value::Array(items.into_iter().map(camel).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let mut renamed = Map::new();
            for (name, value) in members {
                let mut words = name.split('_');
                let mut camel_name = words.next().unwrap_or_default().to_owned();
                for word in words {
                    let mut letters = word.chars();
                    camel_name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                    camel_name.push_str(letters.as_str());
                }
                // Off-spec: protobuf's mapping takes the last of two. That is refused here: two readers must not read two values.
                if renamed.contains_key(&camel_name) {
                    return Err(TrustError::Format(format!("{camel_name} is there twice")));
                }
                renamed.insert(camel_name, camel(value)?);
            }
            Value::Object(renamed)
        }
        other => other,
    })
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
