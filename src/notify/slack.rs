//! Slack: incoming webhooks with Block Kit.
//!
//! Sources: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>,
//! <https://docs.slack.dev/reference/block-kit/blocks/section-block>,
//! <https://docs.slack.dev/messaging/formatting-message-text> (escaping, `verbatim`).

use serde_json::{Value, json};

use super::channel_type::ChannelType;
use super::chat_webhook::{ChatSettings, Form, KEYS};
use super::render::chat::{self, Line, Markup};
use super::{Links, Message};
use crate::escape;

/// Longest text of a section block, in characters.
const SECTION_UNITS: usize = 3000;

/// Longest text of a header block, in characters.
const HEADER_UNITS: usize = 150;

/// The size of all sections together. A message has at most 50 blocks; five sections are as much as people read.
const ROOM_UNITS: usize = 5 * SECTION_UNITS;

/// Longest text of a notification: phones show less.
const NOTIFICATION_UNITS: usize = 300;

const FORM: Form = Form {
    body,
    parameter: None,
};

/// A message in a channel of Slack.
pub(super) const TYPE: ChannelType = ChannelType {
    name: "slack",
    keys: KEYS,
    read: |written| ChatSettings::read(written, FORM),
};

const MARKUP: Markup = Markup {
    strong: |text| format!("*{}*", entities(text)),
    text: entities,
};

/// The three characters that Slack interprets everywhere, also in code spans.
fn entities(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn body(message: &Message, links: &Links) -> Value {
    let title = chat::title(message);
    let content = chat::lines(message);
    let link = links.of(message);
    let (kept, is_short) = chat::fitting(&content, ROOM_UNITS, |line| units(&written(line)) + 1);
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": escape::truncate(&title, HEADER_UNITS), "emoji": false },
    })];
    let mut text = String::new();
    for line in kept {
        let next = written(line);
        if units(&text) + units(&next) + 1 > SECTION_UNITS {
            blocks.push(section(&text));
            text.clear();
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&next);
    }
    blocks.push(section(&text));
    let link = link.map(|url| format!("<{}|Open in modelwatch>", entities(url.as_str())));
    if let Some(end) = chat::end(is_short, link) {
        blocks.push(section(&end));
    }
    json!({
        // For notifications and programs that show no blocks.
        "text": format!("{}: {}", entities(&title), escape::chat_within(&message.summary(), NOTIFICATION_UNITS)),
        "blocks": blocks,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn written(line: &Line) -> String {
    line.markup(&MARKUP)
}

/// `verbatim`: names of channels and URLs in the text do not become links.
fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } })
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::notify::chat_webhook::tests::{holds, is_own, outside_code};
    use crate::notify::testing::{Answer, Received};

    /// The errors are those of <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors>.
    fn slack(received: &Received) -> Answer {
        let refused = |why: &str| Answer::new(400, why);
        let json = received.json();
        if received.headers.get("content-type").map(String::as_str) != Some("application/json") {
            return refused("invalid_payload");
        }
        let Some(text) = json["text"].as_str().filter(|text| !text.is_empty()) else {
            return refused("no_text");
        };
        if text.chars().count() > 40_000 {
            return refused("msg_too_long");
        }
        let blocks = json["blocks"].as_array().unwrap();
        let is_good = |block: &Value| {
            let text = &block["text"];
            let length = text["text"].as_str().map_or(0, |text| text.chars().count());
            match block["type"].as_str() {
                Some("header") => text["type"] == "plain_text" && (1..=150).contains(&length),
                Some("section") => text["type"] == "mrkdwn" && (1..=3000).contains(&length),
                _ => false,
            }
        };
        if blocks.len() > 50 || !blocks.iter().all(is_good) {
            return refused("invalid_blocks");
        }
        Answer::new(200, "ok")
    }

    #[tokio::test]
    async fn a_message_keeps_the_limits_of_slack_and_mentions_nobody() {
        for (message, body) in holds(FORM, slack).await {
            let blocks = body["blocks"].as_array().unwrap();
            let texts: Vec<&str> = blocks
                .iter()
                .map(|block| block["text"]["text"].as_str().unwrap())
                .chain(body["text"].as_str())
                .collect();
            for text in &texts {
                assert!(
                    !text.contains("<!") && !text.contains("<@") && !text.contains("<#"),
                    "{text}"
                );
                let own = outside_code(text);
                assert!(is_own(&own), "{own}");
                let links: Vec<&str> = own.split('<').skip(1).collect();
                assert!(
                    links
                        .iter()
                        .all(|link| link.starts_with("https://watch.example/")),
                    "{own}"
                );
            }
            assert!(
                blocks[1..]
                    .iter()
                    .all(|block| block["text"]["verbatim"] == true)
            );
            assert_eq!(body["unfurl_links"], false);
            if message.findings.len() == 1 && message.severity == crate::finding::Severity::Critical
            {
                assert!(
                    texts[0].ends_with("A signing under a watched identity"),
                    "{texts:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn an_alert_is_complete_and_readable() {
        let bodies = holds(FORM, slack).await;
        let (_, body) = bodies
            .iter()
            .find(|(message, _)| {
                message
                    .findings
                    .first()
                    .is_some_and(|f| f.index == Some(138))
            })
            .unwrap();
        let text = body["blocks"].to_string();
        for needed in [
            "critical: A signing under a watched identity",
            "*Who* `https://github.com/harbor/falcon/.github/workflows/release.yml@refs/tags/v1 (uri)`",
            "*What it means*",
            "`modelwatch expect add BUNDLE`",
            "<https://watch.example/findings/",
        ] {
            assert!(text.contains(needed), "{needed}: {text}");
        }
    }
}
