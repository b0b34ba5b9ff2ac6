//! The daemon: passes on the schedule, concurrent deliveries, and reloads, until it is requested to end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};

use super::delivery::Signals;
use super::error::{ServiceError, causes, is_final};
use super::run::Run;
use super::signals::Hangup;
use super::view::View;
use super::{loaded, reload, systemd};
use crate::clock;
use crate::config::Problems;
use crate::escape;
use crate::monitor::LogOutcome;
use crate::report::{PassSummary, unread};
use crate::store::StoreError;

/// What a daemon needs besides its first run.
pub struct Daemon<'a> {
    /// The configuration file, which a reload reads again.
    pub config: &'a Path,
    /// Gets the warnings about the configuration at a reload.
    pub warn: fn(&Problems),
    /// Receives requests for reloads.
    pub hangup: Hangup,
    /// Gets what a server shows of this monitor: at the start, after each pass and after a reload.
    pub views: watch::Sender<Arc<View>>,
}

impl Daemon<'_> {
    /// Runs passes on the schedule until it is requested to end.
    ///
    /// # Errors
    ///
    /// A log may not begin at its end. The store fails permanently.
    pub async fn run(&self, mut run: Run) -> Result<(), ServiceError> {
        let mut begins = format!("modelwatch {} starts", env!("CARGO_PKG_VERSION"));
        loop {
            let fingerprint = &run.setup.fingerprint;
            let now = clock::now();
            if let Err(error) = loaded::record(&*run.store, self.config, fingerprint, now).await {
                tracing::warn!("{}", escape::terminal(&causes(&error)));
            }
            self.views.send_replace(Arc::new(run.view()));
            tracing::info!(target: "modelwatch::daemon", "{begins}: {}", run.setup.summary());
            let ended = self.passes(&mut run).await;
            match run.reported(ended).await? {
                None => return Ok(()),
                Some(next) => {
                    "the configuration is reloaded".clone_into(&mut begins);
                    run = next;
                }
            }
        }
    }

    /// Runs passes until it is requested to end (`None`), or has loaded a new configuration.
    async fn passes(&self, run: &mut Run) -> Result<Option<Run>, ServiceError> {
        let schedule = run.setup.config.schedule.clone();
        systemd::ready();
        let watchdog = tokio::spawn(systemd::feed_watchdog(run.progress.clone()));
        let signals = Arc::new(Signals::default());
        let mut delivery = tokio::spawn(Arc::clone(&run.delivery).run(Arc::clone(&signals)));
        let mut last = Last::default();
        let mut next = None;
        while !run.stop.requested() {
            signals.is_passing.store(true, Ordering::Release);
            let passed = tokio::select! {
                biased;
                // What the pass has read since its last commit could not be recorded any more.
                ended = &mut delivery => return Err(why_ended(ended)),
                passed = run.pass() => passed,
            };
            signals.is_passing.store(false, Ordering::Release);
            match passed {
                Ok(outcomes) => {
                    let is_clean = unread(&outcomes) == 0;
                    signals.is_clean.store(is_clean, Ordering::Release);
                    self.views.send_replace(Arc::new(run.view()));
                    last.report(run, &outcomes).await;
                    run.write_metrics().await;
                    let unknown = run.monitor.take_unknown_authorities();
                    run.setup.ask_after(&outcomes, unknown);
                }
                Err(ServiceError::Store(error)) => {
                    signals.is_clean.store(false, Ordering::Release);
                    let view = run.view().after_failure(&error);
                    self.views.send_replace(Arc::new(view));
                    last.report_failing_store(run, &error).await;
                    // A full disk may be emptied. A position that another process changes does not return.
                    if is_final(&error) {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error),
            }
            signals.wake.notify_one();
            let now = clock::now();
            let Some(due) = schedule.next(now) else {
                break;
            };
            let pause = Duration::try_from(due.duration_since(now)).unwrap_or_default();
            if self.wait(run, pause, &mut delivery).await? {
                match reload::reload(run, self.config, self.warn).await {
                    Ok(reloaded) => {
                        next = Some(reloaded);
                        break;
                    }
                    Err(error) => reload::log_refusal(&error),
                }
            }
        }
        watchdog.abort();
        if next.is_some() {
            // The delivery in progress is finished: an aborted one would be sent again.
            signals.quit.notify_one();
            let _ = delivery.await;
            run.store.close().await;
            return Ok(next);
        }
        systemd::stopping();
        delivery.abort();
        // The task may have been aborted in the middle of a delivery: it is repeated with the same id.
        let _ = delivery.await;
        run.delivery.drain().await?;
        loaded::clear(&*run.store).await?;
        run.store.close().await;
        Ok(None)
    }

    /// Waits for the next pass. Returns whether a reload comes first.
    async fn wait(
        &self,
        run: &mut Run,
        pause: Duration,
        delivery: &mut JoinHandle<Option<ServiceError>>,
    ) -> Result<bool, ServiceError> {
        let due = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = run.stop.wait() => return Ok(false),
                () = tokio::time::sleep_until(due) => return Ok(false),
                () = self.hangup.wait() => return Ok(true),
                ended = &mut *delivery => return Err(why_ended(ended)),
                // What failed because of an old trusted root is tried again after the update. The next pass reports a
                // store that fails.
                renewed = run.setup.renewed(&*run.store) => if !matches!(renewed, Ok(false)) {
                    return Ok(false);
                },
            }
        }
    }
}

/// The last report, so that the same is not reported again and again.
#[derive(Debug, Default)]
struct Last {
    line: String,
    /// When the channels got the message that the store fails.
    store_message: Option<Timestamp>,
}

impl Last {
    /// Logs the result of a pass, if entries were read or something has changed since the last line.
    async fn report(&mut self, run: &Run, outcomes: &[LogOutcome]) {
        let counts = run.delivery.counts().await;
        let counts = counts.map(|(counts, _)| counts);
        let summary = PassSummary::new(outcomes, counts.map_err(|error| error.to_string()));
        systemd::status(&summary.state);
        let line = summary.state + &summary.errors;
        let entries = summary.entries;
        if entries > 0 || self.line != line {
            tracing::info!(target: "modelwatch::daemon", "{entries} entries read; {line}");
        }
        self.line = line;
    }

    async fn report_failing_store(&mut self, run: &Run, error: &StoreError) {
        systemd::status(&format!("nothing can be recorded: {error}"));
        tracing::error!(
            "the store cannot be used, nothing is recorded: {}",
            escape::terminal(&error.to_string())
        );
        if is_final(error) {
            return;
        }
        if let Some(since) = run.monitor.failing_since() {
            run.delivery
                .report_failing_store(error, since, &mut self.store_message)
                .await;
        }
    }
}

/// Why the deliveries have ended without a request.
fn why_ended(ended: Result<Option<ServiceError>, JoinError>) -> ServiceError {
    match ended {
        Ok(Some(error)) => error,
        Ok(None) => ServiceError::DeliveriesEnded,
        Err(error) => match error.try_into_panic() {
            // Only a bug leads here: do not hide it.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => cancelled.into(),
        },
    }
}
