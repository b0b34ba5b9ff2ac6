//! The checks of the fuzz targets as plain functions: a target calls one of them under libFuzzer, and the tests of the
//! crates call the same one with every file of the corpus.

pub mod program;
pub mod tlog;
