//! Replays the corpus of the fuzz targets, so that what a fuzzer once found stays found without one.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../../../fuzz/src/tlog.rs"]
mod targets;

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = format!("{}/../../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut files = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        run(&std::fs::read(file.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files > 0, "the corpus of {target} is empty");
}

#[test]
fn no_note_of_the_corpus_panics() {
    replay("note", targets::note);
}

#[test]
fn no_checkpoint_of_the_corpus_panics() {
    replay("checkpoint", targets::checkpoint);
}

#[test]
fn no_tile_of_the_corpus_panics() {
    replay("tile", targets::tile);
}

#[test]
fn no_bundle_of_the_corpus_panics() {
    replay("entry_bundle", targets::bundle);
}

#[test]
fn no_tree_head_of_the_corpus_panics() {
    replay("tree_head", targets::tree_head);
}
