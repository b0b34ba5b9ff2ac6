//! One monitor over one store: its passes, and the messages about them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::Instrument as _;

use super::delivery::{Delivery, Signals};
use super::error::ServiceError;
use super::metrics;
use super::registrations::BEFORE_A_PASS;
use super::setup::Setup;
use super::textfile::Textfile;
use super::view::View;
use crate::clock::{self, SystemClock};
use crate::judge::Rules;
use crate::monitor::{self, LogOutcome, Monitor, MonitoredLog, Progress, Stop};
use crate::notify::Heartbeat;
use crate::report::{PassResult, unread};
use crate::store::Store;

/// How long the daemon reads one log before it reads the others again: the first pass over a large log takes hours.
const PASS_LIMIT: Duration = Duration::from_mins(10);

/// How a monitor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOptions {
    /// One pass to the end of every log, instead of passes on the schedule.
    pub once: bool,
    /// Logs without a stored position may begin at their end.
    pub bootstrap: bool,
}

/// A running monitor: it owns the setup, the open store and the parts that use both.
pub struct Run {
    pub(super) setup: Setup,
    pub(super) store: Arc<dyn Store>,
    pub(super) monitor: Monitor,
    pub(super) delivery: Arc<Delivery>,
    textfile: Option<Textfile>,
    pub(super) options: RunOptions,
    pub(super) progress: Progress,
    pub(super) stop: Stop,
}

impl Run {
    /// Opens the store and makes the logs ready. The caller has the lock of the store and keeps it as long as this
    /// exists.
    ///
    /// # Errors
    ///
    /// The store cannot be used, or configuration and trusted root contradict each other.
    pub async fn begin(
        setup: Setup,
        options: RunOptions,
        stop: Stop,
    ) -> Result<Self, ServiceError> {
        let store = setup.writer().await?;
        let mut run = Self::over(setup, store, options, stop);
        let arranged = run.setup.arrange_after(&*run.store).await;
        run.reported(arranged).await?;
        // Watches that cannot be compiled end the program before it reads anything.
        run.setup.rules()?;
        Ok(run)
    }

    /// Over a store that is open.
    pub(super) fn over(
        setup: Setup,
        store: Arc<dyn Store>,
        options: RunOptions,
        stop: Stop,
    ) -> Self {
        let progress = Progress::default();
        let clock = Arc::new(SystemClock);
        let monitor = Monitor::new(Arc::clone(&store), clock, progress.clone(), stop.clone());
        let settings = monitor::Settings {
            // A single pass goes to the end of every log.
            pass_limit: (!options.once).then_some(PASS_LIMIT),
            ..setup.monitor()
        };
        Self {
            monitor: monitor.with(settings),
            delivery: Arc::new(Delivery::new(&setup, &store)),
            textfile: setup.config.textfile.clone().map(Textfile::new),
            setup,
            store,
            options,
            progress,
            stop,
        }
    }

    /// The progress of a pass.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// What a server shows of this monitor, as it is now.
    pub fn view(&self) -> View {
        self.setup.view()
    }

    /// One pass, or two if a newer trusted root arrived because of the findings of the first one: no later pass would
    /// use it. Then alerts and the heartbeat.
    ///
    /// # Errors
    ///
    /// A log may not begin at its end, or the store cannot be used.
    pub async fn once(mut self) -> Result<PassResult, ServiceError> {
        let signals = Arc::new(Signals::default());
        signals.is_passing.store(true, Ordering::Release);
        // The first alert of an attack does not wait for the end of the pass.
        let delivery = tokio::spawn(Arc::clone(&self.delivery).run(Arc::clone(&signals)));
        let outcomes = self.pass_twice_at_most().await;
        // The delivery in progress is finished: an aborted one would be sent again. If it could not use the store, the
        // pass or the later steps cannot either, and report it.
        signals.quit.notify_one();
        let _ = delivery.await;
        let result = match outcomes {
            Ok(outcomes) => self.settle(unread(&outcomes)).await,
            Err(error) => Err(error),
        };
        self.reported(result).await
    }

    /// The end of a single pass: alerts, the heartbeat, the metrics and the result. Closes the store.
    async fn settle(&mut self, unread: usize) -> Result<PassResult, ServiceError> {
        let result = self.delivery.settle(unread).await?;
        self.write_metrics().await;
        self.store.close().await;
        Ok(result)
    }

    /// Writes the file with the metrics, if there is one. A file that cannot be written is logged.
    pub(super) async fn write_metrics(&mut self) {
        if let Some(textfile) = &mut self.textfile {
            let view = self.setup.view();
            textfile.replace(&view, &*self.store).await;
        }
    }

    async fn pass_twice_at_most(&mut self) -> Result<Vec<LogOutcome>, ServiceError> {
        let mut outcomes = self.pass().await?;
        let unknown = self.monitor.take_unknown_authorities();
        if self.setup.ask_after(&outcomes, unknown) && self.setup.renewed(&*self.store).await? {
            outcomes = self.pass().await?;
        }
        Ok(outcomes)
    }

    /// One pass. Its log lines have the time of its beginning as the id of the pass.
    pub(super) async fn pass(&mut self) -> Result<Vec<LogOutcome>, ServiceError> {
        let span = tracing::error_span!("pass", pass = %clock::now());
        self.pass_over_all().instrument(span).await
    }

    /// A newer trusted root if it is due, one pass, then the rescans that were requested: new entries come first.
    async fn pass_over_all(&mut self) -> Result<Vec<LogOutcome>, ServiceError> {
        let began = tokio::time::Instant::now();
        self.setup.renew(&*self.store).await?;
        let rules = self.setup.rules()?;
        let logs = self.setup.selected();
        // First: a held signing waits for its registration, and must not be released before that is read.
        self.setup
            .registrations()
            .sync_due(&*self.store, BEFORE_A_PASS, clock::now())
            .await?;
        let bootstrap = self.options.bootstrap;
        let outcomes = self.monitor.pass(&logs, &rules, bootstrap).await?;
        self.monitor.rescan_as_asked(&logs, &rules).await?;
        self.monitor
            .assess_trust(&self.setup.trust_report(), self.setup.logs(), clock::now())
            .await?;
        metrics::record_pass(&*self.store, clock::now(), began.elapsed()).await?;
        Ok(outcomes)
    }

    /// Returns the result unchanged. If it ends the monitor because nothing can be recorded any more, the channels get
    /// a message without the store.
    pub(super) async fn reported<T>(
        &self,
        ended: Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        if let Err(error) = &ended {
            self.delivery.report_end(error).await;
        }
        ended
    }
}

/// Records and sends the problems of a trusted root that does not exist, so that no log may be read.
///
/// # Errors
///
/// The store cannot be used.
pub async fn without_trust(setup: Setup, stop: Stop) -> Result<PassResult, ServiceError> {
    let report = setup.trust_report();
    // None of them was read.
    let unread = setup.config.logs.len().max(1);
    let store = setup.writer().await?;
    let options = RunOptions {
        once: true,
        bootstrap: false,
    };
    let mut run = Run::over(setup, store, options, stop);
    run.monitor.assess_trust(&report, &[], clock::now()).await?;
    run.settle(unread).await
}

/// The result of `monitor --once` for these logs, without channels.
///
/// # Errors
///
/// The store cannot be used.
pub async fn rehearse(
    store: Arc<dyn Store>,
    logs: &[MonitoredLog],
    rules: &Arc<Rules>,
    heartbeat: Heartbeat,
) -> Result<PassResult, ServiceError> {
    let monitor = Monitor::new(
        Arc::clone(&store),
        Arc::new(SystemClock),
        Progress::default(),
        Stop::default(),
    );
    let outcomes = monitor.pass(logs, rules, false).await?;
    let delivery = Delivery::silent(&store, heartbeat);
    let result = delivery.settle(unread(&outcomes)).await;
    store.close().await;
    result
}
