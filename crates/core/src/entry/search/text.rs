//! Text that may be base64, decoded in the ways of all parsers.
//!
//! Parsers differ in what they ignore. Go's `base64` ignores line breaks, its `pem` also blanks and tabs; OpenSSL white
//! space; Python's `b64decode` every character outside of the alphabet; Node's `Buffer` accepts both alphabets at once.
//! Some stop at padding, some ignore it, some start again after it. But none changes the order of the relevant
//! characters. So all others are dropped, and the rest is decoded from its first, second, third and fourth character:
//! wherever the base64 begins, and whatever is between its characters, one of the four contains its content.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// How many levels of base64 are decoded: PEM in a JSON string in an envelope's payload is the deepest that signers
/// produce.
pub(super) const MAX_DEPTH: u8 = 3;

/// Fewer characters of base64 than these are a word.
pub(super) const MIN_SYMBOLS: usize = 8;

/// In binary data, shorter printable runs than this are not text.
const MIN_TEXT_BYTES: usize = 16;

/// The most lenient decoder; characters that it would refuse are dropped before.
const ANY: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Every way to decode the base64 in a text, from the characters at these positions; false if `each` returns false.
pub(super) fn decodings(
    text: &[u8],
    from: Range<usize>,
    each: &mut dyn FnMut(&[u8]) -> bool,
) -> bool {
    let symbols = Symbols::of(text);
    if symbols.standard.len() < MIN_SYMBOLS {
        return true;
    }
    let mut decoded = Vec::with_capacity(symbols.standard.len());
    let mut pieces = [&symbols.standard, &symbols.without_dashes];
    let pieces = pieces.iter_mut().filter(|symbols| !symbols.is_empty());
    for symbols in pieces {
        for start in from.clone() {
            decoded.clear();
            decode(symbols.get(start..).unwrap_or_default(), &mut decoded);
            if !decoded.is_empty() && !each(&decoded) {
                return false;
            }
        }
    }
    if symbols.has_inner_padding {
        for start in from {
            decoded.clear();
            let mut skip = start;
            for piece in symbols.padded.split(|symbol| *symbol == b'=') {
                let rest = piece.get(skip..).unwrap_or_default();
                skip = skip.saturating_sub(piece.len());
                decode(rest, &mut decoded);
            }
            if !decoded.is_empty() && !each(&decoded) {
                return false;
            }
        }
    }
    true
}

/// Decodes characters of the standard alphabet, of any number.
fn decode(symbols: &[u8], decoded: &mut Vec<u8>) {
    // One character alone carries no byte; with it the decoder would refuse all of it.
    let whole = symbols.len() - usize::from(symbols.len() % 4 == 1);
    let symbols = symbols.get(..whole).unwrap_or_default();
    ANY.decode_vec(symbols, decoded)
        .expect("characters of the alphabet, and as many as bytes have");
}

/// The characters of a text that count in base64.
#[derive(Default)]
struct Symbols {
    /// All of them in the standard alphabet, without padding.
    standard: Vec<u8>,
    /// The same without the characters that only the URL-safe alphabet has: parsers of the other one ignore them. Empty
    /// if there is none.
    without_dashes: Vec<u8>,
    /// All of them with padding; empty if nothing follows the padding.
    padded: Vec<u8>,
    /// Whether something follows the padding.
    has_inner_padding: bool,
}

impl Symbols {
    fn of(text: &[u8]) -> Self {
        let mut symbols = Self::default();
        symbols.standard.reserve(text.len());
        let (mut has_dashes, mut has_padding) = (false, false);
        for byte in text {
            let symbol = SYMBOLS[usize::from(*byte)];
            match *byte {
                b'=' => has_padding = true,
                _ if symbol == 0 => {}
                _ => {
                    symbols.has_inner_padding |= has_padding;
                    has_dashes |= symbol != *byte;
                    symbols.standard.push(symbol);
                }
            }
        }
        let is_symbol = |byte: &&u8| SYMBOLS[usize::from(**byte)] != 0;
        if has_dashes {
            let plain = text
                .iter()
                .filter(is_symbol)
                .filter(|byte| !matches!(byte, b'-' | b'_'));
            symbols.without_dashes = plain.copied().collect();
        }
        if symbols.has_inner_padding {
            let padded = text.iter().filter(|byte| **byte == b'=' || is_symbol(byte));
            symbols.padded = padded
                .map(|byte| {
                    if *byte == b'=' {
                        *byte
                    } else {
                        SYMBOLS[usize::from(*byte)]
                    }
                })
                .collect();
        }
        symbols
    }
}

/// For each byte the character of the standard alphabet that it is in either of the two; 0 for no character.
static SYMBOLS: [u8; 256] = symbols();

const fn symbols() -> [u8; 256] {
    let mut symbols = [0; 256];
    let mut byte = 0u8;
    while byte < 128 {
        symbols[byte as usize] = match byte {
            b'-' => b'+',
            b'_' => b'/',
            b'+' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => byte,
            _ => 0,
        };
        byte += 1;
    }
    symbols
}

/// The possible texts in bytes: all of them if they are text, or the printable runs between binary data.
pub(super) fn texts(bytes: &[u8]) -> Vec<&[u8]> {
    let counts =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let symbols = bytes.iter().filter(|byte| counts(byte)).count();
    // Of random bytes a quarter are characters of base64.
    if symbols.saturating_mul(5) >= bytes.len().saturating_mul(2) {
        return vec![bytes];
    }
    let is_printable = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' '..=b'~');
    bytes
        .split(|byte| !is_printable(byte))
        .filter(|run| run.len() >= MIN_TEXT_BYTES)
        .collect()
}

/// The text between quotes, and that outside of them: JSON strings in any context, also in text that is not JSON.
pub(super) fn strings(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut at = 0;
        let end = loop {
            let Some(found) = text
                .get(at..)
                .and_then(|tail| memchr::memchr2(b'"', b'\\', tail))
            else {
                break None;
            };
            at += found;
            if text.get(at) == Some(&b'"') {
                break Some(at);
            }
            at += 2;
        };
        match end {
            None => {
                rest = None;
                Some(text)
            }
            Some(end) => {
                rest = text.get(end + 1..);
                text.get(..end)
            }
        }
    })
}

/// Resolves JSON's escapes at every backslash, in strings or not. Half of a surrogate pair is not a character (RFC 8259
/// §8.2): it becomes U+FFFD, as in Go.
pub(super) fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'\\' {
            plain.push(*byte);
            continue;
        }
        let [escaped, tail @ ..] = rest else { break };
        rest = tail;
        match escaped {
            b'n' => plain.push(b'\n'),
            b'r' => plain.push(b'\r'),
            b't' => plain.push(b'\t'),
            b'b' => plain.push(8),
            b'f' => plain.push(12),
            b'u' => {
                let Some((unit, tail)) = utf16_unit(rest) else {
                    continue;
                };
                rest = tail;
                let mut pair = [unit, 0];
                let mut length = 1;
                if (0xd800..0xdc00).contains(&unit)
                    && let Some(tail) = rest.strip_prefix(b"\\u")
                    && let Some((low @ 0xdc00..0xe000, tail)) = utf16_unit(tail)
                {
                    rest = tail;
                    pair[1] = low;
                    length = 2;
                }
                for character in char::decode_utf16(pair.into_iter().take(length)) {
                    let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
                    plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            other => plain.push(*other),
        }
    }
    plain
}

/// Four hexadecimal digits, and what follows.
fn utf16_unit(text: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<4>()?;
    let mut unit = 0;
    for digit in digits {
        let value = char::from(*digit).to_digit(16)?;
        unit = unit << 4 | u16::try_from(value).ok()?;
    }
    Some((unit, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        decodings(text.as_bytes(), 0..4, &mut |bytes| {
            all.push(bytes.to_vec());
            true
        });
        all
    }

    #[test]
    fn base64_is_decoded_at_each_start_and_with_any_characters_between() {
        for text in [
            "ZmFsY29uPz4/",
            "ZmFsY29uPz4_",
            "Zm FsY2\t9uP\r\n\u{b}\u{c}\n\nz4/",
            "Z.m.F.s.Y.2.9.u.P.z.4./",
            "Zm%%%%%%%%FsY29%%%uPz4/%%",
            "x ZmFsY29uPz4/",
            "xx:ZmFsY29uPz4/",
            "xxx\u{0}ZmFsY29uPz4/",
            "Zm-FsY29_uPz4/",
            "Zm=FsY29u==Pz4/",
            "AA==ZmFsY29uPz4/",
            "AAA=ZmFsY29uPz4/=",
            "Zg==bQ==RnNZMjl1==ZmFsY29uPz4/",
        ] {
            let all = decoded(text);
            let holds = |bytes: &Vec<u8>| bytes.windows(9).any(|window| window == b"falcon?>?");
            assert!(all.iter().any(holds), "{text}");
        }
        // For parsers that decode each padded piece separately.
        let pieces = decoded("Zg==YQ==bA==Yw==b24=");
        assert!(pieces.iter().any(|bytes| bytes == b"falcon"), "{pieces:?}");
        assert!(decoded("a word").is_empty());
    }

    #[test]
    fn strings_are_split_at_quotes_that_are_not_escaped() {
        let split = |text: &'static str| -> Vec<&str> {
            let strings = strings(text.as_bytes());
            strings
                .map(|text| std::str::from_utf8(text).expect("ASCII"))
                .collect()
        };
        assert_eq!(split(r#"{"a":"b\"c"}"#), ["{", "a", ":", r#"b\"c"#, "}"]);
        assert_eq!(split(r#"a\\"b"#), [r"a\\", "b"]);
        assert_eq!(split(r"a\"), [r"a\"]);
        assert_eq!(split(""), [""]);
    }

    #[test]
    fn every_escape_of_json_is_resolved() {
        for (text, plain) in [
            (r"\u0066\n\t\r\b\f\/\\\q", "f\n\t\r\u{8}\u{c}/\\q"),
            (r"\ud83e\udd85", "🦅"),
            (r"\uD83E\uDD85x", "🦅x"),
            (r"\ud83ex", "\u{fffd}x"),
            (r"\ud83e\u0041", "\u{fffd}A"),
            (r"\udd85", "\u{fffd}"),
            (r"\u00", "00"),
            (r"\u+041", "+041"),
            (r"\", ""),
        ] {
            assert_eq!(unescape(text.as_bytes()), plain.as_bytes(), "{text}");
        }
    }

    #[test]
    fn in_binary_data_only_what_is_printable_is_text() {
        let binary = [&[0xff; 90][..], b"printable, and long", &[1; 90], b"short"].concat();
        assert_eq!(texts(&binary), [b"printable, and long"]);
        assert_eq!(texts(b"MII\x01B\xff=="), [b"MII\x01B\xff=="]);
    }
}
