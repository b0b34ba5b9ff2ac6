//! Replays the corpus of the fuzz targets without a fuzzer.
#![expect(
    clippy::unwrap_used,
    reason = "a corpus that cannot be read is a failed test"
)]

mod checks;
#[cfg(feature = "pkcs11")]
#[path = "checks/uri.rs"]
mod uri_checks;

use std::fs;
use std::path::Path;

#[test]
fn the_corpus_of_bundles_keeps_every_promise() {
    replay("bundle", checks::bundle);
}

#[test]
fn the_corpus_of_envelopes_keeps_every_promise() {
    replay("envelope", checks::envelope);
}

#[test]
fn the_corpus_of_statements_keeps_every_promise() {
    replay("statement", checks::statement);
}

#[test]
fn the_corpus_of_bundles_keeps_the_promises_of_signatures() {
    replay("bundle", checks::signature);
}

#[test]
fn the_corpus_of_pem_files_keeps_every_promise() {
    replay("pem", checks::pem);
}

#[test]
fn the_corpus_of_chains_keeps_every_promise() {
    replay("chain", checks::chain);
}

#[cfg(feature = "pkcs11")]
#[test]
fn the_corpus_of_pkcs11_uris_keeps_every_promise() {
    replay("pkcs11_uri", uri_checks::uri);
}

fn replay(target: &str, check: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let files: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!files.is_empty(), "{} is empty", directory.display());
    for file in files {
        check(&fs::read(file).unwrap());
    }
}
