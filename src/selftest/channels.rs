//! Tests whether an alert reaches every channel, even if the process dies after it was recorded.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use super::report::{ChannelReport, Check};
use super::stage::{self, Plan, Stage};
use crate::clock;
use crate::finding::Routes;
use crate::service::Setup;
use crate::store::{ChannelQueue, ChannelQueues as _, Store as _, StoreError};

/// Longest time that a process of the drill may take besides the channels themselves.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Most bytes of the error output of a process that are shown.
const COMPLAINT_LIMIT_BYTES: u64 = 4096;

/// Records an alarm in one process, kills it, and delivers from another.
pub(super) async fn try_all(
    setup: &Setup,
    plan: &Plan<'_>,
    copy: &Path,
) -> Result<Vec<ChannelReport>, StoreError> {
    let names = setup.channel_names();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if let Err(why) = record_and_exit(plan, copy).await {
        return Ok(all(&names, &Check::failed(why)));
    }
    let queued = queue(copy).await?;
    if !plan.channels.is_empty()
        && let Err(why) = deliver(plan, copy).await
    {
        return Ok(all(&names, &Check::failed(why)));
    }
    let left = queue(copy).await?;
    Ok(names
        .iter()
        .map(|name| {
            let of = |tolls: &BTreeMap<String, ChannelQueue>| tolls.get(name).cloned().unwrap_or_default();
            let (queued, left) = (of(&queued), of(&left));
            let check = if queued.pending != 1 {
                Check::failed("the alarm was lost when the process that recorded it was killed")
            } else if !plan.channels.contains(name) {
                Check::skipped("the alarm survived the death of its process in the outbox; not sent, as requested")
            } else if left.pending == 0 {
                Check::ok("delivered by the process that was started after the other was killed")
            } else {
                Check::failed(format!(
                    "not delivered: {}",
                    left.last_error.as_deref().unwrap_or("no recipient accepted it")
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

async fn queue(copy: &Path) -> Result<BTreeMap<String, ChannelQueue>, StoreError> {
    let store = stage::open(copy, Routes::default()).await?;
    let queue = store.channel_queues(clock::now()).await?;
    store.close().await;
    Ok(queue)
}

/// `Err`: why the alert could not be recorded.
async fn record_and_exit(plan: &Plan<'_>, copy: &Path) -> Result<(), String> {
    let mut command = (plan.process)(Stage::Record, copy, &[]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("a second process cannot be started: {error}"))?;
    let mut line = String::new();
    let read = match child.stdout.take() {
        Some(stdout) => {
            let mut lines = BufReader::new(stdout.take(COMPLAINT_LIMIT_BYTES));
            timeout(TIME_LIMIT, lines.read_line(&mut line)).await
        }
        None => return Err("the output of a second process is not piped".to_owned()),
    };
    if !matches!(read, Ok(Ok(_))) || line.trim_end() != stage::RECORDED {
        child.start_kill().ok();
        return Err(format!(
            "the alarm could not be recorded: {}",
            complaint(&mut child).await
        ));
    }
    // SIGKILL: the process cannot write anything more.
    child
        .kill()
        .await
        .map_err(|error| format!("it cannot be killed: {error}"))
}

/// `Err`: why the outbox could not be emptied.
async fn deliver(plan: &Plan<'_>, copy: &Path) -> Result<(), String> {
    let mut command = (plan.process)(Stage::Deliver, copy, &plan.channels);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(if plan.keeps_stdout {
            Stdio::from(std::io::stderr())
        } else {
            Stdio::inherit()
        })
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("a second process cannot be started: {error}"))?;
    let ended = timeout(TIME_LIMIT + stage::DELIVERY_TIME, child.wait()).await;
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        _ => {
            child.start_kill().ok();
            Err(format!(
                "the outbox could not be emptied: {}",
                complaint(&mut child).await
            ))
        }
    }
}

async fn complaint(child: &mut Child) -> String {
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // Without error output the report says that there was none.
        let _ = timeout(
            TIME_LIMIT,
            stderr.take(COMPLAINT_LIMIT_BYTES).read_to_end(&mut said),
        )
        .await;
    }
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if said.is_empty() {
        "it gave no reason".to_owned()
    } else {
        said
    }
}
