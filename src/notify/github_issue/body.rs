//! The text of an issue and of a comment.

use crate::escape;
use crate::notify::render::chat::{self, Line, Markup};
use crate::notify::{Links, Message};

/// A body may have 65,536 characters. The rest is for the end.
const ROOM_UNITS: usize = 60_000;

/// A title may have 256 characters.
const TITLE_UNITS: usize = 200;

/// Characters of an id in a title.
const ID_CHARS: usize = 8;

const MARKUP: Markup = Markup {
    strong: |text| format!("**{}**", chat::markdown(text)),
    text: chat::markdown,
};

/// The comment by which an issue is found again. No text of a log can contain one: its `<` is escaped.
pub(super) fn marker(key: &str) -> String {
    format!("<!-- modelwatch {key} -->")
}

/// In our own words, so that it contains nothing that a signer chose; the id tells two alerts apart.
pub(super) fn title(message: &Message) -> String {
    let title = chat::title(message);
    let key = message.key.get(..ID_CHARS).unwrap_or(&message.key);
    format!(
        "[modelwatch] {} ({key})",
        escape::truncate(&title, TITLE_UNITS)
    )
}

/// The text of an issue, or of the comment that ends it.
pub(super) fn of(message: &Message, links: &Links) -> String {
    let content = chat::lines(message);
    let written = |line: &Line| line.markup(&MARKUP);
    let (kept, is_short) = chat::fitting(&content, ROOM_UNITS, |line| {
        written(line).encode_utf16().count() + 2
    });
    let mut text = String::new();
    for line in kept {
        let line = written(line);
        // A blank line before a heading.
        if line.contains('\n') && !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line);
        text.push('\n');
    }
    let link = links
        .of(message)
        .map(|url| format!("[Open in modelwatch](<{url}>)"));
    if let Some(end) = chat::end(is_short, link) {
        text.push('\n');
        text.push_str(&end);
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&marker(&message.key));
    text
}
