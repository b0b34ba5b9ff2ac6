//! Tests whether an unreachable log changes the exit code and withholds the heartbeat.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::logs::{self, Rehearsal};
use super::report::Check;
use super::staged::Twist;
use crate::http;
use crate::judge::Rules;
use crate::monitor::MonitoredLog;
use crate::notify::{Heartbeat, HeartbeatSettings};
use crate::report::Outcome;
use crate::secret::UrlSource;
use crate::service::{ServiceError, rehearse};
use crate::store::Store;

/// Any period will do: each database is new and has no heartbeat yet.
const EVERY: Duration = Duration::from_hours(1);

/// Two passes over all of them: unchanged, and with the first one unreachable. The heartbeats go to a receiver in this
/// process.
pub(super) async fn try_it(
    rehearsals: &[Rehearsal],
    rules: &Arc<Rules>,
    scratch: &Path,
) -> Result<Check, ServiceError> {
    if rehearsals.is_empty() {
        return Ok(Check::skipped(
            "no log could be read, so an outage cannot be tested",
        ));
    }
    let staged = |first: Twist| -> Vec<MonitoredLog> {
        let twists = std::iter::once(first).chain(std::iter::repeat(Twist::Honest));
        let staged = rehearsals.iter().zip(twists);
        staged
            .map(|(rehearsal, twist)| rehearsal.staged(twist).into())
            .collect()
    };
    let receiver = Receiver::start().await?;
    let (outcome, beats) = receiver
        .watch(staged(Twist::Honest), rules, scratch)
        .await?;
    if outcome == Outcome::Unanswered || beats != 1 {
        return Ok(Check::unanswered(
            "with every log reachable there was no heartbeat either: `modelwatch status` shows what is not healthy",
        ));
    }
    let (outcome, beats) = receiver
        .watch(staged(Twist::Unreachable), rules, scratch)
        .await?;
    Ok(match (outcome, beats) {
        (Outcome::Unanswered, 0) => {
            Check::ok("an unreachable log makes the exit code 3 and withholds the heartbeat")
        }
        // A security finding in the last entries has priority over the outage; the heartbeat is withheld nevertheless.
        (Outcome::No, 0) => Check::ok(
            "an unreachable log withholds the heartbeat (the exit code is 1: a finding is open)",
        ),
        (_, 0) => Check::failed("an unreachable log does not show in the exit code"),
        _ => Check::failed("an unreachable log does not withhold the heartbeat"),
    })
}

/// Counts the requests that reach it.
struct Receiver {
    url: url::Url,
    beats: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    async fn start() -> Result<Self, ServiceError> {
        const WHERE: &str = "a port of this machine cannot be listened on";
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.map_err(ServiceError::system(WHERE))?;
        let address = listener.local_addr().map_err(ServiceError::system(WHERE))?;
        let beats = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&beats);
        let task = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = [0; 1024];
                if connection
                    .read(&mut request)
                    .await
                    .is_ok_and(|length| length > 0)
                {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                // A client that has closed the connection needs no answer.
                let _ = connection.write_all(answer).await;
            }
        });
        Ok(Self {
            url: url::Url::parse(&format!("http://{address}/"))
                .expect("an address is a valid host"),
            beats,
            task,
        })
    }

    /// One `monitor --once` over these logs into a new database. Returns its exit code, and the number of heartbeats.
    async fn watch(
        &self,
        logs: Vec<MonitoredLog>,
        rules: &Arc<Rules>,
        scratch: &Path,
    ) -> Result<(Outcome, usize), ServiceError> {
        let store = logs::fresh(scratch).await?;
        let settings = HeartbeatSettings {
            url: UrlSource::Literal(self.url.clone()),
            every: EVERY,
        };
        let values = Arc::<dyn Store>::clone(&store);
        let heartbeat = Heartbeat::new(settings, http::Client::default(), values);
        let before = self.beats.load(Ordering::SeqCst);
        let result = rehearse(store, &logs, rules, heartbeat).await?;
        Ok((result.outcome(), self.beats.load(Ordering::SeqCst) - before))
    }
}
