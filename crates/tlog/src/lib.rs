//! Transparency logs for readers: what a log promised, and whether it kept the promise.
//!
//! A log signs *checkpoints*: "my first `size` leaves hash to `root`". This crate parses checkpoints, hashes the leaves
//! that the log serves, and reports whether the two agree. It does no input or output: it is `no_std` with `alloc`, so
//! the compiler refuses a clock, a socket and a file, and the result of every function depends only on its arguments.
//! All input may come from an attacker: every length has a limit, and no input causes a panic.
//!
//! | module | what |
//! | --- | --- |
//! | [`hash`](mod@hash) | RFC 6962 leaf and node hashes |
//! | [`frontier`] | [`CompactRange`]: the few hashes that represent all leaves read so far |
//! | [`proof`] | inclusion and consistency proofs |
//! | [`split`] | [`Split`]: a tree cut in two, for starting in its middle |
//! | [`tracked`] | [`TrackedRange`]: the hashes for the inclusion proofs of some leaves, while all are read |
//! | [`note`] | C2SP signed notes, and tree heads of RFC 6962 in them |
//! | [`checkpoint`] | [`Checkpoint`], which exists only after its signature verified |
//! | [`tile`] | C2SP tlog-tiles: coordinates, tiles, entry bundles |
//! | [`follower`] | [`Follower`]: what to read next, and what is proven |
//! | [`fault`] | [`LogFault`]: what a log did wrong, with the signed evidence |
//!
//! # Dependencies
//!
//! The cryptography comes from other crates: SHA-256 from `sha2` (which detects SHA-NI at run time), Ed25519 from
//! `ed25519-dalek`, ECDSA P-256 from `p256` (with other keys the caller verifies: [`ForeignKey`]), base64 and hex from
//! the crates of that name. The rules of logs are implemented here, because each published crate lacks something that a
//! monitor needs:
//!
//! * `signed_note` supports Ed25519 only, and `tlog_tiles` names tiles as Go's checksum database does (`tile/8/L/N`);
//! * `sigstore-merkle` and `sigstore-types` check proofs well, but have no compact range, split a note at its
//!   *first* blank line, and leave the origin to the caller;
//! * `ct-merkle` holds whole trees in memory.
#![forbid(unsafe_code)]
#![no_std]
extern crate alloc;

pub mod checkpoint;
mod excerpt;
pub mod fault;
pub mod follower;
pub mod frontier;
pub mod hash;
mod head;
pub mod note;
pub mod proof;
mod size;
pub mod split;
#[cfg(test)]
mod testing;
pub mod tile;
pub mod tracked;

pub use checkpoint::{Checkpoint, CheckpointError, Origin, OriginError};
pub use fault::{FaultKind, LogFault};
pub use follower::{AbsorbError, Follower, FollowerState, Offer, Progress, ResumeError};
pub use frontier::{CompactRange, FrontierError};
pub use hash::{Hash, HashError, empty_root, leaf_hash, node_hash};
pub use head::Head;
pub use note::{
    Cosignature, Cosigned, ForeignAlgorithm, ForeignKey, KeyError, KeyId, KeyName, Note, NoteError,
    Unsigned, Verified, Verifier, Vkey,
};
pub use proof::{ProofError, consistency_ranges, verify_consistency, verify_inclusion};
pub use size::MAX_TREE_SIZE;
pub use split::{LeafPath, Node, Split, SplitError};
pub use tile::{Bundle, BundleIndex, TileError, TileIndex};
pub use tracked::{TrackedRange, inclusion_path_of};

/// The README, so that its example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
