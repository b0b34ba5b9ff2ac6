//! Replays the corpus of the fuzz targets, so that the ordinary tests cover what a fuzzer has found.

#[path = "../../../fuzz/src/tlog.rs"]
mod targets;

#[path = "../../../fuzz/src/replay.rs"]
mod replay;

use replay::replay;

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
