//! Keys without a certificate.

use aws_lc_rs::digest::{SHA256, digest};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::Value;

use super::der::{self, DerError, Reader};
use super::material::Material;
use super::openpgp::{self, PgpError, PgpKey};
use super::ssh;
use super::{San, SanType};

/// How a key is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyFormat {
    /// A DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    Pkix,
    /// An OpenPGP primary key or subkey: its packet, framed as for its fingerprint (RFC 9580 §5.5.4).
    Pgp,
    /// An SSH public key: the blob that `ssh-keygen -l` hashes; or a certificate's.
    Ssh,
    /// A minisign public key, as the entry holds it.
    Minisign,
    /// A TUF root none of whose keys can be read, as the entry holds it.
    Tuf,
}

/// Longest accepted key, in bytes: as long as the longest leaf, so that no padding hides a key. OpenPGP keys with many
/// certifications are long; RSA keys of 16,384 bits have 2 KiB.
const MAX_KEY_BYTES: usize = 32 * 1024 * 1024;

/// Why bytes are not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No bytes.
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
    /// Not a minisign key.
    #[error("not a minisign public key")]
    Minisign,
}

/// A public key. No authority confirms its owner: names in some formats were written by the maker of the key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    format: KeyFormat,
    bytes: Vec<u8>,
    fingerprint: Option<String>,
    names: Vec<San>,
}

impl Key {
    /// A key from its SubjectPublicKeyInfo. In DER it may have any algorithm; other input, or DER with more bytes after
    /// it, is accepted if a lenient parser finds a key in it.
    ///
    /// # Errors
    /// Input that is not such a structure.
    pub fn from_spki(der: Vec<u8>) -> Result<Self, KeyError> {
        Self::check_length(&der)?;
        if let Err(error) = check_spki(&der)
            && Material::of_spki(&der).is_empty()
        {
            return Err(error.into());
        }
        Ok(Self::nameless(KeyFormat::Pkix, der))
    }

    /// A key from a PKCS#1 RSAPublicKey, converted to the SubjectPublicKeyInfo of the same key: so it has one
    /// fingerprint in both encodings.
    ///
    /// # Errors
    /// What has not two INTEGERs in a SEQUENCE.
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        Self::check_length(der)?;
        if let Some(key) = Material::of_pkcs1(der) {
            return Self::from_spki(key.spki());
        }
        let mut numbers = Reader::new(der::only(der, der::SEQUENCE)?);
        numbers.expect(der::INTEGER)?;
        numbers.expect(der::INTEGER)?;
        // Numbers without octets.
        Err(DerError::CutOff { at: 0 }.into())
    }

    /// A key of another format, kept unchanged.
    ///
    /// # Errors
    /// No bytes, or too many.
    pub fn other(format: KeyFormat, bytes: Vec<u8>) -> Result<Self, KeyError> {
        Self::check_length(&bytes)?;
        Ok(Self::nameless(format, bytes))
    }

    /// Every primary key of a block of OpenPGP keys, armoured or not, and after them every subkey; at least one. The
    /// names of a primary key are the user ids, and for `Name <address>` the address as well, so that a watch for an
    /// address matches; a subkey has none.
    ///
    /// # Errors
    /// Input that is not such a block, or contains anything else: see [`Self::found_in_pgp`].
    pub fn from_pgp(block: &[u8]) -> Result<Vec<Self>, KeyError> {
        match Self::found_in_pgp(block) {
            (keys, None) => Ok(keys),
            (_, Some(problem)) => Err(problem),
        }
    }

    /// The same for a block that may contain anything else: every key that a lenient parser could find, and the first
    /// part that does not belong to a public key. At least one of the two is present.
    pub fn found_in_pgp(block: &[u8]) -> (Vec<Self>, Option<KeyError>) {
        if let Err(error) = Self::check_length(block) {
            return (Vec::new(), Some(error));
        }
        let named = |value: &str| San {
            kind: SanType::Pgp,
            value: value.to_owned(),
        };
        let key = |key: PgpKey| Self {
            format: KeyFormat::Pgp,
            bytes: key.framed,
            fingerprint: key.fingerprint,
            names: key
                .user_ids
                .iter()
                .flat_map(|id| [Some(id.as_str()), openpgp::address(id)])
                .flatten()
                .map(named)
                .collect(),
        };
        let found = openpgp::read(block);
        let keys = found.primaries.into_iter().chain(found.subkeys).map(key);
        (keys.collect(), found.problem.map(KeyError::Pgp))
    }

    /// Every SSH key of a file, in the form of OpenSSH or RFC 4716, with any text before it. Its name is the comment
    /// after it, if there is one.
    ///
    /// # Errors
    /// What holds no such key.
    pub fn from_ssh(file: &[u8]) -> Result<Vec<Self>, KeyError> {
        Self::check_length(file)?;
        let key = |key: ssh::SshKey<'_>| {
            // Of a certificate `ssh-keygen` prints what belongs to the key in it.
            let plain = ssh::without_certificate(&key.blob);
            let digest = sha256(plain.as_ref().unwrap_or(&key.blob));
            let comment = key.comment.map(|comment| San {
                kind: SanType::Ssh,
                value: comment.into_owned(),
            });
            Self {
                format: KeyFormat::Ssh,
                fingerprint: Some(format!("SHA256:{}", STANDARD_NO_PAD.encode(digest))),
                names: comment.into_iter().collect(),
                bytes: key.blob,
            }
        };
        let keys: Vec<Self> = ssh::read(file).into_iter().map(key).collect();
        if keys.is_empty() {
            Err(KeyError::Ssh)
        } else {
            Ok(keys)
        }
    }

    /// A minisign (or signify) key: its file, its line, or the 32 octets of the key.
    ///
    /// # Errors
    /// What holds no such key.
    pub fn from_minisign(file: &[u8]) -> Result<Self, KeyError> {
        Self::check_length(file)?;
        if Material::of_minisign(file).is_empty() {
            return Err(KeyError::Minisign);
        }
        Ok(Self::nameless(KeyFormat::Minisign, file.to_vec()))
    }

    /// Every key in TUF metadata (TUF specification §4.3) that is written in hexadecimal; those in PEM are found like
    /// in any text. Empty for input that is not JSON.
    pub fn from_tuf(metadata: &[u8]) -> Vec<Self> {
        let Ok(metadata) = serde_json::from_slice::<Value>(metadata) else {
            return Vec::new();
        };
        let mut keys = Vec::new();
        // Go reads members in any case, and keys are in roots and in delegations.
        let mut rest = vec![(&metadata, false)];
        while let Some((value, is_key)) = rest.pop() {
            match value {
                Value::Array(values) => rest.extend(values.iter().map(|value| (value, false))),
                Value::Object(members) => rest.extend(members.iter().map(|(name, value)| {
                    let is_public = is_key && name.eq_ignore_ascii_case("public");
                    let is_key = is_public || name.eq_ignore_ascii_case("keyval");
                    (value, is_key)
                })),
                Value::String(text) if is_key => {
                    let found = Material::of_tuf(text).into_iter();
                    keys.extend(found.map(|key| Self::nameless(KeyFormat::Pkix, key.spki())));
                }
                _ => {}
            }
        }
        // In the order of the metadata.
        keys.reverse();
        keys
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

    /// The fingerprint that its owner uses: for an OpenPGP key as `gpg` prints it, for an SSH key as `ssh-keygen -l`.
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// The names in it: OpenPGP user ids, the comment of an SSH key. Anyone can make a key with any name.
    pub fn names(&self) -> &[San] {
        &self.names
    }

    /// SHA-256 of the SubjectPublicKeyInfo as it was logged; for another format of the bytes described there. Computed
    /// on each call.
    pub fn key_sha256(&self) -> [u8; 32] {
        sha256(&self.bytes)
    }

    /// SHA-256 of the canonical SubjectPublicKeyInfo of the same key: with a named curve, an uncompressed point, and
    /// for RSA with rsaEncryption and NULL. It is the same for all encodings of a key. `None` if its algorithm is not
    /// known.
    pub fn canonical_sha256(&self) -> Option<[u8; 32]> {
        Some(sha256(&self.materials().first()?.spki()))
    }

    /// Every hash that the owner of the key may have: [`Self::key_sha256`] first, then those of the key in each usual
    /// form, in whatever form it was logged.
    pub fn hashes(&self) -> Vec<[u8; 32]> {
        let mut hashes = vec![self.key_sha256()];
        if self.format == KeyFormat::Ssh {
            hashes.extend(ssh::without_certificate(&self.bytes).map(|key| sha256(&key)));
        }
        add_hashes(&self.materials(), &self.bytes, &mut hashes);
        hashes
    }

    fn materials(&self) -> Vec<Material> {
        let one = |key: Option<Material>| key.into_iter().collect();
        match self.format {
            KeyFormat::Pkix => Material::of_spki(&self.bytes),
            KeyFormat::Pgp => one(Material::of_pgp(openpgp::body(&self.bytes)).map(|(key, _)| key)),
            KeyFormat::Ssh => one(Material::of_ssh(&self.bytes)),
            KeyFormat::Minisign => Material::of_minisign(&self.bytes),
            KeyFormat::Tuf => Vec::new(),
        }
    }
}

/// Adds the hashes of keys in each usual form, except the form whose hash is there already.
fn add_hashes(keys: &[Material], logged: &[u8], hashes: &mut Vec<[u8; 32]>) {
    let forms = keys.iter().flat_map(Material::forms);
    hashes.extend(
        forms
            .filter(|form| form != logged)
            .map(|form| sha256(&form)),
    );
}

/// Every hash that the owner of a key may have, from its SubjectPublicKeyInfo: see [`Key::hashes`].
pub(super) fn hashes_of_spki(spki: &[u8]) -> Vec<[u8; 32]> {
    let mut hashes = vec![sha256(spki)];
    add_hashes(&Material::of_spki(spki), spki, &mut hashes);
    hashes
}

/// SHA-256 of the canonical form of the key of which this is the SubjectPublicKeyInfo.
pub(super) fn canonical_of_spki(spki: &[u8]) -> Option<[u8; 32]> {
    Some(sha256(&Material::of_spki(spki).first()?.spki()))
}

/// Whether it is exactly one SubjectPublicKeyInfo in DER, of any algorithm.
fn check_spki(der: &[u8]) -> Result<(), DerError> {
    let mut fields = Reader::new(der::only(der, der::SEQUENCE)?);
    let algorithm = fields.expect(der::SEQUENCE)?;
    fields.inside(&algorithm.content).expect(der::OID)?;
    fields.octets_of_bits()?;
    fields.end()
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
    fn a_key_is_a_subject_public_key_info() {
        let key = Key::from_spki(ed25519()).expect("a key");
        assert_eq!(key.format(), KeyFormat::Pkix);
        assert_eq!(key.key_sha256(), sha256(&ed25519()));
        let cut = ed25519().split_off(3);
        for bad in [cut, b"\x30\x00".to_vec(), vec![]] {
            assert!(Key::from_spki(bad.clone()).is_err(), "{bad:02x?}");
        }
    }

    fn values(names: &[San]) -> Vec<&str> {
        names.iter().map(|san| san.value.as_str()).collect()
    }

    // The keys in tests/data/keys were made with gpg and ssh-keygen, which printed these fingerprints.

    #[test]
    fn an_openpgp_key_has_its_user_ids_and_the_fingerprint_that_gpg_prints() {
        let keys =
            Key::from_pgp(include_bytes!("../../../../tests/data/keys/ring.asc")).expect("keys");
        let [one, two, subkeys @ ..] = keys.as_slice() else {
            panic!("two keys")
        };
        assert!(subkeys.iter().all(|key| key.names().is_empty()));
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
        let fingerprints = [one.fingerprint(), two.fingerprint()];
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
        let armoured = read(include_bytes!("../../../../tests/data/keys/one.asc"));
        let packets = include_bytes!("../../../../tests/data/keys/one.pgp");
        // Its first packet, without user ids and certifications.
        let (bare, _) = packets.split_at(2 + usize::from(packets[1]));
        assert!(read(bare).names().is_empty());
        for other in [
            &packets[..],
            bare,
            include_bytes!("../../../../tests/data/keys/ring.asc"),
        ] {
            assert_eq!(read(other).key_sha256(), armoured.key_sha256());
        }
    }

    #[test]
    fn an_ssh_key_has_its_comment_and_the_fingerprint_that_ssh_keygen_prints() {
        let read = |line: &[u8]| Key::from_ssh(line).expect("a key").remove(0);
        let key = read(include_bytes!("../../../../tests/data/keys/ed25519.pub"));
        assert_eq!(values(key.names()), ["release@harbor"]);
        let fingerprint = "SHA256:B6kK1tPJyAme1gNL522unbDaVwme2+SAhuLumXzplRc";
        assert_eq!(key.fingerprint(), Some(fingerprint));
        let digest = STANDARD_NO_PAD.encode(key.key_sha256());
        assert_eq!(fingerprint.strip_prefix("SHA256:"), Some(digest.as_str()));

        let key = read(include_bytes!("../../../../tests/data/keys/rsa.pub"));
        assert!(key.names().is_empty());
        assert_eq!(
            key.fingerprint(),
            Some("SHA256:XQjpVUQQVgTa2cCFuZ28OAOB93+AcNRysGdxt6fUcAU")
        );

        // Of a certificate ssh-keygen prints what belongs to the key in it.
        let key = read(include_bytes!(
            "../../../../tests/data/keys/ed25519-cert.pub"
        ));
        assert_eq!(key.fingerprint(), Some(fingerprint));
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
