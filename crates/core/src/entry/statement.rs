//! The signed content, if the log serves it beside the entry: an in-toto statement.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;

use super::{HashAlgorithm, Signing};

/// Longest accepted payload, in bytes. The public log stores 100 KiB at most.
const MAX_PAYLOAD_BYTES: usize = 4 * 1024 * 1024;

/// Most subjects that are named in one sentence.
const SHOWN_SUBJECTS: usize = 3;

/// Longest type or digest of a statement that is kept, in characters. Real ones have less than a hundred.
const MAX_TEXT_CHARS: usize = 300;

/// The predicate types of model signatures: OMS, and model_signing up to 0.2.
const MODEL_PREDICATES: [&str; 2] = [
    "https://model_signing/signature/v1.0",
    "https://model_signing/Digests/v0.1",
];

/// An in-toto statement that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    predicate_type: String,
    /// The digests of its subjects, `algorithm:hex`; the first few.
    subjects: Vec<String>,
    /// How many there are beyond those.
    more: usize,
}

#[derive(Deserialize)]
struct RawStatement {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    #[serde(default)]
    subject: Vec<RawSubject>,
}

#[derive(Deserialize)]
struct RawSubject {
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

impl Statement {
    /// Parses `payload`, which the log serves beside the entry of `signing`.
    ///
    /// `None` if it is not the signed content: anyone between the log and us could have added it, so only the hash in
    /// the leaf makes it evidence. Also `None` if it is not a statement with exactly one meaning (different verifiers
    /// would read a repeated name differently): then the signed content is unknown.
    pub fn signed(signing: &Signing, payload: &[u8]) -> Option<Self> {
        let signed = signing.digest.as_ref()?;
        if payload.len() > MAX_PAYLOAD_BYTES
            || signed.algorithm() != HashAlgorithm::Sha256
            || signed.bytes() != digest(&SHA256, payload).as_ref()
        {
            return None;
        }
        Self::parse(payload)
    }

    /// Parses signed content, which the caller compared with a digest or verified.
    ///
    /// `None` if it is not a statement with exactly one meaning, or too long.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            return None;
        }
        let raw: RawStatement = serde_json::from_slice(payload).ok()?;
        let is_kept = |text: &str| text.chars().count() <= MAX_TEXT_CHARS;
        if !raw.kind.starts_with("https://in-toto.io/Statement/") || !is_kept(&raw.predicate_type) {
            return None;
        }
        let mut digests = raw.subject.iter().flat_map(|subject| {
            let digests = subject.digest.iter();
            digests.map(|(algorithm, hex)| format!("{algorithm}:{hex}"))
        });
        Some(Self {
            predicate_type: raw.predicate_type,
            subjects: digests
                .by_ref()
                .filter(|digest| is_kept(digest))
                .take(SHOWN_SUBJECTS)
                .collect(),
            more: digests.count(),
        })
    }

    /// The SHA-256 of `payload`, which the log serves beside the entry of `signing` as the signed content, if it is not
    /// that.
    ///
    /// `None` also if the entry contains no SHA-256 of the signed content: then nothing contradicts it.
    pub fn contradicting(signing: &Signing, payload: &[u8]) -> Option<[u8; 32]> {
        let signed = signing.digest.as_ref()?;
        if signed.algorithm() != HashAlgorithm::Sha256 {
            return None;
        }
        let served = digest(&SHA256, payload);
        if signed.bytes() == served.as_ref() {
            return None;
        }
        served.as_ref().try_into().ok()
    }

    /// Whether it is the signature of a model.
    pub fn is_of_a_model(&self) -> bool {
        MODEL_PREDICATES.contains(&self.predicate_type.as_str())
    }
}

/// Most digests of one statement that are kept: models have thousands of files, not millions.
const MAX_DIGESTS: usize = 20_000;

/// Longest digest that is kept, in characters: SHA-512 in hex with the name of the algorithm has 135.
const MAX_DIGEST_CHARS: usize = 160;

#[derive(Deserialize)]
struct RawManifest {
    #[serde(default)]
    predicate: RawPredicate,
}

#[derive(Deserialize, Default)]
struct RawPredicate {
    #[serde(default)]
    resources: Vec<RawResource>,
}

#[derive(Deserialize)]
struct RawResource {
    #[serde(default)]
    algorithm: String,
    #[serde(default)]
    digest: String,
}

/// What a statement is about: the digests of its subjects, and of the files that the manifest of a model signature lists, as
/// `algorithm:hex` in lower case, each once. Empty if `payload` is not a statement with exactly one meaning.
pub fn statement_digests(payload: &[u8]) -> Vec<String> {
    if Statement::parse(payload).is_none() {
        return Vec::new();
    }
    let subjects = serde_json::from_slice::<RawStatement>(payload)
        .map(|statement| statement.subject)
        .unwrap_or_default();
    // The predicate of another type may have any form.
    let resources = serde_json::from_slice::<RawManifest>(payload)
        .map(|manifest| manifest.predicate.resources)
        .unwrap_or_default();
    let of_subjects = subjects.into_iter().flat_map(|subject| subject.digest);
    let of_files = resources
        .into_iter()
        .map(|resource| (resource.algorithm, resource.digest));
    let mut digests = BTreeSet::new();
    for (algorithm, hex) in of_subjects.chain(of_files) {
        let is_digest = !hex.is_empty() && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
        let digest = format!("{algorithm}:{hex}").to_ascii_lowercase();
        if is_digest && digest.chars().count() <= MAX_DIGEST_CHARS {
            digests.insert(digest);
        }
        if digests.len() >= MAX_DIGESTS {
            break;
        }
    }
    digests.into_iter().collect()
}

impl fmt::Display for Statement {
    /// Its type and subjects; the signer chose the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a statement {}", self.predicate_type)?;
        for (place, subject) in self.subjects.iter().enumerate() {
            let before = if place == 0 { " about" } else { "," };
            write!(f, "{before} {subject}")?;
        }
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Digest;
    use crate::identity::{Key, KeyFormat, Signer};

    fn signing(payload: &[u8]) -> Signing {
        let hash = digest(&SHA256, payload);
        Signing {
            ordinal: 0,
            digest: Digest::new(HashAlgorithm::Sha256, hash.as_ref()),
            signer: Signer::Key(Key::other(KeyFormat::Pgp, b"a key".to_vec()).expect("not empty")),
            signature: None,
        }
    }

    const OMS: &str = r#"{"_type":"https://in-toto.io/Statement/v1",
        "predicateType":"https://model_signing/signature/v1.0","predicate":{},
        "subject":[{"name":"m","digest":{"sha256":"aa","sha512":"bb"}},{"name":"n","digest":{"sha256":"cc"}},
                   {"name":"o","digest":{"sha256":"dd"}}]}"#;

    #[test]
    fn a_statement_contains_its_subject() {
        let read = Statement::signed(&signing(OMS.as_bytes()), OMS.as_bytes());
        let read = read.expect("what was signed");
        assert!(read.is_of_a_model());
        assert_eq!(
            read.to_string(),
            "a statement https://model_signing/signature/v1.0 about sha256:aa, sha512:bb, sha256:cc and 1 more"
        );
        let slsa = OMS.replace(
            "https://model_signing/signature/v1.0",
            "https://slsa.dev/provenance/v1",
        );
        let read = Statement::signed(&signing(slsa.as_bytes()), slsa.as_bytes());
        assert!(!read.expect("what was signed").is_of_a_model());
    }

    #[test]
    fn a_statement_is_about_its_subjects_and_the_files_of_its_manifest() {
        let statement = OMS.replace(
            r#""predicate":{}"#,
            r#""predicate":{"resources":[{"name":"a","algorithm":"sha256","digest":"EE"},{"name":"b","algorithm":"sha256","digest":"x"}]}"#,
        );
        assert_eq!(
            statement_digests(statement.as_bytes()),
            [
                "sha256:aa",
                "sha256:cc",
                "sha256:dd",
                "sha256:ee",
                "sha512:bb"
            ]
        );
        assert_eq!(statement_digests(b"{}"), [""; 0]);
        let odd = OMS.replace(r#""predicate":{}"#, r#""predicate":{"resources":7}"#);
        assert_eq!(statement_digests(odd.as_bytes()).len(), 4);
    }

    #[test]
    fn what_was_not_signed_or_can_be_read_in_two_ways_is_no_statement() {
        assert_eq!(Statement::signed(&signing(b"other"), OMS.as_bytes()), None);
        let other = Statement::contradicting(&signing(b"other"), b"payload");
        assert_eq!(
            other.as_ref().map(<[u8; 32]>::as_slice),
            Some(digest(&SHA256, b"payload").as_ref())
        );
        assert_eq!(
            Statement::contradicting(&signing(b"payload"), b"payload"),
            None
        );
        for (wrong, payload) in [
            ("no JSON", "hello".to_owned()),
            ("two statements", format!("{OMS}{OMS}")),
            (
                "a type that is there twice",
                OMS.replace(
                    "\"predicate\":{}",
                    "\"predicateType\":\"https://slsa.dev/provenance/v1\"",
                ),
            ),
            ("no type", OMS.replace("predicateType", "predicate_type")),
            (
                "another kind of document",
                OMS.replace("in-toto.io/Statement", "example/Thing"),
            ),
            (
                "a type without end",
                OMS.replace("signature/v1.0", &"x".repeat(400)),
            ),
        ] {
            let payload = payload.as_bytes();
            assert_eq!(
                Statement::signed(&signing(payload), payload),
                None,
                "{wrong}"
            );
        }
    }
}
