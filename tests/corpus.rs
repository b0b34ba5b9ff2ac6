//! Replays the corpus of the fuzz targets, so that the ordinary tests cover what a fuzzer has found.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../fuzz/src/program.rs"]
mod targets;

#[path = "../fuzz/src/replay.rs"]
mod replay;

use replay::replay;

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
fn the_corpus_of_rekor_v1_answers_keeps_every_promise() {
    replay("v1_answer", targets::v1_answer);
}

#[test]
fn the_corpus_of_evidence_keeps_every_promise() {
    replay("evidence", targets::evidence);
}

#[test]
fn the_corpus_of_attestations_keeps_every_promise() {
    replay("attestation", targets::attestation);
}

#[test]
fn the_corpus_of_tuf_caches_keeps_every_promise() {
    replay("tuf_cache", targets::tuf_cache);
}

#[test]
fn the_corpus_of_data_tiles_keeps_every_promise() {
    replay("data_tile", targets::data_tile);
}

/// The fuzz targets are compiled only with another compiler, so a missing corpus would be noticed late.
#[test]
fn every_target_has_a_corpus_and_calls_what_is_there() {
    let fuzz = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let read = |name: &str| std::fs::read_to_string(fuzz.join(name)).unwrap();
    let (manifest, library) = (read("Cargo.toml"), read("src/lib.rs"));
    let mut targets = 0;
    for entry in std::fs::read_dir(fuzz.join("fuzz_targets")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        assert!(fuzz.join("corpus").join(name).is_dir(), "{name}");
        let target = std::fs::read_to_string(&path).unwrap();
        if let Some((_, call)) = target.split_once("modelwatch_fuzz::") {
            let (module, rest) = call.split_once("::").unwrap();
            let (function, _) = rest.split_once('(').unwrap();
            assert!(library.contains(&format!("pub mod {module};")), "{name}");
            let source = read(&format!("src/{module}.rs"));
            assert!(source.contains(&format!("pub fn {function}(")), "{name}");
        }
        targets += 1;
    }
    assert!(targets > 15);
}
