//! Records the end of a pass over a log, in the same way for each kind of log.

use super::context::Context;
use super::halt::Halt;
use super::health::{self, Noticed, Signatures, Subject};
use super::outcome::LogOutcome;
use crate::escape;
use crate::judge::Rules;
use crate::log::Shard;
use crate::store::{Outcome, PassError, PassReport, StoreError};

/// How a pass over a log ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// The log refused more requests.
    pub(super) rate_limited: bool,
}

impl Ended {
    /// # Errors
    /// The store failed: nothing of such a pass can be recorded.
    pub(super) fn of(run: Result<(), Halt>) -> Result<Self, StoreError> {
        let mut ended = Self {
            outcome: Outcome::Proven,
            rate_limited: false,
        };
        match run {
            Ok(()) => {}
            Err(Halt::Store(error)) => return Err(error),
            Err(Halt::Stopped) => ended.outcome = Outcome::Interrupted,
            Err(Halt::Behind(error)) => ended.outcome = Outcome::Behind(error),
            Err(Halt::Failed(error)) => ended.outcome = Outcome::Failed(error),
            Err(Halt::Limited(error)) => {
                ended.outcome = Outcome::Failed(error);
                ended.rate_limited = true;
            }
        }
        Ok(ended)
    }
}

/// Logs why a pass could not be finished.
pub(super) fn say(log: &str, origin: &str, error: &PassError) {
    tracing::warn!(
        log.name = log,
        log.origin = origin,
        error.kind = error.kind.as_str(),
        "pass over {} not finished: {}",
        escape::terminal(log),
        escape::terminal(&error.message),
    );
}

/// Records how the pass over a tree ended, and assesses the health of the tree and of its newest checkpoint.
pub(super) async fn end_of_tree(
    context: &Context,
    report: &PassReport,
    shard: &Shard,
    rules: &Rules,
    noticed: Noticed,
    signatures: Option<&Signatures>,
) -> Result<(), StoreError> {
    let store = &*context.store;
    store.end_pass(report).await?;
    let signatures = signatures
        .map(|signatures| health::of_checkpoint(&context.settings, shard, signatures, report.now));
    let noticed = Noticed {
        signatures,
        ..noticed
    };
    health::assess_log(store, &Subject::of(shard), rules, noticed, report.now).await
}

/// Records how the pass ended for a log as a whole, or for a tree that cannot be read.
pub(super) async fn end_without_reading(
    context: &Context,
    report: PassReport,
    rules: &Rules,
) -> Result<LogOutcome, StoreError> {
    context.store.end_pass(&report).await?;
    let subject = Subject {
        name: &report.name,
        log: &report.log,
        part: report.part.clone(),
        silence_after: None,
        tree: None,
    };
    health::assess_log(
        &*context.store,
        &subject,
        rules,
        Noticed::default(),
        report.now,
    )
    .await?;
    Ok(report.into())
}
