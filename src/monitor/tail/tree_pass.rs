//! The state of a pass over one tree.

use std::sync::Arc;

use jiff::Timestamp;
use tlog::FollowerState;

use super::keep::Keeper;
use crate::judge::Rules;
use crate::monitor::context::Context;
use crate::monitor::health::{Signatures, UnknownIssuers};
use crate::monitor::log::Log;
use crate::monitor::pass_deadline::PassDeadline;
use crate::store::{StoreError, TreeState};

/// The state of a pass over one tree.
pub(in crate::monitor) struct TreePass<'a> {
    pub(super) context: &'a Context,
    pub(super) log: &'a Log,
    pub(super) rules: &'a Arc<Rules>,
    pub(super) now: Timestamp,
    pub(super) state: Option<TreeState>,
    pub(super) frozen: Option<(u64, Vec<u8>)>,
    pub(super) witnessed: Option<Timestamp>,
    /// The signatures of the newest checkpoint, once it was opened.
    pub(super) signatures: Option<Signatures>,
    /// The time in the newest checkpoint.
    pub(super) head_time: Option<Timestamp>,
    pub(super) entries: u64,
    pub(super) unknown_issuers: UnknownIssuers,
    /// What proves the entries that were found; `None` before the first leaf was read.
    pub(super) keeper: Option<Keeper>,
    /// When this pass has to end.
    pub(super) deadline: PassDeadline,
}

impl<'a> TreePass<'a> {
    /// A pass that begins now. `state` is what the store contains about the tree.
    pub(super) async fn new(
        context: &'a Context,
        log: &'a Log,
        rules: &'a Arc<Rules>,
        state: Option<TreeState>,
    ) -> Result<Self, StoreError> {
        let tree = log.shard.id();
        Ok(Self {
            context,
            log,
            rules,
            now: context.clock.now(),
            frozen: state.as_ref().and_then(|state| state.frozen.clone()),
            state,
            witnessed: None,
            signatures: None,
            head_time: None,
            entries: 0,
            keeper: None,
            unknown_issuers: UnknownIssuers::load(&*context.store, &tree).await?,
            deadline: PassDeadline::of(&context.settings),
        })
    }
}

/// `(seen, proven)`: the position that an update expects.
pub(super) fn position(state: &FollowerState) -> (u64, u64) {
    (state.seen.size(), state.proven.size())
}
