//! Replays the corpus of the fuzz targets, so that what a fuzzer once found stays found without one.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../fuzz/src/program.rs"]
mod targets;

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut files = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        run(&std::fs::read(file.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files > 0, "the corpus of {target} is empty");
}

#[test]
fn the_corpus_of_entries_keeps_every_promise() {
    replay("entry", targets::entry);
}

#[test]
fn the_corpus_of_certificates_keeps_every_promise() {
    replay("certificate", targets::certificate);
}

#[test]
fn the_corpus_of_keys_keeps_every_promise() {
    replay("key", targets::key);
}

#[test]
fn the_corpus_of_trusted_roots_keeps_every_promise() {
    replay("trusted_root", targets::trusted_root);
}

#[test]
fn the_corpus_of_expectations_keeps_every_promise() {
    replay("expectation", targets::expectation);
}

#[test]
fn the_corpus_of_configurations_keeps_every_promise() {
    replay("config", targets::config);
}

#[test]
fn the_corpus_of_escapes_keeps_every_promise() {
    replay("escape", targets::escape);
}

#[test]
fn the_corpus_of_certificate_leaves_keeps_every_promise() {
    replay("certificate_leaf", targets::certificate_leaf);
}

#[test]
fn the_corpus_of_data_tiles_keeps_every_promise() {
    replay("data_tile", targets::data_tile);
}
