//! The keys that notes are signed with: names, ids, and how each algorithm is verified.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey as Ed25519Key;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature as P256Signature, VerifyingKey as P256Key};
use p256::pkcs8::{DecodePublicKey as _, ObjectIdentifier, SubjectPublicKeyInfoRef};
use sha2::{Digest as _, Sha256};

use super::tree_head;

/// Name of a key: not empty, without Unicode spaces, plus signs and control characters (C2SP signed-note, "Format").
///
/// It need not be the log's origin: Rekor v1 signs `rekor.sigstore.dev - 1193050959916656506` with the key
/// `rekor.sigstore.dev`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// The four bytes that tell one key of a name from another; a hint, not a proof.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

/// A public key with its name: what one signature line of a note is checked with.
#[derive(Clone, Debug)]
pub struct Verifier {
    name: KeyName,
    id: KeyId,
    key: Key,
}

#[derive(Clone, Debug)]
enum Key {
    Ed25519(Ed25519Key),
    EcdsaP256(P256Key),
    CosignerEd25519(Ed25519Key),
    TreeHeadP256(P256Key),
}

/// A valid signature, by what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Log,
    Cosigned {
        time: u64,
    },
    /// By a certificate transparency log; milliseconds.
    Head {
        timestamp: u64,
    },
}

/// A key or a key's name that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A name that no signature line can bear.
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
    #[error("the verifier key says that its id is {said}, but it is {computed}")]
    VkeyId {
        /// As written.
        said: KeyId,
        /// By name, algorithm and key.
        computed: KeyId,
    },
    /// A public key of another algorithm; its object identifier.
    #[error("keys of algorithm {0} are not supported, only Ed25519 and ECDSA P-256")]
    Unsupported(String),
}

/// DER of an Ed25519 SubjectPublicKeyInfo up to the 32 bytes of the key, RFC 8410 §4.
const ED25519_SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// id-ecPublicKey, RFC 5480 §2.1.1.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

impl KeyName {
    /// Takes a text as a key name.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn new(name: &str) -> Result<Self, KeyError> {
        if Self::is_valid(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(KeyError::Name(super::excerpt(name)))
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
        let mut hasher = Sha256::new();
        hasher.update(name.0.as_bytes());
        hasher.update([b'\n', algorithm]);
        hasher.update(key);
        Self::truncated(hasher.finalize().into())
    }

    fn truncated([a, b, c, d, ..]: [u8; 32]) -> Self {
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

impl Verifier {
    /// A log's Ed25519 key (signature type 0x01).
    ///
    /// # Errors
    /// [`KeyError::Ed25519`].
    pub fn ed25519(name: KeyName, key: &[u8; 32]) -> Result<Self, KeyError> {
        let id = KeyId::of(&name, 0x01, key);
        Ok(Self {
            name,
            id,
            key: Key::Ed25519(ed25519(key)?),
        })
    }

    /// A log's ECDSA P-256 key (signature type 0x02), from its SubjectPublicKeyInfo in DER.
    ///
    /// Its id is `SHA-256(SPKI)[:4]` and does not depend on the name, as Rekor v1 and transparency-dev's witness have it.
    ///
    /// # Errors
    /// [`KeyError::EcdsaP256`].
    pub fn ecdsa_p256(name: KeyName, spki_der: &[u8]) -> Result<Self, KeyError> {
        let key = P256Key::from_public_key_der(spki_der).map_err(|_| KeyError::EcdsaP256)?;
        let id = KeyId::truncated(Sha256::digest(spki_der).into());
        Ok(Self {
            name,
            id,
            key: Key::EcdsaP256(key),
        })
    }

    /// A witness's Ed25519 key for timestamped cosignatures (signature type 0x04). It does not count as the log's own.
    ///
    /// # Errors
    /// [`KeyError::Ed25519`].
    pub fn cosigner_ed25519(name: KeyName, key: &[u8; 32]) -> Result<Self, KeyError> {
        let id = KeyId::of(&name, 0x04, key);
        Ok(Self {
            name,
            id,
            key: Key::CosignerEd25519(ed25519(key)?),
        })
    }

    /// A witness's key from its SubjectPublicKeyInfo in DER; only Ed25519.
    ///
    /// # Errors
    /// [`KeyError::Ed25519`] for any other key.
    pub fn cosigner_from_spki_der(name: KeyName, der: &[u8]) -> Result<Self, KeyError> {
        let key = der
            .strip_prefix(&ED25519_SPKI_PREFIX)
            .and_then(|key| key.try_into().ok())
            .ok_or(KeyError::Ed25519)?;
        Self::cosigner_ed25519(name, key)
    }

    /// A certificate transparency log's ECDSA P-256 key (signature type 0x05), from its SubjectPublicKeyInfo in DER. What it
    /// signs is not the note's text but a tree head of RFC 6962, which is in it: see [`super::tree_head`].
    ///
    /// # Errors
    /// [`KeyError::NotSpki`]; [`KeyError::Unsupported`] and [`KeyError::EcdsaP256`] for other keys: RFC 6962 allows RSA besides,
    /// which no log of Sigstore uses.
    pub fn tree_head(name: KeyName, spki_der: &[u8]) -> Result<Self, KeyError> {
        let spki = SubjectPublicKeyInfoRef::try_from(spki_der).map_err(|_| KeyError::NotSpki)?;
        if spki.algorithm.oid != EC_PUBLIC_KEY {
            return Err(KeyError::Unsupported(format!("{}", spki.algorithm.oid)));
        }
        let key = P256Key::from_public_key_der(spki_der).map_err(|_| KeyError::EcdsaP256)?;
        let id = tree_head::key_id(&name, &Sha256::digest(spki_der).into());
        Ok(Self {
            name,
            id,
            key: Key::TreeHeadP256(key),
        })
    }

    /// A log's key from its SubjectPublicKeyInfo in DER, as trusted roots and PEM files hold it: Ed25519 or ECDSA P-256.
    ///
    /// # Errors
    /// [`KeyError::NotSpki`], [`KeyError::Unsupported`], or that of the algorithm.
    pub fn from_spki_der(name: KeyName, der: &[u8]) -> Result<Self, KeyError> {
        if let Some(key) = der
            .strip_prefix(&ED25519_SPKI_PREFIX)
            .and_then(|key| key.try_into().ok())
        {
            return Self::ed25519(name, key);
        }
        let spki = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| KeyError::NotSpki)?;
        if spki.algorithm.oid == EC_PUBLIC_KEY {
            Self::ecdsa_p256(name, der)
        } else {
            Err(KeyError::Unsupported(format!("{}", spki.algorithm.oid)))
        }
    }

    /// A key in the text form of C2SP signed-note, "Verifier keys": a log's Ed25519 key (type 0x01) or a witness's (0x04).
    ///
    /// # Errors
    /// [`KeyError::Vkey`], [`KeyError::VkeyId`], [`KeyError::Name`], [`KeyError::Ed25519`], [`KeyError::Unsupported`] for
    /// another type.
    pub fn from_vkey(text: &str) -> Result<Self, KeyError> {
        let malformed = || KeyError::Vkey(super::excerpt(text));
        // A name has no plus sign; base64 may.
        let (name, rest) = text.split_once('+').ok_or_else(malformed)?;
        let (id, key) = rest.split_once('+').ok_or_else(malformed)?;
        let name = KeyName::new(name)?;
        let said = (id.len() == 8)
            .then(|| u32::from_str_radix(id, 16).ok())
            .flatten()
            .map(|id| KeyId(id.to_be_bytes()))
            .ok_or_else(malformed)?;
        let bytes = STANDARD.decode(key).map_err(|_| malformed())?;
        let (algorithm, key) = bytes.split_first().ok_or_else(malformed)?;
        let key = <&[u8; 32]>::try_from(key);
        let verifier = match (algorithm, key) {
            (0x01, Ok(key)) => Self::ed25519(name, key)?,
            (0x04, Ok(key)) => Self::cosigner_ed25519(name, key)?,
            (0x01 | 0x04, Err(_)) => return Err(malformed()),
            (other, _) => return Err(KeyError::Unsupported(format!("0x{other:02x}"))),
        };
        if verifier.id == said {
            Ok(verifier)
        } else {
            Err(KeyError::VkeyId {
                said,
                computed: verifier.id,
            })
        }
    }

    /// Whether it is a witness's: such a signature does not count as the log's own.
    pub const fn is_witness(&self) -> bool {
        matches!(self.key, Key::CosignerEd25519(_))
    }

    /// A key of a Rekor v1 log: as [`from_spki_der`](Self::from_spki_der), but identified by `SHA-256(SPKI)[:4]` whatever the
    /// algorithm.
    ///
    /// # Errors
    /// As there.
    // Off-spec: C2SP signed-note hashes name, type and key of an Ed25519 key; rekor's `pkg/util/signed_note.go` does not.
    pub fn rekor_v1(name: KeyName, der: &[u8]) -> Result<Self, KeyError> {
        let mut verifier = Self::from_spki_der(name, der)?;
        verifier.id = KeyId::truncated(Sha256::digest(der).into());
        Ok(verifier)
    }

    /// The key's name.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's id.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What a signature over `text` says, or `None` when it is not one of this key.
    pub(super) fn check(&self, text: &str, signature: &[u8]) -> Option<Checked> {
        match &self.key {
            Key::Ed25519(key) => {
                verify_ed25519(key, text.as_bytes(), signature).then_some(Checked::Log)
            }
            // Either sign of s is taken: Go's signers do not choose the lower one, and a note is not identified by its signature.
            Key::EcdsaP256(key) => {
                let signature = P256Signature::from_der(signature).ok()?;
                key.verify(text.as_bytes(), &signature)
                    .ok()
                    .map(|()| Checked::Log)
            }
            Key::CosignerEd25519(key) => {
                let (time, signature) = signature.split_first_chunk()?;
                let time = u64::from_be_bytes(*time);
                let message = format!("cosignature/v1\ntime {time}\n{text}");
                // "It MUST NOT exceed 2^63 - 1", C2SP tlog-cosignature.
                let valid = i64::try_from(time).is_ok()
                    && verify_ed25519(key, message.as_bytes(), signature);
                valid.then_some(Checked::Cosigned { time })
            }
            Key::TreeHeadP256(key) => {
                let signed = tree_head::Signed::read(text, signature)?;
                let signature = P256Signature::from_der(signed.signature).ok()?;
                key.verify(&signed.message, &signature).ok()?;
                Some(Checked::Head {
                    timestamp: signed.timestamp,
                })
            }
        }
    }
}

fn ed25519(key: &[u8; 32]) -> Result<Ed25519Key, KeyError> {
    // A key of small order would verify a signature over any text.
    Ed25519Key::from_bytes(key)
        .ok()
        .filter(|key| !key.is_weak())
        .ok_or(KeyError::Ed25519)
}

fn verify_ed25519(key: &Ed25519Key, message: &[u8], signature: &[u8]) -> bool {
    signature
        .try_into()
        .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
}
