//! JSON for other programs: one line, in ASCII.
//!
//! JSON allows every character in a string except quotes, backslashes and those below U+0020 (RFC 8259 §7). Programs
//! that read line by line end a line at other characters too: Python's `str.splitlines` at U+0085, U+2028 and U+2029,
//! and a terminal interprets U+007F to U+009F. Signers choose names, so a name could break the reader of a line. A line
//! in ASCII contains none of these characters, and a program that parses it gets the original string.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A value as one line of JSON without its line end; printable ASCII only. All code that writes JSON lines uses this
/// function.
///
/// # Errors
/// A value that cannot be JSON: a map with keys that are not text, or an error of its own `Serialize`.
///
/// ```
/// use modelwatch_core::escape::json;
///
/// assert_eq!(json(&"a\u{2028}b\u{7f}é🦅\n").unwrap(), r#""a\u2028b\u007f\u00e9\ud83e\udd85\n""#);
/// ```
pub fn json(value: &impl serde::Serialize) -> serde_json::Result<String> {
    let json = serde_json::to_string(value)?;
    Ok(match ascii_json(&json) {
        Cow::Borrowed(_) => json,
        Cow::Owned(ascii) => ascii,
    })
}

/// Converts JSON text to ASCII: outside of strings it is ASCII already, and inside a string every character may be
/// written as its UTF-16 numbers.
pub fn ascii_json(json: &str) -> Cow<'_, str> {
    if json.bytes().all(is_printable) {
        return Cow::Borrowed(json);
    }
    let mut ascii = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            ascii.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(ascii, "\\u{unit:04x}").expect("writing to a String does not fail");
        }
    }
    Cow::Owned(ascii)
}

/// Whether an ASCII byte is written unchanged; the serializer has already escaped those below U+0020 in strings.
fn is_printable(byte: u8) -> bool {
    byte.is_ascii() && byte != 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_is_one_line_for_every_reader_and_keeps_its_content() {
        // What Python's str.splitlines ends a line at, and what acts on a terminal.
        let breaks = "\n\r\u{b}\u{c}\u{1c}\u{1d}\u{1e}\u{85}\u{2028}\u{2029}\u{7f}\u{9b}\u{202e}";
        for text in [
            breaks,
            "\u{0}",
            "é",
            "🦅",
            "\u{feff}",
            "\u{10ffff}",
            "plain",
        ] {
            let value = serde_json::json!({ text: [text] });
            let line = json(&value).expect("JSON");
            assert!(line.bytes().all(|b| (0x20..0x7f).contains(&b)), "{line}");
            let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(read, value);
        }
    }

    #[test]
    fn json_that_is_ascii_already_is_not_copied() {
        assert!(matches!(ascii_json(r#"{"a":"b\n"}"#), Cow::Borrowed(_)));
        assert_eq!(ascii_json("\"\u{85}\""), r#""\u0085""#);
    }
}
