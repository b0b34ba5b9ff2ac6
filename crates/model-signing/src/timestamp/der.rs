//! Reading DER (X.690) element by element: definite lengths in their shortest form, tags of one byte.

/// Bytes that are not the DER that the format requires at this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed DER where {0} is expected")]
pub(crate) struct Malformed(pub(crate) &'static str);

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The tag of a constructed element of the context-specific class.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// The tag of a primitive element of the context-specific class.
pub(crate) const fn context_primitive(number: u8) -> u8 {
    0x80 | number
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// Tag, length and content.
    pub(crate) whole: &'a [u8],
}

impl<'a> Element<'a> {
    pub(crate) fn inside(self) -> Reader<'a> {
        Reader::new(self.content)
    }
}

/// Elements that follow each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element of any type.
    pub(crate) fn any(&mut self, what: &'static str) -> Result<Element<'a>, Malformed> {
        let (element, rest) = split(self.rest).ok_or(Malformed(what))?;
        self.rest = rest;
        Ok(element)
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8, what: &'static str) -> Result<Element<'a>, Malformed> {
        match self.any(what)? {
            element if element.tag == tag => Ok(element),
            _ => Err(Malformed(what)),
        }
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(
        &mut self,
        tag: u8,
        what: &'static str,
    ) -> Result<Option<Element<'a>>, Malformed> {
        if self.rest.first() == Some(&tag) {
            self.any(what).map(Some)
        } else {
            Ok(None)
        }
    }

    /// That nothing is left.
    pub(crate) fn end(&self, what: &'static str) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed(what))
        }
    }
}

/// The one element that `bytes` are.
pub(crate) fn only<'a>(
    bytes: &'a [u8],
    tag: u8,
    what: &'static str,
) -> Result<Element<'a>, Malformed> {
    let mut reader = Reader::new(bytes);
    let element = reader.expect(tag, what)?;
    reader.end(what)?;
    Ok(element)
}

/// An element of less than 2^24 bytes.
pub(crate) fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let [_, high, middle, low] = length.to_be_bytes();
    let head = match length {
        0..=0x7f => vec![tag, low],
        0x80..=0xff => vec![tag, 0x81, low],
        0x100..=0xffff => vec![tag, 0x82, middle, low],
        _ => vec![tag, 0x83, high, middle, low],
    };
    [&head[..], content].concat()
}

fn split(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, after_tag) = bytes.split_first()?;
    // Tags of several bytes occur in none of these formats.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, after_first) = after_tag.split_first()?;
    let (length, header) = match first {
        0..=0x7f => (usize::from(first), 2),
        // 0x80 is the indefinite length of BER.
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let digits = after_first.get(..count)?;
            let length = digits
                .iter()
                .fold(0_usize, |sum, digit| (sum << 8) | usize::from(*digit));
            let is_shortest = digits.first() != Some(&0) && length >= 0x80;
            if !is_shortest {
                return None;
            }
            (length, 2 + count)
        }
        _ => return None,
    };
    let end = header.checked_add(length)?;
    let whole = bytes.get(..end)?;
    let element = Element {
        tag,
        content: whole.get(header..)?,
        whole,
    };
    Some((element, bytes.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_in_a_longer_form_than_needed_is_refused() {
        for (bytes, content) in [
            (&[4, 1, 7][..], Some(&[7][..])),
            (&[4, 0x81, 1, 7], None),
            (&[4, 0x80, 0, 0], None),
            (&[4, 2, 7], None),
            (&[4, 0x84, 0xff, 0xff, 0xff, 0xff], None),
            (&[0x1f, 0x01, 0x00], None),
            (&[4], None),
            (&[], None),
        ] {
            let read = Reader::new(bytes).any("a test").ok();
            assert_eq!(read.map(|element| element.content), content, "{bytes:?}");
        }
        let long: Vec<u8> = [vec![4, 0x81, 0x80], vec![9; 128]].concat();
        assert_eq!(
            only(&long, OCTET_STRING, "a test").map(|element| element.content.len()),
            Ok(128)
        );
        assert_eq!(only(&long, SET, "a set"), Err(Malformed("a set")));
        for length in [0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000] {
            let content = vec![7; length];
            let read =
                only(&encode(SET, &content), SET, "a set").map(|element| element.content.len());
            assert_eq!(read, Ok(length));
        }
    }
}
