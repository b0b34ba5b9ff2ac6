//! Replays the corpus of a fuzz target, so that the ordinary tests cover what a fuzzer has found.
//!
//! Part of the tests of each crate, which run on the stable compiler.

use std::fs;
use std::path::Path;

/// Runs a target on every file of its corpus.
pub fn replay(target: &str, run: fn(&[u8])) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = here
        .ancestors()
        .map(|directory| directory.join("fuzz/corpus"))
        .find(|corpus| corpus.is_dir())
        .expect("the corpus lies beside the crates")
        .join(target);
    let mut files = 0;
    for file in fs::read_dir(&corpus).expect("a directory of this target") {
        let path = file.expect("a readable directory").path();
        run(&fs::read(path).expect("a readable file"));
        files += 1;
    }
    assert!(files > 0, "{} is empty", corpus.display());
}
