//! Delivers the alerts in the store: each channel separately, so that none waits for another.

mod backoff;
mod drain;
mod queue;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::finding::{Finding, Verdict};
use crate::http;
use crate::store::{Alerts, Condition, Conditions, Scope, Store, StoreError, Values};

use super::{Channel, Links, Message, Notifier, NotifyError, Receipt};
use drain::Present;
use queue::Queue;

pub use drain::Drained;

/// Only the health of channels is assessed here.
const SCOPE: Scope = Scope {
    verdicts: &[Verdict::NotifierFailing],
    origin: None,
};

/// The failure of a channel is itself an alert for the others, and its recovery too. More rounds would only be needed
/// if channels fail and recover in between.
const ROUNDS: u32 = 3;

/// Time limit of a channel for a message without the store.
const PAST_THE_STORE: Duration = Duration::from_secs(30);

/// Delivers alerts from the store over the configured channels.
///
/// One per store and process. It keeps nothing that matters: dropped at any point, it leaves the
/// alerts in the store, and the next one delivers them with the same ids.
pub struct Outbox<S: ?Sized = dyn Store> {
    store: Arc<S>,
    state: Mutex<State>,
}

struct State {
    queues: Vec<Queue>,
    /// The conditions that were reported last; `None` if those of an earlier process are in the store.
    reported: Option<Vec<Condition>>,
}

/// What an outbox asks of the store.
pub trait OutboxStore: Alerts + Conditions + Values {}

impl<S: Alerts + Conditions + Values + ?Sized> OutboxStore for S {}

impl Outbox {
    /// The outbox of these channels; nothing is opened, resolved or read before it is needed.
    pub fn new(
        store: Arc<dyn Store>,
        channels: &[Channel],
        http: &http::Client,
        links: &Links,
    ) -> Self {
        let queues = channels
            .iter()
            .map(|channel| (channel.name.clone(), channel.settings.notifier(http, links)));
        Self::over(store, queues)
    }

    /// As [`Self::send_past_the_store`], where there is no store to make an outbox with.
    pub async fn send_without_a_store(
        channels: impl IntoIterator<Item = &Channel>,
        http: &http::Client,
        links: &Links,
        finding: Finding,
        now: Timestamp,
    ) -> Vec<(String, NotifyError)> {
        let notifiers: Vec<(&str, Box<dyn Notifier>)> = channels
            .into_iter()
            .map(|channel| {
                (
                    channel.name.as_str(),
                    channel.settings.notifier(http, links),
                )
            })
            .collect();
        let notifiers = notifiers
            .iter()
            .map(|(name, notifier)| (*name, &**notifier));
        past_the_store(notifiers, finding, now).await
    }
}

impl<S: OutboxStore + ?Sized> Outbox<S> {
    fn over(
        store: Arc<S>,
        notifiers: impl IntoIterator<Item = (String, Box<dyn Notifier>)>,
    ) -> Self {
        let queues = notifiers
            .into_iter()
            .map(|(name, notifier)| Queue::new(name, notifier))
            .collect();
        Self {
            store,
            state: Mutex::new(State {
                queues,
                reported: None,
            }),
        }
    }

    /// Delivers what is due, for at most `budget`, and reports to the store which channels fail. Undelivered alerts
    /// stay in the store. Concurrent calls run one after the other.
    ///
    /// # Errors
    /// The store cannot be read or written. An alert that was sent and not recorded is not sent again by this outbox,
    /// but will be by the next process.
    pub async fn drain(&self, now: Timestamp, budget: Duration) -> Result<Drained, StoreError> {
        let since = Instant::now();
        let present = Present {
            now,
            since,
            until: since + budget,
        };
        let mut state = self.state.lock().await;
        let mut drained = Drained::default();
        for _ in 0..ROUNDS {
            let store = &*self.store;
            let queues = state.queues.iter_mut();
            let results = join_all(queues.map(|queue| queue.drain(store, present))).await;
            // All channels finish before the first error of the store is returned.
            for result in results {
                let part = result?;
                drained.delivered += part.delivered;
                drained.postponed += part.postponed;
                drained.gave_up += part.gave_up;
            }
            if !self.report(&mut state, present.now()).await? || present.is_over() {
                break;
            }
        }
        Ok(drained)
    }

    /// Records in the store which channels fail. Returns whether that has changed.
    async fn report(&self, state: &mut State, now: Timestamp) -> Result<bool, StoreError> {
        let conditions: Vec<_> = state.queues.iter().filter_map(Queue::condition).collect();
        if state.reported.as_ref() == Some(&conditions) {
            return Ok(false);
        }
        self.store.assess(&SCOPE, &conditions, now).await?;
        state.reported = Some(conditions);
        Ok(true)
    }

    /// Sends a finding on these channels without the store, because the store fails: it is not queued, recorded or
    /// tried again. Returns the channels that did not accept it.
    pub async fn send_past_the_store(
        &self,
        channels: &[String],
        finding: Finding,
        now: Timestamp,
    ) -> Vec<(String, NotifyError)> {
        let state = self.state.lock().await;
        let notifiers = state
            .queues
            .iter()
            .filter(|queue| channels.iter().any(|channel| channel == queue.name()))
            .map(|queue| (queue.name(), queue.notifier()));
        past_the_store(notifiers, finding, now).await
    }

    /// Sends a test of each kind of message on one channel. If all are accepted, recorded failures of the channel end.
    ///
    /// # Errors
    /// There is no such channel, or it did not accept the message.
    pub async fn send_test(&self, channel: &str, now: Timestamp) -> Result<(), NotifyError> {
        let mut state = self.state.lock().await;
        let mut queues = state.queues.iter_mut();
        let Some(queue) = queues.find(|queue| queue.name() == channel) else {
            return Err(NotifyError::NoSuchChannel(channel.to_owned()));
        };
        for message in Message::tests(now) {
            let mut receipt = Receipt::default();
            let notifier = queue.notifier();
            notifier.send_to_rest(&message, &mut receipt, now).await?;
            if let Some(what) = receipt.complaint {
                return Err(NotifyError::Setup { what });
            }
        }
        // The next delivered alert would end it as well.
        if let Err(error) = queue.tested(&*self.store).await {
            tracing::warn!("{channel}: {error}");
        }
        Ok(())
    }
}

/// Sends one message on all of these at the same time. Returns the channels that did not accept it.
async fn past_the_store(
    notifiers: impl Iterator<Item = (&str, &dyn Notifier)>,
    finding: Finding,
    now: Timestamp,
) -> Vec<(String, NotifyError)> {
    let message = Message::unrecorded(finding, now);
    let sent = join_all(notifiers.map(async |(name, notifier)| {
        let sent = timeout(PAST_THE_STORE, notifier.send(&message, now)).await;
        sent.unwrap_or_else(|_| Err(NotifyError::unavailable("no answer".to_owned())))
            .map_err(|error| (name.to_owned(), error))
    }));
    let sent = sent.await;
    sent.into_iter().filter_map(Result::err).collect()
}

#[cfg(test)]
mod tests;
