//! Does an alarm reach every channel, though the process dies after it was recorded?

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::report::{ChannelReport, Check};
use super::stage::{self, Stage};
use crate::service::setup::Setup;
use crate::finding::Routes;
use crate::store::sqlite::SqliteStore;
use crate::store::{ChannelQueue, Settings, Store as _};

/// Longest that a process of the drill may take besides the channels themselves.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// What a process may say in its defence.
const COMPLAINT_LIMIT_BYTES: u64 = 4096;

/// How the drill was asked to go about channels.
pub(super) struct Wanted<'a> {
    /// The channels to be told.
    pub(super) tell: &'a [String],
    /// Whether standard output is for a script, so that a channel of that type writes elsewhere.
    pub(super) json: bool,
}

/// Records an alarm in one process, kills it, and delivers from another.
pub(super) async fn try_all(
    setup: &Setup,
    config: &Path,
    copy: &Path,
    wanted: &Wanted<'_>,
) -> anyhow::Result<Vec<ChannelReport>> {
    let names = setup.channel_names();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if let Err(why) = record_and_die(config, copy).await {
        return Ok(all(&names, &Check::failed(format!("{why:#}"))));
    }
    let queued = queue(copy).await?;
    if !wanted.tell.is_empty()
        && let Err(why) = deliver(config, copy, wanted).await
    {
        return Ok(all(&names, &Check::failed(format!("{why:#}"))));
    }
    let left = queue(copy).await?;
    Ok(names
        .iter()
        .map(|name| {
            let of = |tolls: &std::collections::BTreeMap<String, ChannelQueue>| tolls.get(name).cloned().unwrap_or_default();
            let (queued, left) = (of(&queued), of(&left));
            let check = if queued.pending != 1 {
                Check::failed("the alarm was lost when the process that recorded it was killed")
            } else if !wanted.tell.contains(name) {
                Check::skipped("the alarm survived the death of its process in the outbox; not told, as you wished")
            } else if left.pending == 0 {
                Check::ok("told, by the process that came after the one that was killed")
            } else {
                Check::failed(format!(
                    "not told: {}",
                    left.last_error.as_deref().unwrap_or("nobody took it")
                ))
            };
            ChannelReport { name: name.clone(), check }
        })
        .collect())
}

fn all(names: &[String], check: &Check) -> Vec<ChannelReport> {
    names
        .iter()
        .map(|name| ChannelReport {
            name: name.clone(),
            check: check.clone(),
        })
        .collect()
}

async fn queue(copy: &Path) -> anyhow::Result<std::collections::BTreeMap<String, ChannelQueue>> {
    let store = SqliteStore::open(Settings {
        path: copy.to_owned(),
        routes: Routes::default(),
    })
    .await?;
    let queue = store.channel_queues(crate::service::setup::now()).await?;
    store.close().await;
    Ok(queue)
}

fn process(stage: Stage, config: &Path, copy: &Path) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("where this program lies is not known")?;
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(config)
        .args(["drill", "--stage"])
        .arg(match stage {
            Stage::Record => "record",
            Stage::Deliver => "deliver",
        })
        .arg("--copy")
        .arg(copy)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

async fn record_and_die(config: &Path, copy: &Path) -> anyhow::Result<()> {
    let mut child = process(Stage::Record, config, copy)?
        .stdout(Stdio::piped())
        .spawn()
        .context("a second process cannot be started")?;
    let stdout = child.stdout.take().context("its output is piped")?;
    let mut said = String::new();
    let mut lines = BufReader::new(stdout.take(COMPLAINT_LIMIT_BYTES));
    let read = timeout(TIME_LIMIT, lines.read_line(&mut said)).await;
    if !matches!(read, Ok(Ok(_))) || said.trim_end() != stage::RECORDED {
        child.start_kill().ok();
        anyhow::bail!(
            "the alarm could not be recorded: {}",
            complaint(&mut child).await
        );
    }
    // SIGKILL: it has no chance to write anything more.
    child.kill().await.context("it cannot be killed")
}

async fn deliver(config: &Path, copy: &Path, wanted: &Wanted<'_>) -> anyhow::Result<()> {
    let mut command = process(Stage::Deliver, config, copy)?;
    for name in wanted.tell {
        command.arg("--channel").arg(name);
    }
    command.stdout(if wanted.json {
        Stdio::from(std::io::stderr())
    } else {
        Stdio::inherit()
    });
    let mut child = command
        .spawn()
        .context("a second process cannot be started")?;
    let ended = timeout(TIME_LIMIT + stage::DELIVERY_TIME, child.wait()).await;
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        _ => {
            child.start_kill().ok();
            anyhow::bail!(
                "the outbox could not be emptied: {}",
                complaint(&mut child).await
            )
        }
    }
}

async fn complaint(child: &mut Child) -> String {
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // What cannot be read was not said.
        let _ = timeout(
            TIME_LIMIT,
            stderr.take(COMPLAINT_LIMIT_BYTES).read_to_end(&mut said),
        )
        .await;
    }
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if said.is_empty() {
        "it did not say why".to_owned()
    } else {
        said
    }
}
