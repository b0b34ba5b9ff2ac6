//! One channel's part of the outbox.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout_at;
use tracing::{error, info, warn};

use crate::escape;
use crate::moment;
use crate::notify::message::FINDINGS_IN_FULL;
use crate::notify::{Message, Notifier, NotifyError, Receipt};
use crate::store::{Alerts, Condition, Delivery, QueuedAlert, QueuedKind, StoreError, Values};

use super::backoff;
use super::drain::{Drained, Present};
use super::trouble::Trouble;

/// If more alerts than this are due at once on one channel, they become one digest: people would not read them all.
const FLOOD: u32 = 20;

/// How long a failing channel is not tried. Just under a minute: with a pass every minute, each pass tries it.
const PAUSE: Duration = Duration::from_secs(55);

/// One channel.
pub(super) struct Queue {
    name: String,
    notifier: Box<dyn Notifier>,
    /// While the channel as a whole does not work, its alerts are not tried one after another.
    paused_until: Option<Timestamp>,
    /// Sent, but not recorded because the store failed: a full disk must not cause a mail every minute.
    unrecorded: HashSet<String>,
    trouble: Option<Trouble>,
    /// Whether `trouble` was read from the store, or is newer.
    is_recalled: bool,
}

/// One attempt to deliver one alert.
struct Attempt<'a> {
    alert: &'a QueuedAlert,
    /// Who has the message now; empty for a channel without recipients.
    receipt: Receipt,
    present: Present,
}

impl Attempt<'_> {
    /// Whom this attempt reached.
    fn fresh(&self) -> BTreeSet<&str> {
        let reached = self.receipt.reached.iter().map(String::as_str);
        reached
            .filter(|name| !self.alert.reached.iter().any(|before| before == name))
            .collect()
    }
}

/// How an attempt ended, for the attempts after it.
enum Next {
    GoOn,
    Stop,
}

/// Most characters of an alert's summary in the log of the program.
const LOGGED_CHARS: usize = 300;

impl Queue {
    pub(super) fn new(name: String, notifier: Box<dyn Notifier>) -> Self {
        Self {
            name,
            notifier,
            paused_until: None,
            unrecorded: HashSet::new(),
            trouble: None,
            is_recalled: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn notifier(&self) -> &dyn Notifier {
        &*self.notifier
    }

    /// The condition to report if this channel fails.
    pub(super) fn condition(&self) -> Option<Condition> {
        self.trouble.as_ref()?.condition(&self.name)
    }

    /// Delivers what is due until nothing is, the channel fails, or the time is over.
    pub(super) async fn drain(
        &mut self,
        store: &(impl Alerts + Values + ?Sized),
        present: Present,
    ) -> Result<Drained, StoreError> {
        let mut drained = Drained::default();
        self.load(store).await?;
        while !present.is_over() && !self.is_paused(present.now()) {
            let due = store.claim_alerts(&self.name, FLOOD, present.now()).await?;
            if due.is_empty() {
                break;
            }
            for alert in due {
                if present.is_over() {
                    return Ok(drained);
                }
                match self.deliver(store, &alert, present, &mut drained).await? {
                    Next::GoOn => {}
                    Next::Stop => return Ok(drained),
                }
            }
        }
        Ok(drained)
    }

    fn is_paused(&self, now: Timestamp) -> bool {
        // If the clock was set back by more than the pause, the pause must not become longer.
        self.paused_until
            .is_some_and(|until| now < moment::planned(until, Delivery::LONGEST_RETRY, now))
    }

    async fn deliver(
        &mut self,
        store: &(impl Alerts + Values + ?Sized),
        alert: &QueuedAlert,
        present: Present,
        drained: &mut Drained,
    ) -> Result<Next, StoreError> {
        if self.unrecorded.contains(&alert.id) {
            self.record_delivered(store, alert, present).await?;
            drained.delivered += 1;
            return Ok(Next::GoOn);
        }
        let message = load(store, alert).await?;
        let mut attempt = Attempt {
            alert,
            receipt: Receipt {
                reached: alert.reached.iter().cloned().collect(),
                complaint: None,
            },
            present,
        };
        // A crash from here until it is recorded: the alert is sent again, with the same id, to the recipients without
        // a record.
        let sending = self
            .notifier
            .send_to_rest(&message, &mut attempt.receipt, present.now());
        let sent = timeout_at(present.until, sending)
            .await
            .unwrap_or_else(|_| {
                let reason = "it did not finish within the time for alerts".to_owned();
                Err(NotifyError::unavailable(reason))
            });
        match sent {
            Ok(()) => {
                self.unrecorded.insert(alert.id.clone());
                self.record_delivered(store, alert, present).await?;
                let summary = message.summary();
                info!(
                    // One of the events that a daemon logs unasked.
                    target: "modelwatch::daemon",
                    channel = self.name,
                    alert.id,
                    alert.kind = alert.kind.as_str(),
                    "alert delivered: {}: {}",
                    message.severity,
                    escape::terminal(&escape::truncate(&summary, LOGGED_CHARS))
                );
                drained.delivered += 1;
                let complaint = attempt.receipt.complaint.as_deref();
                self.works(store, &attempt.fresh(), complaint).await?;
                Ok(Next::GoOn)
            }
            Err(error) => {
                let delivery = self.failed(store, &attempt, &error).await?;
                match delivery {
                    Delivery::GaveUp { .. } => drained.gave_up += 1,
                    _ => drained.postponed += 1,
                }
                if error.is_about_the_message() {
                    return Ok(Next::GoOn);
                }
                // Shorter than the delay of this alert: new alerts are sent soon after a repair.
                let pause = error.retry_after().unwrap_or_default();
                let pause = pause.clamp(PAUSE, backoff::LONGEST_DELAY);
                self.paused_until = later(present.now(), pause);
                Ok(Next::Stop)
            }
        }
    }

    async fn record_delivered(
        &mut self,
        store: &(impl Alerts + ?Sized),
        alert: &QueuedAlert,
        present: Present,
    ) -> Result<(), StoreError> {
        store
            .record_delivery(&alert.id, &Delivery::Delivered, present.now())
            .await?;
        self.unrecorded.remove(&alert.id);
        Ok(())
    }

    /// Records a failed attempt, and that the channel fails.
    async fn failed(
        &mut self,
        store: &(impl Alerts + Values + ?Sized),
        attempt: &Attempt<'_>,
        error: &NotifyError,
    ) -> Result<Delivery, StoreError> {
        let (alert, now) = (attempt.alert, attempt.present.now());
        let attempts = alert.attempts.saturating_add(1);
        let (text, logged) = (error.to_string(), error.without_names());
        let delivery = if backoff::is_hopeless(alert.created, attempts, now) {
            let reached = attempt.receipt.reached.len();
            error!(
                channel = self.name,
                alert.id,
                alert.attempts = attempts,
                alert.reached = reached,
                error = logged,
                "alert given up: some recipients did not get it"
            );
            Delivery::GaveUp { error: text }
        } else {
            let delay = backoff::delay(attempts, error.retry_after(), fastrand::f64());
            warn!(
                channel = self.name,
                alert.id,
                alert.attempts = attempts,
                retry_secs = delay.as_secs(),
                error = logged,
                "alert not delivered"
            );
            Delivery::Retry {
                at: later(now, delay).unwrap_or(Timestamp::MAX),
                error: text,
                reached: attempt.receipt.reached.iter().cloned().collect(),
            }
        };
        store.record_delivery(&alert.id, &delivery, now).await?;
        let trouble = Trouble::after(self.trouble.take(), error, &attempt.fresh());
        self.trouble = Some(trouble);
        self.save(store).await?;
        Ok(delivery)
    }

    /// Clears earlier failures of the channel, and of these recipients. `complaint`: it works, but not as it is configured.
    async fn works(
        &mut self,
        store: &(impl Values + ?Sized),
        reached: &BTreeSet<&str>,
        complaint: Option<&str>,
    ) -> Result<(), StoreError> {
        let before = self.trouble.take();
        if before.is_none() && complaint.is_none() {
            return Ok(());
        }
        if let Some(complaint) = complaint {
            warn!(
                channel = self.name,
                complaint, "alert delivered otherwise than configured"
            );
        }
        self.trouble = Trouble::over(before, |name| reached.contains(name), complaint);
        self.save(store).await
    }

    /// After a test message that all recipients accepted: recorded failures of the channel end.
    pub(super) async fn tested(
        &mut self,
        store: &(impl Values + ?Sized),
    ) -> Result<(), StoreError> {
        self.load(store).await?;
        if self.trouble.take().is_some() {
            self.save(store).await?;
        }
        Ok(())
    }

    async fn save(&self, store: &(impl Values + ?Sized)) -> Result<(), StoreError> {
        let text = self.trouble.as_ref().map(Trouble::to_text);
        store
            .put_value(&self.memory(), text.as_deref().unwrap_or_default())
            .await
    }

    /// The state that an earlier process stored, or another one: an accepted test message resets the failures.
    async fn load(&mut self, store: &(impl Values + ?Sized)) -> Result<(), StoreError> {
        if !self.is_recalled || self.trouble.is_some() {
            let text = store.get_value(&self.memory()).await?;
            let recalled = text.as_deref().and_then(Trouble::recalled);
            // A recipient that is no longer configured is ignored.
            self.trouble = recalled
                .and_then(|trouble| trouble.without(|name| !self.notifier.is_recipient(name)));
            self.is_recalled = true;
        }
        Ok(())
    }

    /// The key of the failures in the store.
    fn memory(&self) -> String {
        format!("notify.trouble {}", self.name)
    }
}

fn later(now: Timestamp, delay: Duration) -> Option<Timestamp> {
    now.checked_add(delay).ok()
}

/// The message of an alert, with its findings.
async fn load(store: &(impl Alerts + ?Sized), alert: &QueuedAlert) -> Result<Message, StoreError> {
    let findings = store.alert_findings(&alert.id, FINDINGS_IN_FULL).await?;
    let counts = match alert.kind {
        QueuedKind::Digest => store.alert_counts(&alert.id).await?,
        QueuedKind::Alert | QueuedKind::Resolved | QueuedKind::Acknowledged => Vec::new(),
    };
    Ok(Message::queued(alert, findings, counts))
}
