//! What the chats have in common: a POST of JSON to a URL that is a secret.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use crate::http::{AddressPolicy, Client, Kept, Method};
use crate::secret::{SecretSource, UrlSource};

use super::channel_type::{ChannelSettings, KeyType, Place, Written};
use super::reply::{Call, judge};
use super::{Lacking, Links, Message, Notifier, NotifyError, Receipt};

/// The keys of a chat.
pub(super) const KEYS: &[(&str, KeyType)] =
    &[("url", KeyType::Url), ("allow_private", KeyType::Texts)];

/// How one kind of chat is written to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// The body of the request.
    pub(super) body: fn(&Message, &Links) -> Value,
    /// A parameter to add to the URL.
    pub(super) parameter: Option<(&'static str, &'static str)>,
}

/// The settings of a chat.
#[derive(Debug, Clone)]
pub(super) struct ChatSettings {
    form: Form,
    url: UrlSource,
    allow_private: Vec<String>,
}

impl ChatSettings {
    /// Reads [`KEYS`].
    pub(super) fn read(written: &mut Written, form: Form) -> Option<Arc<dyn ChannelSettings>> {
        let url = written.required_url("url")?;
        if matches!(url, UrlSource::Literal(_)) {
            written.error(
                Place::Key("url"),
                "the URL of a chat is a secret: everybody who has it can write there",
                Some("use url_env or url_file"),
            );
            return None;
        }
        Some(Arc::new(Self {
            form,
            url,
            allow_private: written.texts("allow_private"),
        }))
    }

    #[cfg(test)]
    pub(super) const fn of(form: Form, url: UrlSource, allow_private: Vec<String>) -> Self {
        Self {
            form,
            url,
            allow_private,
        }
    }
}

#[async_trait]
impl ChannelSettings for ChatSettings {
    fn notifier(&self, http: &Client, links: &Links) -> Box<dyn Notifier> {
        Box::new(Chat {
            policy: AddressPolicy::allowing(&self.allow_private),
            settings: self.clone(),
            http: http.clone(),
            links: links.clone(),
        })
    }

    fn secrets(&self) -> Vec<SecretSource> {
        self.url.secret().into_iter().cloned().collect()
    }

    async fn lacking(&self) -> Vec<Lacking> {
        Lacking::url(&self.url).await.into_iter().collect()
    }
}

struct Chat {
    settings: ChatSettings,
    policy: AddressPolicy,
    http: Client,
    links: Links,
}

#[async_trait]
impl Notifier for Chat {
    async fn send_to_rest(
        &self,
        message: &Message,
        _: &mut Receipt,
        _: Timestamp,
    ) -> Result<(), NotifyError> {
        let mut url = self.settings.url.read().await?;
        if let Some((name, value)) = self.settings.form.parameter {
            url.query_pairs_mut().append_pair(name, value);
        }
        let call = Call {
            method: Method::Post,
            url: &url,
            headers: &[("content-type", "application/json")],
            body: (self.settings.form.body)(message, &self.links).to_string(),
            kept: Kept::Beginning,
            secrets: &[],
        };
        judge(&call.send(&self.http, &self.policy).await?)
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use std::time::Duration;

    use super::*;
    use crate::finding::{Severity, Verdict};
    use crate::notify::Kind;
    use crate::notify::testing::{self, Answer, FakeServer, HOSTILE, Received};
    use crate::store::FindingCounts;

    /// A service: answers like the real one, and refuses what it refuses.
    pub(in crate::notify) type Service = fn(&Received) -> Answer;

    const SECRET_PATH: &str = "/hooks/T0000/B0000/s3cr3ts3cr3ts3cr3t";

    /// The notifier of a chat, and the file that its URL is in.
    pub(in crate::notify) fn chat(
        form: Form,
        server: &FakeServer,
    ) -> (tempfile::TempDir, Box<dyn Notifier>) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("url");
        std::fs::write(&file, server.url(SECRET_PATH).as_str()).unwrap();
        let url = UrlSource::Secret(SecretSource::File(file));
        let settings = ChatSettings::of(form, url, vec!["127.0.0.1".to_owned()]);
        let links = Links::new(Some("https://watch.example/".parse().unwrap()));
        (directory, settings.notifier(&Client::default(), &links))
    }

    /// As many findings as a pass over a flooded log can find, with names as long as names can be.
    pub(in crate::notify) fn flood() -> Message {
        let findings: Vec<_> = (0..1000)
            .map(|index| {
                let mut finding = testing::hostile(&"`\u{202e}<@everyone> 🦅".repeat(1000));
                finding.index = Some(index);
                finding
            })
            .collect();
        let mut message = testing::alert(findings);
        message.kind = Kind::Digest;
        message.total = 100_000;
        message.counts = (0..5000)
            .map(|number| FindingCounts {
                watch: Some(format!("watch {number}")),
                verdict: Verdict::IdentityUnexpected,
                severity: Severity::Critical,
                count: 20,
            })
            .collect();
        message
    }

    /// What every chat has to do. Returns the bodies of the messages that the service accepted, for checks of its own.
    pub(in crate::notify) async fn holds(form: Form, service: Service) -> Vec<(Message, Value)> {
        let server = FakeServer::start(service).await;
        let (_directory, chat) = chat(form, &server);
        let mut messages: Vec<Message> = HOSTILE
            .iter()
            .map(|hostile| testing::alert(vec![testing::hostile(hostile)]))
            .collect();
        messages.push(testing::alert(vec![testing::signing(138)]));
        let mut over = testing::alert(vec![testing::signing(138)]);
        over.kind = Kind::Resolved;
        over.id = "another".to_owned();
        messages.push(over);
        messages.extend(Message::tests(testing::NOW));
        messages.push(flood());
        let mut enormous = testing::hostile(&"\u{e0041}".repeat(100_000));
        enormous.summary = "x`".repeat(100_000);
        messages.push(testing::alert(vec![enormous]));
        for message in &messages {
            let sent = chat.send(message, testing::NOW).await;
            assert!(
                sent.is_ok(),
                "{sent:?}: {}",
                message.summary().chars().take(99).collect::<String>()
            );
        }
        let bodies: Vec<(Message, Value)> = messages
            .into_iter()
            .zip(server.received().iter().map(Received::json))
            .collect();
        for (message, body) in &bodies {
            let text = body.to_string();
            assert!(text.contains(&message.id), "{text}");
            assert!(text.contains("https://watch.example/"), "{text}");
            let is_short = text.contains("This message is shortened.");
            match message.total {
                100_000 => assert!(is_short, "{text}"),
                1 if message.findings[0].index == Some(138) => assert!(!is_short, "{text}"),
                _ => {}
            }
            if message.kind == Kind::Resolved {
                assert!(
                    text.contains(&format!("ends the alert {}", message.key)),
                    "{text}"
                );
            }
        }
        errors(form).await;
        bodies
    }

    /// A pause that the server requests is obeyed, and no error contains the URL, not even if the server repeats it.
    async fn errors(form: Form) {
        let server = FakeServer::start(|received| match received.headers.len() {
            0 => Answer::new(200, ""),
            _ => Answer {
                status: 429,
                headers: "Retry-After: 120\r\n",
                body: format!("slow down, {}", received.path),
            },
        })
        .await;
        let (_directory, chat) = chat(form, &server);
        let message = testing::alert(vec![testing::signing(1)]);
        let error = chat.send(&message, testing::NOW).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_mins(2)));
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains("s3cr3t") && text.contains("127.0.0.1"),
            "{text}"
        );
        // The message was accepted, whatever the answer contains: it must not be sent again.
        let server = FakeServer::start(|_| Answer::new(200, "x".repeat(1_000_000))).await;
        let (_directory, chat) = self::chat(form, &server);
        chat.send(&message, testing::NOW).await.unwrap();
    }

    /// What is left of a text with code spans without them: our own words, in which nothing of a log may be.
    pub(in crate::notify) fn outside_code(text: &str) -> String {
        let mut parts = text.split('`');
        let mut outside = parts.next().unwrap_or_default().to_owned();
        loop {
            let Some(inside) = parts.next() else {
                return outside;
            };
            assert!(
                !inside.contains(['\n', '\r', '\u{202e}', '\u{200b}']),
                "{inside:?}"
            );
            outside.push_str(parts.next().expect("a code span ends"));
        }
    }

    /// Whether the words of our own contain something that a signer wrote.
    pub(in crate::notify) fn is_own(words: &str) -> bool {
        let names = [
            "everyone",
            "here>",
            "channel",
            "evil",
            "all clear",
            "script",
            "onmouse",
            "pwned",
            "# heading",
            "\u{202e}",
            "moc.",
        ];
        !names.iter().any(|name| words.contains(name))
    }

    #[test]
    fn the_url_of_a_chat_is_not_written_in_the_configuration() {
        for (value, message) in [
            (
                Some(UrlSource::Literal(
                    "https://hooks.example/x".parse().unwrap(),
                )),
                "is a secret",
            ),
            (None, "one of url, url_env and url_file is missing"),
        ] {
            let mut written = Written::new(std::path::Path::new("/"));
            if let Some(url) = value {
                written.insert("url", super::super::Value::Url(url));
            }
            let form = Form {
                body: |_, _| Value::Null,
                parameter: None,
            };
            assert!(ChatSettings::read(&mut written, form).is_none());
            let remarks = written.into_remarks();
            assert!(remarks[0].message.contains(message), "{remarks:?}");
        }
    }
}
