//! SIGHUP: the daemon loads a new configuration, completely or not at all.

use std::path::Path;

use super::error::{Mistake, ServiceError, causes};
use super::run::Run;
use super::setup::{RefreshPolicy, Setup};
use super::start;
use crate::clock;
use crate::config::{ConfigError, Problems};
use crate::escape;
use crate::log::Start;
use crate::monitor::MonitoredLog;
use crate::store::{Positions, StoreError};

/// Most environment variables that one line names.
const VARIABLES: usize = 10;

/// Loads the configuration at `path`, which replaces the one that `running` was made from.
///
/// # Errors
///
/// Any problem of the new configuration, or a change that requires a restart. Then nothing has changed.
pub(super) async fn reload(
    running: &Run,
    path: &Path,
    warn: fn(&Problems),
) -> Result<Run, ServiceError> {
    let mut setup = Setup::load_and_ask(path, RefreshPolicy::IfDue, warn).await?;
    setup.require_trust()?;
    start::refuse_future(&setup.config, clock::now())?;
    let (before, after) = (&running.setup.config.database, &setup.config.database);
    if before != after {
        return Err(Mistake(format!(
            "[store] names another database, {} instead of {}: restart the daemon for that",
            after.display(),
            before.display()
        ))
        .into());
    }
    let listen = |setup: &Setup| setup.config.web.as_ref().map(|web| web.listen.clone());
    if listen(&running.setup) != listen(&setup) {
        return Err(Mistake(
            "[web] listens elsewhere than before, or is new or gone: restart the daemon for that"
                .to_owned(),
        )
        .into());
    }
    let lacking = setup.all_lacking().await;
    if !lacking.is_empty() {
        return Err(Mistake(format!(
            "{} (an environment variable that was set later is known after a restart only)",
            lacking.join("; ")
        ))
        .into());
    }
    setup.select(running.setup.only().to_vec())?;
    setup.rules()?;
    let silent = would_begin_at_the_end(&running.setup, &setup, &*running.store).await?;
    if !silent.is_empty() {
        return Err(Mistake(format!(
            "{} would begin at the end, and its present entries would never be read: give `start`, or restart the daemon with --bootstrap",
            silent.join(", ")
        ))
        .into());
    }
    let variables = setup.variables();
    let next = Run::begin(setup, running.options, running.stop.clone()).await?;
    if !variables.is_empty() {
        let names = escape::few(&variables, VARIABLES);
        tracing::info!(
            target: "modelwatch::daemon",
            "what comes from environment variables ({}) stays as it was at the start of the program: a restart renews it",
            escape::terminal(&names)
        );
    }
    Ok(next)
}

/// The logs that were not followed before, have no position, and would begin at their end.
async fn would_begin_at_the_end(
    running: &Setup,
    next: &Setup,
    store: &dyn Positions,
) -> Result<Vec<String>, StoreError> {
    let known = store.trees().await?;
    let mut silent = Vec::new();
    for log in next.selected() {
        let id = log.id();
        let (start, is_moved) = match &log {
            MonitoredLog::Tree(tree) => (tree.shard.start, false),
            // A Rekor v1 log whose server has another address now: only the server knows its trees.
            MonitoredLog::RekorV1(v1) => (v1.start, is_followed_as(running, &v1.name)),
            MonitoredLog::Guided(guided) => {
                (guided.log.start, is_followed_as(running, &guided.log.name))
            }
        };
        let is_followed = is_moved || running.logs().iter().any(|before| before.id() == id);
        let has_position = known
            .iter()
            .any(|state| state.log == id && state.is_begun());
        if start == Start::End && !is_followed && !has_position {
            silent.push(log.name().to_owned());
        }
    }
    Ok(silent)
}

/// Whether the running configuration has a log of this name.
fn is_followed_as(running: &Setup, name: &str) -> bool {
    running.logs().iter().any(|before| before.name() == name)
}

/// Logs why a reload was refused, one line for each problem.
pub(super) fn log_refusal(error: &ServiceError) {
    tracing::error!("the configuration was not reloaded, and the old one stays in use:");
    if let ServiceError::Config(ConfigError::Wrong(problems)) = error {
        // Already escaped, one line for each.
        for line in problems.to_string().lines() {
            tracing::error!("{line}");
        }
        return;
    }
    tracing::error!("{}", escape::terminal(&causes(error)));
}
