//! Escapes text from a log for the medium in which it is shown.
//!
//! Signers choose the names in their certificates, and anyone can log a certificate of their own. Such a name may
//! contain sequences that control a terminal, start a second header in a mail, change the direction of text to look
//! like another name, mention all members of a chat, or form a link.
//!
//! There is one form of escape, `\u{…}` with the character's number in hex, as in Rust; a backslash is doubled.
//! Escaping is injective: two different strings never look alike because of it. Unescaped strings are written only to
//! JSON, which programs read; [`json()`] writes each line of it.
//!
//! Limits: letters of different scripts that look alike still look alike, and the display decides the order of text in
//! right-to-left scripts.

mod chat;
mod json;
mod piece;
mod shell;

use std::borrow::Cow;
use std::iter;

pub use chat::{chat, chat_within};
pub use json::{ascii_json, json};
use piece::{Piece, plain};
pub use shell::shell_word;

/// Longest value that [`header`] returns, in characters.
///
/// A line of a mail has at most 998 bytes and should have 78 (RFC 5322 section 2.1.1); a value without spaces cannot
/// be folded. Some mail programs cut a subject at 255.
pub const MAX_HEADER_CHARS: usize = 200;

/// For a terminal, a log line, or any plain text: only visible characters and ordinary spaces.
///
/// ```
/// use modelwatch_core::escape::terminal;
///
/// assert_eq!(terminal("https://github.com/org/repo"), "https://github.com/org/repo");
/// assert_eq!(terminal("\u{1b}[2Jall clear\n"), r"\u{1b}[2Jall clear\u{a}");
/// assert_eq!(terminal(r"DOMAIN\user"), r"DOMAIN\\user");
/// ```
pub fn terminal(text: &str) -> Cow<'_, str> {
    shown(text, plain)
}

/// For the value of a mail header: like [`terminal`], at most [`MAX_HEADER_CHARS`] characters, and nothing that a mail
/// program decodes.
///
/// It contains no line break. Letters outside ASCII stay, for the mail library to encode (RFC 2047). Text that looks
/// already encoded (`=?utf-8?b?…?=`) would be decoded by the reader's program, so its beginning is escaped. A value
/// that is too long ends in `…`, never within an escape.
pub fn header(text: &str) -> Cow<'_, str> {
    let whole = shown(text, encodable);
    if whole.chars().nth(MAX_HEADER_CHARS).is_none() {
        return whole;
    }
    let mut left = MAX_HEADER_CHARS - 1;
    let fitting = pieces(text, encodable).take_while(|piece| {
        let fits = left.checked_sub(piece.chars());
        left = fits.unwrap_or(left);
        fits.is_some()
    });
    let mut cut = joined(fitting);
    cut.push('…');
    Cow::Owned(cut)
}

/// The first of many, and how many more there are: a sentence stays short, and does not claim to be complete.
///
/// This function does not escape.
///
/// ```
/// use modelwatch_core::escape::few;
///
/// assert_eq!(few(["a", "b"], 2), "a, b");
/// assert_eq!(few(["a", "b", "c", "d"], 2), "a, b and 2 more");
/// ```
pub fn few<T: AsRef<str>>(all: impl IntoIterator<Item = T>, most: usize) -> String {
    let mut all = all.into_iter();
    let mut text = String::new();
    for shown in all.by_ref().take(most) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(shown.as_ref());
    }
    match all.count() {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// For HTML, between tags or inside a quoted attribute: as [`terminal`], and without markup.
///
/// ```
/// use modelwatch_core::escape::html;
///
/// assert_eq!(html("<b>\u{202e}"), r"&lt;b&gt;\u{202e}");
/// ```
pub fn html(text: &str) -> Cow<'_, str> {
    shown(text, without_markup)
}

/// The beginning of `text`, at most `max_chars` characters, of which the last is `…` if anything is missing.
///
/// Truncate first and escape afterwards: a truncated escape is ambiguous.
///
/// ```
/// use modelwatch_core::escape::truncate;
///
/// assert_eq!(truncate("release", 7), "release");
/// assert_eq!(truncate("release", 4), "rel…");
/// ```
pub fn truncate(text: &str, max_chars: usize) -> Cow<'_, str> {
    if text.chars().nth(max_chars).is_none() {
        return Cow::Borrowed(text);
    }
    let Some(kept) = max_chars.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    Cow::Owned(text.chars().take(kept).chain(iter::once('…')).collect())
}

/// `text` without the users and passwords of URLs in it.
///
/// Errors repeat their input, which may be a URL with a password.
///
/// ```
/// use modelwatch_core::escape::without_userinfo;
///
/// assert_eq!(without_userinfo("at http://bob:s3cret@log.example/a"), "at http://…@log.example/a");
/// assert_eq!(without_userinfo("https://log.example/a@refs/tags/v1"), "https://log.example/a@refs/tags/v1");
/// ```
pub fn without_userinfo(text: &str) -> Cow<'_, str> {
    const SCHEME_END: &str = "://";
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(SCHEME_END) {
        let (before, after) = rest.split_at(at + SCHEME_END.len());
        shown.push_str(before);
        let ends =
            |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\\' | '<' | '>');
        let authority = after.split(ends).next().unwrap_or_default();
        rest = after;
        if let Some(user) = authority.rfind('@') {
            shown.push('…');
            rest = after.get(user..).unwrap_or_default();
        }
    }
    if shown.is_empty() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

fn encodable(c: char, next: Option<char>) -> Piece {
    match (c, next) {
        ('=', Some('?')) => Piece::Number('='),
        _ => plain(c, next),
    }
}

fn without_markup(c: char, next: Option<char>) -> Piece {
    match c {
        '&' => Piece::Instead("&amp;"),
        '<' => Piece::Instead("&lt;"),
        '>' => Piece::Instead("&gt;"),
        '"' => Piece::Instead("&quot;"),
        '\'' => Piece::Instead("&#39;"),
        _ => plain(c, next),
    }
}

fn pieces(text: &str, medium: fn(char, Option<char>) -> Piece) -> impl Iterator<Item = Piece> {
    let following = text.chars().skip(1).map(Some).chain(iter::once(None));
    text.chars()
        .zip(following)
        .map(move |(c, next)| medium(c, next))
}

fn joined(pieces: impl Iterator<Item = Piece>) -> String {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Itself(c) => out.push(c),
            Piece::Number(c) => out.extend(c.escape_unicode()),
            Piece::Instead(ascii) => out.push_str(ascii),
        }
    }
    out
}

fn shown(text: &str, medium: fn(char, Option<char>) -> Piece) -> Cow<'_, str> {
    if pieces(text, medium).all(|piece| matches!(piece, Piece::Itself(_))) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(joined(pieces(text, medium)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::piece::misleads;
    use super::*;

    const WORKFLOW: &str = "https://github.com/org/repo/.github/workflows/release.yml@refs/tags/v1";

    #[test]
    fn hostile_names_are_shown_for_what_they_are() {
        for (name, shown) in [
            (WORKFLOW, WORKFLOW),
            ("алиса@пример.рф", "алиса@пример.рф"),
            ("two words", "two words"),
            ("", ""),
            (
                "\u{1b}[31m\u{1b}]8;;https://evil\u{7}",
                r"\u{1b}[31m\u{1b}]8;;https://evil\u{7}",
            ),
            ("\u{9b}2J\u{7f}\0", r"\u{9b}2J\u{7f}\u{0}"),
            ("a@b\r\nBcc: x@y", r"a@b\u{d}\u{a}Bcc: x@y"),
            ("evil\u{202e}moc.live", r"evil\u{202e}moc.live"),
            (
                "\u{2066}a\u{2069}\u{61c}\u{200e}\u{200f}",
                r"\u{2066}a\u{2069}\u{61c}\u{200e}\u{200f}",
            ),
            (
                "git\u{200b}hub\u{2060}.com\u{feff}",
                r"git\u{200b}hub\u{2060}.com\u{feff}",
            ),
            ("a\u{2028}b\u{2029}c\u{85}d", r"a\u{2028}b\u{2029}c\u{85}d"),
            ("a\u{a0}b\u{3000}c\u{2800}", r"a\u{a0}b\u{3000}c\u{2800}"),
            ("a\u{e0041}\u{e007f}", r"a\u{e0041}\u{e007f}"),
            ("a\u{fe0f}\u{e0100}\u{ad}", r"a\u{fe0f}\u{e0100}\u{ad}"),
            (
                "\u{e000}\u{10ffff}\u{fdd0}\u{1fffe}",
                r"\u{e000}\u{10ffff}\u{fdd0}\u{1fffe}",
            ),
            (r"\u{202e}", r"\\u{202e}"),
            (r"\\", r"\\\\"),
        ] {
            assert_eq!(terminal(name), shown, "{name:?}");
        }
    }

    #[test]
    fn a_name_without_special_characters_is_not_copied() {
        assert!(matches!(terminal(WORKFLOW), Cow::Borrowed(_)));
        assert!(matches!(header(WORKFLOW), Cow::Borrowed(_)));
        assert!(matches!(html(WORKFLOW), Cow::Borrowed(_)));
    }

    #[test]
    fn a_header_contains_no_encoded_word_from_a_log() {
        assert_eq!(
            header("=?utf-8?q?=E2=80=AE?="),
            r"\u{3d}?utf-8?q?=E2=80=AE?="
        );
        assert_eq!(header("a?b=c"), "a?b=c");
        assert_eq!(header("x\r\nBcc: y"), r"x\u{d}\u{a}Bcc: y");
    }

    #[test]
    fn a_long_header_ends_between_escapes() {
        assert_eq!(header(&"a".repeat(200)), "a".repeat(200));
        assert_eq!(header(&"a".repeat(201)), "a".repeat(199) + "…");
        let bells = header(&"\u{7}".repeat(1000)).into_owned();
        assert_eq!(bells, r"\u{7}".repeat(39) + "…");
    }

    #[test]
    fn html_has_no_markup() {
        assert_eq!(
            html(r#"<img src=x onerror='alert(1)' title="&amp;">"#),
            "&lt;img src=x onerror=&#39;alert(1)&#39; title=&quot;&amp;amp;&quot;&gt;"
        );
    }

    #[test]
    fn a_truncated_text_ends_with_an_ellipsis() {
        for (text, max_chars, cut) in [
            ("", 0, ""),
            ("ab", 0, ""),
            ("ab", 1, "…"),
            ("ab", 2, "ab"),
            ("äöü", 2, "ä…"),
        ] {
            assert_eq!(truncate(text, max_chars), cut, "{text:?} to {max_chars}");
        }
    }

    /// Undoes [`terminal`].
    fn original(shown: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = shown.chars();
        while let Some(c) = rest.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match rest.next()? {
                '\\' => out.push('\\'),
                'u' => {
                    let number: String = rest.by_ref().take_while(|c| *c != '}').collect();
                    let number = u32::from_str_radix(number.strip_prefix('{')?, 16).ok()?;
                    out.push(char::from_u32(number)?);
                }
                _ => return None,
            }
        }
        Some(out)
    }

    /// Strings with more of what matters than chance would bring.
    fn hostile() -> impl Strategy<Value = String> {
        let special = prop::sample::select(
            "\\u{}=?`<>&@|:/'\"\r\n\0\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{61c}\u{200b}\u{200d}\u{200e}\u{2028}\u{202e}\u{2066}\u{2069}\u{2060}\u{feff}\u{e0041}"
                .chars()
                .collect::<Vec<_>>(),
        );
        prop::collection::vec(prop_oneof![special, any::<char>()], 0..300)
            .prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn no_medium_ever_shows_a_misleading_character(text in hostile()) {
            for shown in [terminal(&text), header(&text), html(&text), Cow::Owned(chat(&text))] {
                prop_assert!(!shown.chars().any(misleads), "{shown:?}");
            }
        }

        #[test]
        fn escaping_for_a_terminal_can_be_reversed(text in hostile()) {
            prop_assert_eq!(original(&terminal(&text)), Some(text));
        }

        #[test]
        fn a_header_is_short_and_contains_no_encoded_word(text in hostile()) {
            let shown = header(&text);
            prop_assert!(shown.chars().count() <= MAX_HEADER_CHARS);
            prop_assert!(!shown.contains("=?") && !shown.contains(['\r', '\n']));
            let whole = shown.strip_suffix('…').unwrap_or(&shown);
            prop_assert!(original(whole).is_some_and(|start| text.starts_with(&start)));
        }

        #[test]
        fn html_holds_no_delimiter(text in hostile()) {
            let shown = html(&text);
            prop_assert!(!shown.contains(['<', '>', '"', '\'']));
            let entities = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            prop_assert!(shown.split('&').skip(1).all(|rest| entities.iter().any(|entity| rest.starts_with(entity))));
        }

        #[test]
        fn chat_text_stays_in_its_code_span(text in hostile()) {
            let shown = chat(&text);
            let inside = shown.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).expect("a code span");
            prop_assert!(!inside.is_empty());
            prop_assert!(!inside.contains(['`', '<', '>', '&']) && !inside.starts_with('@') && !inside.contains(" @"));
        }
    }
}
