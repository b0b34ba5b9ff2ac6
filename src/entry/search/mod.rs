//! Searching what is not understood.
//!
//! Whoever hides a signing in an entry that only his verifier can read still has to write the name and the key. No JSON
//! and no PEM is parsed here: what is searched may be cut off, nested too deep, over a limit, or none of both. All text
//! is decoded as base64 in every way that a reader could ([`text`]), what comes out again, three levels deep, and in all
//! of it certificates and keys are found wherever they stand ([`signers`]).

mod signers;
#[cfg(test)]
mod tests;
mod text;
mod usual;

pub(super) use usual::usual_signers;

use crate::identity::Signer;
use signers::Effort;
use text::{MAX_DEPTH, decodings, strings, texts, unescape};

/// Something in a leaf.
#[derive(Debug)]
pub enum Found<'a> {
    /// Bytes of the leaf, or what text in it decodes to. A name is in them as it is in its certificate.
    Bytes(&'a [u8]),
    /// A certificate or a key.
    Signer(Signer),
    /// What has the structure of a certificate and cannot be read as one.
    Certificate(&'a [u8]),
}

/// For each byte of the leaf, so many that are decoded to look for what no known reader would see: base64 that begins in
/// the middle of a string, and a third level of it.
const UNLIKELY_FACTOR: usize = 48;

/// Finds everything in a leaf that any reader could take for a name, a certificate or a key; the leaf itself first. False
/// if it holds more layers of base64 than are followed: then some of them, all that known readers would see aside, were
/// not.
///
/// The work is bounded: about ten times the leaf for one that is as usual, two hundred times at most.
pub fn search(leaf: &[u8], found: &mut dyn FnMut(Found<'_>)) -> bool {
    let mut search = Search {
        found,
        effort: Effort::of(leaf.len()),
        from: 0..1,
        depths: 1..=2,
        escaped: 0..=1,
        left: usize::MAX,
    };
    search.emit(leaf);
    // What a string holds from its first character, and what text in that holds: the way that all readers go.
    search.look(leaf, 0);
    search.left = leaf
        .len()
        .saturating_mul(UNLIKELY_FACTOR)
        .saturating_add(4096);
    search.from = 1..4;
    search.escaped = 1..=1;
    search.look(leaf, 0);
    search.from = 0..4;
    search.depths = MAX_DEPTH..=MAX_DEPTH;
    search.escaped = 2..=2;
    search.look(leaf, 0);
    search.left > 0 && !search.effort.is_spent()
}

/// Hands over the leaf, then everything that text in it decodes to; see [`search`].
pub fn visit_strings(leaf: &[u8], visitor: &mut dyn FnMut(&[u8])) {
    search(leaf, &mut |found| {
        if let Found::Bytes(bytes) = found {
            visitor(bytes);
        }
    });
}

struct Search<'a> {
    found: &'a mut dyn FnMut(Found<'_>),
    effort: Effort,
    /// From which characters of a string of the leaf it is decoded.
    from: std::ops::Range<usize>,
    /// The levels that are handed over now.
    depths: std::ops::RangeInclusive<u8>,
    /// The levels whose strings are handed over without their escapes now.
    escaped: std::ops::RangeInclusive<u8>,
    /// Bytes that may still be decoded.
    left: usize,
}

impl Search<'_> {
    fn emit(&mut self, bytes: &[u8]) {
        (self.found)(Found::Bytes(bytes));
        signers::find(bytes, &mut self.effort, self.found);
    }

    /// Looks into the text of what was decoded `depth` times; false if it has to end.
    fn look(&mut self, bytes: &[u8], depth: u8) -> bool {
        let whole = [bytes];
        let parts = if depth == 0 {
            whole.to_vec()
        } else {
            texts(bytes)
        };
        for part in parts {
            for string in strings(part) {
                let plain;
                let mut string = string;
                if string.contains(&b'\\') {
                    plain = unescape(string);
                    string = &plain;
                    if self.escaped.contains(&depth) {
                        self.emit(string);
                    }
                }
                let from = if depth == 0 { self.from.clone() } else { 0..4 };
                if !decodings(string, from, &mut |decoded| {
                    self.decoded(decoded, depth + 1)
                }) {
                    return false;
                }
            }
        }
        true
    }

    fn decoded(&mut self, bytes: &[u8], depth: u8) -> bool {
        match self.left.checked_sub(bytes.len()) {
            Some(left) => self.left = left,
            None => {
                self.left = 0;
                return false;
            }
        }
        if self.depths.contains(&depth) {
            self.emit(bytes);
        }
        depth >= *self.depths.end() || self.look(bytes, depth)
    }
}
