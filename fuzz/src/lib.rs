//! What the fuzz targets do with their bytes, as plain functions: a target calls one of them under libFuzzer, and the
//! tests of the crates call the same one on every file of the corpus.

pub mod program;
pub mod tlog;
