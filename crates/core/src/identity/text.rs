//! Texts in certificates, in any string type.
//!
//! Fulcio writes UTF8Strings, and programs that compare names accept more: Go's `encoding/asn1` reads every usual
//! string type as text. So a name must not escape because another CA wrote it in another type.

use super::{ber, der};

/// How often a text may be wrapped. Known programs wrap it at most twice.
const MAX_WRAPPINGS: u8 = 4;

const NUMERIC_STRING: u8 = 0x12;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
pub(super) const IA5_STRING: u8 = 0x16;
const GRAPHIC_STRING: u8 = 0x19;
const VISIBLE_STRING: u8 = 0x1a;
const GENERAL_STRING: u8 = 0x1b;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;
const CONSTRUCTED: u8 = 0x20;

/// The text of a value that is exactly one DER string of this type.
pub(super) fn canonical(value: &[u8], tag: u8) -> Option<&str> {
    let text = der::only(value, tag).ok()?;
    plain(text)
}

/// A text that is not wrapped in another string.
pub(super) fn plain(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    // The identifier of every string is a control character, which no name begins with.
    let wrapped = value.first().is_some_and(|first| *first < b' ') && unwrap(value, 0).is_some();
    (!wrapped).then_some(text)
}

/// The text of a value in any encoding; other values are shown as far as they are text.
pub(super) fn lenient(value: &[u8]) -> String {
    unwrap(value, 0).unwrap_or_else(|| String::from_utf8_lossy(value).into_owned())
}

/// The text of a string of any type, which may be in an OCTET STRING, in an explicit tag or in another string; bytes
/// after it are ignored. `None` for a value that is not a string.
fn unwrap(value: &[u8], wrappings: u8) -> Option<String> {
    if wrappings == MAX_WRAPPINGS {
        return None;
    }
    let (element, _) = ber::read(value)?;
    let tag = element.tag();
    if tag & 0xe0 == der::constructed(0) {
        return unwrap(element.content, wrappings + 1);
    }
    let octets = ber::string(&element)?;
    let text = match tag & !CONSTRUCTED {
        der::OCTET_STRING => {
            return Some(
                unwrap(&octets, wrappings + 1)
                    .unwrap_or_else(|| String::from_utf8_lossy(&octets).into_owned()),
            );
        }
        BMP_STRING => {
            let units: Vec<u16> = octets
                .chunks(2)
                .map(|unit| {
                    unit.iter()
                        .fold(0, |unit, byte| unit << 8 | u16::from(*byte))
                })
                .collect();
            String::from_utf16_lossy(&units)
        }
        UNIVERSAL_STRING => octets
            .chunks(4)
            .map(|unit| {
                unit.iter()
                    .fold(0, |unit, byte| unit << 8 | u32::from(*byte))
            })
            .map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
        // In practice Latin-1, in spite of T.61; some programs write UTF-8.
        TELETEX_STRING => match String::from_utf8(octets) {
            Ok(text) => text,
            Err(other) => other.as_bytes().iter().copied().map(char::from).collect(),
        },
        der::UTF8_STRING
        | NUMERIC_STRING
        | PRINTABLE_STRING
        | IA5_STRING
        | GRAPHIC_STRING
        | VISIBLE_STRING
        | GENERAL_STRING => String::from_utf8_lossy(&octets).into_owned(),
        _ => return None,
    };
    Some(unwrap(text.as_bytes(), wrappings + 1).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_in_every_type_of_string() {
        for (value, expected) in [
            (&b"\x0c\x03a@b"[..], "a@b"),
            (b"\x12\x03123", "123"),
            (b"\x13\x03a@b", "a@b"),
            (b"\x14\x03a@\xe9", "a@\u{e9}"),
            (b"\x14\x04a@\xc3\xa9", "a@\u{e9}"),
            (b"\x16\x03a@b", "a@b"),
            (b"\x19\x03a@b", "a@b"),
            (b"\x1a\x03a@b", "a@b"),
            (b"\x1b\x03a@b", "a@b"),
            (b"\x1c\x0c\0\0\0a\0\0\0@\0\x01\xf4\x0a", "a@\u{1f40a}"),
            (b"\x1e\x06\0a\0@\0b", "a@b"),
            (b"\x1e\x04\xd8\x3d\xdc\x0a", "\u{1f40a}"),
            // Lengths that are not minimal, parts, bytes behind it.
            (b"\x0c\x81\x03a@b", "a@b"),
            (b"\x2c\x80\x0c\x02a@\x0c\x01b\0\0", "a@b"),
            (b"\x0c\x03a@bmore", "a@b"),
            // Wrapped once more.
            (b"\x04\x05\x0c\x03a@b", "a@b"),
            (b"\x04\x03a@b", "a@b"),
            (b"\xa0\x05\x0c\x03a@b", "a@b"),
            (b"\x0c\x05\x0c\x03a@b", "a@b"),
            // None of all that.
            (b"https://a.b", "https://a.b"),
            (b"\x30\x05\x0c\x03a@b", "0\u{5}\u{c}\u{3}a@b"),
            (b"", ""),
            (b"\x0c\x02\xff\xfe", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(lenient(value), expected, "{value:02x?}");
        }
    }

    #[test]
    fn only_one_encoding_is_canonical() {
        for (value, expected) in [
            (&b"\x0c\x03a@b"[..], Some("a@b")),
            (b"\x0c\x81\x03a@b", None),
            (b"\x0c\x05\x0c\x03a@b", None),
            (b"\x13\x03a@b", None),
            (b"\x0c\x02\xff\xfe", None),
        ] {
            assert_eq!(canonical(value, der::UTF8_STRING), expected);
        }
        assert_eq!(plain(b"https://a.b"), Some("https://a.b"));
        assert_eq!(plain(b"\x0c\x03a@b"), None);
        assert_eq!(plain(b"\x0c"), Some("\u{c}"));
    }
}
