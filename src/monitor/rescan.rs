//! Rescans of a log that users requested.

use std::sync::Arc;

use super::context::Context;
use super::monitored_log::MonitoredLog;
use super::outcome::RescanError;
use super::tail;
use crate::judge::Rules;
use crate::store::StoreError;

/// Closes the gaps of all watches, or of one watch, over one log. Returns the number of entries that were read again
/// and the number of new findings.
///
/// # Errors
///
/// See [`RescanError`]. Leaves that do not hash to the proven root are recorded as a fault of the log.
pub(super) async fn rescan(
    context: &Context,
    log: &MonitoredLog,
    rules: &Arc<Rules>,
    only: Option<&str>,
) -> Result<(u64, u64), RescanError> {
    if let Some(name) = only
        && rules.watches().position(name).is_none()
    {
        return Err(RescanError::UnknownWatch(name.to_owned()));
    }
    let log = match log {
        MonitoredLog::Tree(log) => return tail::rescan_tree(context, log, rules, only).await,
        MonitoredLog::RekorV1(log) => log,
        // When watches change, the next guided pass matches all entries that its index returns. The entries that were
        // read in full are read again here.
        MonitoredLog::Guided(guided) => &guided.log,
    };
    let listing = log.list(&*context.store).await?;
    let mut done = (0, 0);
    for tree in &listing.trees {
        let (entries, found) = tail::rescan_tree(context, tree, rules, only).await?;
        done = (done.0 + entries, done.1 + found);
    }
    match listing.error {
        None => Ok(done),
        Some(error) => Err(RescanError::Log {
            log: log.name.clone(),
            error,
        }),
    }
}

/// Does the rescans that users requested. A request is deleted after its rescan: if this process dies before, or a log
/// does not answer, the next pass repeats it, without the ranges that were matched meanwhile.
///
/// # Errors
///
/// The store failed.
pub(super) async fn rescan_as_asked(
    context: &Context,
    logs: &[MonitoredLog],
    rules: &Arc<Rules>,
) -> Result<(), StoreError> {
    for request in context.store.rescans().await? {
        // The request was made with a newer configuration, which the next process reads.
        if let Some(name) = &request.watch
            && rules.watches().position(name).is_none()
        {
            tracing::info!(
                "a rescan waits for a monitor with the watch {}",
                crate::escape::terminal(name)
            );
            continue;
        }
        // The request also concerns logs that this run leaves out.
        let mut done = context.settings.every_log;
        for log in logs {
            match rescan(context, log, rules, request.watch.as_deref()).await {
                Ok(_) => {}
                Err(RescanError::Store(error)) => return Err(error),
                // The program stops, or the time of the pass is over: the rescan continues after the next pass.
                Err(RescanError::Stopped) => return Ok(()),
                Err(error) => {
                    // A log that contradicts itself is a finding, and another rescan does not change that.
                    done &= !error.may_pass();
                    tracing::warn!("rescan: {}", crate::escape::terminal(&error.to_string()));
                }
            }
        }
        if done {
            context.store.rescan_done(&request).await?;
        }
    }
    Ok(())
}
