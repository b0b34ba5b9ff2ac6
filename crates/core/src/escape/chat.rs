//! Text from a log in a chat.

use super::piece::{Piece, plain};

/// For a chat that reads Markdown or Slack's mrkdwn: a code span, backticks included, that text cannot leave.
///
/// In a code span there is no emphasis, link, image or HTML. Chat programs differ in what else they interpret there, so
/// the delimiters of Slack's control sequences (`<!channel>`) and of entities are escaped as well, and an `@` that can
/// begin a mention: one that follows no letter or digit. That of a workflow (`release.yml@refs/tags/v1`) stays. Put spaces
/// around it.
///
/// ```
/// use modelwatch_core::escape::chat;
///
/// assert_eq!(chat("falcon`<!channel>"), r"`falcon\u{60}\u{3c}!channel\u{3e}`");
/// assert_eq!(chat("@everyone"), r"`\u{40}everyone`");
/// ```
pub fn chat(text: &str) -> String {
    chat_within(text, usize::MAX)
}

/// The same, with at most `max_units` UTF-16 code units, backticks included; at least three. A text that is too long ends
/// in `…`, never within an escape. No chat counts more for a character than its code units.
///
/// ```
/// use modelwatch_core::escape::chat_within;
///
/// assert_eq!(chat_within("release", 9), "`release`");
/// assert_eq!(chat_within("release", 8), "`relea…`");
/// ```
pub fn chat_within(text: &str, max_units: usize) -> String {
    // Two backticks in a row would open another kind of span.
    let text = if text.is_empty() { " " } else { text };
    let room = max_units.saturating_sub(2).max(1);
    let mut inside = String::new();
    // Where to cut if the whole does not fit: `…` needs one unit.
    let mut cut = 0;
    let mut units = 0;
    let mut before = None;
    for c in text.chars() {
        let shown = inert(before, c);
        before = Some(c);
        let end = inside.len();
        match shown {
            Piece::Itself(c) => inside.push(c),
            Piece::Number(c) => inside.extend(c.escape_unicode()),
            Piece::Instead(ascii) => inside.push_str(ascii),
        }
        let added = inside.get(end..).unwrap_or_default();
        units += added.encode_utf16().count();
        if units > room {
            inside.truncate(cut);
            inside.push('…');
            break;
        }
        if units < room {
            cut = inside.len();
        }
    }
    format!("`{inside}`")
}

fn inert(before: Option<char>, c: char) -> Piece {
    match c {
        '`' | '<' | '>' | '&' => Piece::Number(c),
        '@' if !before.is_some_and(char::is_alphanumeric) => Piece::Number(c),
        _ => plain(c, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_chat_message_contains_no_mention_and_no_markup() {
        let workflow = "https://github.com/org/repo/.github/workflows/release.yml@refs/tags/v1";
        for (name, shown) in [
            (workflow, format!("`{workflow}`").as_str()),
            ("<!channel> @here", r"`\u{3c}!channel\u{3e} \u{40}here`"),
            (
                "` [click](javascript:x) `",
                r"`\u{60} [click](javascript:x) \u{60}`",
            ),
            ("&lt;!here&gt;", r"`\u{26}lt;!here\u{26}gt;`"),
            ("a@b.example,@everyone", r"`a@b.example,\u{40}everyone`"),
            ("<@U012AB3CD>", r"`\u{3c}\u{40}U012AB3CD\u{3e}`"),
            ("line\nbreak\u{202e}", r"`line\u{a}break\u{202e}`"),
            ("", "` `"),
        ] {
            assert_eq!(chat(name), shown, "{name:?}");
        }
    }

    #[test]
    fn a_long_text_ends_between_escapes() {
        assert_eq!(chat_within("\u{7}\u{7}", 12), r"`\u{7}\u{7}`");
        assert_eq!(chat_within("\u{7}\u{7}", 11), r"`\u{7}…`");
        assert_eq!(chat_within("ab", 0), "`…`");
        // Outside the first plane a character has two units.
        assert_eq!(chat_within("🦅🦅", 6), "`🦅🦅`");
        assert_eq!(chat_within("🦅🦅", 5), "`🦅…`");
    }

    proptest! {
        #[test]
        fn a_span_has_at_most_its_size(text in any::<String>(), max in 3_usize..200) {
            let shown = chat_within(&text, max);
            prop_assert!(shown.encode_utf16().count() <= max, "{shown}");
            prop_assert!(shown.len() >= 3 && shown.starts_with('`') && shown.ends_with('`'));
        }
    }
}
