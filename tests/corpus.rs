//! Replays the corpus of the fuzz targets, so that what a fuzzer once found stays found without one.

#[path = "../fuzz/src/program.rs"]
mod targets;

#[path = "../fuzz/src/replay.rs"]
mod replay;

use std::fs;
use std::path::Path;

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
fn the_corpus_of_attestations_keeps_every_promise() {
    replay("attestation", targets::attestation);
}

#[test]
fn the_corpus_of_tuf_caches_keeps_every_promise() {
    replay("tuf_cache", targets::tuf_cache);
}

#[test]
fn every_target_has_a_place_in_the_crate_that_runs_it_and_a_corpus() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("a manifest");
    let library = fs::read_to_string(fuzz.join("src/lib.rs")).expect("a library");
    for file in fs::read_dir(fuzz.join("fuzz_targets")).expect("a directory") {
        let path = file.expect("readable").path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        let target = fs::read_to_string(&path).expect("text");
        assert!(manifest.contains(&format!("\npath = \"fuzz_targets/{name}.rs\"\n")));
        assert!(fuzz.join("corpus").join(&*name).is_dir(), "{name}");
        // Nothing else compiles these files on the stable compiler.
        if let Some((_, called)) = target.split_once("modelwatch_fuzz::") {
            let module = called.split("::").next().expect("a path");
            assert!(
                library.contains(&format!("\npub mod {module};\n")),
                "{name}"
            );
        }
    }
}

#[test]
fn the_corpus_of_data_tiles_keeps_every_promise() {
    replay("data_tile", targets::data_tile);
}
