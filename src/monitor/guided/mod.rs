//! A log that grows too fast to be read: its entries are found through CT logs and its search index.
//!
//! The CT logs contain every certificate that the CA issued. They are read in full and proven like any other log. A certificate
//! that a watch selects there is a finding, and its names are then looked up in the search index of the log. So are, every
//! hour, the exact names of watches. An entry that the index names is fetched, proven against a signed checkpoint, matched
//! against all watches and recorded like any other entry.
//!
//! This proves that a certificate exists, and that an entry is in the log. It does not prove that there are no other
//! entries: the index is filled with best effort, and it answers questions about names only.
//!
//! `heads` verifies that the checkpoints of the trees are consistent. `enqueue` adds new certificates and names to a
//! queue. `plan` decides which question is sent when, and `ask` sends it. `sample` chooses among many entries. `fetch`
//! downloads and records entries, and `prove` requests the missing parts of their proofs. `health` raises findings
//! about the limits of this method.

mod ask;
mod enqueue;
mod fetch;
mod heads;
mod health;
mod pass;
mod plan;
mod prove;
mod sample;
mod start;
mod state;
mod trees;

pub(super) use health::no_longer_guided;
pub use health::unread_entries;
pub(super) use pass::pass_over;
pub(super) use start::would_begin_at_the_end;
