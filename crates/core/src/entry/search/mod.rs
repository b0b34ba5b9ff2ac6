//! Searches entries that cannot be parsed.
//!
//! An attacker who hides a signing in an entry that only their verifier can parse still has to write the name and the
//! key. No JSON and no PEM is parsed here: the input may be cut off, nested too deeply, over a limit, or neither of
//! both. All text is decoded as base64 in every way in which a parser could ([`text`]), the result again, three levels
//! deep, and all of it is searched for certificates and keys at any position ([`signers`]).

mod found;
mod signers;
#[cfg(test)]
mod tests;
mod text;
mod usual;

pub use found::Found;
pub(super) use usual::usual_signers;

use signers::Effort;
use text::{MAX_DEPTH, decodings, strings, texts, unescape};

/// For each byte of the leaf, the number of bytes that are decoded to find signers that no known parser would find:
/// base64 that begins in the middle of a string, and a third level of it.
const UNLIKELY_FACTOR: usize = 48;

/// Finds everything in a leaf that any parser could use as a name, a certificate or a key; the leaf itself first.
/// Returns false if it contains more layers of base64, or more candidates for a certificate or a key, than are
/// examined: then the search is incomplete.
///
/// The work is bounded: about ten times the leaf for a usual one, at most a hundred times.
pub fn search(leaf: &[u8], found: &mut dyn FnMut(Found<'_>)) -> bool {
    let mut search = Search {
        found,
        effort: Effort::of(leaf.len()),
        is_likely: true,
        left: leaf
            .len()
            .saturating_mul(UNLIKELY_FACTOR)
            .saturating_add(4096),
        is_cut: false,
    };
    search.emit(leaf);
    // The content of a string from its first character, and of the text in it: the way of all parsers.
    search.look(leaf, 0);
    search.is_likely = false;
    search.look(leaf, 0);
    !search.is_cut && !search.effort.is_spent()
}

struct Search<'a> {
    found: &'a mut dyn FnMut(Found<'_>),
    effort: Effort,
    /// Whether the strings of the leaf are decoded from their first character now, or from the three after it.
    is_likely: bool,
    /// The remaining bytes for signers that no known parser would find.
    left: usize,
    /// Whether they did not suffice.
    is_cut: bool,
}

impl Search<'_> {
    fn emit(&mut self, bytes: &[u8]) {
        (self.found)(Found::Bytes(bytes));
        signers::find(bytes, &mut self.effort, self.found);
    }

    /// Searches the text of bytes that were decoded `depth` times.
    fn look(&mut self, bytes: &[u8], depth: u8) {
        let whole = [bytes];
        let some;
        let parts = if depth == 0 {
            &whole[..]
        } else {
            some = texts(bytes);
            &some
        };
        let from = match (depth, self.is_likely) {
            (0, true) => 0..1,
            (0, false) => 1..4,
            _ => 0..4,
        };
        for string in parts.iter().flat_map(|part| strings(part)) {
            let plain;
            let mut string = string;
            if string.contains(&b'\\') {
                plain = unescape(string);
                string = &plain;
                if depth > 0 || self.is_likely {
                    self.emit(string);
                }
            }
            let goes_on = decodings(string, from.clone(), &mut |decoded| {
                self.decoded(decoded, depth + 1)
            });
            if !goes_on {
                return;
            }
        }
    }

    /// Adds decoded bytes; false if the limit of this level is reached.
    fn decoded(&mut self, bytes: &[u8], depth: u8) -> bool {
        if depth == MAX_DEPTH || !self.is_likely {
            let Some(left) = self.left.checked_sub(bytes.len()) else {
                self.left = 0;
                self.is_cut = true;
                return false;
            };
            self.left = left;
        }
        self.emit(bytes);
        if depth < MAX_DEPTH {
            self.look(bytes, depth);
        }
        true
    }
}
