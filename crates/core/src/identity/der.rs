//! A reader of DER (ITU-T X.690 §10): definite, minimal lengths, one-byte tags, no trailing bytes.

use std::ops::Range;

/// Tag of a BOOLEAN.
pub const BOOLEAN: u8 = 0x01;
/// Tag of an INTEGER.
pub const INTEGER: u8 = 0x02;
/// Tag of a BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// Tag of an OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// Tag of an OBJECT IDENTIFIER.
pub const OID: u8 = 0x06;
/// Tag of a UTF8String.
pub const UTF8_STRING: u8 = 0x0c;
/// Tag of a UTCTime.
pub const UTC_TIME: u8 = 0x17;
/// Tag of a GeneralizedTime.
pub const GENERALIZED_TIME: u8 = 0x18;
/// Tag of a SEQUENCE, constructed.
pub const SEQUENCE: u8 = 0x30;

/// Context-specific and constructed: `[n]` with explicit tagging, or implicit over a SEQUENCE.
pub const fn constructed(n: u8) -> u8 {
    0xa0 | n
}

/// Context-specific and primitive: `[n]` with implicit tagging over a string.
pub const fn primitive(n: u8) -> u8 {
    0x80 | n
}

/// Why bytes are not the DER that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DerError {
    /// The input ends inside an element.
    #[error("cut off at byte {at}")]
    CutOff {
        /// Where the element begins.
        at: usize,
    },
    /// An indefinite, non-minimal or absurdly long length.
    #[error("length at byte {at} is not DER")]
    Length {
        /// Where the element begins.
        at: usize,
    },
    /// A tag number above 30, which no field of a certificate has.
    #[error("tag of several bytes at byte {at}")]
    LongTag {
        /// Where the element begins.
        at: usize,
    },
    /// Another type than the field has.
    #[error("tag {found:#04x} instead of {wanted:#04x} at byte {at}")]
    Tag {
        /// The tag of the field.
        wanted: u8,
        /// The tag found.
        found: u8,
        /// Where the element begins.
        at: usize,
    },
    /// The element ended and bytes are left.
    #[error("{count} trailing bytes")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// A BIT STRING whose length is not a whole number of bytes where keys and signatures are.
    #[error("bit string at byte {at} has unused bits")]
    UnusedBits {
        /// Where its content begins.
        at: usize,
    },
}

/// One element: its tag, its range with header, and the range of its content, within the whole input.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    /// Its identifier octet: class, whether it is constructed, and number.
    pub tag: u8,
    /// Its bytes with the header.
    pub whole: Range<usize>,
    /// Its bytes without the header.
    pub content: Range<usize>,
}

/// Reads elements one after the other from a part of the input.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// A reader for the whole input.
    pub fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            at: 0,
            end: input.len(),
        }
    }

    /// A reader for the content of `range`, which came from this reader.
    pub fn inside(&self, range: &Range<usize>) -> Self {
        let end = range.end.min(self.input.len());
        Self {
            input: self.input,
            at: range.start.min(end),
            end,
        }
    }

    /// The bytes of a range that came from this reader.
    pub fn bytes(&self, range: &Range<usize>) -> &'a [u8] {
        self.input.get(range.clone()).unwrap_or_default()
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    /// Holds if everything was read.
    pub fn end(&self) -> Result<(), DerError> {
        match self.end.saturating_sub(self.at) {
            0 => Ok(()),
            count => Err(DerError::Trailing { count }),
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        if at < self.end {
            self.input.get(at).copied()
        } else {
            None
        }
    }

    /// The next element with any tag.
    #[inline]
    pub fn element(&mut self) -> Result<Element, DerError> {
        let at = self.at;
        let cut_off = DerError::CutOff { at };
        let tag = self.byte(at).ok_or(cut_off)?;
        if tag & 0x1f == 0x1f {
            return Err(DerError::LongTag { at });
        }
        let first = self.byte(at + 1).ok_or(cut_off)?;
        let (length, start) = match first {
            0..=0x7f => (usize::from(first), at + 2),
            // Three bytes of length are 16 MiB, more than any accepted input.
            0x81..=0x83 => {
                let count = usize::from(first & 0x7f);
                let mut length = 0usize;
                for i in 0..count {
                    length = length << 8 | usize::from(self.byte(at + 2 + i).ok_or(cut_off)?);
                }
                // DER: the shortest form, so that one value has one encoding.
                let minimal = match count {
                    1 => length > 0x7f,
                    2 => length > 0xff,
                    _ => length > 0xffff,
                };
                if !minimal {
                    return Err(DerError::Length { at });
                }
                (length, at + 2 + count)
            }
            _ => return Err(DerError::Length { at }),
        };
        if length > self.end.saturating_sub(start) {
            return Err(cut_off);
        }
        self.at = start + length;
        Ok(Element {
            tag,
            whole: at..self.at,
            content: start..self.at,
        })
    }

    /// The next element, which must have this tag.
    #[inline]
    pub fn expect(&mut self, wanted: u8) -> Result<Element, DerError> {
        let at = self.at;
        let element = self.element()?;
        if element.tag == wanted {
            Ok(element)
        } else {
            let found = element.tag;
            Err(DerError::Tag { wanted, found, at })
        }
    }

    /// The next element if it has this tag; otherwise nothing is consumed.
    #[inline]
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element>, DerError> {
        if self.byte(self.at) == Some(tag) {
            self.element().map(Some)
        } else {
            Ok(None)
        }
    }

    /// The bytes of a BIT STRING with a whole number of bytes.
    pub fn octets_of_bits(&mut self) -> Result<Range<usize>, DerError> {
        let Range { start, end } = self.expect(BIT_STRING)?.content;
        if start < end && self.byte(start) == Some(0) {
            Ok(start + 1..end)
        } else {
            Err(DerError::UnusedBits { at: start })
        }
    }
}

/// Reads `input` as exactly one element of that tag.
pub(crate) fn only(input: &[u8], tag: u8) -> Result<&[u8], DerError> {
    let mut reader = Reader::new(input);
    let element = reader.expect(tag)?;
    reader.end()?;
    Ok(reader.bytes(&element.content))
}

/// The octets of a BIT STRING with `unused` bits (1 to 7) at its end, shifted to the right by that number, as in Go
/// (`encoding/asn1`, `BitString.RightAlign`).
pub(crate) fn shifted_right(octets: &[u8], unused: u8) -> Vec<u8> {
    let mut before = 0;
    let shifted = octets.iter().map(|octet| {
        let high = u16::from(before) << 8 | u16::from(*octet);
        before = *octet;
        (high >> (unused & 7)).to_le_bytes()[0]
    });
    shifted.collect()
}

/// Writes one element.
pub fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    let length = content.len();
    if let Ok(short @ ..=0x7f) = u8::try_from(length) {
        element.push(short);
    } else {
        let bytes = length.to_be_bytes();
        let bytes: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
        // At most eight bytes of length: the low bits of the first octet count them.
        element.push(0x80 | bytes.len().to_le_bytes()[0]);
        element.extend(bytes);
    }
    element.extend_from_slice(content);
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_minimal_definite_lengths_are_der() {
        for (input, expected) in [
            (&b""[..], Err(DerError::CutOff { at: 0 })),
            (b"\x04", Err(DerError::CutOff { at: 0 })),
            (b"\x04\x00", Ok(&b""[..])),
            (b"\x04\x01x", Ok(b"x")),
            (b"\x04\x02x", Err(DerError::CutOff { at: 0 })),
            (b"\x04\x01xy", Err(DerError::Trailing { count: 1 })),
            (b"\x04\x80x\0\0", Err(DerError::Length { at: 0 })),
            (b"\x04\x81\x01x", Err(DerError::Length { at: 0 })),
            (b"\x04\x82\x00\x01x", Err(DerError::Length { at: 0 })),
            (b"\x04\x84\xff\xff\xff\xff", Err(DerError::Length { at: 0 })),
            (b"\x04\x83\xff\xff\xff", Err(DerError::CutOff { at: 0 })),
            (b"\x1f\x01\x00", Err(DerError::LongTag { at: 0 })),
            (
                b"\x05\x00",
                Err(DerError::Tag {
                    wanted: OCTET_STRING,
                    found: 5,
                    at: 0,
                }),
            ),
        ] {
            assert_eq!(only(input, OCTET_STRING), expected, "{input:02x?}");
        }
    }

    #[test]
    fn a_reader_of_a_part_does_not_read_past_it() {
        let input = b"\x30\x03\x04\x05x\x04\x01y";
        let mut outer = Reader::new(input);
        let sequence = outer.expect(SEQUENCE).expect("it is one");
        let mut inner = outer.inside(&sequence.content);
        assert_eq!(inner.element().err(), Some(DerError::CutOff { at: 2 }));
    }
}
