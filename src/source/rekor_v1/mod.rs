//! Rekor v1: a REST interface before several Trillian trees that follow each other.
//!
//! Its entries are counted twice: over all trees ([`GlobalIndex`](crate::log::GlobalIndex), what the interface is asked
//! by and what people see), and within a tree (a bare `u64`, what checkpoints and proofs are about).

pub mod answer;
mod client;
pub mod ids;
mod tree;

pub use crate::http::RequestCount;
pub use answer::{Entry, EntryId, IdError, Inclusion, TreeHead, TreeId};
pub use client::{Client, IndexAnswer, IndexQuery, MAX_ENTRIES_BYTES, MAX_RETRIEVED};
pub use tree::Tree;
