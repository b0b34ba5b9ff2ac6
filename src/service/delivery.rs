//! Alerts and heartbeats of a running monitor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::error::{ServiceError, causes};
use super::setup::Setup;
use super::unrecorded;
use crate::clock;
use crate::escape;
use crate::finding::Severity;
use crate::http;
use crate::moment;
use crate::notify::{Drained, Heartbeat, Links, Outbox};
use crate::report::{PassResult, time};
use crate::store::{Counts, Store, StoreError};

/// How long `--once` and the end of the daemon wait for channels. Other alerts stay queued.
pub(super) const DELIVERY_TIME: Duration = Duration::from_secs(30);

/// How often due alerts are read between passes, and how long those of a pass are collected after some were sent: the
/// alerts of a flood meanwhile become one digest.
const DELIVERY_PAUSE: Duration = Duration::from_secs(15);

/// How often the outbox is checked for the first alerts of a pass.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// A store that fails for a shorter time may only be busy: no message is sent.
const STORE_OUTAGE_LIMIT: SignedDuration = SignedDuration::from_mins(5);

/// How often the channels get the message that the store fails.
const STORE_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// The alerts and heartbeats of a store.
pub(super) struct Delivery {
    store: Arc<dyn Store>,
    outbox: Outbox,
    heartbeat: Option<Heartbeat>,
    channels: Vec<String>,
    /// The channels that get the finding that the store cannot be used.
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
            urgent_channels: setup
                .channels_for_store_failure()
                .map(|channel| channel.name.clone())
                .collect(),
            every_log: setup.reads_every_log(),
            fail_on: setup.config.fail_on,
        }
    }

    /// Without channels, with this heartbeat.
    pub(super) fn silent(store: &Arc<dyn Store>, heartbeat: Heartbeat) -> Self {
        Self {
            store: Arc::clone(store),
            outbox: Outbox::new(
                Arc::clone(store),
                &[],
                &http::Client::default(),
                &Links::default(),
            ),
            heartbeat: Some(heartbeat),
            channels: Vec::new(),
            urgent_channels: Vec::new(),
            every_log: true,
            fail_on: Severity::Critical,
        }
    }

    /// The end of a single pass: alerts, the heartbeat, and the result.
    pub(super) async fn settle(&self, unread: usize) -> Result<PassResult, ServiceError> {
        self.drain().await?;
        self.beat(unread == 0).await?;
        let (counts, undelivered) = self.counts().await?;
        Ok(PassResult {
            security: counts.security,
            health: counts.health,
            unread: unread as u64,
            undelivered,
        })
    }

    /// Delivers due alerts, for at most [`DELIVERY_TIME`].
    pub(super) async fn drain(&self) -> Result<Drained, StoreError> {
        self.outbox.drain(clock::now(), DELIVERY_TIME).await
    }

    /// Delivers due alerts until it is aborted or `signals.quit` is set (`None`), or until nothing can be recorded any
    /// more. It is a task of its own, so that a mail server that hangs never delays a log.
    pub(super) async fn run(self: Arc<Self>, signals: Arc<Signals>) -> Option<ServiceError> {
        let mut rhythm = Rhythm::new(Instant::now());
        loop {
            let look = tokio::select! {
                () = signals.quit.notified() => return None,
                () = signals.wake.notified() => Look::Regular,
                () = tokio::time::sleep(LOOK_PAUSE) => {
                    rhythm.look(signals.is_passing.load(Ordering::Acquire), Instant::now())
                }
            };
            if look == Look::Not {
                continue;
            }
            let drained = self.drain().await;
            let has_sent = drained.as_ref().is_ok_and(Drained::is_any);
            rhythm.looked(look, has_sent, Instant::now());
            let delivered = match drained {
                Ok(_) if look == Look::Regular => {
                    self.beat(signals.is_clean.load(Ordering::Acquire)).await
                }
                Ok(_) => Ok(()),
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

    /// Sends the heartbeat if it is due, and only after a pass over every log without any problem.
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
            // Alerts for a channel that is no longer configured stay forever. `status` shows them, but they are not
            // counted as undelivered by this pass.
            queues
                .iter()
                .filter(|(channel, _)| self.channels.contains(channel))
                .map(|(_, queue)| queue.due)
                .sum(),
        ))
    }

    /// Sends the message that nothing can be recorded since `since`, without the store: after some minutes, then every
    /// hour. `sent` is when it was sent last. The finding follows when the store can be written again.
    pub(super) async fn report_failing_store(
        &self,
        error: &StoreError,
        since: Timestamp,
        sent: &mut Option<Timestamp>,
    ) {
        let now = clock::now();
        let lasts = now.duration_since(since) >= STORE_OUTAGE_LIMIT;
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

    /// If this error ends the monitor because nothing can be recorded any more, sends that message, without the store.
    pub(super) async fn report_end(&self, error: &ServiceError) {
        if let Some(error) = error.final_store_error() {
            let summary = format!(
                "this monitor has ended, and detects nothing until it is started again: {error}"
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

/// The reason for reading the outbox now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// There is none.
    Not,
    /// The first alerts of a pass may be there.
    Early,
    /// A pass has ended, or it is time.
    Regular,
}

/// When the outbox was read last, and when alerts were sent last.
struct Rhythm {
    looked: Instant,
    sent: Option<Instant>,
}

impl Rhythm {
    fn new(now: Instant) -> Self {
        Self {
            looked: now,
            sent: None,
        }
    }

    /// Whether to read the outbox now: the first alerts of a pass are sent at once, later ones are collected.
    fn look(&self, is_passing: bool, now: Instant) -> Look {
        let is_over = |since: Instant| now.duration_since(since) >= DELIVERY_PAUSE;
        if is_over(self.looked) {
            Look::Regular
        } else if is_passing && self.sent.is_none_or(is_over) {
            Look::Early
        } else {
            Look::Not
        }
    }

    fn looked(&mut self, look: Look, has_sent: bool, now: Instant) {
        if look == Look::Regular {
            self.looked = now;
        }
        if has_sent {
            self.looked = now;
            self.sent = Some(now);
        }
    }
}

/// The signals from the passes to the task that delivers.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// A pass is running: it may find something at any time.
    pub(super) is_passing: AtomicBool,
    /// Whether the last pass was clean.
    pub(super) is_clean: AtomicBool,
    /// Alerts may be due.
    pub(super) wake: Notify,
    /// The delivery in progress is the last one.
    pub(super) quit: Notify,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_alerts_of_a_pass_leave_within_a_second_and_the_next_after_a_pause() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut rhythm = Rhythm::new(begun);
        // Whether a pass is running, the reason to read the outbox, and whether an alert was sent.
        for (second, is_passing, look, has_sent) in [
            (1, false, Look::Not, false),
            (2, true, Look::Early, false),
            (3, true, Look::Early, true),
            (4, true, Look::Not, false),
            (17, true, Look::Not, false),
            (18, true, Look::Regular, true),
            (32, false, Look::Not, false),
            (33, false, Look::Regular, false),
            (34, true, Look::Early, true),
            (35, true, Look::Not, false),
        ] {
            let now = after(second);
            assert_eq!(rhythm.look(is_passing, now), look, "{second}");
            if look != Look::Not {
                rhythm.looked(look, has_sent, now);
            }
        }
    }
}
