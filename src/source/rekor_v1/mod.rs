//! Rekor v1: a REST interface before several Trillian trees that follow each other.
//!
//! Its entries are counted in two ways: over all trees ([`GlobalIndex`](crate::log::GlobalIndex), which requests and
//! people use), and within a tree (a bare `u64`, which checkpoints and proofs use).

pub mod answer;
mod client;
mod entry_id;
mod error;
pub mod ids;
mod tree;

pub use crate::http::RequestCount;
pub use answer::{Entry, Inclusion, MAX_RETRIEVED, TreeHead};
pub use client::{Client, IndexAnswer, IndexQuery, MAX_ENTRIES_BYTES};
pub use entry_id::{EntryId, IdError, TreeNumber};
pub use tree::Tree;
