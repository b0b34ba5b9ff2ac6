//! The kinds of Rekor v1: certificates and keys as base64 of PEM, digests in hex.
//!
//! Their members are those of Rekor's schemas (`pkg/types/KIND/vVERSION/KIND_v…_schema.json`) without the ones that
//! only a client writes: Rekor removes those before it logs an entry, and would read other signers from them.

use aws_lc_rs::digest::{SHA256, digest};

use super::digest::{Digest, HashAlgorithm};
use super::error::EntryError;
use super::material::{self, base64, signers};
use super::object::{Known, Text, object};
use super::reading::{Reading, read_spec};
use crate::identity::{Key, KeyFormat, Signer};

object! {
    Hash {
        required algorithm: Text<'a> = "algorithm",
        required value: Text<'a> = "value",
    }
}

object! {
    Hashed {
        optional hash: Hash<'a> = "hash",
        .. "headers", "pkginfo", "provenance"
    }
}

object! {
    #[expect(clippy::struct_field_names, reason = "the names are those of the entry")]
    Content {
        required content: Text<'a> = "content",
    }
}

object! {
    /// A signature with its key, as most kinds have it.
    Signature {
        optional content: Text<'a> = "content",
        optional format: Text<'a> = "format",
        required public_key: Content<'a> = "publicKey",
    }
}

object! {
    Rekord {
        required data: Hashed<'a> = "data",
        required signature: Signature<'a> = "signature",
    }
}

object! {
    Dsse {
        optional payload_hash: Hash<'a> = "payloadHash",
        required signatures: Vec<DsseSignature<'a>> = "signatures",
        .. "envelopeHash"
    }
}

object! {
    DsseSignature {
        optional signature: Text<'a> = "signature",
        required verifier: Text<'a> = "verifier",
    }
}

object! {
    Intoto001 {
        required content: PayloadHash<'a> = "content",
        required public_key: Text<'a> = "publicKey",
    }
}

object! {
    #[expect(clippy::struct_field_names, reason = "the names are those of the entry")]
    PayloadHash {
        optional payload_hash: Hash<'a> = "payloadHash",
        .. "hash", "envelopeHash", "aad"
    }
}

object! {
    Intoto002 {
        required content: Intoto002Content<'a> = "content",
    }
}

object! {
    Intoto002Content {
        optional payload_hash: Hash<'a> = "payloadHash",
        required envelope: Envelope<'a> = "envelope",
        .. "hash"
    }
}

object! {
    Envelope {
        required signatures: Vec<EnvelopeSignature<'a>> = "signatures",
        .. "payloadType"
    }
}

object! {
    EnvelopeSignature {
        required public_key: Text<'a> = "publicKey",
        optional sig: Text<'a> = "sig",
        .. "keyid"
    }
}

object! {
    #[expect(clippy::struct_field_names, reason = "the names are those of the entry")]
    Package {
        required package: Hashed<'a> = "package",
        required public_key: Content<'a> = "publicKey",
    }
}

object! {
    Jar {
        required archive: Hashed<'a> = "archive",
        required signature: Signature<'a> = "signature",
    }
}

object! {
    Helm {
        required chart: Hashed<'a> = "chart",
        required public_key: Content<'a> = "publicKey",
    }
}

object! {
    Tuf {
        required metadata: Content<'a> = "metadata",
        required root: Content<'a> = "root",
        .. "spec_version"
    }
}

object! {
    Cose {
        required data: PayloadHash<'a> = "data",
        required public_key: Text<'a> = "publicKey",
    }
}

object! {
    Rfc3161 {
        required tsr: Known = "tsr",
    }
}

const PUBLIC_KEY: &str = "publicKey.content";
const SIGNATURE_KEY: &str = "signature.publicKey.content";
const SIGNATURE: &str = "signature.content";

pub(super) fn hashedrekord(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    let Rekord {
        data, signature, ..
    } = read_spec(leaf, reading)?;
    let digest = read_hash(data.hash.as_ref(), "data.hash", reading);
    let key = signers(
        &signature.public_key.content.0,
        KeyFormat::Pkix,
        SIGNATURE_KEY,
        reading,
    );
    let content = material::signature(signature.content.as_ref(), SIGNATURE);
    let content = reading.part(content);
    reading.verifiers(key, digest, content);
    Ok(())
}

pub(super) fn rekord(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    let Rekord {
        data, signature, ..
    } = read_spec(leaf, reading)?;
    let digest = read_hash(data.hash.as_ref(), "data.hash", reading);
    let format = signature.format.as_ref().map_or("x509", |format| &format.0);
    let format = match format {
        "pgp" => KeyFormat::Pgp,
        "ssh" => KeyFormat::Ssh,
        "minisign" => KeyFormat::Minisign,
        _ => KeyFormat::Pkix,
    };
    let key = signers(
        &signature.public_key.content.0,
        format,
        SIGNATURE_KEY,
        reading,
    );
    // Other formats have their own wrapping around the signature, which is not compared here. A signature that cannot
    // be parsed is no reason to doubt the signer: it is compared with others if it can be.
    let content = (format == KeyFormat::Pkix)
        .then(|| material::signature(signature.content.as_ref(), SIGNATURE).ok())
        .flatten();
    reading.verifiers(key, digest, content);
    Ok(())
}

pub(super) fn dsse(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    let Dsse {
        payload_hash,
        signatures,
        ..
    } = read_spec(leaf, reading)?;
    let digest = read_hash(payload_hash.as_ref(), "payloadHash", reading);
    if signatures.is_empty() {
        return Err(EntryError::Missing {
            field: "signatures",
        });
    }
    for one in signatures {
        if reading.is_full() {
            break;
        }
        let key = signers(
            &one.verifier.0,
            KeyFormat::Pkix,
            "signatures.verifier",
            reading,
        );
        let content = material::signature(one.signature.as_ref(), "signatures.signature");
        let content = reading.part(content);
        reading.verifiers(key, digest, content);
    }
    Ok(())
}

/// The signature is not in the entry; old entries lack the payload's hash too. The envelope's hash is not a digest of
/// the signed content: it covers the text that the client sent.
pub(super) fn intoto_001(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    let Intoto001 {
        content,
        public_key,
        ..
    } = read_spec(leaf, reading)?;
    let digest = match content.payload_hash {
        None => None,
        Some(hash) => reading.part(hash.read("content.payloadHash")),
    };
    let key = signers(&public_key.0, KeyFormat::Pkix, "publicKey", reading);
    reading.verifiers(key, digest, None);
    Ok(())
}

pub(super) fn intoto_002(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    let Intoto002 { content, .. } = read_spec(leaf, reading)?;
    let digest = read_hash(
        content.payload_hash.as_ref(),
        "content.payloadHash",
        reading,
    );
    if content.envelope.signatures.is_empty() {
        return Err(EntryError::Missing {
            field: "content.envelope.signatures",
        });
    }
    for one in content.envelope.signatures {
        if reading.is_full() {
            break;
        }
        let field = "content.envelope.signatures.publicKey";
        let key = signers(&one.public_key.0, KeyFormat::Pkix, field, reading);
        let field = "content.envelope.signatures.sig";
        let sig = material::twice_encoded_signature(one.sig.as_ref(), field);
        let sig = reading.part(sig);
        reading.verifiers(key, digest, sig);
    }
    Ok(())
}

pub(super) fn rpm(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    package(leaf, KeyFormat::Pgp, reading)
}

pub(super) fn alpine(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    package(leaf, KeyFormat::Pkix, reading)
}

fn package(leaf: &[u8], format: KeyFormat, reading: &mut Reading) -> Result<(), EntryError> {
    let Package {
        package,
        public_key,
        ..
    } = read_spec(leaf, reading)?;
    let digest = read_hash(package.hash.as_ref(), "package.hash", reading);
    let key = signers(&public_key.content.0, format, PUBLIC_KEY, reading);
    reading.verifiers(key, digest, None);
    Ok(())
}

/// The certificate that rekor puts into the entry is the first one in the signature's message, which may be that of a
/// CA. The message determines the signers.
pub(super) fn jar(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    let Jar {
        archive, signature, ..
    } = read_spec(leaf, reading)?;
    let digest = read_hash(archive.hash.as_ref(), "archive.hash", reading);
    let key = signers(
        &signature.public_key.content.0,
        KeyFormat::Pkix,
        SIGNATURE_KEY,
        reading,
    );
    reading.verifiers(key, digest, None);
    let message = match &signature.content {
        Some(message) => material::signers_of_message(&message.0, SIGNATURE, reading),
        None => vec![Err(EntryError::Missing { field: SIGNATURE })],
    };
    for signer in message {
        if let Some(signer) = reading.part(signer)
            && reading.signings.iter().all(|known| known.signer != signer)
        {
            reading.verifier(Ok(signer), digest, None);
        }
    }
    Ok(())
}

pub(super) fn helm(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    let Helm {
        chart, public_key, ..
    } = read_spec(leaf, reading)?;
    let digest = read_hash(chart.hash.as_ref(), "chart.hash", reading);
    let key = signers(&public_key.content.0, KeyFormat::Pgp, PUBLIC_KEY, reading);
    reading.verifiers(key, digest, None);
    Ok(())
}

pub(super) fn cose(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    let Cose {
        data, public_key, ..
    } = read_spec(leaf, reading)?;
    let digest = read_hash(data.payload_hash.as_ref(), "data.payloadHash", reading);
    let key = signers(&public_key.0, KeyFormat::Pkix, "publicKey", reading);
    reading.verifiers(key, digest, None);
    Ok(())
}

/// Metadata signed by the keys in a TUF root. Which of them signed is not determined here, so each is a signer; a root
/// without keys in a known form counts as the signer itself.
pub(super) fn tuf(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    let Tuf { metadata, root, .. } = read_spec(leaf, reading)?;
    let metadata = reading.part(base64(&metadata.content.0, "metadata.content"));
    let digest = metadata.and_then(|metadata| {
        Digest::new(HashAlgorithm::Sha256, digest(&SHA256, &metadata).as_ref())
    });
    let root = base64(&root.content.0, "root.content")?;
    super::search::usual_signers(&root, &mut |signer| {
        reading.verifier(Ok(signer), digest, None);
        !reading.is_full()
    });
    for key in Key::from_tuf(&root) {
        let signer = Signer::Key(key);
        if reading.signings.iter().all(|known| known.signer != signer) {
            reading.verifier(Ok(signer), digest, None);
        }
    }
    // Its keys may be in forms that only TUF's own parsers support.
    reading.has_more = true;
    if reading.signings.is_empty() {
        let key = Key::other(KeyFormat::Tuf, root).map(Signer::Key);
        let field = "root.content";
        let key = key.map_err(|source| EntryError::Key { field, source });
        reading.verifier(key, digest, None);
    }
    Ok(())
}

/// A timestamp by an authority over any hash: it is no evidence about a signer. The other content of its token is
/// searched.
pub(super) fn rfc3161(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    reading.has_more = true;
    read_spec::<Rfc3161<'_>>(leaf, reading).map(|_| ())
}

fn read_hash(
    hash: Option<&Hash<'_>>,
    field: &'static str,
    reading: &mut Reading,
) -> Option<Digest> {
    let read = match hash {
        Some(hash) => hash.read(field),
        None => Err(EntryError::Missing { field }),
    };
    reading.part(read)
}

impl Hash<'_> {
    fn read(&self, field: &'static str) -> Result<Digest, EntryError> {
        HashAlgorithm::from_name(&self.algorithm.0)
            .and_then(|algorithm| Digest::from_hex(algorithm, &self.value.0))
            .ok_or(EntryError::Digest { field })
    }
}
