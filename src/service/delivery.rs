//! Alerts and heartbeats of a running monitor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::error::{ServiceError, causes};
use super::setup::Setup;
use super::unrecorded;
use crate::clock;
use crate::escape;
use crate::finding::Severity;
use crate::http;
use crate::moment;
use crate::notify::{Heartbeat, Outbox};
use crate::report::{PassResult, time};
use crate::store::{Counts, Store, StoreError};

/// How long `--once` and the end of the daemon wait for channels; what is left stays queued.
pub(super) const DELIVERY_TIME: Duration = Duration::from_secs(30);

/// How often the daemon looks for alerts that are due again.
const DELIVERY_PAUSE: Duration = Duration::from_secs(15);

/// A store that fails for less than this may only be busy: no message is sent.
const STORE_PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// How often the channels get the message that the store fails.
const STORE_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// What is sent for a store, and when the heartbeat is.
pub(super) struct Delivery {
    store: Arc<dyn Store>,
    outbox: Outbox,
    heartbeat: Option<Heartbeat>,
    channels: Vec<String>,
    /// The channels that get findings about health.
    urgent_channels: Vec<String>,
    every_log: bool,
    fail_on: Severity,
}

impl Delivery {
    pub(super) fn new(setup: &Setup, store: &Arc<dyn Store>) -> Self {
        Self {
            store: Arc::clone(store),
            outbox: setup.outbox(Arc::clone(store)),
            heartbeat: setup.heartbeat(Arc::clone(store)),
            channels: setup.channel_names(),
            urgent_channels: setup.channels_for(Severity::High),
            every_log: setup.reads_every_log(),
            fail_on: setup.config.fail_on,
        }
    }

    /// Without channels, with this heartbeat.
    pub(super) fn silent(store: &Arc<dyn Store>, heartbeat: Heartbeat) -> Self {
        Self {
            store: Arc::clone(store),
            outbox: Outbox::new(Arc::clone(store), &[], &http::Client::default()),
            heartbeat: Some(heartbeat),
            channels: Vec::new(),
            urgent_channels: Vec::new(),
            every_log: true,
            fail_on: Severity::Critical,
        }
    }

    /// What comes after a single pass: alerts, the heartbeat, and the result. Closes the store.
    pub(super) async fn settle(&self, unread: usize) -> Result<PassResult, ServiceError> {
        self.drain().await?;
        self.beat(unread == 0).await?;
        let (counts, undelivered) = self.counts().await?;
        self.store.close().await;
        Ok(PassResult {
            security: counts.security,
            health: counts.health,
            unread: unread as u64,
            undelivered,
        })
    }

    /// Delivers what is due, for at most [`DELIVERY_TIME`].
    pub(super) async fn drain(&self) -> Result<(), StoreError> {
        self.outbox.drain(clock::now(), DELIVERY_TIME).await?;
        Ok(())
    }

    /// Delivers what is due until it is aborted or `signals.quit` comes (`None`), or until nothing can be recorded any more:
    /// a task of its own, so that a mail server that hangs never delays a log.
    pub(super) async fn run(self: Arc<Self>, signals: Arc<Signals>) -> Option<ServiceError> {
        loop {
            tokio::select! {
                () = signals.quit.notified() => return None,
                () = signals.wake.notified() => {}
                () = tokio::time::sleep(DELIVERY_PAUSE) => {}
            }
            let delivered = match self.drain().await {
                Ok(()) => self.beat(signals.is_clean.load(Ordering::Acquire)).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = delivered {
                tracing::error!("alerts: {}", escape::terminal(&causes(&error)));
                if let Some(StoreError::Displaced { .. }) = error.final_store_error() {
                    return Some(error);
                }
            }
        }
    }

    /// Sends the heartbeat if it is due: only after a pass over every log that was clean in every way.
    async fn beat(&self, is_clean: bool) -> Result<(), ServiceError> {
        let Some(heartbeat) = &self.heartbeat else {
            return Ok(());
        };
        if !(is_clean && self.every_log) {
            return Ok(());
        }
        let (counts, due) = self.counts().await?;
        if counts.health == 0 && due == 0 {
            heartbeat.beat_if_due(clock::now()).await?;
        }
        Ok(())
    }

    /// The open findings, and how many alerts are due.
    pub(super) async fn counts(&self) -> Result<(Counts, u64), StoreError> {
        let queues = self.store.channel_queues(clock::now()).await?;
        Ok((
            self.store.counts(self.fail_on).await?,
            // Alerts for a channel that is no longer configured stay for ever: `status` shows them, but this pass does not
            // owe them.
            queues
                .iter()
                .filter(|(channel, _)| self.channels.contains(channel))
                .map(|(_, queue)| queue.due)
                .sum(),
        ))
    }

    /// Sends the message that nothing can be recorded since `since`, without the store: after some minutes, then hourly.
    /// `sent` is when it was sent last. The finding follows when the store can be written again.
    pub(super) async fn report_failing_store(
        &self,
        error: &StoreError,
        since: Timestamp,
        sent: &mut Option<Timestamp>,
    ) {
        let now = clock::now();
        let lasts = now.duration_since(since) >= STORE_PATIENCE;
        let is_due = sent.is_none_or(|sent| {
            sent < since || moment::is_ahead(sent, now) || now.duration_since(sent) >= STORE_PAUSE
        });
        if !(lasts && is_due) {
            return;
        }
        *sent = Some(now);
        let summary = format!("nothing can be recorded since {}: {error}", time(since));
        self.send_past_the_store(since, summary).await;
    }

    /// If this ends the monitor because it can record nothing any more: sends that message, without the store.
    pub(super) async fn report_end(&self, error: &ServiceError) {
        if let Some(error) = error.final_store_error() {
            let summary = format!(
                "this monitor has ended, and sees nothing until it is started again: {error}"
            );
            self.send_past_the_store(clock::now(), summary).await;
        }
    }

    async fn send_past_the_store(&self, since: Timestamp, summary: String) {
        let finding = unrecorded::finding("store", since, summary);
        let failures = self
            .outbox
            .send_past_the_store(&self.urgent_channels, finding, clock::now())
            .await;
        unrecorded::log_failures(&failures);
    }
}

/// What the passes signal to the task that delivers.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Whether the last pass was clean.
    pub(super) is_clean: AtomicBool,
    /// Alerts may be due.
    pub(super) wake: Notify,
    /// The delivery in progress is the last one.
    pub(super) quit: Notify,
}
