//! A dead man's switch: while the monitoring is healthy, an outside service receives requests; when they stop, it
//! alerts.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use crate::http::{Absence, AddressPolicy, Answer, Client, HttpError};
use crate::moment;
use crate::store::{StoreError, Values};

use super::HeartbeatSettings;
use crate::secret::SecretError;

/// The key of the time of the last heartbeat in the store.
const MEMORY: &str = "heartbeat.sent";

/// For the whole request, retries included: a pass does not wait for long.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The answer is of no interest beyond its status.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024;

/// The result of a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// It was received.
    Sent,
    /// The last one is too fresh.
    NotDue,
}

/// Why there was none. The URL is often the secret: it is not in here.
#[derive(Debug, thiserror::Error)]
pub enum HeartbeatError {
    /// The URL cannot be had.
    #[error("heartbeat: {0}")]
    Url(#[from] SecretError),
    /// The receiver answered with an error: its host, the status and the message.
    #[error("heartbeat: {0}")]
    Refused(Absence),
    /// The receiver did not answer, or the request could not be sent. The error contains only the host of the URL.
    #[error("heartbeat: {0}")]
    Http(#[from] HttpError),
    /// The time of the last one cannot be read or written.
    #[error("heartbeat")]
    Store(#[from] StoreError),
}

/// Sends heartbeats. The caller decides whether the monitoring is healthy.
///
/// The request is a GET, which every receiver of heartbeats accepts. Its target may be in a private network, unlike a
/// webhook's: only the operator chooses it, the request contains no text from a log, and the response is not stored.
/// Link-local addresses and the metadata services of clouds are refused.
pub struct Heartbeat {
    settings: HeartbeatSettings,
    http: Client,
    values: Arc<dyn Values>,
}

impl Heartbeat {
    /// Heartbeats with these `settings`; the time of the last one is stored in `values`.
    pub fn new(settings: HeartbeatSettings, http: Client, values: Arc<dyn Values>) -> Self {
        Self {
            settings,
            http,
            values,
        }
    }

    /// Sends a heartbeat, unless the last one is too recent. To be called after a pass over every configured log in
    /// which all were proven, with no health finding open and no due alert undelivered.
    ///
    /// # Errors
    /// It was not received, or its time could not be stored: the next call tries again.
    pub async fn beat_if_due(&self, now: Timestamp) -> Result<Beat, HeartbeatError> {
        let last = self.values.get_value(MEMORY).await?;
        if !is_due(last.as_deref(), self.settings.every, now) {
            return Ok(Beat::NotDue);
        }
        let url = self.settings.url.read().await?;
        let policy = AddressPolicy::not_link_local();
        let request = self.http.get_secret(&url, ANSWER_LIMIT_BYTES, &policy);
        let answer = timeout(TIME_LIMIT, request).await;
        judge(answer.unwrap_or_else(|_| {
            Err(HttpError::Timeout {
                url: format!("{}/…", url.origin().ascii_serialization()),
                after: TIME_LIMIT,
            })
        }))?;
        // Crash here: one more request than necessary, after the next pass.
        self.values.put_value(MEMORY, &now.to_string()).await?;
        Ok(Beat::Sent)
    }
}

/// When the last heartbeat was accepted; `None` if none was.
///
/// # Errors
/// The store cannot be read.
pub async fn last_heartbeat(values: &dyn Values) -> Result<Option<Timestamp>, StoreError> {
    let last = values.get_value(MEMORY).await?;
    Ok(last.and_then(|text| text.parse().ok()))
}

/// Whether it is due. A schedule of once an hour and `every = "1h"` mean one request for each pass: passes that begin
/// on time end a little earlier or later, which this tolerance allows for.
fn is_due(last: Option<&str>, every: Duration, now: Timestamp) -> bool {
    let slack = (every / 10).min(Duration::from_mins(1));
    let Some(last) = last.and_then(|text| text.parse::<Timestamp>().ok()) else {
        return true;
    };
    // If the last one is in the future, the clock was wrong. Sending one more does no harm, and corrects the stored
    // time.
    let age = Duration::try_from(now.duration_since(last)).unwrap_or_default();
    moment::is_ahead(last, now) || age + slack >= every
}

fn judge<T>(answer: Result<Answer<T>, HttpError>) -> Result<(), HeartbeatError> {
    match answer {
        Ok(Answer::Found(_))
        | Err(
            HttpError::TooLarge { .. }
            | HttpError::Status {
                status: 200..=299, ..
            },
        ) => Ok(()),
        // 404 or 410: the configured switch does not exist.
        Ok(Answer::Absent(absence)) => Err(HeartbeatError::Refused(absence)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::notify::testing::{self, HttpSink, MemoryStore};
    use crate::secret::UrlSource;

    const HOUR: Duration = Duration::from_hours(1);

    fn heartbeat(sink: &HttpSink, store: &Arc<MemoryStore>) -> Heartbeat {
        let settings = HeartbeatSettings {
            url: UrlSource::Literal(sink.url()),
            every: HOUR,
        };
        Heartbeat::new(settings, Client::default(), store.clone())
    }

    #[tokio::test]
    async fn one_is_sent_in_its_time_also_over_restarts() {
        let sink = HttpSink::start(&[(204, "", ""), (200, "", "OK")]).await;
        let store = Arc::new(MemoryStore::default());
        let mut beats = Vec::new();
        for minutes in [0, 30, 58, 59, 60] {
            let now = testing::NOW + Duration::from_secs(minutes * 60);
            beats.push(heartbeat(&sink, &store).beat_if_due(now).await.unwrap());
        }
        assert_eq!(
            beats,
            [
                Beat::Sent,
                Beat::NotDue,
                Beat::NotDue,
                Beat::Sent,
                Beat::NotDue
            ]
        );
        let requests = sink.requests();
        assert_eq!(requests.len(), 2);
        assert!(
            requests.iter().all(|r| r.starts_with("GET /hook ")),
            "{requests:?}"
        );
    }

    #[tokio::test]
    async fn one_that_was_not_received_is_tried_after_the_next_pass() {
        let answers = [
            (404, "", "no such check"),
            (403, "", "paused"),
            (200, "", ""),
        ];
        let sink = HttpSink::start(&answers).await;
        let store = Arc::new(MemoryStore::default());
        let host = sink.url().origin().ascii_serialization();
        for message in ["answered 404: no such check", "answered 403: paused"] {
            let beat = heartbeat(&sink, &store).beat_if_due(testing::NOW).await;
            let error = beat.unwrap_err().to_string();
            // The path is the secret.
            assert_eq!(error, format!("heartbeat: {host}/…: {message}"));
        }
        let sent = heartbeat(&sink, &store)
            .beat_if_due(testing::NOW)
            .await
            .unwrap();
        assert_eq!(sent, Beat::Sent);
    }

    #[tokio::test]
    async fn a_metadata_service_gets_no_heartbeat() {
        let store = Arc::new(MemoryStore::default());
        let settings = HeartbeatSettings {
            url: UrlSource::Literal("http://169.254.169.254/latest/".parse().unwrap()),
            every: HOUR,
        };
        let heartbeat = Heartbeat::new(settings, Client::default(), store.clone());
        let error = heartbeat.beat_if_due(testing::NOW).await.unwrap_err();
        assert!(
            matches!(
                error,
                HeartbeatError::Http(HttpError::LinkLocalAddress { .. })
            ),
            "{error}"
        );
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_it() {
        let at = |secs: i64| Timestamp::from_second(secs).unwrap();
        assert!(is_due(None, HOUR, at(0)));
        assert!(is_due(Some("nonsense"), HOUR, at(0)));
        assert!(is_due(Some(&at(1_000_000).to_string()), HOUR, at(0)));
        assert!(!is_due(Some(&at(0).to_string()), HOUR, at(3000)));
    }
}
