//! Leaves exactly as a log writes them, read without a JSON parser.
//!
//! A log of Rekor v2 writes canonical JSON (RFC 8785): no white space, the members in order, only necessary escapes. So
//! nearly all leaves differ in the same few texts alone. The bytes around the texts are compared one by one, and each
//! text may contain only characters that are written in one way. Then every JSON reader takes the same values from the
//! leaf, and it has no other member. Any other leaf is left to the JSON parser.

use base64::Engine as _;

use crate::codec::STANDARD;

/// The rest of a leaf that was canonical so far.
pub(super) struct Canonical<'a>(&'a [u8]);

impl<'a> Canonical<'a> {
    pub(super) fn new(leaf: &'a [u8]) -> Self {
        Self(leaf)
    }

    /// Reads these bytes. `None` if others follow.
    pub(super) fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    /// Reads a text of letters, digits and `_` up to its quotation mark, which stays.
    pub(super) fn word(&mut self) -> Option<&'a str> {
        let word = self.text()?;
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let word = word.iter().all(is_plain).then_some(word)?;
        std::str::from_utf8(word).ok()
    }

    /// Reads a text that is strict base64 up to its quotation mark, which stays.
    pub(super) fn base64(&mut self) -> Option<Vec<u8>> {
        // Nothing but base64 is decoded: there is neither an escape nor a control character in the text.
        STANDARD.decode(self.text()?).ok()
    }

    /// Reads a text that is strict base64 and, as the last bytes of the leaf, these behind it.
    pub(super) fn base64_before(self, end: &[u8]) -> Option<Vec<u8>> {
        STANDARD.decode(self.0.strip_suffix(end)?).ok()
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let (text, rest) = self.0.split_at_checked(memchr::memchr(b'"', self.0)?)?;
        self.0 = rest;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_json_can_write_in_two_ways_is_not_read() {
        let word = |leaf: &'static str| Canonical::new(leaf.as_bytes()).word();
        assert_eq!(word("SHA2_256\"}"), Some("SHA2_256"));
        assert_eq!(word("\""), Some(""));
        for leaf in ["a", "\\u0061\"", "a\\\"", "a\n\"", "a b\"", "\u{e9}\""] {
            assert_eq!(word(leaf), None, "{leaf}");
        }
        let base64 = |leaf: &'static str| Canonical::new(leaf.as_bytes()).base64();
        assert_eq!(base64("AAEC\"}").as_deref(), Some(&[0, 1, 2][..]));
        for leaf in [
            "AAEC",
            "AAE\"",
            "AAF=\"",
            "AAE\\u0043\"",
            "AAEC\n\"",
            "AA\\/C\"",
            "AA_C\"",
        ] {
            assert_eq!(base64(leaf), None, "{leaf}");
        }
    }

    #[test]
    fn only_the_very_bytes_are_read() {
        let mut json = Canonical::new(b"{\"a\":\"b\",\"c\":\"AAEC\"}");
        assert_eq!(json.literal(b"{ "), None);
        assert_eq!(json.literal(b"{\"a\":\""), Some(()));
        assert_eq!(json.word(), Some("b"));
        assert_eq!(json.literal(b"\",\"c\":\""), Some(()));
        assert_eq!(json.base64_before(b"\"}").as_deref(), Some(&[0, 1, 2][..]));
        for leaf in ["AAEC\"}\n", "AAEC\"", "AAEC\",\"d\":\"\"}", "AAEC\"}\"}"] {
            assert_eq!(Canonical::new(leaf.as_bytes()).base64_before(b"\"}"), None);
        }
    }
}
