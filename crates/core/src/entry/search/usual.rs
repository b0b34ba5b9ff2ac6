//! Certificates and keys in an entry of an unknown kind, as long as they are written in the usual way.
//!
//! No JSON is parsed here. Every run of base64 characters is decoded, and the result is searched in the same way, three
//! levels deep: PEM in a JSON string in an envelope's payload is the deepest that signers produce. Each level reads
//! each byte at most twice (once for each alphabet), so the work is bounded by about ten times the leaf.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::text::{MAX_DEPTH, MIN_SYMBOLS, unescape};
use crate::identity::{Certificate, Key, Signer};

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

const LENIENT: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);
const LENIENT_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, CONFIG);

/// Calls `take` for every certificate and every PKIX key, in order of appearance, until it returns false.
pub(in crate::entry) fn usual_signers(leaf: &[u8], take: &mut dyn FnMut(Signer) -> bool) {
    visit(leaf, 0, &mut |bytes, depth| {
        // Both are SEQUENCEs; neither occurs in a leaf without base64.
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

/// Visits `bytes` and the bytes that their base64 decodes to; true if it was stopped.
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
            if run.len() >= MIN_SYMBOLS {
                return Some(run);
            }
        }
    }
}
