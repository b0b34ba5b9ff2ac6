//! Microsoft Teams: the webhook of a workflow, with an Adaptive Card.
//!
//! Sources: <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>
//! (size), <https://adaptivecards.io/explorer/RichTextBlock.html> (version 1.2), <https://adaptivecards.io/explorer/TextRun.html>.

use serde_json::{Value, json};

use super::channel_type::ChannelType;
use super::chat_webhook::{ChatSettings, Form, KEYS};
use super::render::chat::{self, Line, Part};
use super::{Links, Message};
use crate::escape;

/// The size of all elements together, in bytes of JSON. A message may have 28 KB; the rest is for what surrounds them.
const ROOM_BYTES: usize = 24 * 1024;

/// Longest name, in characters. Escaped, one character has at most 10.
const NAME_CHARS: usize = 300;

const FORM: Form = Form {
    body,
    parameter: None,
};

/// A card in a channel or chat of Teams.
pub(super) const TYPE: ChannelType = ChannelType {
    name: "teams",
    keys: KEYS,
    read: |written| ChatSettings::read(written, FORM),
};

fn body(message: &Message, links: &Links) -> Value {
    let content = chat::lines(message);
    let (kept, is_short) = chat::fitting(&content, ROOM_BYTES, |line| {
        let elements = elements(line);
        elements.iter().map(|one| one.to_string().len() + 1).sum()
    });
    let mut elements: Vec<Value> = std::iter::once(json!({
        "type": "RichTextBlock",
        "inlines": [{ "type": "TextRun", "text": chat::title(message), "weight": "Bolder", "size": "Large" }],
    }))
    .chain(kept.into_iter().flat_map(elements))
    .collect();
    let link = links.of(message);
    if is_short {
        let text = if link.is_some() {
            chat::SHORTENED_LINK
        } else {
            chat::SHORTENED
        };
        elements.push(block(&[run(text)]));
    }
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": elements,
    });
    if let Some(url) = link {
        card["actions"] = json!([{ "type": "Action.OpenUrl", "title": "Open in modelwatch", "url": url.as_str() }]);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

/// Text runs only: unlike a text block, they interpret no Markdown.
fn elements(line: &Line) -> Vec<Value> {
    line.parts
        .split(|part| *part == Part::Break)
        .map(|parts| {
            let runs = parts.iter().filter_map(|part| match part {
                Part::Text(text) => Some(run(text)),
                Part::Strong(text) => {
                    Some(json!({ "type": "TextRun", "text": text, "weight": "Bolder" }))
                }
                Part::Name(name) => {
                    let name = escape::truncate(name, NAME_CHARS);
                    let name = escape::terminal(&name);
                    Some(json!({ "type": "TextRun", "text": name, "fontType": "Monospace" }))
                }
                Part::Break => None,
            });
            block(&runs.collect::<Vec<_>>())
        })
        .collect()
}

fn run(text: &str) -> Value {
    json!({ "type": "TextRun", "text": text })
}

fn block(runs: &[Value]) -> Value {
    json!({ "type": "RichTextBlock", "inlines": runs })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::notify::chat_webhook::tests::{holds, is_own};
    use crate::notify::testing::{Answer, Received};

    /// 28 KB: <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using#rate-limiting-for-connectors>.
    fn teams(received: &Received) -> Answer {
        if received.body.len() > 28 * 1024 {
            return Answer::new(413, "RequestEntityTooLarge");
        }
        let json = received.json();
        let attachment = &json["attachments"][0];
        let card = &attachment["content"];
        let is_card = json["type"] == "message"
            && attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
            && card["type"] == "AdaptiveCard"
            && card["version"] == "1.4";
        let is_block = |block: &Value| {
            block["type"] == "RichTextBlock"
                && block["inlines"]
                    .as_array()
                    .is_some_and(|runs| !runs.is_empty())
        };
        if !is_card
            || !card["body"]
                .as_array()
                .is_some_and(|body| body.iter().all(is_block))
        {
            return Answer::new(400, r#"{"error":{"code":"InvalidBotAdaptiveCard"}}"#);
        }
        Answer::new(202, "")
    }

    #[tokio::test]
    async fn a_message_keeps_the_limit_of_teams_and_names_are_never_markdown() {
        for (_, body) in holds(FORM, teams).await {
            let card = &body["attachments"][0]["content"];
            for block in card["body"].as_array().unwrap() {
                for run in block["inlines"].as_array().unwrap() {
                    // Unlike a text block, a text run interprets nothing.
                    assert_eq!(run["type"], "TextRun");
                    let text = run["text"].as_str().unwrap();
                    assert!(
                        !text.contains(['\n', '\r', '\u{202e}', '\u{200b}']),
                        "{text:?}"
                    );
                    assert!(run["fontType"] == "Monospace" || is_own(text), "{text}");
                }
            }
            let action = &card["actions"][0];
            assert!(
                action["url"]
                    .as_str()
                    .unwrap()
                    .starts_with("https://watch.example/")
            );
        }
    }
}
