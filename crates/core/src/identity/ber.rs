//! A lenient reader of BER (ITU-T X.690 §8), for bytes that other programs may read although they are not DER.
//!
//! Lengths may be longer than necessary or indefinite, strings may be in parts, and the caller may ignore bytes after
//! an element. Nothing parsed here becomes trusted: it only finds what a stricter parser would miss.

use std::borrow::Cow;

use super::der;

/// How deep elements of indefinite length, and elements that are encoded again, may be nested. Certificates and keys
/// have some eight levels.
const MAX_DEPTH: u8 = 24;

/// The bit of an identifier octet for constructed content (§8.1.2.5).
const CONSTRUCTED: u8 = 0x20;

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// The identifier octets.
    pub identifier: &'a [u8],
    /// Its content; of an element of indefinite length without the end marker.
    pub content: &'a [u8],
}

impl Element<'_> {
    /// The first identifier octet: class, form, and tag numbers up to 30.
    pub fn tag(&self) -> u8 {
        self.identifier.first().copied().unwrap_or_default()
    }
}

/// The first element of `input`, and what follows it.
pub(super) fn read(input: &[u8]) -> Option<(Element<'_>, &[u8])> {
    read_within(input, MAX_DEPTH)
}

/// The first element if it has this tag, in either form, and what follows it.
pub(super) fn expect(input: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    read(input).filter(|(element, _)| element.tag() & !CONSTRUCTED == tag & !CONSTRUCTED)
}

fn read_within(input: &[u8], depth: u8) -> Option<(Element<'_>, &[u8])> {
    let mut identifier = 1;
    if input.first()? & 0x1f == 0x1f {
        // §8.1.2.4: the number follows, seven bits an octet.
        while input.get(identifier)? & 0x80 != 0 {
            identifier += 1;
        }
        identifier += 1;
    }
    let (identifier, rest) = input.split_at_checked(identifier)?;
    let (first, rest) = rest.split_first()?;
    let (content, rest) = match first {
        0..=0x7f => rest.split_at_checked(usize::from(*first))?,
        0x80 => {
            let end = end_of_contents(rest, depth.checked_sub(1)?)?;
            let (content, rest) = rest.split_at_checked(end)?;
            (content, rest.get(2..)?)
        }
        _ => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = length.iter().try_fold(0usize, |length, octet| {
                length.checked_mul(256)?.checked_add(usize::from(*octet))
            })?;
            rest.split_at_checked(length)?
        }
    };
    let element = Element {
        identifier,
        content,
    };
    Some((element, rest))
}

/// Where the two zero octets are that end a content of indefinite length (§8.1.5).
fn end_of_contents(content: &[u8], depth: u8) -> Option<usize> {
    let mut rest = content;
    while !rest.starts_with(&[0, 0]) {
        (_, rest) = read_within(rest, depth)?;
    }
    Some(content.len() - rest.len())
}

/// The same element in the lengths of DER, with strings in one part; `None` if its content cannot be parsed.
pub(super) fn element_to_der(element: &Element<'_>) -> Option<Vec<u8>> {
    within(element, MAX_DEPTH)
}

fn within(element: &Element<'_>, depth: u8) -> Option<Vec<u8>> {
    let depth = depth.checked_sub(1)?;
    let tag = element.tag();
    if tag & CONSTRUCTED == 0 {
        return Some(encode(element.identifier, element.content));
    }
    match tag & !CONSTRUCTED {
        der::BIT_STRING => {
            let (unused, octets) = bits(element)?;
            return Some(der::encode(
                der::BIT_STRING,
                &[&[unused], &*octets].concat(),
            ));
        }
        der::OCTET_STRING => {
            return Some(der::encode(der::OCTET_STRING, &octets(element, depth)?));
        }
        _ => {}
    }
    let mut content = Vec::with_capacity(element.content.len());
    let mut rest = element.content;
    while !rest.is_empty() {
        let (inner, after) = read(rest)?;
        rest = after;
        content.extend(within(&inner, depth)?);
    }
    Some(encode(element.identifier, &content))
}

fn encode(identifier: &[u8], content: &[u8]) -> Vec<u8> {
    let mut element = der::encode(0, content);
    element.splice(..1, identifier.iter().copied());
    element
}

/// How many bits at the end of a BIT STRING do not count, and its octets (§8.6).
pub(super) fn bits<'a>(element: &Element<'a>) -> Option<(u8, Cow<'a, [u8]>)> {
    if element.tag() & CONSTRUCTED == 0 {
        let (unused, octets) = element.content.split_first()?;
        return Some((*unused, Cow::Borrowed(octets)));
    }
    let (mut unused, mut joined) = (0, Vec::new());
    let mut rest = element.content;
    while !rest.is_empty() {
        // Only one level: a part of a part is in no encoder's output.
        let (part, after) = expect(rest, der::BIT_STRING)?;
        let (last, octets) = part.content.split_first()?;
        unused = *last;
        joined.extend_from_slice(octets);
        rest = after;
    }
    Some((unused, Cow::Owned(joined)))
}

/// The octets of a string, which may be in parts (§8.7).
fn octets(element: &Element<'_>, depth: u8) -> Option<Vec<u8>> {
    if element.tag() & CONSTRUCTED == 0 {
        return Some(element.content.to_vec());
    }
    let depth = depth.checked_sub(1)?;
    let mut joined = Vec::new();
    let mut rest = element.content;
    while !rest.is_empty() {
        let (part, after) = read(rest)?;
        joined.extend(octets(&part, depth)?);
        rest = after;
    }
    Some(joined)
}

/// The octets of a string of any type, which may be in parts.
pub(super) fn string(element: &Element<'_>) -> Option<Vec<u8>> {
    octets(element, MAX_DEPTH)
}

/// An unsigned number without leading zeros, from an INTEGER. If the first bit is set, it would be negative: it is read
/// as a number whose leading zero is missing.
pub(super) fn unsigned(content: &[u8]) -> &[u8] {
    let zeros = content.iter().take_while(|octet| **octet == 0).count();
    content.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_whatever_the_form_of_their_length() {
        for (input, tag, content, rest) in [
            (&b"\x04\x01xy"[..], 4, &b"x"[..], &b"y"[..]),
            (b"\x04\x81\x01x", 4, b"x", b""),
            (b"\x04\x84\0\0\0\x01xy", 4, b"x", b"y"),
            (b"\x30\x80\x04\x01x\0\0y", 0x30, b"\x04\x01x", b"y"),
            (
                b"\x30\x80\x30\x80\x04\x01x\0\0\0\0",
                0x30,
                b"\x30\x80\x04\x01x\0\0",
                b"",
            ),
            (b"\x1f\x81\x01\x01x", 0x1f, b"x", b""),
        ] {
            let (element, after) = read(input).expect("an element");
            assert_eq!(
                (element.tag(), element.content, after),
                (tag, content, rest)
            );
        }
    }

    #[test]
    fn bytes_that_are_no_element_are_refused_and_nothing_overflows() {
        let deep = [&b"\x30\x80".repeat(200)[..], &b"\0\0".repeat(200)].concat();
        for input in [
            &b""[..],
            b"\x04",
            b"\x04\x02x",
            b"\x1f",
            b"\x1f\x81",
            b"\x04\x81",
            b"\x04\x89\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x30\x80\x04\x01x",
            b"\x30\x80",
            &deep,
        ] {
            assert_eq!(read(input), None, "{input:02x?}");
        }
        let deep = (0..40).fold(vec![], |inner, _| der::encode(der::SEQUENCE, &inner));
        let (deep, _) = read(&deep).expect("an element");
        assert_eq!(element_to_der(&deep), None);
    }

    #[test]
    fn the_lengths_become_those_of_der_and_parts_become_one() {
        for (input, expected) in [
            (&b"\x30\x81\x03\x04\x01x"[..], &b"\x30\x03\x04\x01x"[..]),
            (b"\x30\x80\x04\x01x\0\0", b"\x30\x03\x04\x01x"),
            (b"\x24\x80\x04\x01x\x04\x01y\0\0", b"\x04\x02xy"),
            (b"\x23\x07\x03\x02\0x\x03\x81\x02\x01", b""),
            (b"\x23\x08\x03\x02\0x\x03\x02\x01y", b"\x03\x03\x01xy"),
            (b"\xa0\x80\x02\x01\x02\0\0", b"\xa0\x03\x02\x01\x02"),
        ] {
            let (element, _) = read(input).expect("an element");
            let der = element_to_der(&element);
            assert_eq!(der.unwrap_or_default(), expected, "{input:02x?}");
        }
    }
}
