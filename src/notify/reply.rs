//! Requests of channels over HTTP, and what the answers mean.

use std::time::Duration;

use url::Url;

use crate::http::{
    AddressPolicy, Client, HttpError, Kept, Method, PostReply, SingleRequest, is_loopback,
};

use super::NotifyError;
use super::error::remote_text;

/// The time limit of one request. Standard Webhooks recommends 15 to 30 s.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(15);

/// So many characters of a secret are enough to recognise it; the secrets of chats and tokens are longer.
const TELLING_CHARS: usize = 12;

/// Whether a request to this URL may contain a secret: with TLS, or on the same machine.
pub(super) fn may_have_secrets(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// One request of a channel.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: &'a Url,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: String,
    /// What is needed of the answer besides its status.
    pub(super) kept: Kept,
    /// Secrets that the server could repeat in its answer, besides path and query of the URL.
    pub(super) secrets: &'a [&'a str],
}

impl Call<'_> {
    /// Sends the request once. Redirects are answers: one to another host would send the findings there.
    ///
    /// # Errors
    /// There is no answer.
    pub(super) async fn send(
        self,
        http: &Client,
        policy: &AddressPolicy,
    ) -> Result<PostReply, NotifyError> {
        let Self {
            method,
            url,
            headers,
            body,
            kept,
            secrets,
        } = self;
        let sent = http.send(SingleRequest {
            method,
            url,
            headers,
            body: body.into(),
            kept,
            time_limit: TIME_LIMIT,
            policy,
        });
        let mut reply = sent.await.map_err(|error| not_sent(&error))?;
        let repeats = |message: &String| {
            let in_url = std::iter::once(url.path()).chain(url.query());
            let mut known = in_url.chain(secrets.iter().copied());
            known.any(|secret| repeats_a_secret(message, secret))
        };
        // Some servers repeat the request in their errors.
        reply.message = reply.message.filter(|message| !repeats(message));
        Ok(reply)
    }
}

/// Shorter texts, such as the path `/hook`, are no secrets.
const SHORTEST_SECRET: usize = 6;

/// Whether a text has the secret or a part of it in it.
fn repeats_a_secret(text: &str, secret: &str) -> bool {
    if secret.len() >= SHORTEST_SECRET && text.contains(secret) {
        return true;
    }
    let parts = secret.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
    let mut beginnings = parts.filter_map(|part| part.get(..TELLING_CHARS));
    beginnings.any(|beginning| text.contains(beginning))
}

/// The sentence about an answer.
pub(super) fn reason(reply: &PostReply) -> String {
    let PostReply { name, status, .. } = reply;
    match &reply.message {
        Some(message) => format!("{name} answered {status}: {}", remote_text(message)),
        None => format!("{name} answered {status}"),
    }
}

/// The meaning of an answer.
///
/// # Errors
/// The message was not accepted.
pub(super) fn judge(reply: &PostReply) -> Result<(), NotifyError> {
    let reason = reason(reply);
    match reply.status {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500..=599 => Err(NotifyError::Unavailable {
            reason,
            retry_after: reply.retry_after,
        }),
        // About the body: too large, not understood. Other messages may be accepted.
        400 | 409 | 413 | 415 | 422 => Err(NotifyError::Refused { reason }),
        // Wrong address, wrong secret, gone, moved.
        _ => Err(NotifyError::Denied { reason }),
    }
}

fn not_sent(error: &HttpError) -> NotifyError {
    let text = error.to_string();
    match error {
        HttpError::ForbiddenAddress { .. } => NotifyError::Setup {
            what: format!("{text}: to allow it, add the host to allow_private"),
        },
        error if error.is_setup() => NotifyError::Setup { what: text },
        _ => NotifyError::unavailable(remote_text(&text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16) -> PostReply {
        PostReply {
            name: "https://hooks.example/…".to_owned(),
            status,
            retry_after: None,
            message: Some("no_service".to_owned()),
            body: "no_service".into(),
        }
    }

    #[test]
    fn errors_contain_the_host_and_its_message() {
        let error = judge(&reply(404)).expect_err("a refusal").to_string();
        assert_eq!(error, "https://hooks.example/… answered 404: no_service");
    }

    #[test]
    fn answers_determine_the_next_try() {
        for (status, operator, message) in [
            (301, true, false),
            (400, false, true),
            (401, true, false),
            (404, true, false),
            (408, false, false),
            (410, true, false),
            (413, false, true),
            (422, false, true),
            (429, false, false),
            (500, false, false),
            (503, false, false),
        ] {
            let error = judge(&reply(status)).expect_err("a refusal");
            let is = (error.needs_operator(), error.is_about_the_message());
            assert_eq!(is, (operator, message), "{status}");
        }
        assert!(judge(&reply(200)).is_ok() && judge(&reply(202)).is_ok());
    }

    #[test]
    fn a_part_of_a_secret_is_recognised() {
        for (text, secret, repeats) in [
            (
                "no T0/B0/abcdefghijklmnop",
                "/services/T0/B0/abcdefghijklmnop",
                true,
            ),
            ("bad token ghp_0123456789", "ghp_0123456789abcdef", true),
            ("no_service", "/services/T0/B0/abcdefghijklmnop", false),
            ("not found", "/hook", false),
            ("wrong: pass-word", "pass-word", true),
        ] {
            assert_eq!(repeats_a_secret(text, secret), repeats, "{text}");
        }
    }
}
