//! No bytes make the readers panic, least of all those that nearly are a bundle.

#[expect(dead_code, reason = "only those for bundles")]
mod checks;

use proptest::collection::vec;
use proptest::prelude::*;

const SEEDS: [&[u8]; 5] = [
    include_bytes!("data/dsse-rekor-v2.sig"),
    include_bytes!("data/dsse-rekor-v1.sig"),
    include_bytes!("data/key-with-hint.sig"),
    include_bytes!("data/key-of-0.3.1-without-hint.sig"),
    include_bytes!("data/certificate-chain-in-v0.3.sig"),
];

/// Pieces of JSON that change its meaning or its shape.
const PIECES: [&[u8]; 16] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b"null",
    b"-1",
    b"1e999",
    b"\\u0000",
    b"\\ud800",
    b"=",
    b"\xff",
    b"\"logIndex\":",
    b"{\"sig\":\"AAEC\"}",
];

proptest! {
    #[test]
    fn a_real_signature_with_bytes_changed(
        seed in 0..SEEDS.len(),
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = SEEDS[seed].to_vec();
        for (place, byte) in edits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        checks::bundle(&bytes);
        checks::envelope(&bytes);
    }

    #[test]
    fn a_real_signature_with_pieces_cut_out_and_put_in(
        seed in 0..SEEDS.len(),
        edits in vec((any::<prop::sample::Index>(), 0_usize..40, 0..PIECES.len()), 1..6),
    ) {
        let mut bytes = SEEDS[seed].to_vec();
        for (place, cut, piece) in edits {
            let from = place.index(bytes.len());
            let to = bytes.len().min(from + cut);
            bytes.splice(from..to, PIECES[piece].iter().copied());
        }
        checks::bundle(&bytes);
        checks::envelope(&bytes);
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        checks::bundle(&bytes);
        checks::envelope(&bytes);
    }
}
