//! SIGHUP: the daemon takes up its configuration anew, all of it or none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use super::monitored_logs::MonitoredLogs;
use super::key_files::read_bounded;
use super::setup::{self, RefreshPolicy, Setup};
use super::{Mistake, causes, start};
use crate::config::{self, ConfigError};
use crate::escape;
use crate::monitor::{MonitoredLog, Stop};
use crate::report::time;
use crate::shard::Start;
use crate::store::{Store, StoreError};

/// The configuration that the running daemon works with, among what the store remembers; empty when no daemon runs.
const REMEMBERED: &str = "daemon-configuration";

/// Environment variables that a line names.
const VARIABLES: usize = 10;

/// Whether a reload was asked for. The signal is not lost while a pass runs.
#[derive(Debug, Clone, Default)]
pub struct Hangup(Arc<Notify>);

impl Hangup {
    /// Listens for SIGHUP from now on. Without this the signal ends the program.
    ///
    /// A daemon whose terminal is closed is asked to end, as programs are: it would go on unseen, and keep the store locked.
    pub fn listen(stop: Stop) -> Self {
        let hangup = Self::default();
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            match signal(SignalKind::hangup()) {
                Ok(mut signals) => {
                    let asked = Arc::clone(&hangup.0);
                    let had_terminal = has_terminal();
                    tokio::spawn(async move {
                        while signals.recv().await.is_some() {
                            if had_terminal && !has_terminal() {
                                stop.request();
                            }
                            // Several while a pass runs are one.
                            asked.notify_one();
                        }
                    });
                }
                Err(error) => tracing::warn!("SIGHUP cannot be received: {error}"),
            }
        }
        #[cfg(not(unix))]
        let _ = stop;
        hangup
    }

    /// Waits until a reload is asked for.
    pub async fn wait(&self) {
        self.0.notified().await;
    }
}

/// Whether somebody may be at a terminal of this program; a terminal that was closed is none.
#[cfg(unix)]
fn has_terminal() -> bool {
    use std::io::IsTerminal as _;
    std::io::stdin().is_terminal() || std::io::stderr().is_terminal()
}

/// What the daemon goes on with after a reload.
pub struct Reloaded {
    pub monitored_logs: MonitoredLogs,
    pub store: Arc<dyn Store>,
}

/// Takes up the configuration at `path` in the place of the one that `running` was made from.
///
/// # Errors
///
/// Whatever is wrong with the new configuration, or could not be taken up without a restart: then nothing has changed.
pub async fn reload(
    path: &Path,
    only: &[String],
    running: &MonitoredLogs,
    store: &dyn Store,
) -> anyhow::Result<Reloaded> {
    let setup = Setup::load_and_ask(path, RefreshPolicy::IfDue).await?;
    setup.require_trust()?;
    start::refuse_future(setup.config(), setup::now())?;
    let (before, after) = (running.setup().database(), setup.database());
    if before != after {
        return Err(Mistake(format!(
            "[store] names another database, {} instead of {}: the daemon has to be started anew for that",
            after.display(),
            before.display()
        ))
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
    let variables = setup.variables();
    let monitored_logs = MonitoredLogs::new(setup, only.to_vec())?;
    let silent = would_begin_at_the_end(running, &monitored_logs, store).await?;
    if !silent.is_empty() {
        return Err(Mistake(format!(
            "{} would begin at the end, and what it holds already would never be read: give `start`, or start the daemon anew with --bootstrap",
            silent.join(", ")
        ))
        .into());
    }
    let mut monitored_logs = monitored_logs;
    let store = monitored_logs.setup().writer().await?;
    monitored_logs.begin(&*store).await?;
    if !variables.is_empty() {
        let names = escape::few(&variables, VARIABLES);
        tracing::info!(
            target: "modelwatch::daemon",
            "what comes from environment variables ({}) stays as it was at the start of the program: a restart renews it",
            escape::terminal(&names)
        );
    }
    Ok(Reloaded {
        monitored_logs,
        store,
    })
}

/// The logs that were not followed before, have no position, and would begin at their end.
async fn would_begin_at_the_end(
    running: &MonitoredLogs,
    next: &MonitoredLogs,
    store: &dyn Store,
) -> Result<Vec<String>, StoreError> {
    let known = store.logs().await?;
    let mut silent = Vec::new();
    for log in next.logs() {
        let is_new = match log {
            MonitoredLog::Tree(tree) if tree.shard.start == Start::End => {
                let origin = tree.shard.origin.as_str();
                let is_followed = running.all().iter().any(|before| {
                    matches!(before, MonitoredLog::Tree(before) if before.shard.origin.as_str() == origin)
                });
                let has_position = known
                    .iter()
                    .any(|state| state.origin == origin && state.is_begun());
                !is_followed && !has_position
            }
            MonitoredLog::RekorV1(v1) if v1.start == Start::End => is_unknown(running, &v1.name),
            MonitoredLog::Guided(guided) if guided.log.start == Start::End => {
                is_unknown(running, &guided.log.name)
            }
            MonitoredLog::Tree(_) | MonitoredLog::RekorV1(_) | MonitoredLog::Guided(_) => false,
        };
        let has_trees = || {
            known
                .iter()
                .any(|state| state.name == log.name() && state.is_begun())
        };
        if is_new && !has_trees() {
            silent.push(log.name().to_owned());
        }
    }
    Ok(silent)
}

/// Which trees a log of Rekor v1 has, only its server can tell: it is known by its name.
fn is_unknown(running: &MonitoredLogs, name: &str) -> bool {
    !running.all().iter().any(|before| before.name() == name)
}

/// Logs why a reload was refused, one line for each problem.
pub fn refused(error: &anyhow::Error) {
    tracing::error!("the configuration was not taken up, everything goes on as before:");
    if let Some(ConfigError::Wrong(problems)) = error.downcast_ref() {
        // Already escaped, one line for each.
        for line in problems.to_string().lines() {
            tracing::error!("{line}");
        }
        return;
    }
    tracing::error!("{}", escape::terminal(&causes(error)));
}

/// Which configuration a daemon works with.
#[derive(Debug, Serialize, Deserialize)]
pub struct Loaded {
    /// The file, as an absolute path.
    file: PathBuf,
    /// SHA-256 of its bytes, hex.
    sha256: String,
    /// When it was taken up.
    at: Timestamp,
    /// The process.
    process: u32,
}

/// SHA-256 of a configuration file, hex. Taken before the file is read: if it changes in between, it counts as changed.
pub fn fingerprint(path: &Path) -> anyhow::Result<String> {
    let bytes = read_bounded(path, config::MAX_CONFIG_BYTES)?;
    Ok(hex::encode(Sha256::digest(bytes)))
}

/// Remembers for `status` what the daemon works with.
///
/// # Errors
///
/// The store cannot be written.
pub async fn put_value(
    store: &dyn Store,
    path: &Path,
    sha256: Option<&str>,
) -> anyhow::Result<()> {
    let Some(sha256) = sha256 else { return Ok(()) };
    let loaded = Loaded {
        file: std::path::absolute(path).context("the working directory cannot be read")?,
        sha256: sha256.to_owned(),
        at: setup::now(),
        process: std::process::id(),
    };
    let text = serde_json::to_string(&loaded).context("a configuration's name is no UTF-8")?;
    store.put_value(REMEMBERED, &text).await?;
    Ok(())
}

/// Forgets it: the daemon ends.
///
/// # Errors
///
/// The store cannot be written.
pub async fn forget(store: &dyn Store) -> Result<(), StoreError> {
    store.put_value(REMEMBERED, "").await
}

/// How the configuration of the running daemon compares with the file.
#[derive(Debug, Serialize)]
pub struct DaemonStatus {
    process: u32,
    file: PathBuf,
    /// When the daemon took it up.
    loaded: Timestamp,
    /// The file is not what the daemon took up.
    changed: bool,
}

impl DaemonStatus {
    /// `None` if no daemon runs.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn of(store: &dyn Store) -> anyhow::Result<Option<Self>> {
        let Some(text) = store.get_value(REMEMBERED).await? else {
            return Ok(None);
        };
        let Ok(loaded) = serde_json::from_str::<Loaded>(&text) else {
            return Ok(None);
        };
        if !is_running(loaded.process) {
            return Ok(None);
        }
        // A file that cannot be read is another one than the one that was.
        let now = fingerprint(&loaded.file).ok();
        Ok(Some(Self {
            process: loaded.process,
            loaded: loaded.at,
            changed: now.is_none_or(|now| now != loaded.sha256),
            file: loaded.file,
        }))
    }

    /// What a person should know.
    pub fn line(&self) -> Option<String> {
        self.changed.then(|| {
            format!(
                "the daemon (process {}) works with {} as it was at {}, and the file has changed: `systemctl reload modelwatch`, or SIGHUP, takes it up",
                self.process,
                escape::terminal(&self.file.display().to_string()),
                time(self.loaded)
            )
        })
    }
}

/// Whether there is such a process, as far as this system says.
fn is_running(process: u32) -> bool {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, test_kill_process};
        i32::try_from(process)
            .ok()
            .and_then(Pid::from_raw)
            .is_some_and(|pid| {
                // Somebody else's process is one, too.
                !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
            })
    }
    #[cfg(not(unix))]
    {
        let _ = process;
        true
    }
}
