//! The names and ids of keys.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::excerpt::excerpt;

/// Name of a key: not empty, without Unicode spaces, plus signs and control characters (C2SP signed-note, "Format").
///
/// It need not be the log's origin: Rekor v1 signs `rekor.sigstore.dev - 1193050959916656506` with the key
/// `rekor.sigstore.dev`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// The four bytes that distinguish the keys of a name; a hint, not a proof.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

/// A key or a key's name that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A name that no signature line can have.
    #[error("a key name is not empty and has no spaces, plus signs or control characters: \"{0}\"")]
    Name(String),
    /// Not a usable Ed25519 public key.
    #[error("not a point of Ed25519, or one of small order")]
    Ed25519,
    /// Not the DER of a P-256 public key.
    #[error("not the SubjectPublicKeyInfo of a P-256 key in DER")]
    EcdsaP256,
    /// Not the DER of any public key.
    #[error("not a SubjectPublicKeyInfo in DER")]
    NotSpki,
    /// Not the text form of a key.
    #[error(
        "not a verifier key: name, key id in hexadecimal and key in base64, joined by plus signs: \"{0}\""
    )]
    Vkey(String),
    /// A text form whose key id is not that of its name and key.
    #[error("the verifier key contains the id {claimed}, but its id is {computed}")]
    VkeyId {
        /// The id in the text.
        claimed: KeyId,
        /// The id computed from name, algorithm and key.
        computed: KeyId,
    },
    /// A public key of another algorithm; its object identifier, or the type byte of a verifier key.
    #[error("keys of algorithm {0} are not supported here")]
    Unsupported(String),
}

impl KeyName {
    /// Checks that a text can be a key name.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn new(name: &str) -> Result<Self, KeyError> {
        if Self::is_valid(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(KeyError::Name(excerpt(name)))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_valid(name: &str) -> bool {
        !name.is_empty()
            && !name
                .chars()
                .any(|c| c.is_whitespace() || c == '+' || c < ' ')
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl KeyId {
    /// Takes the four bytes, as the first four of a decoded signature.
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The four bytes, most significant first.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    /// `SHA-256(name ‖ "\n" ‖ algorithm ‖ key)[:4]`, C2SP signed-note, "Signatures".
    pub(super) fn of(name: &KeyName, algorithm: u8, key: &[u8]) -> Self {
        Self::truncated(id_hash(name, &[algorithm], key))
    }

    pub(super) const fn truncated([a, b, c, d, ..]: [u8; 32]) -> Self {
        Self([a, b, c, d])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// The hash whose first four bytes are the key id: `SHA-256(name ‖ "\n" ‖ algorithm ‖ key)`.
pub(super) fn id_hash(name: &KeyName, algorithm: &[u8], key: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(name.0.as_bytes());
    hasher.update(b"\n");
    hasher.update(algorithm);
    hasher.update(key);
    hasher.finalize().into()
}
