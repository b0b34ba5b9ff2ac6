//! Discord: webhooks with one embed.
//!
//! Sources: <https://discord.com/developers/docs/resources/webhook#execute-webhook>,
//! <https://discord.com/developers/docs/resources/message#embed-object-embed-limits>.

use serde_json::{Value, json};

use super::channel_type::ChannelType;
use super::chat_webhook::{ChatSettings, Form, KEYS};
use super::message::Kind;
use super::render::chat::{self, Line, Markup};
use super::{Links, Message};
use crate::escape;
use crate::finding::Severity;

/// Longest title of an embed, in characters.
const TITLE_UNITS: usize = 256;

/// Longest description of an embed, in characters.
const DESCRIPTION_UNITS: usize = 4096;

/// Room for the sentence that something was left out, and the link.
const END_UNITS: usize = 600;

/// Longest text of a notification; `content` may have 2,000 characters.
const NOTIFICATION_UNITS: usize = 300;

const FORM: Form = Form {
    body,
    // Without it, Discord answers before it has stored the message.
    parameter: Some(("wait", "true")),
};

/// A message in a channel of Discord.
pub(super) const TYPE: ChannelType = ChannelType {
    name: "discord",
    keys: KEYS,
    read: |written| ChatSettings::read(written, FORM),
};

const MARKUP: Markup = Markup {
    strong: |text| format!("**{}**", chat::markdown(text)),
    text: chat::markdown,
};

fn body(message: &Message, links: &Links) -> Value {
    let title = chat::title(message);
    let content = chat::lines(message);
    let room = DESCRIPTION_UNITS - END_UNITS;
    let (kept, is_short) = chat::fitting(&content, room, |line| units(&written(line)) + 1);
    let mut text: Vec<String> = kept.into_iter().map(written).collect();
    let link = links
        .of(message)
        .filter(|url| url.as_str().len() < END_UNITS / 2);
    text.extend(chat::end(
        is_short,
        link.map(|url| format!("[Open in modelwatch](<{url}>)")),
    ));
    json!({
        "content": format!(
            "{}: {}",
            title,
            escape::chat_within(&message.summary(), NOTIFICATION_UNITS)
        ),
        "embeds": [{
            "title": escape::truncate(&title, TITLE_UNITS),
            "description": text.join("\n"),
            "color": color(message),
        }],
        // Nobody is mentioned, whatever a name contains.
        "allowed_mentions": { "parse": [] },
    })
}

/// The colour of the embed's edge, as a number of 24 bits.
fn color(message: &Message) -> u32 {
    match (message.kind, message.severity) {
        (Kind::Resolved, _) => 0x002e_7d32,
        (_, Severity::Info | Severity::Low) => 0x0060_7d8b,
        (_, Severity::Medium) => 0x00f9_a825,
        (_, Severity::High) => 0x00e6_5100,
        (_, Severity::Critical) => 0x00b7_1c1c,
    }
}

fn written(line: &Line) -> String {
    line.markup(&MARKUP)
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

    fn length(value: &Value) -> usize {
        value.as_str().map_or(0, |text| text.chars().count())
    }

    /// Limits: <https://discord.com/developers/docs/resources/message#embed-object-embed-limits>.
    fn discord(received: &Received) -> Answer {
        let refused = || Answer::new(400, r#"{"code": 50035, "message": "Invalid Form Body"}"#);
        if !received.path.ends_with("?wait=true") {
            return Answer::new(404, r#"{"message": "Unknown Webhook", "code": 10015}"#);
        }
        let json = received.json();
        let Some([embed]) = json["embeds"].as_array().map(Vec::as_slice) else {
            return refused();
        };
        let (title, description) = (length(&embed["title"]), length(&embed["description"]));
        let fits = length(&json["content"]) <= 2000
            && title <= 256
            && (1..=4096).contains(&description)
            && title + description <= 6000
            && embed["color"]
                .as_u64()
                .is_some_and(|color| color <= 0xff_ff_ff);
        if !fits {
            return refused();
        }
        Answer::new(200, r#"{"id": "1"}"#)
    }

    #[tokio::test]
    async fn a_message_keeps_the_limits_of_discord_and_mentions_nobody() {
        for (_, body) in holds(FORM, discord).await {
            assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
            let embed = &body["embeds"][0];
            for text in [&body["content"], &embed["title"], &embed["description"]] {
                let own = outside_code(text.as_str().unwrap());
                assert!(is_own(&own), "{own}");
            }
        }
    }
}
