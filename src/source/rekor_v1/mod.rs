//! Rekor v1: a REST interface before several Trillian trees that follow each other.
//!
//! Its entries are counted in two ways: over all trees ([`GlobalIndex`](crate::log::GlobalIndex), which requests and
//! people use), and within a tree (a bare `u64`, which checkpoints and proofs use).

pub mod answer;
mod client;
pub mod ids;
mod tree;

pub use crate::http::RequestCount;
pub use answer::{Entry, EntryId, IdError, Inclusion, TreeHead, TreeNumber};
pub use client::{Client, IndexAnswer, IndexQuery, MAX_ENTRIES_BYTES, MAX_RETRIEVED};
pub use tree::Tree;
