//! Reading one tree from its stored position to its newest checkpoint.

pub(super) mod bundle_checkpoints;
pub(super) mod fault;
#[cfg(test)]
pub(super) mod mutations;
pub(super) mod pass;
pub(super) mod read;
pub(super) mod rescan;
pub(super) mod scan;
pub(super) mod start_position;
