//! A POST of one JSON object with the headers of Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks>, spec §"Webhook headers").

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::http::{AddressPolicy, Client, Kept, Method};

use super::channel_type::{ChannelSettings, ChannelType, KeyType, Place, Written};
use super::reply::{Call, judge};
use super::{Lacking, Links, Message, Notifier, NotifyError, Receipt, render, template};
use crate::secret::{SecretError, SecretSource, UrlSource};

/// What marks a secret whose bytes are written in base64.
const BASE64_SECRET: &str = "whsec_";

/// A POST of one JSON object.
pub(super) const TYPE: ChannelType = ChannelType {
    name: "webhook",
    keys: &[
        ("url", KeyType::Url),
        ("secret", KeyType::Secret),
        ("headers", KeyType::Variables),
        ("template", KeyType::File),
        ("content_type", KeyType::Text),
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
    /// Names of headers to add, and where their values come from.
    pub(super) headers: Vec<(String, SecretSource)>,
    /// Writes the body instead of the JSON line.
    pub(super) template: Option<Template>,
    /// Host names, or literal addresses, that may lead into a private network.
    pub(super) allow_private: Vec<String>,
}

/// What a template writes.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// Its file.
    pub(super) path: PathBuf,
    /// The media type of what it writes.
    pub(super) content_type: String,
}

impl Template {
    fn is_json(&self) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        essence == "application/json" || essence.ends_with("+json")
    }
}

const JSON: &str = "application/json";

/// Headers of the connection and of the body, which the HTTP client sets.
const RESERVED: [&str; 12] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-authorization",
];

fn headers(written: &mut Written) -> Vec<(String, SecretSource)> {
    let mut headers = Vec::new();
    for (name, variable) in written.variables("headers") {
        let lower = name.to_ascii_lowercase();
        let is_name = !lower.is_empty()
            && lower
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
        let problem = if !is_name {
            format!("{name:?} is not the name of a header")
        } else if RESERVED.contains(&lower.as_str()) || lower.starts_with("webhook-") {
            format!("the header {name} is set by modelwatch")
        } else if headers.iter().any(|(known, _)| *known == lower) {
            format!("the header {name} is given twice")
        } else {
            headers.push((lower, SecretSource::Env(variable)));
            continue;
        };
        let hint = (lower == "content-type").then_some("use content_type");
        written.error(Place::Key("headers_env"), problem, hint);
    }
    headers
}

fn template(written: &mut Written) -> Option<Template> {
    let content_type = written.text("content_type").map(ToOwned::to_owned);
    if let Some(content_type) = &content_type {
        let is_type = content_type.contains('/')
            && content_type
                .chars()
                .all(|c| c == ' ' || c.is_ascii_graphic());
        if !is_type {
            written.error(
                Place::Key("content_type"),
                "is not a media type",
                Some("write text/plain, or leave it out for JSON"),
            );
        }
        if !written.has("template") {
            written.error(
                Place::Key("content_type"),
                "without a template the body is JSON",
                Some("add a template, or leave content_type out"),
            );
        }
    }
    Some(Template {
        path: written.file("template")?,
        content_type: content_type.unwrap_or_else(|| JSON.to_owned()),
    })
}

fn read(written: &mut Written) -> Option<Arc<dyn ChannelSettings>> {
    if !written.has("secret") {
        written.warning(
            Place::Channel,
            "the requests are not signed: the receiver cannot verify their sender",
            Some("give secret_env or secret_file"),
        );
    }
    let (headers, template) = (headers(written), template(written));
    Some(Arc::new(WebhookSettings {
        url: written.required_url("url")?,
        secret: written.secret("secret"),
        headers,
        template,
        allow_private: written.texts("allow_private"),
    }))
}

#[async_trait]
impl ChannelSettings for WebhookSettings {
    fn notifier(&self, http: &Client, links: &Links) -> Box<dyn Notifier> {
        Box::new(Webhook::new(self.clone(), http.clone(), links.clone()))
    }

    fn secrets(&self) -> Vec<SecretSource> {
        let mut sources: Vec<SecretSource> = self.url.secret().into_iter().cloned().collect();
        sources.extend(self.secret.clone());
        sources.extend(self.headers.iter().map(|(_, source)| source.clone()));
        sources
    }

    async fn lacking(&self) -> Vec<Lacking> {
        let mut lacking: Vec<Lacking> = Lacking::url(&self.url).await.into_iter().collect();
        if let Some(source) = &self.secret
            && let Err(error) = signing_key(source).await
        {
            lacking.push(Lacking::of_secret("secret", source, error));
        }
        for (_, source) in &self.headers {
            lacking.extend(Lacking::secret("headers", source).await);
        }
        if let Some(of_channel) = &self.template {
            for sample in Message::tests(Timestamp::UNIX_EPOCH) {
                let path = &of_channel.path;
                let links = Links::default();
                let written = template::body(path, &sample, &links, of_channel.is_json()).await;
                if let Err(error) = written {
                    lacking.push(Lacking::new("template", error));
                    break;
                }
            }
        }
        lacking
    }
}

/// Posts messages to one URL.
pub(super) struct Webhook {
    settings: WebhookSettings,
    policy: AddressPolicy,
    http: Client,
    links: Links,
}

impl Webhook {
    pub(super) fn new(settings: WebhookSettings, http: Client, links: Links) -> Self {
        Self {
            policy: AddressPolicy::allowing(&settings.allow_private),
            settings,
            http,
            links,
        }
    }

    /// The body and its media type. If the template fails, it is the line without one, and the reason is a complaint: an
    /// alert must not wait for a template.
    async fn body(&self, message: &Message, receipt: &mut Receipt) -> (String, &str) {
        let Some(of_channel) = &self.settings.template else {
            return (render::json(message), JSON);
        };
        let Template { path, content_type } = of_channel;
        match template::body(path, message, &self.links, of_channel.is_json()).await {
            Ok(body) => (body, content_type),
            Err(error) => {
                receipt.complaint = Some(format!("the line without template was sent: {error}"));
                (render::json(message), JSON)
            }
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
    async fn send_to_rest(
        &self,
        message: &Message,
        receipt: &mut Receipt,
        now: Timestamp,
    ) -> Result<(), NotifyError> {
        let url = self.settings.url.read().await?;
        let mut values = Vec::new();
        for (name, source) in &self.settings.headers {
            values.push((name.as_str(), source.read().await?));
        }
        receipt.complaint = None;
        let (body, content_type) = self.body(message, receipt).await;
        // The time of this attempt, not of the alert: receivers refuse old ones as replays.
        let seconds = now.as_second().to_string();
        let signature = self.signature(&message.id, &seconds, &body).await?;
        let mut headers = vec![
            ("content-type", content_type),
            ("webhook-id", message.id.as_str()),
            ("webhook-timestamp", seconds.as_str()),
        ];
        if let Some(signature) = &signature {
            headers.push(("webhook-signature", signature));
        }
        let values: Vec<(&str, &str)> = values
            .iter()
            .map(|(name, value)| (*name, value.expose_secret()))
            .collect();
        headers.extend(&values);
        let secrets: Vec<&str> = values.iter().map(|(_, value)| *value).collect();
        let call = Call {
            method: Method::Post,
            url: &url,
            headers: &headers,
            body,
            kept: Kept::Beginning,
            secrets: &secrets,
        };
        judge(&call.send(&self.http, &self.policy).await?)
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

    use std::time::Duration;

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
            headers: Vec::new(),
            template: None,
            allow_private: allow.iter().map(ToString::to_string).collect(),
        };
        (
            dir,
            Webhook::new(settings, Client::default(), Links::default()),
        )
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
    async fn a_template_writes_the_body_and_its_failure_sends_the_line_and_is_reported() {
        let sink = HttpSink::start(&[(204, "", ""), (204, "", "")]).await;
        let (dir, mut webhook) = webhook(&sink, &["127.0.0.1"]).await;
        let path = dir.path().join("alert.j2");
        webhook.settings.template = Some(Template {
            path: path.clone(),
            content_type: "application/vnd.chat+json; v=1".to_owned(),
        });
        let message = testing::alert(vec![testing::hostile("x\", \"y\": \"")]);
        for (template, complains) in [("{\"text\": {{ summary }}}", false), ("{{ summary", true)] {
            std::fs::write(&path, template).unwrap();
            let mut receipt = Receipt::default();
            webhook
                .send_to_rest(&message, &mut receipt, testing::NOW)
                .await
                .unwrap();
            assert_eq!(receipt.complaint.is_some(), complains, "{receipt:?}");
            let lacking = webhook.settings.lacking().await;
            assert_eq!(
                lacking.iter().any(|lacking| lacking.key == "template"),
                complains
            );
        }
        let requests = sink.requests();
        assert!(
            requests[0].ends_with("{\"text\": \"x\\\", \\\"y\\\": \\\"\"}"),
            "{}",
            requests[0]
        );
        assert!(requests[0].contains("content-type: application/vnd.chat+json; v=1\r\n"));
        assert!(requests[1].ends_with(&render::json(&message)));
        assert!(requests[1].contains("content-type: application/json\r\n"));
    }

    #[tokio::test]
    async fn a_header_has_the_value_of_its_variable_and_no_error_contains_it() {
        let value = "Bearer s3cr3t-t0ken";
        let echo = format!("not you: {value}");
        let sink = HttpSink::start(&[(403, "", &echo)]).await;
        let (dir, mut webhook) = webhook(&sink, &["127.0.0.1"]).await;
        let file = dir.path().join("header");
        std::fs::write(&file, value).unwrap();
        webhook.settings.headers = vec![("x-token".to_owned(), SecretSource::File(file))];
        let error = webhook
            .send(&testing::alert(vec![]), testing::NOW)
            .await
            .unwrap_err();
        assert!(sink.requests()[0].contains(&format!("x-token: {value}\r\n")));
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
        webhook.settings.headers[0].1 = SecretSource::Env("MODELWATCH_NO_SUCH_VARIABLE".to_owned());
        let lacking = webhook.settings.lacking().await;
        assert_eq!(lacking[0].key, "headers_env");
    }

    #[test]
    fn headers_of_the_connection_and_of_the_signature_cannot_be_set() {
        for (name, message) in [
            ("Host", "is set by modelwatch"),
            ("content-length", "is set by modelwatch"),
            ("Webhook-Signature", "is set by modelwatch"),
            ("Content-Type", "is set by modelwatch"),
            ("X Y", "is not the name of a header"),
        ] {
            let mut written = Written::new(std::path::Path::new("/"));
            written.insert(
                "headers",
                super::super::Value::Variables(vec![(name.to_owned(), "V".to_owned())]),
            );
            assert!(headers(&mut written).is_empty());
            let remarks = written.into_remarks();
            assert!(remarks[0].message.contains(message), "{remarks:?}");
        }
        let mut written = Written::new(std::path::Path::new("/"));
        let twice =
            ["Authorization", "authorization"].map(|name| (name.to_owned(), "V".to_owned()));
        written.insert("headers", super::super::Value::Variables(twice.to_vec()));
        assert_eq!(headers(&mut written).len(), 1);
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
}
