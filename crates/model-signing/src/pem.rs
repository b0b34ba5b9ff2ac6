//! PEM (RFC 7468), as people hand it over: with text around the blocks, CRLF, and the headers of old encrypted keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Most bytes of a PEM file: 4 MiB. A system's whole trust store has a quarter of a megabyte.
pub const MAX_PEM_BYTES: usize = 4 << 20;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Why a file is not PEM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// More bytes than are read at all.
    #[error("{bytes} bytes, more than the {MAX_PEM_BYTES} that a PEM file may have")]
    TooLong {
        /// How many there are.
        bytes: usize,
    },
    /// Text in another encoding than PEM has: editors and PowerShell on Windows write it.
    #[error(
        "the file is UTF-16 text; convert it to UTF-8, for example with `iconv -f UTF-16 -t UTF-8`"
    )]
    Utf16,
    /// A block that begins and does not end, or ends as another one.
    #[error("the PEM block that begins in line {line} has no END line of the same name")]
    NoEnd {
        /// The line of its beginning, from 1.
        line: usize,
    },
    /// What is between the two lines is not base64.
    #[error("the PEM block that begins in line {line} is not canonical base64")]
    Base64 {
        /// The line of its beginning, from 1.
        line: usize,
    },
}

/// One block. Wiped from memory when dropped, since it may hold a private key.
pub(crate) struct Block<'t> {
    pub(crate) label: &'t [u8],
    /// Lines before the base64, as RFC 1421 has them: `Proc-Type: 4,ENCRYPTED`.
    headers: Vec<(&'t [u8], &'t [u8])>,
    pub(crate) contents: Zeroizing<Vec<u8>>,
}

impl Block<'_> {
    pub(crate) fn header(&self, name: &[u8]) -> Option<&[u8]> {
        let mut named = self.headers.iter().filter(|(key, _)| *key == name);
        named.next().map(|(_, value)| *value)
    }
}

/// The blocks of a file, in order. Whatever is between them is skipped; after an error nothing more comes.
pub(crate) struct Blocks<'t> {
    rest: &'t [u8],
    /// How many lines have been taken off.
    line: usize,
}

pub(crate) fn blocks(text: &[u8]) -> Result<Blocks<'_>, PemError> {
    if text.len() > MAX_PEM_BYTES {
        return Err(PemError::TooLong { bytes: text.len() });
    }
    if is_utf16(text) {
        return Err(PemError::Utf16);
    }
    Ok(Blocks {
        // The byte order mark of UTF-8.
        rest: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text),
        line: 0,
    })
}

/// With a byte order mark, or without one: then every second byte of ASCII text is zero.
fn is_utf16(text: &[u8]) -> bool {
    match text {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [one, 0, other, 0, ..] | [0, one, 0, other, ..] => one.is_ascii() && other.is_ascii(),
        _ => false,
    }
}

impl<'t> Iterator for Blocks<'t> {
    type Item = Result<Block<'t>, PemError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(name) = label(self.next_line()?, BEGIN) {
                let block = self.block(self.line, name);
                if block.is_err() {
                    self.rest = &[];
                }
                return Some(block);
            }
        }
    }
}

impl<'t> Blocks<'t> {
    fn next_line(&mut self) -> Option<&'t [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let (line, rest) = split_once(self.rest, b'\n').unwrap_or((self.rest, &[]));
        self.rest = rest;
        Some(line)
    }

    /// What follows a BEGIN line.
    fn block(&mut self, line: usize, name: &'t [u8]) -> Result<Block<'t>, PemError> {
        let mut headers = Vec::new();
        // A buffer that had to grow would leave copies of a key behind; no line of a key file is this long.
        let mut base64 = Zeroizing::new(Vec::with_capacity(8 << 10));
        while let Some(text) = self.next_line() {
            if let Some(end) = label(text, END) {
                if end != name {
                    return Err(PemError::NoEnd { line });
                }
                let contents = STANDARD
                    .decode(base64.as_slice())
                    .map_err(|_| PemError::Base64 { line })?;
                return Ok(Block {
                    label: name,
                    headers,
                    contents: Zeroizing::new(contents),
                });
            }
            if label(text, BEGIN).is_some() {
                return Err(PemError::NoEnd { line });
            }
            if let Some((key, value)) = split_once(text, b':')
                && base64.is_empty()
            {
                headers.push((key.trim_ascii(), value.trim_ascii()));
            } else {
                base64.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
            }
        }
        Err(PemError::NoEnd { line })
    }
}

/// The name in a line that begins with `prefix` and ends with dashes.
fn label<'t>(line: &'t [u8], prefix: &[u8]) -> Option<&'t [u8]> {
    line.trim_ascii().strip_prefix(prefix)?.strip_suffix(DASHES)
}

fn split_once(line: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|byte| *byte == separator)?;
    Some((line.get(..at)?, line.get(at + 1..)?))
}

/// `der` as a PEM block: 64 columns, a line feed at the end of each line.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII, so every index is a boundary.
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + &format!("-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Vec<u8>)>, PemError> {
        let name = |block: &Block<'_>| String::from_utf8_lossy(block.label).into_owned();
        blocks(text.as_bytes())?
            .map(|block| block.map(|block| (name(&block), block.contents.to_vec())))
            .collect()
    }

    #[test]
    fn blocks_are_found_among_other_text_and_with_any_line_ends() {
        let block = "-----BEGIN A KEY-----\nAAEC\nAwQ=\n-----END A KEY-----\n";
        let expected = vec![("A KEY".to_owned(), vec![0, 1, 2, 3, 4])];
        for text in [
            block.to_owned(),
            block.replace('\n', "\r\n"),
            block.replace('\n', " \n"),
            format!("Subject: somebody\n\n{block}that was it"),
            format!("\u{feff}\n  {block}"),
            format!("\u{feff}{block}"),
            block.trim_end().to_owned(),
        ] {
            assert_eq!(read(&text).unwrap(), expected, "{text:?}");
        }
        assert_eq!(read(&format!("{block}{block}")).unwrap().len(), 2);
        assert_eq!(read("no block").unwrap(), []);
    }

    #[test]
    fn utf_16_is_named_with_and_without_a_byte_order_mark() {
        let block = "-----BEGIN A KEY-----\nAAEC\n-----END A KEY-----\n";
        for text in [block.to_owned(), format!("\u{feff}{block}")] {
            let units = || text.encode_utf16();
            let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
            for bytes in [little, big] {
                assert_eq!(blocks(&bytes).err(), Some(PemError::Utf16));
            }
        }
        // DER is no text in any encoding.
        assert!(blocks(&[0x30, 0x82, 0x01, 0x00, 0x02, 0x00]).is_ok());
    }

    #[test]
    fn a_block_that_is_not_whole_is_an_error_with_its_line() {
        for (text, error) in [
            ("-----BEGIN A-----\nAAEC\n", PemError::NoEnd { line: 1 }),
            (
                "x\n-----BEGIN A-----\nAAEC\n-----END B-----",
                PemError::NoEnd { line: 2 },
            ),
            (
                "-----BEGIN A-----\n-----BEGIN A-----\n-----END A-----",
                PemError::NoEnd { line: 1 },
            ),
            (
                "-----BEGIN A-----\nAAE\n-----END A-----",
                PemError::Base64 { line: 1 },
            ),
            (
                "-----BEGIN A-----\nAA=C\n-----END A-----",
                PemError::Base64 { line: 1 },
            ),
            (
                "-----BEGIN A-----\n-----END A-----\n-----BEGIN A-----\n!\n-----END A-----",
                PemError::Base64 { line: 3 },
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), error, "{text}");
        }
        let long = " ".repeat(MAX_PEM_BYTES + 1);
        assert_eq!(
            read(&long).unwrap_err(),
            PemError::TooLong {
                bytes: MAX_PEM_BYTES + 1
            }
        );
    }

    #[test]
    fn headers_are_separate_from_the_contents() {
        let text = "-----BEGIN K-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAEC\n-----END K-----\n";
        let block = blocks(text.as_bytes()).unwrap().next().unwrap().unwrap();
        assert_eq!(block.header(b"Proc-Type"), Some(&b"4,ENCRYPTED"[..]));
        assert_eq!(block.header(b"DEK-Info"), Some(&b"AES-128-CBC,00"[..]));
        assert_eq!(block.contents.as_slice(), [0, 1, 2]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for length in [0, 1, 47, 48, 49, 96, 200] {
            let der: Vec<u8> = (0..length).collect();
            let text = encode("PUBLIC KEY", &der);
            assert!(text.lines().all(|line| line.len() <= 64));
            assert_eq!(read(&text).unwrap(), [("PUBLIC KEY".to_owned(), der)]);
        }
    }
}
