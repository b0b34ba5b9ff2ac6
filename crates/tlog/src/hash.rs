//! RFC 6962 §2.1 hashing: leaves and nodes are hashed under different prefixes, so that neither can pass as the other.

use alloc::string::String;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// A SHA-256 hash: of a leaf, of a subtree or of a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; Hash::BYTES]);

/// Text or bytes that are not one SHA-256 hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// The wrong number of bytes.
    #[error("a hash has 32 bytes, found {0}")]
    Length(usize),
    /// Not 64 hexadecimal digits.
    #[error("a hash in hexadecimal has 64 digits 0-9, a-f")]
    Hex,
    /// Not canonical base64 (RFC 4648 §4, padded, unused bits zero).
    #[error("not canonical standard base64")]
    Base64,
}

impl Hash {
    /// Length of a hash in bytes.
    pub const BYTES: usize = 32;

    /// Creates a hash from 32 bytes.
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Creates a hash from a slice of exactly 32 bytes.
    ///
    /// # Errors
    /// [`HashError::Length`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, HashError> {
        match bytes.try_into() {
            Ok(array) => Ok(Self(array)),
            Err(_) => Err(HashError::Length(bytes.len())),
        }
    }

    /// Reads 64 hexadecimal digits of either case.
    ///
    /// # Errors
    /// [`HashError::Hex`].
    pub fn from_hex(text: &str) -> Result<Self, HashError> {
        let mut bytes = [0; Self::BYTES];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(HashError::Hex),
        }
    }

    /// The hash as 64 lower-case hexadecimal digits, as [`Display`](fmt::Display) writes it.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Reads canonical, padded standard base64 of exactly 32 bytes: one text per hash, so texts can be compared.
    ///
    /// # Errors
    /// [`HashError::Base64`], [`HashError::Length`].
    pub fn from_base64(text: &str) -> Result<Self, HashError> {
        // 44 characters hold 32 bytes; anything longer is refused before it is decoded.
        if text.len() > 44 {
            return Err(HashError::Length(text.len() / 4 * 3));
        }
        match STANDARD.decode(text) {
            Ok(bytes) => Self::from_slice(&bytes),
            Err(_) => Err(HashError::Base64),
        }
    }

    /// The hash in padded standard base64, as checkpoints write it.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; Self::BYTES * 2];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.pad(core::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// Hash of one leaf: SHA-256(0x00 ‖ leaf), RFC 6962 §2.1.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(leaf);
    Hash(hasher.finalize().into())
}

/// Hash of a node over its two children: SHA-256(0x01 ‖ left ‖ right), RFC 6962 §2.1.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0x01; 1 + 2 * Hash::BYTES];
    bytes[1..=Hash::BYTES].copy_from_slice(&left.0);
    bytes[1 + Hash::BYTES..].copy_from_slice(&right.0);
    Hash(Sha256::digest(bytes).into())
}

/// Root of the tree without leaves: SHA-256 of the empty string, RFC 6962 §2.1.
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn hashes_are_those_of_rfc_6962() {
        // certificate-transparency's reference vectors (merkletree/tree_test.go).
        for (hash, hex) in [
            (
                empty_root(),
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                leaf_hash(b""),
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            ),
            (
                leaf_hash(b"L123456"),
                "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56",
            ),
        ] {
            assert_eq!(hash.to_hex(), hex);
        }
        let node = node_hash(&leaf_hash(b""), &leaf_hash(b"\x00"));
        assert_eq!(
            node.to_string(),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
        );
    }

    #[test]
    fn a_hash_survives_each_of_its_texts() {
        let hash = leaf_hash(b"leaf");
        assert_eq!(Hash::from_hex(&hash.to_hex()), Ok(hash));
        assert_eq!(Hash::from_hex(&hash.to_hex().to_uppercase()), Ok(hash));
        assert_eq!(Hash::from_base64(&hash.to_base64()), Ok(hash));
        assert_eq!(Hash::from_slice(hash.as_bytes()), Ok(hash));
    }

    #[test]
    fn a_text_that_is_not_exactly_one_hash_is_refused() {
        assert_eq!(Hash::from_hex("00"), Err(HashError::Hex));
        assert_eq!(Hash::from_hex(&"g".repeat(64)), Err(HashError::Hex));
        assert_eq!(Hash::from_slice(&[0; 31]), Err(HashError::Length(31)));
        let text = Hash::new([0; 32]).to_base64();
        for wrong in [
            text.strip_suffix('=').unwrap(),
            &text.replace("A=", "B="), // unused bits set
            &text.replace('A', "-"),
            &(text.clone() + "\n"),
            "",
            "AAAA",
            &"A".repeat(1 << 20),
        ] {
            assert!(
                Hash::from_base64(wrong).is_err(),
                "{} characters",
                wrong.len()
            );
        }
    }
}
