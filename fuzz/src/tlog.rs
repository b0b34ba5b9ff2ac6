//! The parsers of `tlog`. None may panic on any bytes; and an accepted value can be written again.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::{Signer as _, SigningKey};

use ::tlog::tile::{self, Bundle, FULL_WIDTH};
use ::tlog::{BundleIndex, Checkpoint, KeyName, Node, Note, Origin, TileIndex, Verifier};

/// The key of the recorded log in the corpus, so that its signatures verify and the code behind them is reached.
const KEY: [u8; 32] = [
    0x33, 0xcf, 0xa4, 0x75, 0xcf, 0xca, 0x4b, 0x0b, 0x55, 0xca, 0xee, 0x42, 0x83, 0x28, 0x90, 0x76,
    0x90, 0x45, 0x53, 0x34, 0xce, 0xff, 0xb0, 0x90, 0x68, 0x4b, 0x2c, 0x11, 0x03, 0x32, 0x72, 0xa6,
];

/// The SubjectPublicKeyInfo of the recorded CT log in the corpus.
const CT_KEY: [u8; 91] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0xc0, 0xc9, 0xa7, 0x94, 0x45,
    0x92, 0x9c, 0xf4, 0x05, 0xed, 0x38, 0xb1, 0xd6, 0xb2, 0x27, 0x6d, 0xf7, 0x18, 0x55, 0x43, 0x50,
    0x9c, 0xab, 0x4b, 0x48, 0x45, 0x32, 0x10, 0x72, 0xa5, 0x1e, 0x41, 0xd7, 0xa7, 0x18, 0x40, 0x10,
    0xac, 0x59, 0xb5, 0xb3, 0x1c, 0x91, 0x33, 0x07, 0x8f, 0x88, 0x33, 0x19, 0xcc, 0x0a, 0x8e, 0x6f,
    0x6f, 0xa6, 0x32, 0x4b, 0x51, 0xe4, 0x30, 0xfe, 0xd4, 0x8a, 0x0a,
];

/// Name of the key, and origin of the log.
const NAME: &str = "log2026-1.harbor.example";

fn key() -> Verifier {
    let name = KeyName::new(NAME).expect("a valid name");
    Verifier::ed25519(name, &KEY).expect("a valid key")
}

/// A signed note, by any key.
pub fn note(bytes: &[u8]) {
    let Ok(note) = Note::parse(bytes) else { return };
    if let Ok(verified) = note.verify(&[key()]) {
        assert!(bytes.starts_with(verified.text().as_bytes()));
        assert_eq!(verified.signers().len(), 1);
    }
    let keys = [key()];
    assert!(note.unknown(&keys).iter().all(|(_, id)| *id != key().id()));
    // A log's key is never a witness's.
    assert!(note.cosigned(&keys).valid.is_empty());
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Verifier::from_vkey(text);
    }
    // Public keys are foreign input as well.
    let name = KeyName::new(NAME).expect("a valid name");
    let _ = Verifier::from_spki_der(name, bytes);
}

/// A checkpoint; and the same bytes as the text of one, signed here, because no fuzzer guesses a signature.
pub fn checkpoint(bytes: &[u8]) {
    let origin = Origin::new(NAME).expect("a valid origin");
    let test_log = SigningKey::from_bytes(&[1; 32]);
    let name = KeyName::new(NAME).expect("a valid name");
    let test_key =
        Verifier::ed25519(name, test_log.verifying_key().as_bytes()).expect("a valid key");
    let signature = [
        &test_key.id().as_bytes()[..],
        &test_log.sign(bytes).to_bytes(),
    ]
    .concat();
    let line = format!("\n— {NAME} {}\n", BASE64_STANDARD.encode(signature));
    let signed = [bytes, line.as_bytes()].concat();

    for (raw, key) in [(bytes, key()), (&signed, test_key)] {
        if let Ok(checkpoint) = Checkpoint::open(raw, &origin, &[key]) {
            assert_eq!(&checkpoint.raw()[..], raw);
            // The text has one form, so it can be written again from the parsed values.
            let mut text = format!(
                "{NAME}\n{}\n{}\n",
                checkpoint.size(),
                checkpoint.root().to_base64()
            );
            for line in checkpoint.extensions() {
                text += line;
                text.push('\n');
            }
            assert!(raw.starts_with((text + "\n").as_bytes()));
        }
    }
}

/// The path of a tile, or the tile itself: its width in the first byte, as one less.
pub fn tile(bytes: &[u8]) {
    if let Ok(path) = core::str::from_utf8(bytes) {
        if let Ok(index) = TileIndex::parse(path) {
            assert_eq!(index.path(), path);
        }
        if let Ok(index) = BundleIndex::parse(path) {
            assert_eq!(index.path(), path);
            assert!(index.start() < index.end());
        }
    }
    let Some((width, tile)) = split_width(bytes) else {
        return;
    };
    if let Ok(hashes) = tile::decode_hashes(tile, width) {
        let index = TileIndex::new(0, 0, width).expect("the first tile of a log");
        for level in 0..=8 {
            let held = index.node(&hashes, Node { level, index: 0 }).is_ok();
            assert_eq!(held, level < 8 && 1 << level <= width);
        }
    }
    if let Ok(hashes) = tile::decode_hashes_prefix(tile, width) {
        assert_eq!(hashes.len(), usize::from(width));
    }
}

/// An entry bundle: its width in the first byte, as one less.
pub fn bundle(bytes: &[u8]) {
    let Some((width, bytes)) = split_width(bytes) else {
        return;
    };
    if let Ok(bundle) = Bundle::decode(bytes, width) {
        assert_eq!(bundle.leaves().count(), usize::from(width));
        assert_eq!(
            bundle.leaves().map(|leaf| leaf.len() + 2).sum::<usize>(),
            bytes.len()
        );
    }
    if let Ok(bundle) = Bundle::decode_prefix(bytes, width) {
        let full = Bundle::decode(bytes, FULL_WIDTH).expect("a prefix is one of a full bundle");
        assert!(bundle.leaves().eq(full.leaves().take(width.into())));
    }
}

/// A checkpoint of a certificate transparency log: its signature covers three lines and a time.
pub fn tree_head(bytes: &[u8]) {
    const NAME: &str = "harbor-ct2.example";
    let name = || KeyName::new(NAME).expect("a valid name");
    // Public keys are foreign input as well.
    let _ = Verifier::tree_head(name(), bytes);
    let key = Verifier::tree_head(name(), &CT_KEY).expect("a valid key");
    let origin = Origin::new(NAME).expect("a valid origin");
    if let Ok(checkpoint) = Checkpoint::open(bytes, &origin, &[key]) {
        assert!(checkpoint.timestamp().is_some() && checkpoint.extensions().is_empty());
    }
    // As the signature of a well-formed note.
    let log_id = [7; 32];
    let (size, root) = (1978, ::tlog::Hash::new([1; 32]));
    let note = ::tlog::note::tree_head::to_note(&name(), &log_id, size, root, 5, bytes);
    assert!(note.len() > ::tlog::note::MAX_NOTE_BYTES || Note::parse(note.as_bytes()).is_ok());
    if let Some((size, proof)) = bytes
        .split_first_chunk()
        .map(|(s, p)| (u64::from_be_bytes(*s), p))
    {
        let old = u64::from(proof.first().copied().unwrap_or_default());
        if let Ok(ranges) = ::tlog::consistency_ranges(old, size) {
            assert!(ranges.len() <= 64);
        }
    }
}

fn split_width(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (width, rest) = bytes.split_first()?;
    Some((u16::from(*width) + 1, rest))
}
