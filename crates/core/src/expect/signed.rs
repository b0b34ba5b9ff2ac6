//! The content of a bundle, compared with the entries that the bundle names.

use aws_lc_rs::digest as hash;
use model_signing::bundle::{Content, TlogEntry};
use model_signing::dsse::Envelope;

use super::error::ExpectError;
use crate::entry::{self, Digest, HashAlgorithm};
use crate::identity::{self, Certificate, KeyType};

/// What of a bundle's content its entries in logs contain.
pub(super) struct Signed<'b> {
    /// The signed digest: of a plain signature that of the file, of an envelope that of its pre-authentication
    /// encoding, with the hash algorithm of the signature; absent with Ed25519.
    pub(super) message: Option<Digest>,
    /// SHA-256 of an envelope's payload.
    pub(super) payload: Option<Digest>,
    pub(super) key: KeyType,
    pub(super) signature: &'b [u8],
}

/// Verifies the signature over the content with the key of the certificate.
pub(super) fn verify(content: &Content<'_>, certificate: &Certificate) -> Result<(), ExpectError> {
    let spki = certificate.spki_der();
    match content {
        Content::Dsse(envelope) => {
            let signature = only_signature(envelope)?;
            identity::verify(spki, &envelope.pae(), signature)?;
        }
        Content::Message {
            digest, signature, ..
        } => identity::verify_digest(spki, digest, signature)?,
    }
    Ok(())
}

fn only_signature(envelope: &Envelope) -> Result<&[u8], ExpectError> {
    match envelope.signatures.as_slice() {
        [signature] => Ok(&signature.sig),
        others => Err(ExpectError::Signatures(others.len())),
    }
}

impl<'b> Signed<'b> {
    /// Reads it. Does not verify the signature.
    pub(super) fn read(
        content: &Content<'b>,
        certificate: &Certificate,
    ) -> Result<Self, ExpectError> {
        let key = KeyType::of(certificate.spki_der())?;
        match *content {
            Content::Dsse(envelope) => Ok(Self {
                signature: only_signature(envelope)?,
                message: hash_of(key).and_then(|hash| digest(hash, &envelope.pae())),
                payload: digest(HashAlgorithm::Sha256, &envelope.payload),
                key,
            }),
            Content::Message {
                digest_algorithm,
                digest,
                signature,
            } => {
                let algorithm = HashAlgorithm::from_proto_name(digest_algorithm.name());
                if algorithm != hash_of(key) {
                    return Err(ExpectError::Digest);
                }
                let message = algorithm.and_then(|algorithm| Digest::new(algorithm, digest));
                Ok(Self {
                    message: Some(message.ok_or(ExpectError::Digest)?),
                    payload: None,
                    key,
                    signature,
                })
            }
        }
    }

    /// What to show: the payload rather than its encoding.
    pub(super) fn what(&self) -> Digest {
        self.payload
            .or(self.message)
            .expect("an envelope has a payload, a plain signature its message")
    }

    /// Compares the entry in the bundle with the bundle's content: digest, certificate and signature must be equal.
    /// Otherwise a registration would make a signing of another person expected.
    pub(super) fn compare(
        &self,
        named: &TlogEntry,
        body: &[u8],
        certificate: &Certificate,
    ) -> Result<(), ExpectError> {
        let log_index = named.log_index;
        let other = |part| Err(ExpectError::OtherEntry { log_index, part });
        let entry =
            entry::parse(body).map_err(|source| ExpectError::Unreadable { log_index, source })?;
        if let Some(unreadable) = entry.unreadable.first() {
            return Err(ExpectError::Unreadable {
                log_index,
                source: unreadable.error().clone(),
            });
        }
        if entry.kind.to_string() != kind(named) {
            return other("kind");
        }
        let digest = match (entry.kind.name(), entry.kind.version()) {
            ("hashedrekord", "0.0.1" | "0.0.2") => self.message,
            ("dsse", "0.0.1" | "0.0.2") | ("intoto", "0.0.2") => self.payload,
            _ => None,
        };
        let Some(digest) = digest else {
            return Err(ExpectError::Kind {
                log_index,
                kind: kind(named),
            });
        };
        let [signing] = entry.signings.as_slice() else {
            return other("number of signatures");
        };
        if signing.digest != Some(digest) {
            return other("digest");
        }
        if signing.signer.certificate().map(Certificate::der) != Some(certificate.der()) {
            return other("certificate");
        }
        if signing.signature.as_deref() != Some(self.signature) {
            return other("signature");
        }
        Ok(())
    }
}

pub(super) fn kind(named: &TlogEntry) -> String {
    format!("{} {}", named.kind, named.version)
}

/// The hash algorithm that Sigstore uses with a key, which is also the one in the entry; pure Ed25519 has none.
pub(super) fn hash_of(key: KeyType) -> Option<HashAlgorithm> {
    match key {
        KeyType::P256 | KeyType::Rsa { .. } => Some(HashAlgorithm::Sha256),
        KeyType::P384 => Some(HashAlgorithm::Sha384),
        KeyType::P521 => Some(HashAlgorithm::Sha512),
        KeyType::Ed25519 => None,
    }
}

pub(super) fn digest(algorithm: HashAlgorithm, message: &[u8]) -> Option<Digest> {
    let hash = match algorithm {
        HashAlgorithm::Sha256 => &hash::SHA256,
        HashAlgorithm::Sha384 => &hash::SHA384,
        HashAlgorithm::Sha512 => &hash::SHA512,
        HashAlgorithm::Sha1 | HashAlgorithm::Sha3_256 | HashAlgorithm::Sha3_384 => return None,
    };
    Digest::new(algorithm, hash::digest(hash, message).as_ref())
}
