//! Single claims of a token.

use serde_json::{Map, Value};

use super::error::TokenError;

/// Most audiences of a token.
const MAX_AUDIENCES: usize = 64;

/// Numbers beyond it are not exact as JSON (RFC 8259 §6).
const MAX_NUMBER: f64 = 9_007_199_254_740_992.0;

/// A text that must be there.
pub(super) fn text<'a>(
    claims: &'a Map<String, Value>,
    name: &'static str,
) -> Result<&'a str, TokenError> {
    match claims.get(name) {
        None | Some(Value::Null) => Err(TokenError::Missing(name)),
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(_) => Err(TokenError::Claim(name, "a text")),
    }
}

/// A NumericDate (RFC 7519 §2): seconds of Unix time, fractions of which are cut off.
pub(super) fn number(
    claims: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<i64>, TokenError> {
    let bad = TokenError::Claim(name, "a number of seconds");
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(seconds), _) => Ok(Some(seconds)),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it is in the range of an i64"
            )]
            (None, Some(seconds)) if seconds.abs() <= MAX_NUMBER => {
                Ok(Some(seconds.floor() as i64))
            }
            _ => Err(bad),
        },
        Some(_) => Err(bad),
    }
}

/// One text, or a list of them.
pub(super) fn audience(claims: &Map<String, Value>) -> Result<Vec<String>, TokenError> {
    let bad = || TokenError::Claim("aud", "a text or a list of texts");
    match claims.get("aud") {
        None | Some(Value::Null) => Err(TokenError::Missing("aud")),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(all)) if all.len() <= MAX_AUDIENCES => all
            .iter()
            .map(|one| one.as_str().map(str::to_owned).ok_or_else(bad))
            .collect(),
        Some(_) => Err(bad()),
    }
}

/// The claim `email`, if the token has one.
pub(super) fn email(claims: &Map<String, Value>) -> Option<&str> {
    let address = claims.get("email")?.as_str()?;
    (!address.is_empty()).then_some(address)
}

/// Whether a claim is true; some providers write it as text (Fulcio reads both).
pub(super) fn is_true(claims: &Map<String, Value>, name: &str) -> bool {
    match claims.get(name) {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}
