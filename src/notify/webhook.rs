//! A POST of one JSON object with the headers of Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks>, spec §"Webhook headers").

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::http::{AddressPolicy, Client, HttpError, PostReply};

use super::channel_type::{ChannelSettings, ChannelType, KeyType, Place, Written};
use super::error::remote_text;
use super::{Lacking, Message, Notifier, NotifyError, render};
use crate::secret::{SecretError, SecretSource, UrlSource};

/// Standard Webhooks recommends 15 to 30 s.
const TIME_LIMIT: Duration = Duration::from_secs(15);

/// What marks a secret whose bytes are written in base64.
const BASE64_SECRET: &str = "whsec_";

/// A POST of one JSON object.
pub(super) const TYPE: ChannelType = ChannelType {
    name: "webhook",
    keys: &[
        ("url", KeyType::Url),
        ("secret", KeyType::Secret),
        ("allow_private", KeyType::Texts),
    ],
    read,
};

/// A POST of one JSON object, signed as Standard Webhooks requires.
#[derive(Debug, Clone)]
pub(super) struct WebhookSettings {
    /// Where to.
    pub(super) url: UrlSource,
    /// The key of the signature: `whsec_<base64>`, or the key's bytes themselves. Without it, messages are not signed.
    pub(super) secret: Option<SecretSource>,
    /// Host names, or literal addresses, that may lead into a private network.
    pub(super) allow_private: Vec<String>,
}

fn read(written: &mut Written) -> Option<Arc<dyn ChannelSettings>> {
    if !written.has("secret") {
        written.warning(
            Place::Channel,
            "the requests are not signed: the receiver cannot verify their sender",
            Some("give secret_env or secret_file"),
        );
    }
    Some(Arc::new(WebhookSettings {
        url: written.url("url")?,
        secret: written.secret("secret"),
        allow_private: written.texts("allow_private"),
    }))
}

#[async_trait]
impl ChannelSettings for WebhookSettings {
    fn notifier(&self, http: &Client) -> Box<dyn Notifier> {
        Box::new(Webhook::new(self.clone(), http.clone()))
    }

    fn secrets(&self) -> Vec<SecretSource> {
        let mut sources: Vec<SecretSource> = self.url.secret().into_iter().cloned().collect();
        sources.extend(self.secret.clone());
        sources
    }

    async fn lacking(&self) -> Vec<Lacking> {
        let mut lacking: Vec<Lacking> = Lacking::url(&self.url).await.into_iter().collect();
        if let Some(source) = &self.secret
            && let Err(error) = signing_key(source).await
        {
            lacking.push(Lacking::of_secret("secret", source, error));
        }
        lacking
    }
}

/// Posts messages to one URL.
pub(super) struct Webhook {
    settings: WebhookSettings,
    policy: AddressPolicy,
    http: Client,
}

impl Webhook {
    pub(super) fn new(settings: WebhookSettings, http: Client) -> Self {
        Self {
            policy: AddressPolicy::allowing(&settings.allow_private),
            settings,
            http,
        }
    }

    async fn signature(
        &self,
        id: &str,
        seconds: &str,
        body: &str,
    ) -> Result<Option<String>, SecretError> {
        let Some(source) = &self.settings.secret else {
            return Ok(None);
        };
        let key = signing_key(source).await?;
        Ok(Some(sign(&key, id, seconds, body)))
    }
}

#[async_trait]
impl Notifier for Webhook {
    async fn send(&self, message: &Message, now: Timestamp) -> Result<(), NotifyError> {
        let url = self.settings.url.read().await?;
        let body = render::json(message);
        // The time of this attempt, not of the alert: receivers refuse old ones as replays.
        let seconds = now.as_second().to_string();
        let signature = self.signature(&message.id, &seconds, &body).await?;
        let mut headers = vec![
            ("content-type", "application/json"),
            ("webhook-id", message.id.as_str()),
            ("webhook-timestamp", seconds.as_str()),
        ];
        if let Some(signature) = &signature {
            headers.push(("webhook-signature", signature));
        }
        let reply = self
            .http
            .post(&url, &headers, body.into(), TIME_LIMIT, &self.policy)
            .await
            .map_err(|error| not_sent(&error))?;
        judge(&reply)
    }
}

/// The meaning of an answer. Redirects are not followed: one to another host would send the findings there.
fn judge(reply: &PostReply) -> Result<(), NotifyError> {
    let PostReply { name, status, .. } = reply;
    let reason = match &reply.message {
        Some(message) => format!("{name} answered {status}: {}", remote_text(message)),
        None => format!("{name} answered {status}"),
    };
    match status {
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

/// The key that messages are signed with, as it is now.
async fn signing_key(source: &SecretSource) -> Result<Vec<u8>, SecretError> {
    let secret = source.read().await?;
    key(secret.expose_secret()).ok_or_else(|| SecretError::NotBase64 {
        source_name: source.to_string(),
    })
}

/// The bytes of the key; `None` if it begins like base64 and is not.
fn key(secret: &str) -> Option<Vec<u8>> {
    match secret.strip_prefix(BASE64_SECRET) {
        Some(encoded) => BASE64.decode(encoded).ok(),
        None => Some(secret.as_bytes().to_vec()),
    }
}

/// `v1,<base64 of HMAC-SHA256 over id.timestamp.body>`
fn sign(key: &[u8], id: &str, seconds: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut mac = hmac::Context::with_key(&key);
    for part in [id, ".", seconds, ".", body] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", BASE64.encode(mac.sign()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::notify::testing::{self, HttpSink};

    async fn webhook(sink: &HttpSink, allow: &[&str]) -> (tempfile::TempDir, Webhook) {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        tokio::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
            .await
            .unwrap();
        let settings = WebhookSettings {
            url: UrlSource::Literal(sink.url()),
            secret: Some(SecretSource::File(secret)),
            allow_private: allow.iter().map(ToString::to_string).collect(),
        };
        (dir, Webhook::new(settings, Client::default()))
    }

    #[test]
    fn the_signature_is_that_of_the_standards_test_vector() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_base64_only_with_its_prefix() {
        assert_eq!(key("whsec_AAEC").unwrap(), [0, 1, 2]);
        assert_eq!(key("AAEC").unwrap(), b"AAEC");
        assert_eq!(key("whsec_not base64"), None);
    }

    #[tokio::test]
    async fn a_message_is_posted_with_id_time_and_signature() {
        let sink = HttpSink::start(&[(204, "", "")]).await;
        let (_dir, webhook) = webhook(&sink, &["127.0.0.1"]).await;
        let message = testing::alert(vec![testing::hostile("evil\r\nX-Header: 1")]);
        webhook.send(&message, testing::NOW).await.unwrap();
        let request = sink.requests().pop().unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        let header = |name: &str| {
            let line = head
                .lines()
                .find(|l| l.starts_with(&format!("{name}: ")))
                .unwrap();
            line.split_once(": ").unwrap().1.to_owned()
        };
        assert!(head.starts_with("post /hook http/1.1"), "{head}");
        assert_eq!(header("webhook-id"), message.id);
        assert_eq!(
            header("webhook-timestamp"),
            testing::NOW.as_second().to_string()
        );
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(body, render::json(&message));
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(
            &key,
            &message.id,
            &testing::NOW.as_second().to_string(),
            body,
        );
        assert_eq!(header("webhook-signature"), signature.to_ascii_lowercase());
    }

    #[tokio::test]
    async fn a_private_target_is_refused_unless_allowed_by_name() {
        let sink = HttpSink::start(&[]).await;
        let (_dir, webhook) = webhook(&sink, &["other.example"]).await;
        let error = webhook
            .send(&testing::alert(vec![]), testing::NOW)
            .await
            .unwrap_err();
        assert!(matches!(error, NotifyError::Setup { .. }), "{error}");
        assert!(error.to_string().contains("allow_private"), "{error}");
        assert!(sink.requests().is_empty());
    }

    #[tokio::test]
    async fn a_requested_pause_is_obeyed() {
        let sink = HttpSink::start(&[(429, "Retry-After: 120\r\n", "slow\u{1b}[2J down")]).await;
        let (_dir, webhook) = webhook(&sink, &["127.0.0.1"]).await;
        let error = webhook
            .send(&testing::alert(vec![]), testing::NOW)
            .await
            .unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_mins(2)));
        assert!(
            error
                .to_string()
                .ends_with(r"answered 429: slow\\u{1b}[2J down"),
            "{error}"
        );
    }

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
        let error = judge(&reply(404)).unwrap_err().to_string();
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
            let error = judge(&reply(status)).unwrap_err();
            let is = (error.needs_operator(), error.is_about_the_message());
            assert_eq!(is, (operator, message), "{status}");
        }
        assert!(judge(&reply(200)).is_ok() && judge(&reply(202)).is_ok());
    }
}
