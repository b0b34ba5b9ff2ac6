//! The kinds of Rekor v2: canonical protobuf JSON, certificates as base64 of DER, digests as base64.

use super::canonical::Canonical;
use super::digest::{Digest, HashAlgorithm};
use super::error::EntryError;
use super::material::{self, base64};
use super::object::{Text, object};
use super::reading::{Reading, read_spec};
use crate::identity::{Key, Signer};

object! {
    HashedRekordSpec {
        required entry: HashedRekord<'a> = "hashedRekordV002",
    }
}

object! {
    HashedRekord {
        required data: HashOutput<'a> = "data",
        required signature: Signature<'a> = "signature",
    }
}

object! {
    DsseSpec {
        required entry: Dsse<'a> = "dsseV002",
    }
}

object! {
    Dsse {
        // The message calls it `payloadHash`; the documentation of the time `data`.
        required payload_hash: HashOutput<'a> = "payloadHash" | "data",
        required signatures: Vec<Signature<'a>> = "signatures",
    }
}

object! {
    HashOutput {
        optional algorithm: Text<'a> = "algorithm",
        optional digest: Text<'a> = "digest",
    }
}

object! {
    Signature {
        optional content: Text<'a> = "content",
        required verifier: Verifier<'a> = "verifier",
    }
}

object! {
    /// Exactly one of the two; `keyDetails` only repeats the type of the key.
    Verifier {
        optional certificate: RawBytes<'a> = "x509Certificate",
        optional key: RawBytes<'a> = "publicKey",
        .. "keyDetails"
    }
}

object! {
    RawBytes {
        required raw: Text<'a> = "rawBytes",
    }
}

impl HashedRekord<'_> {
    fn read(self, reading: &mut Reading) {
        let digest = reading.part(self.data.read("data"));
        self.signature.read(digest, reading);
    }
}

/// `hashedrekord 0.0.2`: data, and envelopes, since DSSE has no kind of its own any more.
pub(super) fn hashedrekord(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    read_spec::<HashedRekordSpec<'_>>(leaf, reading)?
        .entry
        .read(reading);
    Ok(())
}

/// Reads a `hashedrekord 0.0.2` with a certificate, exactly as Rekor v2 writes it. `false`, and nothing is read, for any
/// other leaf.
pub(super) fn canonical_hashedrekord(leaf: &[u8], reading: &mut Reading) -> bool {
    let record = canonical_record(leaf);
    let is_one = record.is_some();
    if let Some((digest, signature, der)) = record {
        reading.verifier(
            material::certificate(der, CERTIFICATE),
            Some(digest),
            Some(signature),
        );
    }
    is_one
}

/// Its digest, its signature and its certificate.
fn canonical_record(leaf: &[u8]) -> Option<(Digest, Vec<u8>, Vec<u8>)> {
    const BEGINNING: &[u8] = br#"{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":""#;
    let mut json = Canonical::new(leaf);
    json.literal(BEGINNING)?;
    let algorithm = HashAlgorithm::from_proto_name(json.word()?)?;
    json.literal(br#"","digest":""#)?;
    let digest = Digest::new(algorithm, &json.base64()?)?;
    json.literal(br#""},"signature":{"content":""#)?;
    let signature = json.base64()?;
    json.literal(br#"","verifier":{"keyDetails":""#)?;
    json.word()?;
    json.literal(br#"","x509Certificate":{"rawBytes":""#)?;
    Some((digest, signature, json.base64_before(br#""}}}}}}"#)?))
}

/// `dsse 0.0.2`, until 2026.
pub(super) fn dsse(leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    let Dsse {
        payload_hash,
        signatures,
        ..
    } = read_spec::<DsseSpec<'_>>(leaf, reading)?.entry;
    let digest = reading.part(payload_hash.read("payloadHash"));
    if signatures.is_empty() {
        return Err(EntryError::Missing {
            field: "signatures",
        });
    }
    for signature in signatures {
        signature.read(digest, reading);
    }
    Ok(())
}

impl HashOutput<'_> {
    fn read(&self, field: &'static str) -> Result<Digest, EntryError> {
        let error = EntryError::Digest { field };
        let (Some(algorithm), Some(digest)) = (&self.algorithm, &self.digest) else {
            return Err(error);
        };
        HashAlgorithm::from_proto_name(&algorithm.0)
            .and_then(|algorithm| Digest::new(algorithm, &base64(&digest.0, field).ok()?))
            .ok_or(error)
    }
}

impl Signature<'_> {
    fn read(&self, digest: Option<Digest>, reading: &mut Reading) {
        let signature = reading.part(material::signature(
            self.content.as_ref(),
            "signature.content",
        ));
        reading.verifier(self.verifier.read(), digest, signature);
    }
}

const CERTIFICATE: &str = "verifier.x509Certificate.rawBytes";

impl Verifier<'_> {
    fn read(&self) -> Result<Signer, EntryError> {
        match (&self.certificate, &self.key) {
            (Some(certificate), None) => {
                material::certificate(base64(&certificate.raw.0, CERTIFICATE)?, CERTIFICATE)
            }
            (None, Some(key)) => {
                let field = "verifier.publicKey.rawBytes";
                Key::from_spki(base64(&key.raw.0, field)?)
                    .map(Signer::Key)
                    .map_err(|source| EntryError::Key { field, source })
            }
            (None, None) => Err(EntryError::Missing { field: "verifier" }),
            // Two readers could each see another signer; the search that follows finds both.
            (Some(_), Some(_)) => Err(EntryError::Ambiguous { field: "verifier" }),
        }
    }
}
