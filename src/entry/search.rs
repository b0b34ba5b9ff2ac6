//! Searching leaves that are not understood.
//!
//! No JSON is parsed here: what is searched may be cut off, nested too deep or no JSON at all. Every run of
//! characters that may be base64 is decoded, and what comes out is searched in the same way, three levels deep:
//! PEM in a JSON string in an envelope's payload is the deepest that signers produce. Each level reads each byte
//! at most twice (once per alphabet), so the work is bounded by about ten times the leaf.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::material::LENIENT;
use crate::identity::{Certificate, Key, Signer};

/// How deep base64 is followed.
const MAX_DEPTH: u8 = 3;

/// Shorter runs are words.
const MIN_RUN: usize = 8;

const LENIENT_URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Hands over the leaf, then everything that base64 in it decodes to, three levels deep. JSON escapes are resolved,
/// so that a watched literal can be found however its string is written.
pub fn visit_strings(leaf: &[u8], visitor: &mut dyn FnMut(&[u8])) {
    visit(leaf, 0, &mut |bytes, _| {
        visitor(bytes);
        Step::Deeper
    });
}

/// Hands over every certificate and every PKIX key, in order of appearance, until `take` says no.
pub(super) fn signers(leaf: &[u8], take: &mut dyn FnMut(Signer) -> bool) {
    visit(leaf, 0, &mut |bytes, depth| {
        // Both are SEQUENCEs; neither stands in a leaf without base64.
        if depth == 0 || bytes.first() != Some(&0x30) {
            return Step::Deeper;
        }
        let signer = match Key::from_spki(bytes.to_vec()) {
            Ok(key) => Some(Signer::Key(key)),
            Err(_) => Certificate::parse(bytes.to_vec())
                .ok()
                .map(|certificate| Signer::Certificate(Box::new(certificate))),
        };
        match signer.map(&mut *take) {
            None => Step::Deeper,
            Some(true) => Step::Past,
            Some(false) => Step::Stop,
        }
    });
}

enum Step {
    /// Look at the base64 in it.
    Deeper,
    /// It is understood: go on after it.
    Past,
    /// Enough.
    Stop,
}

/// Visits `bytes` and what its base64 decodes to; true if it was stopped.
fn visit(bytes: &[u8], depth: u8, visitor: &mut dyn FnMut(&[u8], u8) -> Step) -> bool {
    match visitor(bytes, depth) {
        Step::Stop => return true,
        Step::Past => return false,
        Step::Deeper => {}
    }
    let unescaped;
    let bytes = if bytes.contains(&b'\\') {
        unescaped = unescape(bytes);
        match visitor(&unescaped, depth) {
            Step::Stop => return true,
            Step::Past => return false,
            Step::Deeper => {}
        }
        unescaped.as_slice()
    } else {
        bytes
    };
    if depth == MAX_DEPTH {
        return false;
    }
    for (engine, extra) in [(&LENIENT, *b"+/"), (&LENIENT_URL_SAFE, *b"-_")] {
        let is_url_safe = extra == *b"-_";
        for run in (Runs { bytes, extra }) {
            // The other alphabet's runs are the same wherever the extra characters do not occur.
            if is_url_safe && !run.iter().any(|byte| extra.contains(byte)) {
                continue;
            }
            if let Ok(decoded) = engine.decode(&run)
                && visit(&decoded, depth + 1, visitor)
            {
                return true;
            }
        }
    }
    false
}

/// Runs of base64 characters, line breaks within them removed as in PEM.
struct Runs<'a> {
    bytes: &'a [u8],
    extra: [u8; 2],
}

impl Iterator for Runs<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || self.extra.contains(&byte);
        loop {
            let start = self.bytes.iter().position(|byte| is_base64(*byte))?;
            let mut run = Vec::new();
            let mut rest = self.bytes.get(start..)?;
            while let [byte, tail @ ..] = rest {
                match byte {
                    byte if is_base64(*byte) => run.push(*byte),
                    b'\r' => {}
                    // An empty line ends headers: what follows is another text.
                    b'\n' if !matches!(tail, [b'\n', ..] | [b'\r', b'\n', ..]) => {}
                    _ => break,
                }
                rest = tail;
            }
            self.bytes = rest;
            // One character alone carries no byte; with it the decoder would refuse all of it.
            if run.len() % 4 == 1 {
                run.pop();
            }
            if run.len() >= MIN_RUN {
                return Some(run);
            }
        }
    }
}

/// Resolves JSON's escapes wherever a backslash stands, in strings or not.
fn unescape(bytes: &[u8]) -> Vec<u8> {
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
                if let Some((digits, tail)) = rest.split_first_chunk::<4>()
                    && let Some(code) = std::str::from_utf8(digits)
                        .ok()
                        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                {
                    rest = tail;
                    // Half of a surrogate pair is no character; watched texts beyond the basic plane are not sought here.
                    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                    plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            other => plain.push(*other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(leaf: &str, literal: &str) -> bool {
        let mut found = false;
        visit_strings(leaf.as_bytes(), &mut |bytes| {
            found |= bytes
                .windows(literal.len())
                .any(|window| window == literal.as_bytes());
        });
        found
    }

    fn encoded(text: &str, times: usize) -> String {
        (0..times).fold(text.to_owned(), |text, _| LENIENT.encode(text))
    }

    #[test]
    fn a_literal_is_found_three_levels_deep_and_no_deeper() {
        for times in 0..=3 {
            assert!(
                holds(
                    &format!("[[[\"{}", encoded("falcon@example", times)),
                    "falcon"
                ),
                "{times}"
            );
        }
        assert!(!holds(&encoded("falcon@example", 4), "falcon"));
        assert!(!holds(&encoded("falcon@example", 1), "kestrel"));
    }

    #[test]
    fn a_literal_is_found_however_its_string_is_written() {
        let pem = encoded("a name: falcon@example", 1);
        let (first, second) = pem.split_at(12);
        for leaf in [
            r"{\u0066alcon".to_owned(),
            r"fal\/con".replace(r"\/", ""),
            format!("-----BEGIN X-----\n{first}\n{second}\n-----END X-----"),
            format!(r"-----BEGIN X-----\r\n{first}\r\n{second}\r\n-----END X-----"),
            format!("-----BEGIN X-----\nKey: value\n\n{first}\n{second}\n"),
            LENIENT_URL_SAFE.encode(">>>??? falcon"),
            LENIENT.encode(">>>??? falcon").replace('/', r"\/"),
            LENIENT.encode("falcon").replace('=', ""),
        ] {
            assert!(holds(&leaf, "falcon"), "{leaf}");
        }
    }

    #[test]
    fn escapes_that_are_cut_off_or_false_do_no_harm() {
        for leaf in ["\\", "\\u", "\\u00", "\\uzzzz", "\\ud800", "\\u00e9"] {
            assert!(!holds(leaf, "falcon"), "{leaf}");
        }
    }

    #[test]
    fn no_leaf_makes_the_search_long() {
        let leaf = "A".repeat(1 << 20);
        let mut bytes = 0;
        visit_strings(leaf.as_bytes(), &mut |found| bytes += found.len());
        assert!(bytes < 10 * leaf.len(), "{bytes}");
    }
}
