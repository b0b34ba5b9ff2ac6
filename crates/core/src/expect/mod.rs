//! From a registered bundle to the exact leaves that its signing left in a log.
//!
//! A registration suppresses an alert, so it matches a signing by no less than certificate, signature and digest: by
//! the hash of its whole leaf, or, if the signing was logged again, by these three in another leaf. A name,
//! tag or date in a bundle never makes another signing expected.

mod authority;
mod error;
mod leaf;
mod replay;
mod signed;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use model_signing::bundle::{Bundle, Content, TlogEntry};
use model_signing::sigstore::Verified;
use serde::{Deserialize, Serialize};
use tlog::hash::leaf_hash;

use crate::entry::{self, Statement};
use crate::identity::Certificate;
use signed::{Signed, kind};

pub use authority::Authority;
pub use error::ExpectError;
pub use replay::{Part, RegisteredSigning, SignedAs};

/// A signing that its owner has registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct Expectation {
    /// RFC 6962 leaf hashes of the possible entries, without repetition: one for each form in which a log of any
    /// version may store exactly this signature with this certificate.
    #[serde(with = "hex_list")]
    #[cfg_attr(feature = "web", schema(value_type = Vec<String>))]
    pub leaf_hashes: Vec<[u8; 32]>,
    /// The digest of the signed content: of an envelope's payload, or of the file; as `sha256:hex`.
    pub digest: String,
    /// Who signed, for people: names and issuer as the certificate has them, not escaped.
    pub who: String,
    /// SHA-256 of the DER certificate, hex.
    pub certificate_sha256: String,
    /// SHA-256 of the TBSCertificate in a certificate transparency log: see [`Certificate::logged_sha256`]. `None` in
    /// registrations of an earlier version.
    #[serde(with = "hex_option", default)]
    #[cfg_attr(feature = "web", schema(value_type = Option<String>))]
    pub logged_sha256: Option<[u8; 32]>,
    /// The values in every entry of this signing, no matter who logs it. `None` in registrations of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<RegisteredSigning>,
    /// The statement that was signed. `None` if the bundle holds none, and in registrations of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<KnownStatement>,
    /// SHA-256 of the certificate's DER SubjectPublicKeyInfo, hex.
    pub key_sha256: String,
    /// When the certificate was issued.
    pub not_before: Timestamp,
    /// The entries that the bundle names. They are unverified, and used only for look-ups; nothing is matched with
    /// them.
    pub entries: Vec<NamedEntry>,
}

/// What was signed, as far as findings state it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct KnownStatement {
    /// Whether its predicate is that of a model signature.
    pub model: bool,
    /// Its type and subjects in words. The signer chose the text.
    pub text: String,
    /// What it is about: the digests of its subjects, and of the files that it lists. Recorded apart from the registration.
    #[serde(skip)]
    pub digests: Vec<String>,
}

impl KnownStatement {
    fn of(content: &Content<'_>) -> Option<Self> {
        let Content::Dsse(envelope) = content else {
            return None;
        };
        let statement = Statement::parse(&envelope.payload)?;
        Some(Self {
            model: statement.is_of_a_model(),
            text: statement.to_string(),
            digests: entry::statement_digests(&envelope.payload),
        })
    }
}

/// A log entry that a bundle names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct NamedEntry {
    /// The log's id in hex, as the bundle gives it. Rekor v1: SHA-256 of its key; v2: the key id of its checkpoints.
    pub log_id: String,
    /// The index, in Rekor v1 over all shards.
    pub log_index: u64,
    /// `dsse 0.0.1`, …
    pub kind: String,
    /// The first line of the checkpoint in its inclusion proof: the tree.
    pub origin: Option<String>,
    /// The checkpoint in the bundle: the one that the log gave to the signer, for comparison with the one that it
    /// serves to us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// Parses a bundle, verifies its signature with the key of its own certificate, and computes its leaves.
///
/// Does not check whether a trusted CA issued the certificate, nor whether a log contains it: a leaf that was never
/// logged makes nothing expected.
///
/// # Errors
/// Not a bundle, an invalid signature, or a log entry of another signing: see [`ExpectError`].
pub fn from_bundle(bytes: &[u8]) -> Result<Expectation, ExpectError> {
    of_bundle(&Bundle::parse(bytes)?)
}

/// As [`from_bundle`], of a bundle that was read from a file of any form.
///
/// # Errors
/// As there.
pub fn of_bundle(bundle: &Bundle) -> Result<Expectation, ExpectError> {
    let certificate = certificate(bundle)?;
    let signed = Signed::read(&bundle.content(), &certificate)?;
    signed::verify(&bundle.content(), &certificate)?;
    Ok(Expectation {
        statement: KnownStatement::of(&bundle.content()),
        ..expectation(bundle, &certificate, &signed)?
    })
}

/// As [`of_bundle`], of a bundle that [`verify_bundle`] has verified, with the result for this bundle: a signature that was
/// verified with its certificate is not verified again. Answers the certificate too. `with_statement`: whether the expectation
/// has what is known of the statement, which only a registration needs.
///
/// # Errors
/// As [`of_bundle`].
///
/// [`verify_bundle`]: model_signing::sigstore::verify_bundle
pub fn of_verified(
    bundle: &Bundle,
    verified: &Verified,
    with_statement: bool,
) -> Result<(Expectation, Certificate), ExpectError> {
    let certificate = certificate(bundle)?;
    let by = verified.certificate.as_ref().map(|(der, _)| der.as_slice());
    let signed = Signed::read(&bundle.content(), &certificate)?;
    if by != Some(certificate.der()) {
        signed::verify(&bundle.content(), &certificate)?;
    }
    let mut expectation = expectation(bundle, &certificate, &signed)?;
    if with_statement {
        expectation.statement = KnownStatement::of(&bundle.content());
    }
    Ok((expectation, certificate))
}

/// The certificate of a bundle, read strictly: what silences an alarm must be the same certificate to every reader.
fn certificate(bundle: &Bundle) -> Result<Certificate, ExpectError> {
    let der = bundle
        .leaf_certificate()
        .ok_or(ExpectError::NoCertificate)?;
    Ok(Certificate::parse_strict(der.to_vec())?)
}

/// The leaves and the values of a signing whose signature is verified, without its statement.
fn expectation(
    bundle: &Bundle,
    certificate: &Certificate,
    signed: &Signed<'_>,
) -> Result<Expectation, ExpectError> {
    let mut leaves = leaf::of_rekor_v2(signed, certificate);
    let computed = leaves.len();
    // Which of the leaves the bundle names.
    let mut named_leaves = Vec::new();
    for named in bundle.tlog_entries() {
        let log_index = named.log_index;
        let Some(body) = &named.canonicalized_body else {
            // A v2 entry is canonical: it was recomputed to the byte already.
            if is_tiled(named) {
                let of_v2 = leaves.iter().take(computed).enumerate();
                let of_kind = of_v2.filter(|(_, leaf)| is_of_kind(leaf, named));
                named_leaves.extend(of_kind.map(|(place, _)| place));
                continue;
            }
            let kind = kind(named);
            return Err(ExpectError::NoBody { log_index, kind });
        };
        signed.compare(named, body, certificate)?;
        if let Some(place) = leaves.iter().position(|leaf| leaf == body) {
            named_leaves.push(place);
            continue;
        }
        if is_tiled(named) {
            let part = "form";
            return Err(ExpectError::OtherEntry { log_index, part });
        }
        // Only the server has the rest of a v1 entry (`envelopeHash`), so it is taken from the bundle.
        named_leaves.push(leaves.len());
        leaves.push(body.clone());
    }
    if leaves.is_empty() {
        return Err(ExpectError::NoLeaf);
    }
    let leaf_hashes: Vec<[u8; 32]> = leaves
        .iter()
        .map(|leaf| *leaf_hash(leaf).as_bytes())
        .collect();
    let named_leaves = named_leaves
        .iter()
        .filter_map(|place| leaf_hashes.get(*place).copied());
    let signing = RegisteredSigning::of(signed, certificate, named_leaves);
    Ok(Expectation {
        leaf_hashes,
        digest: signed.what().to_string(),
        who: who(certificate),
        certificate_sha256: certificate
            .sha256()
            .map(hex::encode)
            .expect("only a precertificate has no hash"),
        logged_sha256: certificate.logged_sha256(),
        signing: Some(signing),
        statement: None,
        key_sha256: hex::encode(certificate.key_sha256()),
        not_before: certificate.not_before(),
        entries: bundle.tlog_entries().iter().map(NamedEntry::of).collect(),
    })
}

/// Whether it is an entry of Rekor v2, whose bytes are canonical. `intoto 0.0.2` is a kind of v1 with the same version.
fn is_tiled(named: &TlogEntry) -> bool {
    named.version == "0.0.2" && named.kind != "intoto"
}

/// Whether a computed leaf is of the kind that the bundle names.
fn is_of_kind(leaf: &[u8], named: &TlogEntry) -> bool {
    entry::parse(leaf).is_ok_and(|entry| entry.kind.to_string() == kind(named))
}

impl NamedEntry {
    fn of(named: &TlogEntry) -> Self {
        let proof = named.inclusion_proof.as_ref();
        let checkpoint = proof.and_then(|proof| proof.checkpoint.as_deref());
        Self {
            log_id: hex::encode(&named.log_id),
            log_index: named.log_index,
            kind: kind(named),
            origin: checkpoint
                .and_then(|note| note.lines().next())
                .map(str::to_owned),
            checkpoint: checkpoint.map(str::to_owned),
        }
    }
}

fn who(certificate: &Certificate) -> String {
    let names: Vec<_> = certificate
        .sans()
        .iter()
        .map(|san| san.value.as_str())
        .collect();
    let names = if names.is_empty() {
        "no name".to_owned()
    } else {
        names.join(", ")
    };
    match certificate.issuer() {
        Some(issuer) => format!("{names} ({issuer})"),
        None => names,
    }
}

/// A hash as hex, or null.
mod hex_option {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(
        hash: &Option<[u8; 32]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        hash.map(hex::encode).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<[u8; 32]>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| {
            let mut hash = [0; 32];
            hex::decode_to_slice(text, &mut hash).map_err(serde::de::Error::custom)?;
            Ok(hash)
        })
        .transpose()
    }
}

/// A list of hashes as hex.
mod hex_list {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(hashes: &[[u8; 32]], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(hashes.iter().map(hex::encode))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<[u8; 32]>, D::Error> {
        Vec::<String>::deserialize(deserializer)?
            .iter()
            .map(|text| {
                let mut hash = [0; 32];
                hex::decode_to_slice(text, &mut hash).map_err(serde::de::Error::custom)?;
                Ok(hash)
            })
            .collect()
    }
}
