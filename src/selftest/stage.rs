//! The parts of a drill that run in separate processes, so that one of them can be killed: one writes an alarm to the
//! outbox, the other delivers it.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use tlog::{CompactRange, Follower};
use tokio::process::Command;

use crate::clock;
use crate::config::{self, Config};
use crate::finding::{Evidence, Finding, NewFinding, Routes};
use crate::http;
use crate::log::{LogId, Protocol, TreeId};
use crate::notify::Outbox;
use crate::service::{ServiceError, links, routes};
use crate::store::sqlite::SqliteStore;
use crate::store::{
    Alerts as _, Batch, Delivery, Kept, NewTree, Positions as _, Settings, Store, StoreError,
};

/// What the first process writes when the alert is recorded.
pub(super) const RECORDED: &str = "recorded";

/// The time limit for channels.
pub(super) const DELIVERY_TIME: Duration = Duration::from_secs(30);

/// The effects of a self-test outside of this process.
pub struct Plan<'a> {
    /// The channels that get the alert of the self-test.
    pub channels: Vec<String>,
    /// Only the caller writes to standard output.
    pub keeps_stdout: bool,
    /// The command of a process for one stage, with this copy of the store and these channels.
    pub process: &'a dyn Fn(Stage, &Path, &[String]) -> Command,
}

/// One of the two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Records an alert in the copy, writes one line, and waits to be killed.
    Record,
    /// Delivers the alerts in the copy's outbox.
    Deliver,
}

impl Stage {
    /// Both stages.
    pub const ALL: [Self; 2] = [Self::Record, Self::Deliver];

    /// Its word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Deliver => "deliver",
        }
    }

    /// The stage with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == word)
    }
}

/// Runs one of the two stages with this copy of the store. `only`: the channels on which the alert is sent.
///
/// # Errors
///
/// The configuration or the copy cannot be used, or standard output cannot be written.
pub async fn run(
    stage: Stage,
    config: &Path,
    copy: &Path,
    only: &[String],
) -> Result<(), ServiceError> {
    // The process that started this one has printed its warnings.
    let (config, _) = config::load(config)?;
    match stage {
        Stage::Record => {
            record(&config, copy).await?;
            let mut stdout = std::io::stdout();
            writeln!(stdout, "{RECORDED}")
                .and_then(|()| stdout.flush())
                .map_err(ServiceError::system("standard output cannot be written"))?;
            std::future::pending().await
        }
        Stage::Deliver => deliver(config, copy, only).await,
    }
}

/// The copy of the database.
pub(super) async fn open(copy: &Path, routes: Routes) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(Settings {
        path: copy.to_owned(),
        routes,
    })
    .await
}

async fn record(config: &Config, copy: &Path) -> Result<(), StoreError> {
    // Without routes: what quiet hours delay is not claimed.
    let store = open(copy, Routes::default()).await?;
    drop_real_alerts(&store, config).await?;
    store.close().await;
    let store = open(copy, routes(config)).await?;
    let now = clock::now();
    let finding = Finding::drill(now);
    let tree = TreeId::new(finding.origin.clone().expect("a drill has an origin"));
    let nowhere = Follower::new(CompactRange::new()).state();
    store
        .begin(&NewTree {
            base: 0,
            id: tree.clone(),
            log: LogId::new(tree.as_str()),
            name: "drill".to_owned(),
            protocol: Protocol::RekorV2,
            follower: nowhere.clone(),
            checkpoints: Vec::new(),
            now,
        })
        .await?;
    store
        .commit(&Batch {
            tree,
            expected: (0, 0),
            follower: nowhere,
            checkpoints: Vec::new(),
            findings: vec![NewFinding {
                finding,
                rule: None,
                evidence: Evidence::default(),
            }],
            kept: Kept::default(),
            now,
        })
        .await?;
    Ok(())
}

/// Marks the waiting alerts in the copy as delivered: the real database has the same alerts, and delivers them.
async fn drop_real_alerts(store: &SqliteStore, config: &Config) -> Result<(), StoreError> {
    let now = clock::now();
    // Also those that wait for a later attempt.
    let later = now
        .checked_add(Duration::from_hours(24 * 365))
        .unwrap_or(now);
    for channel in &config.channels {
        loop {
            let waiting = store.claim_alerts(&channel.name, u32::MAX, later).await?;
            if waiting.is_empty() {
                break;
            }
            for alert in waiting {
                store
                    .record_delivery(&alert.id, &Delivery::Delivered, now)
                    .await?;
            }
        }
    }
    Ok(())
}

async fn deliver(mut config: Config, copy: &Path, only: &[String]) -> Result<(), ServiceError> {
    config
        .channels
        .retain(|channel| only.contains(&channel.name));
    // Without routes: the report shows that a channel fails, so no other channel gets a finding about it.
    let store = open(copy, Routes::default()).await?;
    let store: std::sync::Arc<dyn Store> = std::sync::Arc::new(store);
    let outbox = Outbox::new(
        std::sync::Arc::clone(&store),
        &config.channels,
        &http::Client::new(config.http.clone()),
        &links(&config),
    );
    outbox.drain(clock::now(), DELIVERY_TIME).await?;
    store.close().await;
    Ok(())
}
