//! What must hold for any bytes whatever. Shared with the fuzz targets, which include this file by its path.

use std::collections::BTreeSet;

use model_signing::bundle::{Bundle, Content};
use model_signing::dsse::Envelope;
use model_signing::manifest::{Resource, SINGLE_FILE};
use model_signing::statement::{Statement, Version};

/// Reads `bytes` as a bundle; panics if an accepted one breaks a promise of its documentation.
pub fn bundle(bytes: &[u8]) {
    let bundle = match Bundle::parse(bytes) {
        Ok(bundle) => bundle,
        Err(error) => return harmless(&error.to_string()),
    };
    assert_eq!(
        bundle.leaf_certificate(),
        bundle.certificates().first().map(Vec::as_slice)
    );
    assert!(bundle.certificates().is_empty() || bundle.public_key_hint().is_none());
    assert!(bundle.certificates().iter().all(|der| !der.is_empty()));
    for entry in bundle.tlog_entries() {
        assert!(i64::try_from(entry.log_index).is_ok());
        assert!((4..=32).contains(&entry.log_id.len()));
    }
    match bundle.content() {
        Content::Dsse(envelope) => promises(envelope),
        Content::Message {
            digest_algorithm,
            digest,
            signature,
        } => {
            assert_eq!(digest.len(), digest_algorithm.digest_bytes());
            assert!(!signature.is_empty());
        }
    }
}

/// Reads `bytes` as an envelope; panics if an accepted one breaks a promise of its documentation.
pub fn envelope(bytes: &[u8]) {
    match Envelope::parse(bytes) {
        Ok(envelope) => promises(&envelope),
        Err(error) => harmless(&error.to_string()),
    }
}

/// Reads `bytes` as a statement; panics if an accepted one breaks a promise of its documentation.
pub fn statement(bytes: &[u8]) {
    let statement = match Statement::parse(bytes) {
        Ok(statement) => statement,
        Err(error) => return harmless(&error.to_string()),
    };
    for path in statement.manifest.paths() {
        assert!(!path.starts_with('/'), "{path:?} leads out of the model");
        let is_plain = |component: &str| !matches!(component, "" | "." | "..");
        assert!(&**path == SINGLE_FILE || path.split('/').all(is_plain));
    }
    let names: BTreeSet<_> = statement.manifest.resources().iter().map(name).collect();
    assert_eq!(names.len(), statement.manifest.resources().len());
    assert!(statement.manifest.compare(&statement.manifest).is_empty());
    // The old format is never written.
    if let (Version::V1_0, Some(false)) = (
        statement.version(),
        statement.name.as_ref().map(String::is_empty),
    ) {
        let written = statement.to_json();
        assert_eq!(
            Statement::parse(written.as_bytes()).as_ref(),
            Ok(&statement)
        );
    }
}

fn name(resource: &Resource) -> String {
    resource.name().to_string()
}

fn promises(envelope: &Envelope) {
    assert!(!envelope.signatures.is_empty());
    assert!(
        envelope
            .signatures
            .iter()
            .all(|signature| !signature.sig.is_empty())
    );
    let pae = envelope.pae();
    assert!(pae.starts_with(b"DSSEv1 "));
    assert!(pae.ends_with(&envelope.payload));
}

/// A message about foreign bytes is one short printable line.
fn harmless(message: &str) {
    assert!(message.len() < 2000, "{message}");
    assert!(!message.chars().any(char::is_control), "{message:?}");
}
