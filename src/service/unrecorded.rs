//! Messages without the store, because it cannot be used or another process uses it.
//!
//! The outbox is in the store. So such a message is not queued and not retried.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::setup::Setup;
use crate::clock;
use crate::escape;
use crate::finding::{Finding, FindingId, Severity, Verdict};
use crate::notify::{NotifyError, Outbox};
use crate::store::StoreError;
use crate::store::sqlite::StoreLock;

/// How often the channels get the message that the same process has the lock: cron may start a monitor every minute.
const LOCK_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// The key of the value in the store that records the last such message.
const KEY: &str = "lock.told";

/// The last message that another process has the lock.
#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    at: Timestamp,
    what: String,
}

/// The finding that the store cannot be used, and why.
pub(super) fn finding(subject: &str, since: Timestamp, summary: String) -> Finding {
    Finding::new(
        FindingId::of_episode(Verdict::StoreFailing, subject, since),
        Verdict::StoreFailing,
        Severity::High,
        summary,
        since,
    )
}

/// Logs the channels that did not accept a message.
pub(super) fn log_failures(failures: &[(String, NotifyError)]) {
    for (channel, error) in failures {
        tracing::error!(
            "{}: {}",
            escape::terminal(channel),
            escape::terminal(&error.without_names())
        );
    }
}

/// Takes the lock that excludes a second monitor from the store. If another process has it, the channels get a message:
/// because of that process, this one cannot monitor.
///
/// # Errors
///
/// As [`Setup::lock`].
pub async fn lock(setup: &Setup) -> Result<StoreLock, StoreError> {
    let error = match setup.lock() {
        Err(error @ StoreError::Locked { .. }) => error,
        taken => return taken,
    };
    let now = clock::now();
    let what = error.to_string();
    if was_sent(setup, &what, now).await {
        return Err(error);
    }
    let summary = format!("this monitor could not begin and has read nothing: {what}");
    let failures = Outbox::send_without_a_store(
        setup.channels_for_store_failure(),
        &setup.http,
        &setup.links(),
        finding("lock", now, summary),
        now,
    )
    .await;
    log_failures(&failures);
    if failures.is_empty() {
        record(setup, what, now).await;
    }
    Err(error)
}

/// Whether the same message was sent within the hour; `false` if the store cannot be read.
async fn was_sent(setup: &Setup, what: &str, now: Timestamp) -> bool {
    let Ok(store) = setup.reader().await else {
        return false;
    };
    let sent = store.get_value(KEY).await.ok().flatten();
    store.close().await;
    sent.and_then(|sent| serde_json::from_str::<Sent>(&sent).ok())
        .is_some_and(|sent| {
            // A time in the future was written with a wrong clock.
            sent.what == what
                && (SignedDuration::ZERO..LOCK_PAUSE).contains(&now.duration_since(sent.at))
        })
}

/// Records the message for the next hour, while another process has the lock, in the same way as a registration. Only
/// in a store of this version: without the lock none is created or migrated.
async fn record(setup: &Setup, what: String, now: Timestamp) {
    let Ok(reader) = setup.reader().await else {
        return;
    };
    reader.close().await;
    let sent = Sent { at: now, what };
    let Ok(sent) = serde_json::to_string(&sent) else {
        return;
    };
    if let Ok(store) = setup.writer().await {
        // If this fails, the message is sent once more.
        let _ = store.put_value(KEY, &sent).await;
        store.close().await;
    }
}
