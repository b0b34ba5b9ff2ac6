//! Tree heads of certificate transparency logs (RFC 6962 §3.5) as signatures of notes (C2SP static-ct-api, "Checkpoints").
//!
//! A CT log signs size, root and time, and nothing else: neither the origin nor a line after the root. So such a
//! signature covers only a text of exactly three lines, and the origin is covered only because the key's id depends on
//! it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checked::Checked;
use super::name::{KeyId, KeyName};
use crate::Hash;
use crate::size::parse_size;

/// `sha256(4)`, `ecdsa(3)`: SignatureAndHashAlgorithm of RFC 5246 §7.4.1.4.1. RFC 6962 §2.1.4 allows this hash alone,
/// whatever the curve.
pub(super) const ECDSA_SHA256: [u8; 2] = [4, 3];

/// `sha256(4)`, `rsa(1)`.
pub(super) const RSA_SHA256: [u8; 2] = [4, 1];

/// `intrinsic(8)`, `ed25519(7)` (RFC 8422 §5.1.3).
pub(super) const ED25519: [u8; 2] = [8, 7];

/// `SHA-256(name ‖ "\n" ‖ 0x05 ‖ log id)[:4]`; the log id is SHA-256 of the key's SubjectPublicKeyInfo.
pub fn key_id(name: &KeyName, log_id: &[u8; 32]) -> KeyId {
    KeyId::of(name, 0x05, log_id)
}

/// Converts the tree head in an answer of RFC 6962 to the note that a static-ct log would publish, so that one verifier
/// works for both. Nothing is verified here.
///
/// `timestamp` is in milliseconds since the Unix epoch; `digitally_signed` is the `tree_head_signature` in the answer.
pub fn to_note(
    name: &KeyName,
    log_id: &[u8; 32],
    size: u64,
    root: Hash,
    timestamp: u64,
    digitally_signed: &[u8],
) -> String {
    let mut line: Vec<u8> = key_id(name, log_id).as_bytes().to_vec();
    line.extend(timestamp.to_be_bytes());
    line.extend(digitally_signed);
    format!(
        "{name}\n{size}\n{}\n\n— {name} {}\n",
        root.to_base64(),
        STANDARD.encode(line)
    )
}

/// The signed bytes of a signature of type 0x05, and the signature itself.
pub(super) struct Signed<'a> {
    pub(super) timestamp: u64,
    pub(super) message: [u8; 50],
    pub(super) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Parses a note's text and the bytes of a signature line; `None` if they are not a tree head that was signed with
    /// this algorithm.
    pub(super) fn read(text: &str, bytes: &'a [u8], algorithm: [u8; 2]) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (_origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        // Anyone who passes the note on could have added a line ("Log frozen …"): it is not signed.
        if lines.next().is_some() {
            return None;
        }
        let size = parse_size(size)?;
        let root = Hash::from_base64(root).ok()?;
        let (timestamp, bytes) = bytes.split_first_chunk()?;
        let bytes = bytes.strip_prefix(&algorithm)?;
        let (length, signature) = bytes.split_first_chunk()?;
        if usize::from(u16::from_be_bytes(*length)) != signature.len() {
            return None;
        }
        // TreeHeadSignature, RFC 6962 §3.5: version v1(0), tree_hash(1), timestamp, tree_size, root.
        let mut message = [0; 50];
        message[1] = 1;
        message[2..10].copy_from_slice(timestamp);
        message[10..18].copy_from_slice(&size.to_be_bytes());
        message[18..].copy_from_slice(root.as_bytes());
        Some(Self {
            timestamp: u64::from_be_bytes(*timestamp),
            message,
            signature,
        })
    }

    /// The content of a valid one.
    pub(super) const fn checked(&self) -> Checked {
        Checked::Head {
            timestamp: self.timestamp,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;
    use crate::{Checkpoint, Origin, Verifier};

    /// Recorded from a static-ct log of the harbor world.
    const CHECKPOINT: &str = include_str!("../../tests/data/ct/checkpoint");
    const KEY: &str = include_str!("../../tests/data/ct/key.pub.pem");

    fn spki() -> Vec<u8> {
        let base64: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
        STANDARD.decode(base64).unwrap()
    }

    fn open(note: &str, name: &str) -> Option<Checkpoint> {
        let key = Verifier::tree_head(KeyName::new(name).unwrap(), &spki()).unwrap();
        Checkpoint::open(note.as_bytes(), &Origin::new(name).unwrap(), &[key]).ok()
    }

    #[test]
    fn a_recorded_tree_head_verifies_and_contains_its_time() {
        let checkpoint = open(CHECKPOINT, "harbor-ct2.example").unwrap();
        assert_eq!(checkpoint.size(), 1978);
        assert_eq!(checkpoint.timestamp(), Some(1_795_247_406_044));
    }

    #[test]
    fn size_root_time_and_everything_around_them_are_part_of_what_is_signed() {
        let (text, line) = CHECKPOINT.split_once("\n\n").unwrap();
        for note in [
            CHECKPOINT.replace("\n1978\n", "\n1979\n"),
            CHECKPOINT.replace("ZXX7", "ZXX8"),
            // A later time, and a signature with another length.
            CHECKPOINT.replace("oYMxpQAAAaH9", "oYMxpQAAAaH8"),
            CHECKPOINT.replace("BAMARzBF", "BAMASDBF"),
            CHECKPOINT.replace("BAMARzBF", "BAEARzBF"),
            // These lines are not signed.
            format!("{text}\nLog frozen — now\n\n{line}"),
            CHECKPOINT.replace("harbor-ct2", "harbor-ct3"),
        ] {
            assert_ne!(note, CHECKPOINT);
            assert!(open(&note, "harbor-ct2.example").is_none(), "{note}");
            assert!(open(&note, "harbor-ct3.example").is_none(), "{note}");
        }
    }

    #[test]
    fn an_answer_of_rfc_6962_becomes_the_note_that_a_static_log_publishes() {
        use sha2::{Digest as _, Sha256};
        let (_, line) = CHECKPOINT.split_once("\n\n").unwrap();
        let encoded = line.trim_end().rsplit_once(' ').unwrap().1;
        let bytes = STANDARD.decode(encoded).unwrap();
        let note = to_note(
            &KeyName::new("harbor-ct2.example").unwrap(),
            &Sha256::digest(spki()).into(),
            1978,
            Hash::from_base64("ZXX7xDgOT9UPtaiga7FDWQyEoKwewC2u3slbCfFhPZU=").unwrap(),
            u64::from_be_bytes(bytes[4..12].try_into().unwrap()),
            &bytes[12..],
        );
        assert_eq!(note, CHECKPOINT);
    }
}
