//! One pass over all trees of a Rekor v1 log.

use std::sync::Arc;

use jiff::Timestamp;

use super::context::Context;
use super::log::Log;
use super::outcome::LogOutcome;
use super::rekor_v1::{Listing, RekorV1Log};
use super::{guided, pass_end, tail};
use crate::judge::Rules;
use crate::log::{Part, Start, TreeId};
use crate::store::{
    ListedTree, Logs, Outcome, PassError, PassErrorKind, PassReport, Positions, StoreError,
};

/// One pass over all trees of a log.
pub(super) async fn pass_over(
    context: &Context,
    log: &RekorV1Log,
    listed: Option<Listing>,
    rules: &Arc<Rules>,
) -> Result<LogOutcome, StoreError> {
    let mut listing = match listed {
        Some(listing) => listing,
        None => log.list(&*context.store).await?,
    };
    let now = context.clock.now();
    let outcome = listing
        .error
        .take()
        .map_or(Outcome::Proven, Outcome::Failed);
    let report = PassReport {
        rate_limited: listing.rate_limited,
        ..PassReport::new(log.id(), Part::Whole, &log.name, outcome, now)
    };
    match report.outcome.error() {
        Some(error) => pass_end::say(&report.name, report.key(), error),
        None => record_trees(&*context.store, log, &listing, now).await?,
    }
    let mut whole = pass_end::end_without_reading(context, report, rules).await?;
    if whole.proven {
        for gone in vanished(&*context.store, log, &listing.trees).await? {
            let why = format!("the log does not list its tree {gone} any more");
            let error = PassError::new(PassErrorKind::Unavailable, why);
            pass_end::say(&log.name, gone.as_str(), &error);
            let outcome = Outcome::Failed(error);
            let report = PassReport::new(log.id(), Part::Tree(gone), &log.name, outcome, now);
            whole.add(pass_end::end_without_reading(context, report, rules).await?);
        }
    }
    if let Some(name) = &listing.signed_name {
        let now = context.clock.now();
        guided::no_longer_guided(&*context.store, name.as_str(), now).await?;
    }
    // A tree that is newer than every stored one is read from its first entry. So the newest tree gets the first
    // position: if it failed after another one had a position, the next pass would read all of it.
    let first_contact = !listing.known && log.start != Start::Beginning;
    let mut trees = listing.trees;
    if first_contact {
        trees.reverse();
    }
    for tree in &trees {
        let outcome = tail::pass_over(context, tree, rules).await?;
        let failed = !outcome.proven;
        whole.add(outcome);
        if failed && first_contact {
            break;
        }
    }
    Ok(whole)
}

/// Records which trees the log lists, oldest first, before they are read. Otherwise a tree whose checkpoint was never verified
/// would have no place among them.
async fn record_trees(
    store: &dyn Logs,
    log: &RekorV1Log,
    listing: &Listing,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(name) = &listing.signed_name else {
        return Ok(());
    };
    let trees = listing.trees.iter().zip(&listing.verified);
    let trees = trees.map(|(tree, verified)| ListedTree {
        id: tree.shard.id(),
        is_verified: *verified,
    });
    store
        .list_trees(&log.listed(name, trees.collect(), now))
        .await
}

/// The trees of this log that were read before and that it does not list now.
async fn vanished(
    store: &dyn Positions,
    log: &RekorV1Log,
    trees: &[Log],
) -> Result<Vec<TreeId>, StoreError> {
    let listed: Vec<TreeId> = trees.iter().map(|tree| tree.shard.id()).collect();
    let id = log.id();
    let states = store.trees().await?.into_iter();
    Ok(states
        .filter(|state| state.log == id && state.follower.is_some() && !listed.contains(&state.id))
        .map(|state| state.id)
        .collect())
}
