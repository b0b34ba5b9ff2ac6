//! Keys that come without a certificate.

use aws_lc_rs::digest::{SHA256, digest};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::der::{self, DerError, Reader};
use super::openpgp::{self, PgpError};
use super::ssh;
use super::{San, SanType};

/// How a key is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyFormat {
    /// A DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    Pkix,
    /// An OpenPGP primary key: its packet, framed as for its fingerprint (RFC 9580 §5.5.4).
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
    /// Not OpenPGP keys.
    #[error("not an OpenPGP public key: {0}")]
    Pgp(#[from] PgpError),
    /// Not an SSH key.
    #[error("not an SSH public key")]
    Ssh,
}

/// A public key. Nobody says whose: what some formats let it call itself is its maker's word.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    format: KeyFormat,
    bytes: Vec<u8>,
    fingerprint: Option<String>,
    names: Vec<San>,
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
        Ok(Self::nameless(KeyFormat::Pkix, der))
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
        Ok(Self::nameless(format, bytes))
    }

    /// Every primary key of a block of OpenPGP keys, armoured or not; at least one. The names are the user ids, and of
    /// `Name <address>` the address besides, so that whoever watches an address sees it.
    ///
    /// # Errors
    /// What is no such block, or has more in it than any.
    pub fn from_pgp(block: &[u8]) -> Result<Vec<Self>, KeyError> {
        Self::check_length(block)?;
        let named = |value: &str| San {
            kind: SanType::Pgp,
            value: value.to_owned(),
        };
        let key = |primary: openpgp::Primary| Self {
            format: KeyFormat::Pgp,
            bytes: primary.framed,
            fingerprint: primary.fingerprint,
            names: primary
                .user_ids
                .iter()
                .flat_map(|id| [Some(id.as_str()), openpgp::address(id)])
                .flatten()
                .map(named)
                .collect(),
        };
        Ok(openpgp::read(block)?.into_iter().map(key).collect())
    }

    /// The first SSH key of a file as OpenSSH writes it. Its name is the comment behind it, if there is one.
    ///
    /// # Errors
    /// What holds no such line.
    pub fn from_ssh(file: &[u8]) -> Result<Self, KeyError> {
        Self::check_length(file)?;
        let key = ssh::read(file).ok_or(KeyError::Ssh)?;
        let digest = sha256(&key.blob);
        // `ssh-keygen` shows that of the key in a certificate instead.
        let fingerprint = (!ssh::is_certificate(&key.blob))
            .then(|| format!("SHA256:{}", STANDARD_NO_PAD.encode(digest)));
        Ok(Self {
            format: KeyFormat::Ssh,
            fingerprint,
            names: key
                .comment
                .map(|comment| San {
                    kind: SanType::Ssh,
                    value: comment.into_owned(),
                })
                .into_iter()
                .collect(),
            bytes: key.blob,
        })
    }

    fn nameless(format: KeyFormat, bytes: Vec<u8>) -> Self {
        Self {
            format,
            bytes,
            fingerprint: None,
            names: Vec::new(),
        }
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

    /// What its owners know it by: of an OpenPGP key as `gpg` prints it, of an SSH key as `ssh-keygen -l` does.
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// What it calls itself: OpenPGP user ids, the comment of an SSH key. Anyone can make a key with any name.
    pub fn names(&self) -> &[San] {
        &self.names
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

    fn values(names: &[San]) -> Vec<&str> {
        names.iter().map(|san| san.value.as_str()).collect()
    }

    // The keys in tests/data/keys were made with gpg and ssh-keygen, which printed these fingerprints.

    #[test]
    fn an_openpgp_key_has_its_user_ids_and_the_fingerprint_that_gpg_prints() {
        let keys = Key::from_pgp(include_bytes!("../../tests/data/keys/ring.asc")).expect("keys");
        let [one, two] = keys.as_slice() else {
            panic!("two keys")
        };
        assert_eq!(
            values(one.names()),
            [
                "Harbor Release <release@harbor.example>",
                "release@harbor.example",
                "build@harbor.example"
            ]
        );
        assert_eq!(
            values(two.names()),
            [
                "Élodie Vigie (night watch) <elodie@harbor.example>",
                "elodie@harbor.example"
            ]
        );
        assert!(one.names().iter().all(|name| name.kind == SanType::Pgp));
        let fingerprints: Vec<_> = keys.iter().map(Key::fingerprint).collect();
        assert_eq!(
            fingerprints,
            [
                Some("C9AD1BC6030CEADA040EDFF1E8C5FAA47DF8BDCB"),
                Some("6FAFF17B883B1F6A34D300096D483F29B4E4583F")
            ]
        );
    }

    #[test]
    fn an_openpgp_key_is_the_same_one_whatever_it_comes_in() {
        let read = |block: &[u8]| Key::from_pgp(block).expect("a key").remove(0);
        let armoured = read(include_bytes!("../../tests/data/keys/one.asc"));
        let packets = include_bytes!("../../tests/data/keys/one.pgp");
        // Its first packet, without user ids and whatever was certified.
        let (bare, _) = packets.split_at(2 + usize::from(packets[1]));
        assert!(read(bare).names().is_empty());
        for other in [
            &packets[..],
            bare,
            include_bytes!("../../tests/data/keys/ring.asc"),
        ] {
            assert_eq!(read(other).key_sha256(), armoured.key_sha256());
        }
    }

    #[test]
    fn an_ssh_key_has_its_comment_and_the_fingerprint_that_ssh_keygen_prints() {
        let read = |line: &[u8]| Key::from_ssh(line).expect("a key");
        let key = read(include_bytes!("../../tests/data/keys/ed25519.pub"));
        assert_eq!(values(key.names()), ["release@harbor"]);
        let fingerprint = "SHA256:B6kK1tPJyAme1gNL522unbDaVwme2+SAhuLumXzplRc";
        assert_eq!(key.fingerprint(), Some(fingerprint));
        let digest = STANDARD_NO_PAD.encode(key.key_sha256());
        assert_eq!(fingerprint.strip_prefix("SHA256:"), Some(digest.as_str()));

        let key = read(include_bytes!("../../tests/data/keys/rsa.pub"));
        assert!(key.names().is_empty());
        assert_eq!(
            key.fingerprint(),
            Some("SHA256:XQjpVUQQVgTa2cCFuZ28OAOB93+AcNRysGdxt6fUcAU")
        );

        // Of a certificate ssh-keygen prints what belongs to the key in it.
        let key = read(include_bytes!("../../tests/data/keys/ed25519-cert.pub"));
        assert_eq!(key.fingerprint(), None);
        assert_eq!(values(key.names()), ["release@harbor"]);
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
