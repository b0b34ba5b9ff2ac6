//! Attestations: in-toto statements about the files of a model, such as SLSA provenance.
//!
//! A statement names what it is about by *subjects*: a name and digests each. This module reads statements of any predicate
//! type ([`Attestation::parse`]), finds what a build system claims of a build ([`Provenance`]), and holds the subjects
//! against a model on disk ([`Measured::cover`]).
//!
//! Nothing here has been verified: the signature of the bundle that a statement comes in is checked before
//! (`sigstore::verify_attestation`).

use serde::Deserialize;

use crate::bundle::{Bundle, Content};
use crate::json::{Members, excerpt};
use crate::manifest::{NameError, SINGLE_FILE, check_name};

mod coverage;
mod function;
mod provenance;

pub use coverage::{Coverage, CoverageError, Measured, Mismatch, files_to_hash};
pub use function::HashFunction;
pub use provenance::{Provenance, Source};

/// The types of statements that are read (in-toto attestation framework, v1 and v0.1).
const STATEMENT_TYPES: [&str; 2] = [
    "https://in-toto.io/Statement/v1",
    "https://in-toto.io/Statement/v0.1",
];

/// Most bytes of one statement: those of a bundle of [`MAX_BUNDLE_BYTES`](crate::bundle::MAX_BUNDLE_BYTES).
const MAX_STATEMENT_BYTES: usize = crate::bundle::MAX_BUNDLE_BYTES;

/// Most subjects of one statement. GitHub's attestations have at most 1024, and a statement about each file of a large model
/// has one for each.
pub const MAX_SUBJECTS: usize = 1 << 20;

/// Why a payload is no statement that can be held against a model.
///
/// Names in it are shortened; they are foreign text and are escaped where they are shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationError {
    /// Longer than any bundle.
    #[error("a statement of {bytes} bytes is longer than {MAX_STATEMENT_BYTES}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Not JSON of this kind: a field is missing, given twice, or of another type.
    #[error("not an in-toto statement: {0}")]
    Json(String),
    /// A statement of another type.
    #[error("its _type is {found:?}, not https://in-toto.io/Statement/v1 or v0.1")]
    Type {
        /// The type.
        found: String,
    },
    /// The list of subjects is empty: the statement is about nothing.
    #[error("the statement has no subject")]
    NoSubject,
    /// More subjects than [`MAX_SUBJECTS`].
    #[error("the statement has {found} subjects, more than {MAX_SUBJECTS}")]
    TooManySubjects {
        /// How many there are.
        found: usize,
    },
    /// A subject without any digest.
    #[error("subject[{index}] {name:?} has no digest")]
    NoDigest {
        /// Where in the list, from 0.
        index: usize,
        /// Its name.
        name: String,
    },
    /// A subject whose name is a path that no file of a model can have: it may be another file to another reader.
    #[error("subject[{index}] {name:?} {why}")]
    Name {
        /// Where in the list, from 0.
        index: usize,
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: SubjectNameError,
    },
}

/// Why the name of a subject is no path in a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectNameError {
    /// As the name of a file in a signature is refused.
    #[error(transparent)]
    Path(#[from] NameError),
    /// A backslash separates directories on some systems and is part of a name on others.
    #[error("has a backslash in it")]
    Backslash,
    /// It begins with a drive letter.
    #[error("is absolute: it begins with a drive letter")]
    Drive,
}

/// An in-toto statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attestation {
    /// What kind of claim it makes: a URI.
    pub predicate_type: String,
    /// What it is about, in the order of the statement, at least one.
    pub subjects: Vec<Subject>,
    /// What it claims of a build, if it is SLSA provenance.
    pub provenance: Option<Provenance>,
}

/// One thing that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name, without a leading `./`; `None` if it has none.
    pub name: Option<String>,
    /// Names of hash functions with digests as they were written, each name once.
    pub digests: Vec<(String, String)>,
}

impl Attestation {
    /// Reads the payload of an attestation, whose signature was verified before.
    ///
    /// ```
    /// use model_signing::attestation::Attestation;
    ///
    /// let payload = br#"{
    ///     "_type": "https://in-toto.io/Statement/v1",
    ///     "subject": [{"name": "weights.bin", "digest": {"sha256": "00"}}],
    ///     "predicateType": "https://example.com/scanned/v1"
    /// }"#;
    /// let attestation = Attestation::parse(payload)?;
    /// assert_eq!(attestation.subjects[0].name.as_deref(), Some("weights.bin"));
    ///
    /// let error = Attestation::parse(&payload.map(|byte| if byte == b'w' { b'/' } else { byte })).unwrap_err();
    /// assert_eq!(error.to_string(), "subject[0] \"/eights.bin\" is absolute");
    /// # Ok::<(), model_signing::attestation::AttestationError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AttestationError`], which names the field or the subject.
    pub fn parse(payload: &[u8]) -> Result<Self, AttestationError> {
        if payload.len() > MAX_STATEMENT_BYTES {
            return Err(AttestationError::TooLong {
                bytes: payload.len(),
            });
        }
        let json = |error: serde_json::Error| AttestationError::Json(excerpt(&error.to_string()));
        let raw: RawStatement = serde_json::from_slice(payload).map_err(json)?;
        if !STATEMENT_TYPES.contains(&raw.of_type.as_str()) {
            return Err(AttestationError::Type {
                found: excerpt(&raw.of_type),
            });
        }
        if raw.subject.is_empty() {
            return Err(AttestationError::NoSubject);
        }
        if raw.subject.len() > MAX_SUBJECTS {
            return Err(AttestationError::TooManySubjects {
                found: raw.subject.len(),
            });
        }
        let subjects = raw.subject.into_iter().enumerate();
        let subjects = subjects.map(|(index, raw)| Subject::read(index, raw));
        Ok(Self {
            subjects: subjects.collect::<Result<_, _>>()?,
            provenance: Provenance::read(&raw.predicate_type, payload).map_err(json)?,
            predicate_type: raw.predicate_type,
        })
    }
}

/// The predicate type that the payload of a bundle claims, for choosing among bundles. Not verified; `None` if there is no
/// statement.
pub fn unverified_predicate_type(bundle: &Bundle) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "predicateType")]
        predicate_type: String,
    }
    let Content::Dsse(envelope) = bundle.content() else {
        return None;
    };
    let head: Head = serde_json::from_slice(&envelope.payload).ok()?;
    Some(head.predicate_type)
}

impl Subject {
    fn read(index: usize, raw: RawSubject) -> Result<Self, AttestationError> {
        let name = raw.name.filter(|name| !name.is_empty());
        let shown = || excerpt(name.as_deref().unwrap_or_default());
        if raw.digest.0.is_empty() {
            return Err(AttestationError::NoDigest {
                index,
                name: shown(),
            });
        }
        let path = name.as_deref().map(path_of).transpose();
        let path = path.map_err(|why| AttestationError::Name {
            index,
            name: shown(),
            why,
        })?;
        Ok(Self {
            name: path.map(str::to_owned),
            digests: raw.digest.0,
        })
    }

    /// Whether its name is the path of a file, whether the model has that file or not. A URI names something else.
    pub fn names_a_file(&self) -> bool {
        self.name.as_deref().is_some_and(|name| !is_uri(name))
    }
}

/// Whether a name begins with the scheme of a URI. One letter is a drive.
fn is_uri(name: &str) -> bool {
    let scheme = name.split_once(':').map(|(scheme, _)| scheme.as_bytes());
    matches!(scheme, Some([first, rest @ ..])
        if !rest.is_empty()
            && first.is_ascii_alphabetic()
            && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)))
}

/// The name as a path in a model. What is a URI is no path, and is the name of something else.
fn path_of(name: &str) -> Result<&str, SubjectNameError> {
    if name.contains('\\') {
        return Err(SubjectNameError::Backslash);
    }
    if is_uri(name) {
        return Ok(name);
    }
    if let Some((drive, _)) = name.split_once(':')
        && drive.len() == 1
        && drive.bytes().all(|byte| byte.is_ascii_alphabetic())
    {
        return Err(SubjectNameError::Drive);
    }
    // `sha256sum ./*` writes it so, and every reader takes it for the same file.
    let mut path = name;
    while let Some(rest) = path.strip_prefix("./").filter(|rest| !rest.is_empty()) {
        path = rest;
    }
    if path != SINGLE_FILE {
        check_name(path)?;
    }
    Ok(path)
}

// serde refuses a known field that is given twice, in whatever escapes its name is written.

#[derive(Deserialize)]
struct RawStatement {
    #[serde(rename = "_type")]
    of_type: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    subject: Vec<RawSubject>,
}

#[derive(Deserialize)]
struct RawSubject {
    name: Option<String>,
    digest: Members,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a missing value is a failed test")]

    use serde_json::{Value, json};

    use super::*;

    fn statement(subjects: &Value) -> Vec<u8> {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "subject": subjects,
            "predicateType": "https://example.com/x",
            "predicate": {"any": ["thing"]},
        });
        statement.to_string().into_bytes()
    }

    #[test]
    fn both_types_of_statements_are_read_and_no_others() {
        let subjects = json!([{"name": "a", "digest": {"sha256": "00", "md5": "11"}}]);
        let text = String::from_utf8(statement(&subjects)).unwrap();
        for version in ["v0.1", "v1"] {
            let text = text.replace("Statement/v0.1", &format!("Statement/{version}"));
            let read = Attestation::parse(text.as_bytes()).unwrap();
            assert_eq!(read.predicate_type, "https://example.com/x");
            assert_eq!(read.provenance, None);
            let mut names: Vec<_> = read.subjects[0]
                .digests
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            names.sort_unstable();
            assert_eq!(names, ["md5", "sha256"]);
        }
        for (bad, said) in [
            (
                text.replace("Statement/v0.1", "Statement/v2"),
                "its _type is \"https://in-toto.io/Statement/v2\"",
            ),
            (
                text.replace("subject", "Subject"),
                "missing field `subject`",
            ),
            (
                text.replace("\"_type\"", "\"predicateType\":\"x\",\"_type\""),
                "duplicate field `predicateType`",
            ),
            (
                text.replace("\"sha256\"", "\"md5\":\"00\",\"sha256\""),
                "\"md5\" is there twice",
            ),
            (text.replace("\"00\"", "7"), "invalid type"),
            (
                text.replace("\"name\"", "\"n\\u0061me\":\"b\",\"name\""),
                "duplicate field `name`",
            ),
            (format!("{text}x"), "trailing characters"),
            ("[]".to_owned(), "not an in-toto statement"),
        ] {
            let error = Attestation::parse(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_statement_about_nothing_is_refused() {
        for (subjects, error) in [
            (json!([]), "the statement has no subject"),
            (
                json!([{"name": "a", "digest": {}}]),
                "subject[0] \"a\" has no digest",
            ),
        ] {
            let found = Attestation::parse(&statement(&subjects)).unwrap_err();
            assert_eq!(found.to_string(), error);
        }
    }

    #[test]
    fn names_that_lead_out_of_the_model_or_have_two_readings_are_refused() {
        for (name, why) in [
            ("../a", "has `..` in it"),
            ("a/../../b", "has `..` in it"),
            ("./../a", "has `..` in it"),
            ("/a", "is absolute"),
            ("//a", "is absolute"),
            (
                "a//b",
                "has `.` or nothing between two slashes, or at an end",
            ),
            (
                "a/./b",
                "has `.` or nothing between two slashes, or at an end",
            ),
            ("a/", "has `.` or nothing between two slashes, or at an end"),
            ("a\\b", "has a backslash in it"),
            ("..\\a", "has a backslash in it"),
            ("C:/a", "is absolute: it begins with a drive letter"),
            ("c:a", "is absolute: it begins with a drive letter"),
            ("a\0", "has a NUL in it"),
        ] {
            let subjects = json!([{"name": "x", "digest": {"sha256": ""}}, {"name": name, "digest": {"sha256": ""}}]);
            let error = Attestation::parse(&statement(&subjects)).unwrap_err();
            assert_eq!(error.to_string(), format!("subject[1] {name:?} {why}"));
        }
        for (name, path) in [
            ("a", "a"),
            ("./a", "a"),
            ("././a/b", "a/b"),
            (".", "."),
            ("...", "..."),
            ("pkg:npm/a/../b", "pkg:npm/a/../b"),
            ("https://example.com//a", "https://example.com//a"),
            ("ghcr.io/o/r", "ghcr.io/o/r"),
        ] {
            let subjects = json!([{"name": name, "digest": {"sha256": ""}}]);
            let read = Attestation::parse(&statement(&subjects)).unwrap();
            assert_eq!(read.subjects[0].name.as_deref(), Some(path));
        }
        for name in [json!(null), json!("")] {
            let subjects = json!([{"name": name, "digest": {"sha256": ""}}]);
            assert_eq!(
                Attestation::parse(&statement(&subjects)).unwrap().subjects[0].name,
                None
            );
        }
    }

    #[test]
    fn more_subjects_than_are_read_is_an_error() {
        let many = "{\"digest\":{\"a\":\"\"}},".repeat(MAX_SUBJECTS + 1);
        let text = format!(
            "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicateType\":\"p\",\"subject\":[{}]}}",
            many.trim_end_matches(',')
        );
        let error = Attestation::parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            error,
            AttestationError::TooManySubjects {
                found: MAX_SUBJECTS + 1
            }
        );
    }
}
