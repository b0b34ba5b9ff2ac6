//! PagerDuty: Events API v2.
//!
//! Source: <https://developer.pagerduty.com/docs/events-api-v2-overview>. An alert triggers an incident, its resolution
//! resolves it, and an acknowledgement by `modelwatch findings ack` acknowledges it: all three have the alert's key as
//! `dedup_key`.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use url::Url;

use super::channel_type::{ChannelSettings, ChannelType, KeyType, Place, Written};
use super::message::Kind;
use super::reply::{Call, judge, may_have_secrets};
use super::{Lacking, Links, Message, Notifier, NotifyError, Receipt};
use crate::escape;
use crate::finding::{Finding, Severity};
use crate::http::{AddressPolicy, Client, Kept, Method};
use crate::moment;
use crate::report::{advice, finding};
use crate::secret::{SecretSource, UrlSource};

const DEFAULT_URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// Findings with their facts. An event may have 512 KB; with the longest names these take 300 KB.
const IN_FULL: usize = 5;

/// Findings with one line each.
const IN_LINES: usize = 20;

/// Longest value, in characters. Escaped, one has at most 10.
const VALUE_CHARS: usize = 300;

/// An incident in PagerDuty.
pub(super) const TYPE: ChannelType = ChannelType {
    name: "pagerduty",
    keys: &[
        ("routing_key", KeyType::Secret),
        ("url", KeyType::Url),
        ("allow_private", KeyType::Texts),
    ],
    read,
};

#[derive(Debug, Clone)]
struct PagerDutySettings {
    url: UrlSource,
    routing_key: SecretSource,
    allow_private: Vec<String>,
}

fn read(written: &mut Written) -> Option<Arc<dyn ChannelSettings>> {
    if !written.has("routing_key") {
        written.error(
            Place::Channel,
            "one of routing_key_env and routing_key_file is missing",
            Some("it is the integration key of an integration \"Events API v2\""),
        );
    }
    let url = if written.has("url") {
        written.url("url")?
    } else {
        UrlSource::Literal(Url::parse(DEFAULT_URL).ok()?)
    };
    if let UrlSource::Literal(url) = &url
        && !may_have_secrets(url)
    {
        written.error(
            Place::Key("url"),
            "is not an https URL: the integration key would be sent in the clear",
            Some("that of PagerDuty is the default"),
        );
        return None;
    }
    Some(Arc::new(PagerDutySettings {
        url,
        routing_key: written.secret("routing_key")?,
        allow_private: written.texts("allow_private"),
    }))
}

impl PagerDutySettings {
    /// The URL as it is now.
    async fn url(&self) -> Result<Url, NotifyError> {
        let url = self.url.read().await?;
        if may_have_secrets(&url) {
            return Ok(url);
        }
        Err(NotifyError::Setup {
            what: "the URL of the channel is not an https URL: the integration key would be sent in the clear".to_owned(),
        })
    }
}

#[async_trait]
impl ChannelSettings for PagerDutySettings {
    fn notifier(&self, http: &Client, links: &Links) -> Box<dyn Notifier> {
        Box::new(PagerDuty {
            policy: AddressPolicy::allowing(&self.allow_private),
            settings: self.clone(),
            http: http.clone(),
            links: links.clone(),
        })
    }

    fn secrets(&self) -> Vec<SecretSource> {
        let mut sources: Vec<SecretSource> = self.url.secret().into_iter().cloned().collect();
        sources.push(self.routing_key.clone());
        sources
    }

    async fn lacking(&self) -> Vec<Lacking> {
        let mut lacking = Vec::new();
        if let Err(error) = self.url().await {
            lacking.push(Lacking::of_url(&self.url, error));
        }
        lacking.extend(Lacking::secret("routing_key", &self.routing_key).await);
        lacking
    }

    fn takes_acknowledgements(&self) -> bool {
        true
    }
}

struct PagerDuty {
    settings: PagerDutySettings,
    policy: AddressPolicy,
    http: Client,
    links: Links,
}

/// What an event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Trigger,
    Acknowledge,
    Resolve,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
        }
    }

    /// The first message of a test shows an acknowledgement too.
    const fn of(kind: Kind, is_test: bool) -> &'static [Self] {
        match kind {
            Kind::Alert if is_test => &[Self::Trigger, Self::Acknowledge],
            Kind::Alert | Kind::Digest => &[Self::Trigger],
            Kind::Acknowledged => &[Self::Acknowledge],
            Kind::Resolved => &[Self::Resolve],
        }
    }
}

#[async_trait]
impl Notifier for PagerDuty {
    async fn send_to_rest(
        &self,
        message: &Message,
        _: &mut Receipt,
        now: Timestamp,
    ) -> Result<(), NotifyError> {
        let url = self.settings.url().await?;
        let key = self.settings.routing_key.read().await?;
        let key = key.expose_secret();
        for action in Action::of(message.kind, message.is_test) {
            let mut event = json!({
                "routing_key": key,
                "event_action": action.as_str(),
                // The id of an alert: 32 characters; 255 are allowed.
                "dedup_key": message.key,
            });
            if *action == Action::Trigger {
                self.describe(&mut event, message, now);
            }
            let call = Call {
                method: Method::Post,
                url: &url,
                headers: &[("content-type", "application/json")],
                body: event.to_string(),
                kept: Kept::Beginning,
                secrets: &[key],
            };
            judge(&call.send(&self.http, &self.policy).await?)?;
        }
        Ok(())
    }
}

impl PagerDuty {
    fn describe(&self, event: &mut Value, message: &Message, now: Timestamp) {
        let first = message.findings.first();
        let log = first.and_then(|finding| finding.log.as_deref());
        let first_seen = first.map_or(now, |finding| finding.first_seen);
        event["client"] = "modelwatch".into();
        event["payload"] = json!({
            "summary": escape::header(&message.summary()),
            "source": escape::header(log.unwrap_or("modelwatch")),
            "severity": severity(message.severity),
            "timestamp": moment::shown(first_seen),
            "class": first.map_or(message.word(), |finding| finding.verdict.as_str()),
            "custom_details": details(message),
        });
        if let Some(url) = self.links.of(message) {
            event["client_url"] = url.as_str().into();
            event["links"] = json!([{ "href": url.as_str(), "text": "Open in modelwatch" }]);
        }
    }
}

/// PagerDuty has four severities.
const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "info",
    }
}

fn details(message: &Message) -> Value {
    let shown = |text: &str| escape::terminal(&escape::truncate(text, VALUE_CHARS)).into_owned();
    let facts = |found: &Finding| -> Map<String, Value> {
        let facts = finding::brief(found, false);
        let facts = facts.into_iter();
        facts
            .map(|(label, value)| (label.to_owned(), shown(&value).into()))
            .collect()
    };
    let in_full: Vec<_> = message.findings.iter().take(IN_FULL).map(facts).collect();
    let others = message.findings.iter().skip(IN_FULL).take(IN_LINES);
    let others: Vec<String> = others.map(|found| shown(&finding::line(found))).collect();
    let mut details = json!({
        "message": message.id,
        "total": message.total,
        "findings": in_full,
    });
    if !others.is_empty() {
        details["others"] = others.into();
    }
    if let Some(first) = message
        .findings
        .first()
        .filter(|_| !message.is_drill() && !message.is_test)
    {
        let advice = advice::of(first);
        details["what it means"] = advice.meaning.into();
        details["what to do now"] = advice.action.into();
        details["commands"] = advice::commands(first).into();
    }
    details
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use std::time::Duration;

    use super::*;
    use crate::notify::chat_webhook::tests::flood;
    use crate::notify::testing::{self, Answer, FakeServer, HOSTILE, Received};

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn pagerduty(received: &Received) -> Answer {
        let refused = |why: &str| {
            let body = json!({ "status": "invalid event", "message": "Event object is invalid", "errors": [why] });
            Answer::json(400, &body)
        };
        let event = received.json();
        if received.path != "/v2/enqueue" || received.body.len() > 512 * 1024 {
            return refused("size");
        }
        if event["routing_key"] != KEY {
            return refused("Invalid routing key");
        }
        let dedup_key = event["dedup_key"].as_str().unwrap_or_default();
        if dedup_key.is_empty() || dedup_key.chars().count() > 255 {
            return refused("'dedup_key'");
        }
        let payload = &event["payload"];
        let length = |key: &str| payload[key].as_str().map_or(0, |text| text.chars().count());
        let is_complete = (1..=1024).contains(&length("summary"))
            && length("source") > 0
            && payload["timestamp"]
                .as_str()
                .unwrap_or_default()
                .parse::<Timestamp>()
                .is_ok()
            && matches!(
                payload["severity"].as_str(),
                Some("critical" | "error" | "warning" | "info")
            );
        match event["event_action"].as_str() {
            Some("trigger") if is_complete => {}
            Some("acknowledge" | "resolve") => {}
            _ => return refused("'event_action'"),
        }
        let body =
            json!({ "status": "success", "message": "Event processed", "dedup_key": dedup_key });
        Answer::json(202, &body)
    }

    fn channel(server: &FakeServer) -> (tempfile::TempDir, Box<dyn Notifier>) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        std::fs::write(&file, KEY).unwrap();
        let settings = PagerDutySettings {
            url: UrlSource::Literal(server.url("/v2/enqueue")),
            routing_key: SecretSource::File(file),
            allow_private: vec!["127.0.0.1".to_owned()],
        };
        let links = Links::new(Some("https://watch.example".parse().unwrap()));
        (directory, settings.notifier(&Client::default(), &links))
    }

    #[tokio::test]
    async fn an_incident_is_triggered_acknowledged_and_resolved_under_one_key() {
        let server = FakeServer::start(pagerduty).await;
        let (_directory, channel) = channel(&server);
        let mut message = testing::alert(vec![testing::signing(138)]);
        for kind in [
            Kind::Alert,
            Kind::Acknowledged,
            Kind::Resolved,
            Kind::Digest,
        ] {
            message.kind = kind;
            channel.send(&message, testing::NOW).await.unwrap();
        }
        for test in Message::tests(testing::NOW) {
            channel.send(&test, testing::NOW).await.unwrap();
        }
        let events: Vec<Value> = server.received().iter().map(Received::json).collect();
        let actions: Vec<&str> = events
            .iter()
            .map(|event| event["event_action"].as_str().unwrap())
            .collect();
        assert_eq!(
            actions,
            [
                "trigger",
                "acknowledge",
                "resolve",
                "trigger",
                "trigger",
                "acknowledge",
                "trigger",
                "resolve"
            ]
        );
        assert!(
            events[..4]
                .iter()
                .all(|event| event["dedup_key"] == message.key)
        );
        let first = &events[0];
        assert_eq!(first["payload"]["severity"], "critical");
        assert_eq!(first["payload"]["timestamp"], "2026-11-21T08:53:20Z");
        assert_eq!(first["payload"]["custom_details"]["message"], message.id);
        assert!(
            first["links"][0]["href"]
                .as_str()
                .unwrap()
                .starts_with("https://watch.example/findings/")
        );
        assert!(events[1].get("payload").is_none());
    }

    #[tokio::test]
    async fn an_event_keeps_the_limits_whatever_a_log_contains() {
        let server = FakeServer::start(pagerduty).await;
        let (_directory, channel) = channel(&server);
        channel.send(&flood(), testing::NOW).await.unwrap();
        for hostile in HOSTILE {
            let message = testing::alert(vec![testing::hostile(hostile)]);
            channel.send(&message, testing::NOW).await.unwrap();
        }
        for event in server.received() {
            let event = event.json();
            let facts = event["payload"]["custom_details"]["findings"][0]
                .as_object()
                .unwrap();
            let texts = facts
                .values()
                .chain([&event["payload"]["summary"], &event["payload"]["source"]]);
            for text in texts {
                let text = text.as_str().unwrap();
                assert!(
                    !text.chars().any(|c| c.is_control()
                        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')),
                    "{text:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn errors_contain_no_key_and_a_requested_pause_is_obeyed() {
        let server = FakeServer::start(|_| Answer {
            status: 429,
            headers: "Retry-After: 60\r\n",
            body: format!("too many events for {KEY}"),
        })
        .await;
        let (_directory, channel) = channel(&server);
        let message = testing::alert(vec![testing::signing(1)]);
        let error = channel.send(&message, testing::NOW).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_mins(1)));
        assert!(
            !format!("{error} {error:?}").contains(&KEY[..12]),
            "{error}"
        );
    }

    #[tokio::test]
    async fn the_key_is_not_sent_without_tls_to_another_machine() {
        let source = || SecretSource::File("key".into());
        let literal = |url: &str| {
            let mut written = Written::new(std::path::Path::new("/"));
            written.insert("routing_key", super::super::Value::Secret(source()));
            let url = UrlSource::Literal(url.parse().unwrap());
            written.insert("url", super::super::Value::Url(url));
            let settings = read(&mut written);
            (settings.is_some(), written.into_remarks())
        };
        for url in [
            "https://events.eu.pagerduty.com/v2/enqueue",
            "http://127.0.0.1:1/v2/enqueue",
            "http://[::1]:1/",
            "http://localhost:1/",
        ] {
            assert!(literal(url).0, "{url}");
        }
        for url in [
            "http://events.pagerduty.com/v2/enqueue",
            "http://10.0.0.1/",
            "http://localhost.example/",
        ] {
            let (is_accepted, remarks) = literal(url);
            assert!(!is_accepted && remarks[0].message.contains("in the clear"));
            assert_eq!(remarks[0].place, Place::Key("url"));
        }

        // A URL from a file is looked at before each request.
        let server = FakeServer::start(pagerduty).await;
        let directory = tempfile::tempdir().unwrap();
        let [key, file] = ["key", "url"].map(|name| directory.path().join(name));
        std::fs::write(&key, KEY).unwrap();
        std::fs::write(&file, "http://192.0.2.1/v2/enqueue").unwrap();
        let settings = PagerDutySettings {
            url: UrlSource::Secret(SecretSource::File(file.clone())),
            routing_key: SecretSource::File(key),
            allow_private: vec!["127.0.0.1".to_owned()],
        };
        let channel = settings.notifier(&Client::default(), &Links::default());
        let message = testing::alert(vec![testing::signing(1)]);
        let error = channel.send(&message, testing::NOW).await.unwrap_err();
        assert!(matches!(&error, NotifyError::Setup { what } if !what.contains("192")));
        let lacking = settings.lacking().await;
        assert_eq!(lacking[0].key, "url_file");
        std::fs::write(&file, server.url("/v2/enqueue").as_str()).unwrap();
        channel.send(&message, testing::NOW).await.unwrap();
        assert!(settings.lacking().await.is_empty());
    }

    #[test]
    fn severities_are_mapped_and_a_key_is_required() {
        let severities: Vec<_> = Severity::ALL.into_iter().map(severity).collect();
        assert_eq!(severities, ["info", "info", "warning", "error", "critical"]);
        let mut written = Written::new(std::path::Path::new("/"));
        assert!(read(&mut written).is_none());
        assert!(
            written.into_remarks()[0]
                .message
                .contains("routing_key_env")
        );
    }
}
