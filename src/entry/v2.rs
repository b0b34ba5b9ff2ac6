//! The kinds of Rekor v2: canonical protobuf JSON, certificates as base64 of DER, digests as base64.

use super::digest::{Digest, HashAlgorithm};
use super::material::{self, base64};
use super::object::{Object as _, object};
use super::{EntryError, Reading, Text, read_json, read_spec};
use crate::identity::{Certificate, Key, Signer};

object! {
    /// A whole leaf of the one kind that Rekor v2 writes today.
    Whole {
        required kind: Text<'a> = "kind",
        required api_version: Text<'a> = "apiVersion",
        required spec: HashedRekordSpec<'a> = "spec",
    }
}

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

/// Parses a leaf that is a `hashedrekord 0.0.2` in every respect; otherwise it returns false, and the usual parser
/// reports the reason. Both refuse the same: repeated fields among those that either reads.
pub(super) fn hashedrekord_at_once(leaf: &[u8], reading: &mut Reading) -> bool {
    let Ok(whole) = read_json::<Whole<'_>>(leaf) else {
        return false;
    };
    let is_one = whole.kind.0 == "hashedrekord" && whole.api_version.0 == "0.0.2";
    if is_one {
        reading.has_more |= whole.has_more();
        whole.spec.entry.read(reading);
    }
    is_one
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

impl Verifier<'_> {
    fn read(&self) -> Result<Signer, EntryError> {
        match (&self.certificate, &self.key) {
            (Some(certificate), None) => {
                let field = "verifier.x509Certificate.rawBytes";
                Certificate::parse(base64(&certificate.raw.0, field)?)
                    .map(|certificate| Signer::Certificate(Box::new(certificate)))
                    .map_err(|source| EntryError::Certificate { field, source })
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
