//! One pass over all trees of a Rekor v1 log.

use std::sync::Arc;

use super::context::Context;
use super::log::Log;
use super::outcome::LogOutcome;
use super::rekor_v1::{Listing, RekorV1Log, is_tree_of, trees_key};
use super::{guided, pass_end, tail};
use crate::judge::Rules;
use crate::log::Start;
use crate::store::{LogState, Outcome, PassError, PassErrorKind, PassReport, Store, StoreError};

/// One pass over all trees of a log.
pub(super) async fn pass_over(
    context: &Context,
    log: &RekorV1Log,
    listed: Option<Listing>,
    rules: &Arc<Rules>,
) -> Result<LogOutcome, StoreError> {
    let listing = match listed {
        Some(listing) => listing,
        None => log.list(&*context.store).await?,
    };
    let now = context.clock.now();
    let outcome = listing.error.map_or(Outcome::Proven, Outcome::Failed);
    let report = PassReport {
        rate_limited: listing.rate_limited,
        ..PassReport::new(&log.origin(), &log.name, outcome, now)
    };
    match report.outcome.error() {
        Some(error) => pass_end::say(&report.name, &report.origin, error),
        None => remember_trees(&*context.store, log, &listing.trees).await?,
    }
    let mut whole = pass_end::end_without_reading(context, report, rules).await?;
    if whole.proven {
        for gone in vanished(&*context.store, log, &listing.trees).await? {
            let why = format!("the log does not list its tree {gone} any more");
            let error = PassError::new(PassErrorKind::Unavailable, why);
            pass_end::say(&log.name, &gone, &error);
            let report = PassReport::new(&gone, &log.name, Outcome::Failed(error), now);
            whole.add(pass_end::end_without_reading(context, report, rules).await?);
        }
    }
    if let Some(tree) = listing.trees.first() {
        let origin = tree.shard.origin.as_str();
        guided::no_longer_guided(&*context.store, origin, context.clock.now()).await?;
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

/// Stores which trees the log lists, oldest first, before they are read. Otherwise a tree whose checkpoint was never
/// verified would have no place among them.
async fn remember_trees(
    store: &dyn Store,
    log: &RekorV1Log,
    trees: &[Log],
) -> Result<(), StoreError> {
    let origins: Vec<&str> = trees
        .iter()
        .map(|tree| tree.shard.origin.as_str())
        .collect();
    let listed = serde_json::to_string(&origins).expect("strings are JSON");
    let key = trees_key(log);
    if store.get_value(&key).await?.as_deref() == Some(&listed) {
        return Ok(());
    }
    store.put_value(&key, &listed).await
}

/// The trees of this log that were read before and that it does not list now.
async fn vanished(
    store: &dyn Store,
    log: &RekorV1Log,
    trees: &[Log],
) -> Result<Vec<String>, StoreError> {
    let listed = |state: &LogState| {
        trees
            .iter()
            .any(|tree| tree.shard.origin.as_str() == state.origin)
    };
    let states = store.logs().await?;
    Ok(states
        .into_iter()
        .filter(|state| is_tree_of(state, &log.name) && !listed(state))
        .map(|state| state.origin)
        .collect())
}
