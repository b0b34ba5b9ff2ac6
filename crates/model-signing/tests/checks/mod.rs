//! What must hold for all bytes. Shared with the fuzz targets, which include this file by its path.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model_signing::bundle::{Bundle, Content, MAX_COLLECTED, read_collection};
use model_signing::certificate::TrustStore;
use model_signing::dsse::Envelope;
use model_signing::key::{PrivateKey, PublicKey};
use model_signing::manifest::{Resource, SINGLE_FILE};
use model_signing::statement::{Statement, Version};
use model_signing::verify::{Opened, Options, SignatureFile, Verifier, VerifyError};

/// Reads `bytes` as a bundle; panics if an accepted one breaks a promise of its documentation.
pub fn bundle(bytes: &[u8]) {
    let collected = collection(bytes);
    let bundle = match Bundle::parse(bytes) {
        Ok(bundle) => bundle,
        Err(error) => return harmless(&error.to_string()),
    };
    // What is one bundle is the only one in its file.
    assert_eq!(collected, [(None, Some(bundle.clone()))]);
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

/// The bundles of a file with any number of them, each at a place of its own.
fn collection(bytes: &[u8]) -> Vec<(Option<String>, Option<Bundle>)> {
    let found = match read_collection(bytes) {
        Ok(found) => found,
        Err(error) => {
            harmless(&error.to_string());
            return Vec::new();
        }
    };
    assert!((1..=MAX_COLLECTED).contains(&found.len()));
    let has_many = found.len() > 1;
    for item in &found {
        assert!(item.place.is_some() || !has_many);
        if let Err(error) = &item.bundle {
            harmless(&error.to_string());
        }
    }
    let read = found.into_iter();
    read.map(|item| (item.place, item.bundle.ok())).collect()
}

/// Reads `bytes` as an envelope; panics if an accepted one breaks a promise of its documentation.
pub fn envelope(bytes: &[u8]) {
    match Envelope::parse(bytes) {
        Ok(envelope) => promises(&envelope),
        Err(error) => harmless(&error.to_string()),
    }
}

/// Reads `bytes` as a signature. A fuzzer cannot guess one by a given key.
pub fn signature(bytes: &[u8]) {
    let file = match SignatureFile::parse(bytes) {
        Ok(file) => file,
        Err(error) => return harmless(&error.to_string()),
    };
    // A bundle that the strict reader accepts is read by the tolerant one too, with the same result.
    let bundle = Bundle::parse(bytes).expect("the tolerant reader reads what the strict one does");
    assert_eq!(bundle.certificates(), file.certificates());
    let verifier = Verifier::Key(PublicKey::from_pem(KEY.as_bytes()).expect("a key"));
    refused(file.verify(&verifier, &options(false)));
}

/// Reads `bytes` as PEM: a public key, a private key, and certificates.
pub fn pem(bytes: &[u8]) {
    match PublicKey::from_pem(bytes) {
        Ok(key) => {
            let text = key.to_pem();
            assert_eq!(PublicKey::from_pem(text.as_bytes()), Ok(key));
        }
        Err(error) => harmless(&error.to_string()),
    }
    for password in [None, Some(&b"hunter2"[..])] {
        if let Err(error) = PrivateKey::from_pem(bytes, password) {
            harmless(&error.to_string());
        }
    }
    match TrustStore::from_pem(&[bytes]) {
        Ok(store) => assert!(!store.certificates().is_empty()),
        Err(error) => harmless(&error.to_string()),
    }
}

/// Reads `bytes` as the certificates of a signature, the signer's first, and walks from it to those that come after it.
pub fn chain(bytes: &[u8]) {
    let Ok(store) = TrustStore::from_pem(&[bytes]) else {
        return;
    };
    let encoded = store.certificates().iter().map(|der| STANDARD.encode(der));
    let certificates: Vec<_> = encoded
        .map(|base64| format!("{{\"rawBytes\":\"{base64}\"}}"))
        .collect();
    let file = format!(
        "{{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\",\"verificationMaterial\":\
         {{\"x509CertificateChain\":{{\"certificates\":[{}]}}}},\"dsseEnvelope\":{{\"payload\":\"e30=\",\
         \"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[{{\"sig\":\"AA==\"}}]}}}}",
        certificates.join(",")
    );
    for strict in [false, true] {
        let Ok(file) = SignatureFile::parse(file.as_bytes()) else {
            // More certificates than a signature may have.
            return;
        };
        let verifier = Verifier::Certificates(store.clone());
        refused(file.verify(&verifier, &options(strict)));
    }
}

/// The key of P-256 with the private number 1.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----";

fn options(strict: bool) -> Options {
    // 2026-06-01.
    Options::at_present(1_780_272_000, strict)
}

fn refused(verdict: Result<Opened, VerifyError>) {
    let error = verdict.expect_err("nobody guesses a signature");
    harmless(&error.to_string());
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
    if let Version::V1 { .. } = statement.version() {
        let written =
            Statement::parse(statement.to_json().as_bytes()).expect("it was written here");
        assert_eq!(written.name, statement.name);
        assert_eq!(written.manifest, statement.manifest);
        assert_eq!(written.ignored_paths, statement.ignored_paths);
        // Whatever order it was read in.
        assert_eq!(written.root(), statement.manifest.root());
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
