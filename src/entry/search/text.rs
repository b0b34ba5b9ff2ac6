//! Text that may be base64, decoded as any reader would.
//!
//! Readers differ in what they pass over. Go's `base64` passes over line breaks, its `pem` over blanks and tabs too;
//! OpenSSL over white space; Python's `b64decode` over every character that is not of the alphabet; Node's `Buffer`
//! takes both alphabets at once. Some stop at padding, some pass over it, some begin anew after it. What none of them
//! can change is the order of the characters that count. So all others are dropped, and what is left is decoded from
//! its first, second, third and fourth character: wherever the base64 begins in it, and whatever stands between its
//! characters, one of the four holds what it says.

/// How deep base64 is followed: PEM in a JSON string in an envelope's payload is the deepest that signers produce.
pub(super) const MAX_DEPTH: u8 = 3;

/// Fewer characters of base64 than these are a word.
pub(super) const MIN_SYMBOLS: usize = 8;

/// In binary data, shorter printable runs than this are no text.
const MIN_TEXT_BYTES: usize = 16;

/// Every way that the base64 in a text is decoded; the first of them from its first character.
pub(super) fn decodings(
    text: &[u8],
    from: std::ops::Range<usize>,
    each: &mut dyn FnMut(&[u8]) -> bool,
) -> bool {
    let symbols = Symbols::of(text);
    if symbols.count < MIN_SYMBOLS {
        return true;
    }
    let mut decoded = Vec::new();
    for without_dashes in [false, true] {
        if without_dashes && !symbols.has_dashes {
            break;
        }
        for begin_anew in [false, true] {
            if begin_anew && !symbols.has_inner_padding {
                break;
            }
            for start in from.clone() {
                symbols.decode(start, without_dashes, begin_anew, &mut decoded);
                if !decoded.is_empty() && !each(&decoded) {
                    return false;
                }
            }
        }
    }
    true
}

/// A padding character.
const PADDING: u8 = 64;

/// Added to the value of a character that only the URL-safe alphabet has.
const DASH: u8 = 128;

/// The characters of a text that count in base64, by their value.
struct Symbols {
    values: Vec<u8>,
    /// How many are no padding.
    count: usize,
    /// Whether there are characters that only the URL-safe alphabet has. Readers of the other one pass over them.
    has_dashes: bool,
    /// Whether something follows the padding.
    has_inner_padding: bool,
}

impl Symbols {
    fn of(text: &[u8]) -> Self {
        let mut symbols = Self {
            values: Vec::with_capacity(text.len()),
            count: 0,
            has_dashes: false,
            has_inner_padding: false,
        };
        let mut padded = false;
        for byte in text {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'-' => DASH | 62,
                b'_' => DASH | 63,
                b'=' => PADDING,
                _ => continue,
            };
            symbols.values.push(value);
            if value == PADDING {
                padded = true;
                continue;
            }
            symbols.has_inner_padding |= padded;
            symbols.has_dashes |= value & DASH != 0;
            symbols.count += 1;
        }
        symbols
    }

    /// Decodes from the character at `start`; after padding from a new beginning if `begin_anew`.
    fn decode(&self, start: usize, without_dashes: bool, begin_anew: bool, decoded: &mut Vec<u8>) {
        decoded.clear();
        let (mut bits, mut held) = (0u32, 0u32);
        let mut skip = start;
        for value in &self.values {
            if *value == PADDING {
                if begin_anew {
                    (bits, held) = (0, 0);
                }
                continue;
            }
            if without_dashes && value & DASH != 0 {
                continue;
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            bits = bits << 6 | u32::from(value & 63);
            held += 6;
            if held >= 8 {
                held -= 8;
                decoded.push((bits >> held).to_le_bytes()[0]);
            }
        }
    }
}

/// Where there may be text in bytes: all of them if they are text, or what is printable between binary data.
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

/// The text between quotes, and that outside of them: JSON strings wherever they are, in whatever is no JSON too.
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

/// Resolves JSON's escapes wherever a backslash stands, in strings or not. Half of a surrogate pair is no character
/// (RFC 8259 §8.2): it becomes U+FFFD, as in Go.
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
    fn base64_is_decoded_wherever_it_begins_and_whatever_stands_between_its_characters() {
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
        // Readers that take each padded piece for itself.
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
