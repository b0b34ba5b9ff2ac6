//! Keys that come without a certificate.

use aws_lc_rs::digest::{SHA256, digest};

use super::der::{self, DerError, Reader};

/// How a key is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyFormat {
    /// A DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    Pkix,
    /// An OpenPGP public key, as the entry holds it (usually armoured).
    Pgp,
    /// An SSH public key: the blob that `ssh-keygen -l` hashes.
    Ssh,
    /// A minisign public key, as the entry holds it.
    Minisign,
    /// A TUF root that names its keys itself, as the entry holds it.
    Tuf,
}

impl KeyFormat {
    /// The word in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pkix => "pkix",
            Self::Pgp => "pgp",
            Self::Ssh => "ssh",
            Self::Minisign => "minisign",
            Self::Tuf => "tuf",
        }
    }
}

/// Longest key that is read, in bytes. OpenPGP keys with many certifications are long; RSA keys of 16,384 bits have 2 KiB.
const MAX_KEY_BYTES: usize = 4 * 1024 * 1024;

/// Why bytes are not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing there.
    #[error("key is empty")]
    Empty,
    /// Longer than any key.
    #[error("key of {length} bytes, the limit is {limit}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Not a SubjectPublicKeyInfo.
    #[error("not a DER SubjectPublicKeyInfo: {0}")]
    Der(#[from] DerError),
}

/// A public key; nothing says whose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    format: KeyFormat,
    bytes: Vec<u8>,
}

impl Key {
    /// A key from its DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// What is not exactly one such structure.
    pub fn from_spki(der: Vec<u8>) -> Result<Self, KeyError> {
        Self::check_length(&der)?;
        let mut fields = Reader::new(der::only(&der, der::SEQUENCE)?);
        let algorithm = fields.expect(der::SEQUENCE)?;
        fields.inside(&algorithm.content).expect(der::OID)?;
        fields.octets_of_bits()?;
        fields.end()?;
        Ok(Self {
            format: KeyFormat::Pkix,
            bytes: der,
        })
    }

    /// A key from a PKCS#1 RSAPublicKey, which becomes the SubjectPublicKeyInfo of the same key: it has one
    /// fingerprint, however it was written down.
    ///
    /// # Errors
    /// What is not two INTEGERs in a SEQUENCE.
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        /// `SEQUENCE { rsaEncryption, NULL }`.
        const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
        Self::check_length(der)?;
        let mut numbers = Reader::new(der::only(der, der::SEQUENCE)?);
        numbers.expect(der::INTEGER)?;
        numbers.expect(der::INTEGER)?;
        numbers.end()?;
        let mut bits = vec![0];
        bits.extend_from_slice(der);
        let mut spki = RSA.to_vec();
        spki.extend(der::encode(der::BIT_STRING, &bits));
        Self::from_spki(der::encode(der::SEQUENCE, &spki))
    }

    /// A key of another format, which is kept as it is.
    ///
    /// # Errors
    /// Nothing at all, or far too much.
    pub fn other(format: KeyFormat, bytes: Vec<u8>) -> Result<Self, KeyError> {
        Self::check_length(&bytes)?;
        Ok(Self { format, bytes })
    }

    fn check_length(bytes: &[u8]) -> Result<(), KeyError> {
        match bytes.len() {
            0 => Err(KeyError::Empty),
            length if length > MAX_KEY_BYTES => Err(KeyError::TooLong {
                length,
                limit: MAX_KEY_BYTES,
            }),
            _ => Ok(()),
        }
    }

    /// How it is written down.
    pub fn format(&self) -> KeyFormat {
        self.format
    }

    /// The key itself, in that format.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the DER SubjectPublicKeyInfo; for another format of the bytes described there. Computed on each call.
    pub fn key_sha256(&self) -> [u8; 32] {
        sha256(&self.bytes)
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes)
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "302a300506032b657003210033cfa475cfca4b0b55caee428328907690515334ceffb090684b0a10803372a6";

    fn ed25519() -> Vec<u8> {
        hex::decode(ED25519).expect("hex")
    }

    #[test]
    fn a_key_is_exactly_one_subject_public_key_info() {
        let key = Key::from_spki(ed25519()).expect("a key");
        assert_eq!(key.format(), KeyFormat::Pkix);
        assert_eq!(key.key_sha256(), sha256(&ed25519()));
        let mut longer = ed25519();
        longer.push(0);
        let cut = ed25519().split_off(3);
        for bad in [longer, cut, b"\x30\x00".to_vec(), vec![]] {
            assert!(Key::from_spki(bad.clone()).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn an_rsa_key_has_one_fingerprint_however_it_is_written() {
        // A toy modulus; a real one has the same shape.
        let pkcs1 = b"\x30\x06\x02\x01\x0f\x02\x01\x03";
        let key = Key::from_pkcs1(pkcs1).expect("a key");
        let spki = b"\x30\x1a\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x09\x00\x30\x06\x02\x01\x0f\x02\x01\x03";
        assert_eq!(key.bytes(), spki);
        assert!(Key::from_pkcs1(b"\x30\x03\x02\x01\x0f").is_err());
    }
}
