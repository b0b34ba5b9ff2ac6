//! Replays the corpus of the fuzz targets without a fuzzer.

mod checks;
#[path = "../../../fuzz/src/replay.rs"]
mod replay;
#[cfg(feature = "pkcs11")]
#[path = "checks/uri.rs"]
mod uri_checks;

use replay::replay;

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
