//! Where secrets may be sent, and how what servers answer gets into messages.

use bytes::Bytes;
use model_signing::sigstore::MAX_TOKEN_BYTES;
use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;

use super::error::OidcError;
use super::platform::Platform;
use crate::escape;
use crate::http::{self, Answer, HttpError};

/// Longest answer of a platform: a token, in JSON.
pub(super) const MAX_ANSWER_BYTES: usize = MAX_TOKEN_BYTES + 1024;

/// Most characters of a text from a server in a message.
const SHOWN_CHARS: usize = 200;

/// A URL to which codes, tokens and client secrets may be sent: under TLS, or on this very machine.
pub(super) fn secure(what: &'static str, text: &str) -> Result<Url, OidcError> {
    let bad = || OidcError::Url {
        what,
        url: cut(text),
    };
    let url = Url::parse(text).map_err(|_| bad())?;
    let is_secure = url.scheme() == "https" || (url.scheme() == "http" && http::is_loopback(&url));
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && url.host_str().is_some_and(|host| !host.is_empty());
    if is_secure && is_plain {
        Ok(url)
    } else {
        Err(bad())
    }
}

/// A text from a server, for a message.
pub(super) fn cut(text: &str) -> String {
    escape::truncate(text, SHOWN_CHARS).into_owned()
}

/// The JSON object that a server answered.
pub(super) fn object(server: &str, body: &[u8]) -> Result<Map<String, Value>, OidcError> {
    // The error of the parser would quote what may be a token.
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(OidcError::Answer {
            server: server.to_owned(),
            reason: "the answer is not a JSON object".to_owned(),
        }),
    }
}

/// An error without the secrets that the server may have repeated in its reason.
pub(super) fn without(secrets: &[&str], mut error: HttpError) -> OidcError {
    if let HttpError::Status { message, .. } | HttpError::RateLimited { message, .. } = &mut error
        && let Some(text) = message
    {
        *text = redacted(secrets, text);
    }
    error.into()
}

/// A text without these secrets.
pub(super) fn redacted(secrets: &[&str], text: &str) -> String {
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "[…]"))
}

/// The token in a member of a JSON answer.
pub(super) fn token_in(
    platform: Platform,
    answer: Answer<Bytes>,
    member: &str,
) -> Result<SecretString, OidcError> {
    let failed = |reason: String| OidcError::Ambient { platform, reason };
    let body = match answer {
        Answer::Found(body) => body,
        Answer::Absent(absence) => {
            // Without the server's reason, in which the credentials of the request may be.
            return Err(failed(format!(
                "{} answered {}",
                absence.url, absence.status
            )));
        }
    };
    match object(&platform.to_string(), &body)?.get(member) {
        Some(Value::String(token)) if !token.is_empty() => Ok(SecretString::from(token.as_str())),
        _ => Err(failed(format!("the answer has no token (`{member}`)"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_out_under_tls_or_stay_on_this_machine() {
        for (url, allowed) in [
            ("https://idp.example/auth", true),
            ("HTTPS://idp.example", true),
            ("http://127.0.0.1:8080/auth", true),
            ("http://localhost:8080", true),
            ("http://[::1]/", true),
            ("http://idp.example/auth", false),
            ("http://127.0.0.1.idp.example/", false),
            ("http://10.0.0.1/", false),
            ("https://user:s3cret@idp.example/", false),
            ("https://idp.example/#x", false),
            ("ftp://idp.example/", false),
            ("file:///etc/passwd", false),
            ("data:,x", false),
            ("/auth", false),
            ("", false),
        ] {
            assert_eq!(secure("it", url).is_ok(), allowed, "{url}");
        }
    }

    #[test]
    fn a_secret_that_a_server_repeats_is_cut_out() {
        let error = HttpError::Status {
            url: "https://idp.example".to_owned(),
            status: 400,
            message: Some("bad code s3cret, s3cret!".to_owned()),
        };
        let shown = without(&["s3cret", ""], error).to_string();
        assert!(shown.ends_with("bad code […], […]!"), "{shown}");
    }
}
