//! Files with any number of bundles, as the tools and servers of the ecosystem write them.
//!
//! | form | written by |
//! | --- | --- |
//! | one bundle | cosign, sigstore-python, `model_signing` |
//! | JSON values one after the other, such as JSON lines | `gh attestation download` |
//! | an array | `jq --slurp` |
//! | `{"attestations": [{"bundle": …}]}` | GitHub's and npm's API |
//! | `[{"attestation": {"bundle": …}}]` | `gh attestation verify --format json` |
//! | an attestation object, `{"version": 1, "verification_material": …, "envelope": …}` | PyPI's `*.publish.attestation` (PEP 740) |
//! | `{"attestation_bundles": [{"attestations": […]}]}` | PyPI's provenance (PEP 740) |
//!
//! Each may be in each other, and begin with a byte order mark; with one, UTF-16 is read as well. What cannot be read is an
//! item like the others: nothing is passed over.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::{Bundle, BundleError, MAX_BUNDLE_BYTES};
use crate::json::{Document, Field, JsonError, Kind, Object, excerpt};

/// Most bundles of a file: the forms above hold one for each artifact of a release.
pub const MAX_COLLECTED: usize = 10_000;

/// One bundle of a file.
#[derive(Debug)]
pub struct Collected {
    /// Where it is in the file: `line 2`, `attestations[0].bundle`; `None` if the file is this one bundle.
    pub place: Option<String>,
    /// The bundle, or why it cannot be read.
    pub bundle: Result<Bundle, CollectedError>,
}

/// Why one item of a file cannot be read as a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectedError {
    /// Not a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Not an attestation of a package index.
    #[error("not a PyPI attestation (PEP 740): {0}")]
    Attestation(JsonError),
    /// The server gave an address instead of the bundle.
    #[error("the bundle is not in this file, only its address (`{0}`): download it from there")]
    Elsewhere(&'static str),
    /// Something else that is known.
    #[error("not a Sigstore bundle: it is {0}")]
    Other(String),
}

/// Why a file holds no bundles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// No bytes, or only spaces.
    #[error("the file is empty")]
    Empty,
    /// More bytes than are read at all; nothing was parsed.
    #[error("{bytes} bytes, more than the {limit} that are read")]
    TooLong {
        /// How many bytes there are.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A file of another kind.
    #[error("not a Sigstore bundle: it is {0}")]
    Other(&'static str),
    /// JSON of a form that is read, with nothing in it.
    #[error("the file contains no bundle: its list is empty")]
    Nothing,
    /// More bundles than are read.
    #[error("more than {limit} bundles")]
    TooMany {
        /// How many there may be.
        limit: usize,
    },
}

/// Whether a file is JSON by its first character, and so a bundle or several, rather than a certificate or a key.
pub fn is_json(bytes: &[u8]) -> bool {
    text(bytes).is_ok_and(|text| matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')))
}

/// Reads every bundle of a file of at most [`MAX_BUNDLE_BYTES`]. Verifies nothing.
///
/// ```
/// use model_signing::bundle::read_collection;
///
/// let found = read_collection(br#"{"attestations": [{"bundle_url": "https://h.example/1"}]}"#)?;
/// assert_eq!(found[0].place.as_deref(), Some("attestations[0]"));
/// assert!(found[0].bundle.is_err());
/// # Ok::<(), model_signing::bundle::CollectionError>(())
/// ```
///
/// # Errors
///
/// [`CollectionError`] if the file holds no bundles at all; an item that cannot be read is an item with an error.
pub fn read_collection(bytes: &[u8]) -> Result<Vec<Collected>, CollectionError> {
    if bytes.len() > MAX_BUNDLE_BYTES {
        return Err(CollectionError::TooLong {
            bytes: bytes.len(),
            limit: MAX_BUNDLE_BYTES,
        });
    }
    let text = text(bytes)?;
    if text.trim_ascii().is_empty() {
        return Err(CollectionError::Empty);
    }
    if !is_json(&text) {
        return Err(CollectionError::Other(kind_of_file(&text)));
    }
    let mut collection = Collection {
        line: None,
        found: Vec::new(),
    };
    let documents = documents(&text);
    let has_many = documents.len() > 1;
    for document in documents {
        collection.line = has_many.then_some(document.line);
        match document.json.and_then(Document::parse_many) {
            Ok(document) => collection.read(document.value())?,
            Err(error) => collection.add("", Err(BundleError(error).into()))?,
        }
    }
    if collection.found.is_empty() {
        return Err(CollectionError::Nothing);
    }
    Ok(collection.found)
}

/// One of the JSON values that a file has one after the other.
struct OneOfMany<'t> {
    /// The line that it begins in, from 1.
    line: usize,
    json: Result<&'t [u8], JsonError>,
}

/// The values of a text; the last one may be broken. At most one more than a collection may have.
fn documents(text: &[u8]) -> Vec<OneOfMany<'_>> {
    let mut documents = Vec::new();
    // Only finds where each value ends: the parser of the value checks it.
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    let (mut begin, mut counted, mut line) = (0, 0, 1);
    while documents.len() <= MAX_COLLECTED {
        let rest = text.get(begin..).unwrap_or_default();
        begin += rest.len() - rest.trim_ascii_start().len();
        let Some(value) = values.next() else { break };
        let skipped = text.get(counted..begin).unwrap_or_default();
        line += skipped.split(|byte| *byte == b'\n').skip(1).count();
        counted = begin;
        let end = values.byte_offset();
        let is_broken = value.is_err();
        let json = value
            .map(|_| text.get(begin..end).unwrap_or_default())
            .map_err(JsonError::Syntax);
        documents.push(OneOfMany { line, json });
        begin = end;
        if is_broken {
            break;
        }
    }
    documents
}

struct Collection {
    /// The line of the value that is being read, if the file has several.
    line: Option<usize>,
    found: Vec<Collected>,
}

impl Collection {
    /// Reads a value in any of the forms. Its depth is bounded by the JSON reader.
    fn read(&mut self, field: Field<'_>) -> Result<(), CollectionError> {
        let place = field.path().to_owned();
        match field.kind() {
            Kind::Array => {
                let items = field.items(0..=usize::MAX);
                for item in items.into_iter().flatten() {
                    self.read(item)?;
                }
                Ok(())
            }
            Kind::Object => match Form::of(field) {
                Ok(Form::Bundle(bundle)) => {
                    let bundle = Bundle::read(&bundle).map_err(BundleError);
                    self.add(&place, bundle.map_err(Into::into))
                }
                Ok(Form::Attestation(attestation)) => {
                    let bundle = Bundle::read_attestation(&attestation);
                    self.add(&place, bundle.map_err(CollectedError::Attestation))
                }
                Ok(Form::Wrapping(inner)) => self.read(inner),
                Ok(Form::Elsewhere(name)) => self.add(&place, Err(CollectedError::Elsewhere(name))),
                Ok(Form::Other(what)) => self.add(&place, Err(CollectedError::Other(what))),
                Err(error) => self.add(&place, Err(BundleError(error).into())),
            },
            kind => self.add(&place, Err(CollectedError::Other(kind.to_string()))),
        }
    }

    fn add(
        &mut self,
        place: &str,
        bundle: Result<Bundle, CollectedError>,
    ) -> Result<(), CollectionError> {
        if self.found.len() >= MAX_COLLECTED {
            return Err(CollectionError::TooMany {
                limit: MAX_COLLECTED,
            });
        }
        let place = match (self.line, place) {
            (None, "") => None,
            (None, place) => Some(place.to_owned()),
            (Some(line), "") => Some(format!("line {line}")),
            (Some(line), place) => Some(format!("line {line}, {place}")),
        };
        self.found.push(Collected { place, bundle });
        Ok(())
    }
}

/// What an object is, by the names of its members.
enum Form<'n> {
    Bundle(Object<'n>),
    Attestation(Object<'n>),
    /// Something around a bundle or a list of them.
    Wrapping(Field<'n>),
    /// The member that holds an address.
    Elsewhere(&'static str),
    Other(String),
}

impl<'n> Form<'n> {
    /// # Errors
    ///
    /// A name occurs twice: two readers could see two bundles.
    fn of(field: Field<'n>) -> Result<Self, JsonError> {
        // Errors in a bundle name its fields, those in what is around it where it is.
        let (whole, object) = (field.detached().object()?, field.object()?);
        let has = |name| object.optional(name).map(|member| member.is_some());
        if has("mediaType")? || has("dsseEnvelope")? || has("messageSignature")? {
            return Ok(Self::Bundle(whole));
        }
        if has("verificationMaterial")? && has("envelope")? {
            return Ok(Self::Attestation(whole));
        }
        let mut wrapping = None;
        for name in [
            "bundle",
            "attestation",
            "attestationBundles",
            "attestations",
        ] {
            let inner = object.optional(name)?;
            let Some(inner) = inner.filter(|it| matches!(it.kind(), Kind::Object | Kind::Array))
            else {
                continue;
            };
            // One of them would be passed over.
            if let Some((first, _)) = wrapping.replace((name, inner)) {
                return Ok(Self::Other(format!(
                    "an object with both {first:?} and {name:?}"
                )));
            }
        }
        if let Some((_, inner)) = wrapping {
            return Ok(Self::Wrapping(inner));
        }
        // GitHub keeps large bundles elsewhere; GitLab's list and the metadata of an npm package have addresses only.
        for (name, spelled) in [
            ("bundleUrl", "bundle_url"),
            ("downloadUrl", "download_url"),
            ("url", "url"),
        ] {
            if has(name)? {
                return Ok(Self::Elsewhere(spelled));
            }
        }
        if has("payloadType")? && has("signatures")? {
            return Ok(Self::Other(
                "a DSSE envelope alone, without the certificate and the log entry of a bundle"
                    .to_owned(),
            ));
        }
        if has("rekorBundle")? || has("base64Signature")? {
            return Ok(Self::Other(
                "in cosign's own format of before version 3: `cosign sign-blob --new-bundle-format` writes a Sigstore bundle"
                    .to_owned(),
            ));
        }
        for name in ["message", "error"] {
            if let Some(Ok(said)) = object.optional(name)?.map(|said| said.text()) {
                let said = excerpt(said);
                return Ok(Self::Other(format!(
                    "an answer of a server that says {said:?}"
                )));
            }
        }
        Ok(Self::Bundle(whole))
    }
}

/// The text of a file without its byte order mark; UTF-16 with one becomes UTF-8. (PowerShell writes it.)
fn text(bytes: &[u8]) -> Result<Cow<'_, [u8]>, CollectionError> {
    if let Some(text) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return Ok(Cow::Borrowed(text));
    }
    let (rest, is_little) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, true),
        [0xfe, 0xff, rest @ ..] => (rest, false),
        _ => return Ok(Cow::Borrowed(bytes)),
    };
    let unit = |pair: [u8; 2]| {
        if is_little {
            u16::from_le_bytes(pair)
        } else {
            u16::from_be_bytes(pair)
        }
    };
    let (pairs, odd) = rest.as_chunks::<2>();
    let broken = CollectionError::Other("UTF-16 that is cut off or damaged");
    if !odd.is_empty() {
        return Err(broken);
    }
    char::decode_utf16(pairs.iter().copied().map(unit))
        .collect::<Result<String, _>>()
        .map(|text| Cow::Owned(text.into_bytes()))
        .map_err(|_| broken)
}

/// What a file is that is not JSON.
fn kind_of_file(bytes: &[u8]) -> &'static str {
    let begins = |with: &[u8]| bytes.starts_with(with);
    let text = bytes.trim_ascii_start();
    if begins(b"\x1f\x8b") {
        "compressed with gzip: unpack it first"
    } else if begins(b"\x28\xb5\x2f\xfd") {
        "compressed with zstd: unpack it first"
    } else if begins(b"\xff\x06\x00\x00sNaPpY") {
        "compressed with snappy: unpack it first"
    } else if begins(b"PK\x03\x04") {
        "a zip archive: unpack it first"
    } else if begins(b"\x30") {
        "binary, maybe a certificate or key in DER"
    } else if text.starts_with(b"-----BEGIN ") {
        "a PEM file, a certificate or a key"
    } else if text.starts_with(b"<") {
        "an HTML or XML page"
    } else if std::str::from_utf8(bytes).is_ok() {
        "text that is not JSON"
    } else {
        "binary, not JSON"
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use serde_json::{Value, json};

    use super::*;

    fn bundle(keyid: &str) -> Value {
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"certificate": {"rawBytes": "AAEC"}, "tlogEntries": []},
            "dsseEnvelope": {
                "payloadType": "text/plain", "payload": "aGVsbG8=", "signatures": [{"sig": "AAEC", "keyid": keyid}],
            },
        })
    }

    fn attestation() -> Value {
        json!({
            "version": 1,
            "verification_material": {
                "certificate": "AAEC",
                "transparency_entries": [{
                    "logIndex": "7", "logId": {"keyId": "AAECAw=="},
                    "kindVersion": {"kind": "dsse", "version": "0.0.1"}, "canonicalizedBody": "e30=",
                }],
            },
            "envelope": {"statement": "e30=", "signature": "AAEC"},
        })
    }

    /// The places, and of each whether it was read.
    fn places(text: impl AsRef<[u8]>) -> Vec<(String, bool)> {
        let found = read_collection(text.as_ref()).unwrap();
        let places = found.into_iter();
        places
            .map(|item| (item.place.unwrap_or_default(), item.bundle.is_ok()))
            .collect()
    }

    #[test]
    fn each_form_gives_each_of_its_bundles_and_where_it_is() {
        let (a, b) = (bundle("a"), bundle("b"));
        let github = json!({"attestations": [
            {"bundle": a, "bundle_url": "https://h.example/1", "repository_id": 1},
            {"bundle": null, "bundle_url": "https://h.example/2", "repository_id": 1},
        ]});
        let npm = json!({"attestations": [{"predicateType": "p", "bundle": a}, {"predicateType": "q", "bundle": b}]});
        let provenance = json!({"version": 1, "attestation_bundles": [
            {"publisher": {"kind": "GitHub"}, "attestations": [attestation(), attestation()]},
            {"publisher": {"kind": "GitLab"}, "attestations": [attestation()]},
        ]});
        let verified = json!([{"attestation": {"bundle": a, "bundle_url": "", "initiator": ""}, "verificationResult": {}}]);
        let pretty = serde_json::to_string_pretty(&a).unwrap();
        let lines = pretty.lines().count();
        for (text, expected) in [
            (a.to_string(), vec![("", true)]),
            (format!("\n {pretty}\n\n"), vec![("", true)]),
            (
                format!("{a}\n{b}\n"),
                vec![("line 1", true), ("line 2", true)],
            ),
            (
                format!("{a}\r\n\r\n{b}\r\n"),
                vec![("line 1", true), ("line 3", true)],
            ),
            (format!("{a}{b}"), vec![("line 1", true), ("line 1", true)]),
            (
                format!("{pretty}\n{github}"),
                vec![
                    ("line 1", true),
                    (
                        &*format!("line {}, attestations[0].bundle", lines + 1),
                        true,
                    ),
                    (&*format!("line {}, attestations[1]", lines + 1), false),
                ],
            ),
            (
                json!([a, b]).to_string(),
                vec![("[0]", true), ("[1]", true)],
            ),
            (
                json!([[a], attestation(), 1, null]).to_string(),
                vec![
                    ("[0][0]", true),
                    ("[1]", true),
                    ("[2]", false),
                    ("[3]", false),
                ],
            ),
            (
                github.to_string(),
                vec![("attestations[0].bundle", true), ("attestations[1]", false)],
            ),
            (
                npm.to_string(),
                vec![
                    ("attestations[0].bundle", true),
                    ("attestations[1].bundle", true),
                ],
            ),
            (attestation().to_string(), vec![("", true)]),
            (
                provenance.to_string(),
                vec![
                    ("attestationBundles[0].attestations[0]", true),
                    ("attestationBundles[0].attestations[1]", true),
                    ("attestationBundles[1].attestations[0]", true),
                ],
            ),
            (verified.to_string(), vec![("[0].attestation.bundle", true)]),
            // A download that broke off: what came before it is read, and that it broke off is not passed over.
            (
                format!("{a}\n{}", &b.to_string()[..50]),
                vec![("line 1", true), ("line 2", false)],
            ),
            (
                format!("{a}\nhello"),
                vec![("line 1", true), ("line 2", false)],
            ),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(place, read)| ((*place).to_owned(), *read))
                .collect();
            assert_eq!(places(&text), expected, "{text}");
            assert_eq!(places(format!("\u{feff}{text}")), expected, "{text}");
            let units: Vec<u16> = format!("\u{feff}{text}").encode_utf16().collect();
            for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
                let wide: Vec<u8> = units.iter().copied().flat_map(bytes).collect();
                assert_eq!(places(&wide), expected, "{text}");
                assert!(is_json(&wide));
            }
        }
    }

    #[test]
    fn an_attestation_of_a_package_index_is_the_bundle_it_was_made_from() {
        let text = attestation().to_string();
        let found = read_collection(text.as_bytes()).unwrap().remove(0);
        let bundle = found.bundle.unwrap();
        assert_eq!(bundle.leaf_certificate(), Some(&[0, 1, 2][..]));
        assert!(bundle.is_keyless());
        assert_eq!(bundle.tlog_entries()[0].log_index, 7);
        let super::super::Content::Dsse(envelope) = bundle.content() else {
            panic!("no envelope")
        };
        assert_eq!(envelope.payload_type, "application/vnd.in-toto+json");
        assert_eq!(envelope.payload, b"{}");
        assert_eq!(envelope.signatures[0].sig, [0, 1, 2]);
    }

    #[test]
    fn a_damaged_attestation_names_its_field() {
        for (field, value, said) in [
            ("/version", json!(2), "version is \"2\", not 1"),
            (
                "/envelope/statement",
                json!("e30"),
                "envelope.statement is not canonical base64",
            ),
            (
                "/envelope/signature",
                json!(""),
                "envelope.signature has 0 bytes",
            ),
            (
                "/verification_material/certificate",
                json!({"rawBytes": "AAEC"}),
                "certificate is an object",
            ),
            (
                "/verification_material/transparency_entries",
                json!([]),
                "transparencyEntries has 0 items",
            ),
        ] {
            let mut damaged = attestation();
            *damaged.pointer_mut(field).unwrap() = value;
            let found = read_collection(damaged.to_string().as_bytes()).unwrap();
            let error = found[0].bundle.as_ref().unwrap_err().to_string();
            assert!(
                error.starts_with("not a PyPI attestation (PEP 740): "),
                "{error}"
            );
            assert!(error.contains(said), "{field}: {error}");
        }
    }

    #[test]
    fn what_is_no_bundle_is_called_what_it_is() {
        for (text, said) in [
            (&b""[..], "the file is empty"),
            (b" \n\t", "the file is empty"),
            (b"\xef\xbb\xbf", "the file is empty"),
            (b"[]", "its list is empty"),
            (b"{\"attestations\": []}", "its list is empty"),
            (b"hello", "text that is not JSON"),
            (b"\"{}\"", "text that is not JSON"),
            (b"-----BEGIN CERTIFICATE-----\n", "a PEM file"),
            (b"<!doctype html>", "an HTML or XML page"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"PK\x03\x04", "zip archive"),
            (b"\x30\x82\x01", "DER"),
            (b"\xff\xfe\x00", "UTF-16"),
            (b"\xff\xfe\x00\xd8", "UTF-16"),
        ] {
            let error = read_collection(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text:?}: {error}");
        }
        for (text, said) in [
            ("{}", "mediaType is missing"),
            ("{", "not JSON: EOF"),
            (
                r#"{"mediaType": "text/plain"}"#,
                "mediaType is \"text/plain\"",
            ),
            (
                r#"{"payloadType": "t", "payload": "", "signatures": []}"#,
                "a DSSE envelope alone",
            ),
            (
                r#"{"base64Signature": "", "cert": "", "rekorBundle": {}}"#,
                "cosign's own format",
            ),
            (
                r#"{"message": "Not Found", "documentation_url": "u"}"#,
                "says \"Not Found\"",
            ),
            (r#"{"error": "\u001b[2J"}"#, "says \"\\u{1b}[2J\""),
            (r#"[{"iid": 1, "download_url": "u"}]"#, "`download_url`"),
            (r#"{"attestations": {"url": "u"}}"#, "`url`"),
            (r#"{"bundle": {}, "bundle": {}}"#, "is given more than once"),
        ] {
            let found = read_collection(text.as_bytes()).unwrap();
            let error = found[0].bundle.as_ref().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn no_file_has_more_bundles_than_are_read_and_none_is_read_of_one_that_has() {
        let many = "{}\n".repeat(MAX_COLLECTED);
        assert_eq!(
            read_collection(many.as_bytes()).unwrap().len(),
            MAX_COLLECTED
        );
        let limit = MAX_COLLECTED;
        let more = format!("{many}{{}}");
        assert_eq!(
            read_collection(more.as_bytes()).unwrap_err(),
            CollectionError::TooMany { limit }
        );
        let list = format!("[{}{{}}]", "{},".repeat(MAX_COLLECTED));
        assert_eq!(
            read_collection(list.as_bytes()).unwrap_err(),
            CollectionError::TooMany { limit }
        );
        // A list of whole bundles is read as far as the limit goes.
        let list = json!(vec![bundle(""); 3000]).to_string();
        let found = read_collection(list.as_bytes()).unwrap();
        assert!(found.len() == 3000 && found.iter().all(|item| item.bundle.is_ok()));
        // Deeper than any reader goes: an error, not the end of the stack.
        let deep = "[".repeat(1_000_000);
        assert!(read_collection(deep.as_bytes()).unwrap()[0].bundle.is_err());
        let long = vec![b' '; MAX_BUNDLE_BYTES + 1];
        assert!(matches!(
            read_collection(&long),
            Err(CollectionError::TooLong { .. })
        ));
    }
}
