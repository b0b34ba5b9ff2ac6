//! What a drill does in processes of their own, so that one of them can die: an alarm is put into the outbox by one,
//! and delivered by another.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tlog::{CompactRange, Follower};

use crate::cli::output::Outcome;
use crate::service::setup;
use crate::config::{self, Config};
use crate::finding::{Evidence, Finding, NewFinding, Routes};
use crate::http;
use crate::notify::Outbox;
use crate::store::sqlite::SqliteStore;
use crate::store::{Batch, Delivery, NewLog, Settings, Store, StoreError};

/// What the first process says when the alarm is safe.
pub(super) const RECORDED: &str = "recorded";

/// How long channels may take.
pub(super) const DELIVERY_TIME: Duration = Duration::from_secs(30);

/// One of the two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Stage {
    /// Records an alarm in the copy, says so, and waits to be killed.
    Record,
    /// Delivers what the copy's outbox holds.
    Deliver,
}

pub(super) async fn run(
    stage: Stage,
    config: &Path,
    copy: &Path,
    only: &[String],
) -> anyhow::Result<Outcome> {
    // Its warnings were said by the process that started this one.
    let (config, _) = config::load(config)?;
    match stage {
        Stage::Record => {
            record(&config, copy).await?;
            let mut stdout = std::io::stdout();
            writeln!(stdout, "{RECORDED}")?;
            stdout.flush()?;
            std::future::pending().await
        }
        Stage::Deliver => deliver(config, copy, only).await,
    }
}

async fn record(config: &Config, copy: &Path) -> anyhow::Result<()> {
    let store = SqliteStore::open(Settings {
        path: copy.to_owned(),
        routes: setup::routes(config),
    })
    .await?;
    discharge(&store, config).await?;
    let now = setup::now();
    let finding = Finding::drill(now);
    let origin = finding.origin.clone().context("a drill has an origin")?;
    let nowhere = Follower::new(CompactRange::new()).state();
    store
        .begin(&NewLog {
            base: 0,
            origin: origin.clone(),
            name: "drill".to_owned(),
            protocol: "drill".to_owned(),
            follower: nowhere.clone(),
            checkpoints: Vec::new(),
            now,
        })
        .await?;
    store
        .commit(&Batch {
            origin,
            expected: (0, 0),
            follower: nowhere,
            checkpoints: Vec::new(),
            findings: vec![NewFinding {
                finding,
                rule: None,
                evidence: Evidence::default(),
            }],
            now,
        })
        .await?;
    Ok(())
}

/// What waits in the outbox of the real database is in the copy too, and is not ours to tell.
async fn discharge(store: &SqliteStore, config: &Config) -> Result<(), StoreError> {
    let now = setup::now();
    // Also what waits for a later attempt.
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

async fn deliver(mut config: Config, copy: &Path, only: &[String]) -> anyhow::Result<Outcome> {
    config
        .channels
        .retain(|channel| only.contains(&channel.name));
    // Without routes: that a channel fails is the drill's to say, not the other channels'.
    let store = SqliteStore::open(Settings {
        path: copy.to_owned(),
        routes: Routes::default(),
    })
    .await?;
    let store: std::sync::Arc<dyn Store> = std::sync::Arc::new(store);
    let outbox = Outbox::new(
        std::sync::Arc::clone(&store),
        &config.channels,
        &http::Client::new(config.http.clone()),
    );
    outbox.drain(setup::now(), DELIVERY_TIME).await?;
    store.close().await;
    Ok(Outcome::Clean)
}
