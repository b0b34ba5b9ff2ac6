//! The keys that sign notes: names, ids, and how each algorithm is verified.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey as Ed25519Key;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature as P256Signature, VerifyingKey as P256Key};
use p256::pkcs8::{DecodePublicKey as _, ObjectIdentifier, SubjectPublicKeyInfoRef};
use sha2::{Digest as _, Sha256};

use super::checked::Checked;
use super::foreign::{ForeignAlgorithm, ForeignKey};
use super::name::{KeyError, KeyId, KeyName, id_hash};
use super::tree_head;
use crate::excerpt::excerpt;

/// A public key with its name, which verifies signature lines of a note.
#[derive(Clone, Debug)]
pub struct Verifier {
    name: KeyName,
    /// The hash whose first four bytes are the id.
    id_hash: [u8; 32],
    key: Key,
}

#[derive(Clone, Debug)]
enum Key {
    Ed25519(Ed25519Key),
    EcdsaP256(P256Key),
    CosignerEd25519(Ed25519Key),
    TreeHeadP256(P256Key),
    TreeHeadEd25519(Ed25519Key),
    Foreign(ForeignKey),
    TreeHeadForeign(ForeignKey),
    /// A key that cannot verify anything, and the reason.
    Unusable(String),
}

/// DER of an Ed25519 SubjectPublicKeyInfo up to the 32 bytes of the key, RFC 8410 §4.
const ED25519_SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// id-ecPublicKey, RFC 5480 §2.1.1.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

impl Verifier {
    /// A log's Ed25519 key (signature type 0x01).
    ///
    /// # Errors
    /// [`KeyError::Ed25519`].
    pub fn ed25519(name: KeyName, key: &[u8; 32]) -> Result<Self, KeyError> {
        Ok(Self {
            id_hash: id_hash(&name, &[0x01], key),
            name,
            key: Key::Ed25519(ed25519(key)?),
        })
    }

    /// A log's ECDSA P-256 key (signature type 0x02), from its SubjectPublicKeyInfo in DER.
    ///
    /// Its id is `SHA-256(SPKI)[:4]` and does not depend on the name, as in Rekor v1 and transparency-dev's witness.
    ///
    /// # Errors
    /// [`KeyError::EcdsaP256`].
    pub fn ecdsa_p256(name: KeyName, spki_der: &[u8]) -> Result<Self, KeyError> {
        let key = P256Key::from_public_key_der(spki_der).map_err(|_| KeyError::EcdsaP256)?;
        Ok(Self {
            name,
            id_hash: Sha256::digest(spki_der).into(),
            key: Key::EcdsaP256(key),
        })
    }

    /// A witness's Ed25519 key for timestamped cosignatures (signature type 0x04). It does not count as the log's own.
    ///
    /// # Errors
    /// [`KeyError::Ed25519`].
    pub fn cosigner_ed25519(name: KeyName, key: &[u8; 32]) -> Result<Self, KeyError> {
        Ok(Self {
            id_hash: id_hash(&name, &[0x04], key),
            name,
            key: Key::CosignerEd25519(ed25519(key)?),
        })
    }

    /// A witness's key from its SubjectPublicKeyInfo in DER; only Ed25519.
    ///
    /// # Errors
    /// [`KeyError::Ed25519`] for any other key.
    pub fn cosigner_from_spki_der(name: KeyName, der: &[u8]) -> Result<Self, KeyError> {
        let key = ed25519_of_spki(der).ok_or(KeyError::Ed25519)?;
        Self::cosigner_ed25519(name, key)
    }

    /// A certificate transparency log's key, ECDSA P-256 or Ed25519 (signature type 0x05), from its
    /// SubjectPublicKeyInfo in DER. It does not sign the note's text but a tree head of RFC 6962 with the same content:
    /// see [`super::tree_head`].
    ///
    /// # Errors
    /// [`KeyError::NotSpki`]; [`KeyError::Unsupported`], [`KeyError::EcdsaP256`] and [`KeyError::Ed25519`] for other keys: see
    /// [`foreign_tree_head`](Self::foreign_tree_head).
    pub fn tree_head(name: KeyName, spki_der: &[u8]) -> Result<Self, KeyError> {
        let key = if let Some(key) = ed25519_of_spki(spki_der) {
            Key::TreeHeadEd25519(ed25519(key)?)
        } else {
            let spki =
                SubjectPublicKeyInfoRef::try_from(spki_der).map_err(|_| KeyError::NotSpki)?;
            if spki.algorithm.oid != EC_PUBLIC_KEY {
                return Err(KeyError::Unsupported(format!("{}", spki.algorithm.oid)));
            }
            let key = P256Key::from_public_key_der(spki_der).map_err(|_| KeyError::EcdsaP256)?;
            Key::TreeHeadP256(key)
        };
        Ok(Self {
            id_hash: tree_head_id_hash(&name, spki_der),
            name,
            key,
        })
    }

    /// A log's key of an algorithm that this crate does not implement; the caller verifies with it.
    ///
    /// Its id is `SHA-256(SPKI)[:4]` for ECDSA, and for RSA that of signature type 0xff (rekor-tiles `pkg/note/note.go`).
    pub fn foreign(name: KeyName, spki_der: &[u8], key: ForeignKey) -> Self {
        let id_hash = match key.algorithm() {
            ForeignAlgorithm::Ecdsa => Sha256::digest(spki_der).into(),
            ForeignAlgorithm::Rsa => id_hash(&name, b"\xffPKIX-RSA-PKCS#1v1.5", spki_der),
        };
        Self {
            name,
            id_hash,
            key: Key::Foreign(key),
        }
    }

    /// As [`foreign`](Self::foreign), of a certificate transparency log (signature type 0x05).
    pub fn foreign_tree_head(name: KeyName, spki_der: &[u8], key: ForeignKey) -> Self {
        Self {
            id_hash: tree_head_id_hash(&name, spki_der),
            name,
            key: Key::TreeHeadForeign(key),
        }
    }

    /// A known key that cannot be used. Signatures under its name and id are neither verified nor unknown.
    ///
    /// `id_hash` is the hash whose first four bytes are its id; `why` is the reason for people.
    pub const fn unusable(name: KeyName, id_hash: [u8; 32], why: String) -> Self {
        Self {
            name,
            id_hash,
            key: Key::Unusable(why),
        }
    }

    /// The same key, identified by `SHA-256(SPKI)[:4]` whatever the algorithm, as a Rekor v1 log identifies its keys.
    // Off-spec: C2SP signed-note hashes name, type and key of an Ed25519 key; rekor's `pkg/util/signed_note.go` does not.
    #[must_use]
    pub fn identified_by_spki(mut self, spki_der: &[u8]) -> Self {
        self.id_hash = Sha256::digest(spki_der).into();
        self
    }

    /// A log's key from its SubjectPublicKeyInfo in DER, the form in trusted roots and PEM files: Ed25519 or ECDSA
    /// P-256.
    ///
    /// # Errors
    /// [`KeyError::NotSpki`], [`KeyError::Unsupported`], or that of the algorithm.
    pub fn from_spki_der(name: KeyName, der: &[u8]) -> Result<Self, KeyError> {
        if let Some(key) = ed25519_of_spki(der) {
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
    /// [`Vkey`] reads the other types.
    ///
    /// # Errors
    /// [`KeyError::Vkey`], [`KeyError::VkeyId`], [`KeyError::Name`], [`KeyError::Ed25519`], [`KeyError::Unsupported`] for
    /// another type.
    pub fn from_vkey(text: &str) -> Result<Self, KeyError> {
        let vkey = Vkey::read(text)?;
        let key = <&[u8; 32]>::try_from(vkey.key.as_slice());
        let name = vkey.name.clone();
        let verifier = match (vkey.algorithm, key) {
            (0x01, Ok(key)) => Self::ed25519(name, key)?,
            (0x04, Ok(key)) => Self::cosigner_ed25519(name, key)?,
            (0x01 | 0x04, Err(_)) => return Err(KeyError::Vkey(excerpt(text))),
            (other, _) => return Err(KeyError::Unsupported(format!("0x{other:02x}"))),
        };
        vkey.expect_id(verifier.id())?;
        Ok(verifier)
    }

    /// Whether it is a witness's key: its signatures do not count as the log's own.
    pub const fn is_witness(&self) -> bool {
        matches!(self.key, Key::CosignerEd25519(_))
    }

    /// A key of a Rekor v1 log: as [`from_spki_der`](Self::from_spki_der), but identified by `SHA-256(SPKI)[:4]` whatever the
    /// algorithm.
    ///
    /// # Errors
    /// As there.
    pub fn rekor_v1(name: KeyName, der: &[u8]) -> Result<Self, KeyError> {
        Ok(Self::from_spki_der(name, der)?.identified_by_spki(der))
    }

    /// The key's name.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's id.
    pub const fn id(&self) -> KeyId {
        KeyId::truncated(self.id_hash)
    }

    /// The hash whose first four bytes are the id; the log id in a trusted root.
    pub const fn id_hash(&self) -> &[u8; 32] {
        &self.id_hash
    }

    /// Why it cannot verify anything; `None` if it can.
    pub const fn why_unusable(&self) -> Option<&str> {
        match &self.key {
            Key::Unusable(why) => Some(why.as_str()),
            _ => None,
        }
    }

    /// The content of a valid signature over `text`, or `None` if it is not valid for this key.
    pub(super) fn check(&self, text: &str, signature: &[u8]) -> Option<Checked> {
        match &self.key {
            Key::Ed25519(key) => {
                verify_ed25519(key, text.as_bytes(), signature).then_some(Checked::Log)
            }
            // Both signs of s are accepted: Go's signers do not choose the lower one, and a note is not identified by
            // its signature.
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
                let signed = tree_head::Signed::read(text, signature, tree_head::ECDSA_SHA256)?;
                let signature = P256Signature::from_der(signed.signature).ok()?;
                key.verify(&signed.message, &signature).ok()?;
                Some(signed.checked())
            }
            Key::TreeHeadEd25519(key) => {
                let signed = tree_head::Signed::read(text, signature, tree_head::ED25519)?;
                verify_ed25519(key, &signed.message, signed.signature).then(|| signed.checked())
            }
            Key::Foreign(key) => key
                .verifies(text.as_bytes(), signature)
                .then_some(Checked::Log),
            Key::TreeHeadForeign(key) => {
                let algorithm = match key.algorithm() {
                    ForeignAlgorithm::Ecdsa => tree_head::ECDSA_SHA256,
                    ForeignAlgorithm::Rsa => tree_head::RSA_SHA256,
                };
                let signed = tree_head::Signed::read(text, signature, algorithm)?;
                key.verifies(&signed.message, signed.signature)
                    .then(|| signed.checked())
            }
            Key::Unusable(_) => None,
        }
    }
}

/// A key in the text form of C2SP signed-note, "Verifier keys", of any type: `name+id+base64(type ‖ key)`. Only the
/// form of the key is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vkey {
    /// The key's name.
    pub name: KeyName,
    /// As written; see [`expect_id`](Self::expect_id).
    pub id: KeyId,
    /// The signature type: 0x01 is Ed25519, 0x02 ECDSA, 0x04 a witness's Ed25519, 0x05 a tree head of RFC 6962.
    pub algorithm: u8,
    /// The key in the form of that type.
    pub key: Vec<u8>,
}

impl Vkey {
    /// Parses the text.
    ///
    /// # Errors
    /// [`KeyError::Vkey`], [`KeyError::Name`].
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let malformed = || KeyError::Vkey(excerpt(text));
        // A name contains no plus sign; base64 may.
        let (name, rest) = text.split_once('+').ok_or_else(malformed)?;
        let (id, key) = rest.split_once('+').ok_or_else(malformed)?;
        let name = KeyName::new(name)?;
        let is_hex = id.len() == 8 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
        let id = is_hex
            .then(|| u32::from_str_radix(id, 16).ok())
            .flatten()
            .map(|id| KeyId::new(id.to_be_bytes()))
            .ok_or_else(malformed)?;
        let bytes = STANDARD.decode(key).map_err(|_| malformed())?;
        let (algorithm, key) = bytes.split_first().ok_or_else(malformed)?;
        Ok(Self {
            name,
            id,
            algorithm: *algorithm,
            key: key.to_vec(),
        })
    }

    /// The SubjectPublicKeyInfo in DER of a log's key: of Ed25519 (type 0x01, or 0x05 with 32 bytes), or the content of
    /// types 0x02 and 0x05 and RSA's 0xff.
    ///
    /// # Errors
    /// [`KeyError::Vkey`] if there is none; [`KeyError::Unsupported`] for another type, also a witness's.
    pub fn spki_der(&self) -> Result<Vec<u8>, KeyError> {
        const RSA: &[u8] = b"PKIX-RSA-PKCS#1v1.5";
        let malformed = || KeyError::Vkey(excerpt(self.name.as_str()));
        match (self.algorithm, self.key.len()) {
            (0x01, 32) => Ok([&ED25519_SPKI_PREFIX, self.key.as_slice()].concat()),
            (0x02 | 0x05, 1..) => Ok(self.key.clone()),
            (0xff, _) if self.key.starts_with(RSA) => {
                let key = self.key.get(RSA.len()..).ok_or_else(malformed)?;
                Ok(key.to_vec())
            }
            (0x01 | 0x02 | 0x05, _) => Err(malformed()),
            (other, _) => Err(KeyError::Unsupported(format!("0x{other:02x}"))),
        }
    }

    /// Checks that the id in the text is the id of the key.
    ///
    /// # Errors
    /// [`KeyError::VkeyId`].
    pub fn expect_id(&self, computed: KeyId) -> Result<(), KeyError> {
        if self.id == computed {
            return Ok(());
        }
        Err(KeyError::VkeyId {
            claimed: self.id,
            computed,
        })
    }
}

fn ed25519_of_spki(der: &[u8]) -> Option<&[u8; 32]> {
    der.strip_prefix(&ED25519_SPKI_PREFIX)
        .and_then(|key| key.try_into().ok())
}

fn tree_head_id_hash(name: &KeyName, spki_der: &[u8]) -> [u8; 32] {
    id_hash(name, &[0x05], &Sha256::digest(spki_der))
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
