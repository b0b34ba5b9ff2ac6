//! PEM in the form that every parser reads in the same way.
//!
//! Parsers differ on unusual input. Go's `encoding/pem`, which Rekor and cosign use, ignores a block whose BEGIN is not
//! at the start of a line, whose END has another label, or whose BEGIN or END line has more text; it accepts headers,
//! blanks and empty lines in the base64. OpenSSL and Python differ in each of these. So a text is parsed here only as
//! far as all of them agree; the rest is searched for everything that any of them could find (`search`).

use base64::Engine as _;

use crate::codec::STANDARD;

/// Most blocks in one text: Rekor accepts chains of up to ten certificates
/// (`cryptoutils.UnmarshalCertificatesFromPEMLimited`).
const MAX_BLOCKS: usize = 10;

/// One block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    pub(super) label: &'a [u8],
    pub(super) content: Vec<u8>,
}

/// The blocks that a text begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Blocks<'a> {
    pub(super) list: Vec<Block<'a>>,
    /// Whether the text contains only the blocks and white space between them. False without any block.
    pub(super) is_all: bool,
}

/// Reads a text as blocks: each as in RFC 7468 §3, with lines of any length, and separated only by lines of white
/// space. The text after the first difference is not read.
pub(super) fn read(text: &[u8]) -> Blocks<'_> {
    let mut list = Vec::new();
    let mut rest = text;
    loop {
        let after = rest.trim_ascii_start();
        if after.is_empty() || list.len() == MAX_BLOCKS {
            let is_all = after.is_empty() && !list.is_empty();
            return Blocks { list, is_all };
        }
        let space = rest.get(..rest.len() - after.len()).unwrap_or_default();
        let begins_line = space.is_empty() || space.ends_with(b"\n");
        match block(after) {
            Some((block, tail)) if begins_line => {
                list.push(block);
                rest = tail;
            }
            _ => {
                return Blocks {
                    list,
                    is_all: false,
                };
            }
        }
    }
}

/// The block that the text begins with, and what follows its last line.
fn block(text: &[u8]) -> Option<(Block<'_>, &[u8])> {
    let (first, mut rest) = line(text);
    let label = label(first, b"-----BEGIN ")?;
    let mut base64 = Vec::with_capacity(rest.len());
    loop {
        if rest.is_empty() {
            return None;
        }
        let (line, tail) = line(rest);
        rest = tail;
        match line {
            [] => return None,
            [b'-', ..] if self::label(line, b"-----END ") == Some(label) => break,
            _ => base64.extend_from_slice(line),
        }
    }
    let content = STANDARD.decode(base64).ok()?;
    (!content.is_empty()).then_some((Block { label, content }, rest))
}

/// The label of a BEGIN or END line without other text.
fn label<'a>(line: &'a [u8], begin: &[u8]) -> Option<&'a [u8]> {
    let label = line.strip_prefix(begin)?.strip_suffix(b"-----")?;
    let is_plain = label
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || *byte == b' ');
    (is_plain && !label.is_empty()).then_some(label)
}

/// The first line without its end, and what follows.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match memchr::memchr(b'\n', text) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &[][..]),
    };
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> (Vec<String>, bool) {
        let Blocks { list, is_all } = read(text.as_bytes());
        let label = |block: Block<'_>| {
            assert_eq!(block.content, [0, 1, 2], "{text}");
            String::from_utf8_lossy(block.label).into_owned()
        };
        (list.into_iter().map(label).collect(), is_all)
    }

    fn owned(labels: &[&str]) -> Vec<String> {
        labels.iter().map(|label| (*label).to_owned()).collect()
    }

    #[test]
    fn a_text_of_well_formed_blocks_is_read() {
        for (text, expected) in [
            ("-----BEGIN A-----\nAAEC\n-----END A-----\n", &["A"][..]),
            ("-----BEGIN A-----\nAAEC\n-----END A-----", &["A"]),
            (
                "\n \n-----BEGIN A B-----\r\nAA\r\nEC\r\n-----END A B-----\r\n\r\n",
                &["A B"],
            ),
            (
                "-----BEGIN A-----\nAAEC\n-----END A-----\n\n-----BEGIN B-----\nA\nA\nE\nC\n-----END B-----\n",
                &["A", "B"],
            ),
        ] {
            assert_eq!(labels(text), (owned(expected), true), "{text}");
        }
    }

    #[test]
    fn what_readers_disagree_about_is_not_a_block() {
        for text in [
            "",
            "\n",
            "AAEC",
            // Where BEGIN is.
            "x-----BEGIN A-----\nAAEC\n-----END A-----\n",
            " -----BEGIN A-----\nAAEC\n-----END A-----\n",
            "text\n-----BEGIN A-----\nAAEC\n-----END A-----\n",
            "\u{feff}-----BEGIN A-----\nAAEC\n-----END A-----\n",
            // What else is on the two lines.
            "-----BEGIN A----- \nAAEC\n-----END A-----\n",
            "-----BEGIN A-----x\nAAEC\n-----END A-----\n",
            "-----BEGIN A-----\nAAEC\n-----END A----- \n",
            "-----BEGIN A-----\nAAEC\n-----END A-----x\n",
            "-----BEGIN A-----\nAAEC-----END A-----\n",
            "-----BEGIN A-----AAEC\n-----END A-----\n",
            "-----BEGIN A----\nAAEC\n-----END A-----\n",
            "----BEGIN A-----\nAAEC\n-----END A-----\n",
            // The labels.
            "-----BEGIN A-----\nAAEC\n-----END B-----\n",
            "-----BEGIN A-----\nAAEC\n-----END a-----\n",
            "-----BEGIN -----\nAAEC\n-----END -----\n",
            "-----BEGIN A-----B-----\nAAEC\n-----END A-----B-----\n",
            // The base64.
            "-----BEGIN A-----\nX: y\n\nAAEC\n-----END A-----\n",
            "-----BEGIN A-----\nX: y\nAAEC\n-----END A-----\n",
            "-----BEGIN A-----\n\nAAEC\n-----END A-----\n",
            "-----BEGIN A-----\nAA EC\n-----END A-----\n",
            "-----BEGIN A-----\nAAEC \n-----END A-----\n",
            "-----BEGIN A-----\nAA\tEC\n-----END A-----\n",
            "-----BEGIN A-----\nAA\rEC\n-----END A-----\n",
            "-----BEGIN A-----\nAA\u{b}EC\n-----END A-----\n",
            "-----BEGIN A-----\nAA!C\n-----END A-----\n",
            "-----BEGIN A-----\nAA_C\n-----END A-----\n",
            "-----BEGIN A-----\nAAE\n-----END A-----\n",
            "-----BEGIN A-----\nAB==\n-----END A-----\n",
            "-----BEGIN A-----\nAA==AAEC\n-----END A-----\n",
            "-----BEGIN A-----\n-----END A-----\n",
            "-----BEGIN A-----\nAAEC\n",
            "-----BEGIN A-----\n-----BEGIN A-----\nAAEC\n-----END A-----\n",
            "-----BEGIN ",
        ] {
            assert_eq!(labels(text), (vec![], false), "{text}");
        }
    }

    #[test]
    fn text_after_a_block_is_reported() {
        let good = "-----BEGIN A-----\nAAEC\n-----END A-----\n";
        for more in [
            "x",
            "\nx",
            "-----BEGIN A-----\n",
            " -----BEGIN A-----\nAAEC\n-----END A-----\n",
        ] {
            assert_eq!(
                labels(&format!("{good}{more}")),
                (owned(&["A"]), false),
                "{more}"
            );
        }
        let many = good.repeat(MAX_BLOCKS);
        assert_eq!(labels(&many), (owned(&["A"; MAX_BLOCKS]), true));
        assert_eq!(labels(&(many + good)), (owned(&["A"; MAX_BLOCKS]), false));
    }
}
