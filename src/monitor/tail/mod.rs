//! Reads one tree, from its stored position to its newest checkpoint.
//!
//! `pass` requests the newest checkpoint, verifies it and offers it to the follower. `read` fetches the leaves up to it. `scan`
//! hashes and parses them on all cores and matches the watches. Position and findings go to the store in one transaction for
//! each batch. `start_position` finds the first entry at a date. `fault` records what contradicts a signed checkpoint, and
//! `bundle_checkpoints` compares the checkpoints of registered bundles, and `missing` the entries that they name. `rescan` reads a proven range again. `keep`
//! collects what proves the entries that were found.

mod bundle_checkpoints;
mod fault;
mod keep;
mod missing;
#[cfg(test)]
mod mutations;
mod pass;
mod read;
mod rescan;
mod scan;
mod start_position;
mod tree_pass;
#[cfg(test)]
mod unreadable;

pub(super) use pass::pass_over;
pub(super) use rescan::rescan_tree;
pub(super) use scan::{read_leaves, scan};
pub(super) use start_position::position_of;
