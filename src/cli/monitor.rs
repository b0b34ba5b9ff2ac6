//! `modelwatch monitor`: passes over the logs, once or on the schedule, and the alerts they give.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::task::JoinError;

use super::logging::Screen;
use super::output::{Mistake, Outcome};
use super::passed::{PassResult, show_progress, unread};
use crate::service::setup::{self, RefreshPolicy, Setup};
use crate::service::monitored_logs::MonitoredLogs;
use crate::service::reload::{self, Hangup, Reloaded};
use crate::service::{start, systemd, unrecorded};
use crate::clock::SystemClock;
use crate::escape;
use crate::finding::Severity;
use crate::http;
use crate::moment;
use crate::monitor::{
    self, LogOutcome, Monitor, MonitorError, MonitoredLog, Progress, Rules, Stop,
};
use crate::notify::{Heartbeat, Outbox};
use crate::store::{Counts, Store, StoreError};

/// How long `--once` and the end of the daemon wait for channels; what is left stays queued.
const DELIVERY_TIME: Duration = Duration::from_secs(30);

/// How long the daemon reads one log before it looks at the others again: first contact with a large log takes hours.
const PASS_LIMIT: Duration = Duration::from_mins(10);

/// How often the daemon looks for alerts that are due again.
const DELIVERY_PAUSE: Duration = Duration::from_secs(15);

/// Most characters of what hinders one log, in the line about a pass.
const TROUBLE_CHARS: usize = 300;

/// A store that fails for less than this may only be busy: nobody is woken.
const STORE_PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// How often it is said, past the store, that the store fails.
const STORE_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// Arguments of `monitor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One pass over every log up to its newest checkpoint, then exit: 0 clean, 1 an open security
    /// finding, 3 part of the question could not be answered
    #[arg(long)]
    once: bool,
    /// Allow logs without a stored position to start at their end
    #[arg(long)]
    bootstrap: bool,
    /// Only this log; may be repeated
    #[arg(long, value_name = "NAME")]
    log: Vec<String>,
}

impl Args {
    /// Whether it goes on until it is asked to end.
    pub(super) fn is_daemon(&self) -> bool {
        !self.once
    }
}

pub(super) async fn run(args: &Args, config: &Path, screen: &Screen) -> anyhow::Result<Outcome> {
    // Before anything else: without it SIGHUP ends the program.
    let stop = Stop::default();
    let hangup = args.is_daemon().then(|| Hangup::listen(stop.clone()));
    let setup = Setup::load_and_ask(config, RefreshPolicy::IfDue).await?;
    start::refuse_future(setup.config(), setup::now())?;
    for exposed in unrecorded::exposed(&setup) {
        tracing::warn!("{}", escape::terminal(&exposed));
    }
    if let Err(error) = setup.require_trust() {
        return without_trust(&setup, error).await;
    }
    let mut monitored_logs = MonitoredLogs::new(setup, args.log.clone())?;
    let setup = monitored_logs.setup();
    let _lock = unrecorded::lock(setup).await?;
    let mut store = setup.writer().await?;
    let settings = |setup: &Setup| monitor::Settings {
        // A single pass goes to the end of every log.
        pass_limit: (!args.once).then_some(PASS_LIMIT),
        ..setup.monitor(args.log.is_empty())
    };
    let watching = |setup: &Setup, store: &Arc<dyn Store>| {
        Arc::new(Watching::new(setup, store, settings(setup), stop.clone()))
    };
    let mut watch = watching(setup, &store);
    stop_on_signals(stop.clone());
    let begun = monitored_logs.begin(&*store).await;
    watch.told(begun).await?;
    let Some(hangup) = hangup else {
        let ended = watch.once(monitored_logs, args.bootstrap, screen).await;
        return watch.told(ended).await;
    };
    let mut begins = format!("modelwatch {} starts", env!("CARGO_PKG_VERSION"));
    loop {
        let setup = monitored_logs.setup();
        if let Err(error) = reload::put_value(&*store, config, setup.fingerprint()).await {
            tracing::warn!("{}", escape::terminal(&format!("{error:#}")));
        }
        tracing::info!(target: "modelwatch::daemon", "{begins}: {}", setup.summary());
        let ended = Arc::clone(&watch).daemon(&mut monitored_logs, args, config, &hangup);
        let ended = ended.await;
        match watch.told(ended).await? {
            None => return Ok(Outcome::Clean),
            Some(next) => {
                "the configuration is taken up anew".clone_into(&mut begins);
                Reloaded {
                    monitored_logs,
                    store,
                } = next;
                watch = watching(monitored_logs.setup(), &store);
            }
        }
    }
}

/// Nothing is trusted, so nothing may be read. That somebody offers what must not be trusted has to be known all the same,
/// to those who read findings and not what a program says at its start; that nobody answers is said by the exit code.
async fn without_trust(setup: &Setup, error: anyhow::Error) -> anyhow::Result<Outcome> {
    let report = setup.trust_report();
    if report.refused.is_none() {
        return Err(error);
    }
    let _lock = unrecorded::lock(setup).await?;
    let store = setup.writer().await?;
    let watch = Watching::new(setup, &store, setup.monitor(true), Stop::default());
    watch
        .monitor
        .assess_trust(&report, &[], setup::now())
        .await?;
    super::output::fail(&error);
    // None of them was read.
    let unread = setup.config().logs.len().max(1);
    let result = watch.settle(unread).await?;
    watch.conclude(result)?;
    Ok(result.outcome())
}

/// What `--once` would answer for these logs, without channels and without a word.
pub(super) async fn rehearse(
    store: Arc<dyn Store>,
    logs: &[MonitoredLog],
    rules: &Arc<Rules>,
    heartbeat: Heartbeat,
) -> anyhow::Result<Outcome> {
    let (progress, stop) = (Progress::default(), Stop::default());
    let watching = Watching {
        monitor: Monitor::new(
            Arc::clone(&store),
            Arc::new(SystemClock),
            progress.clone(),
            stop.clone(),
        ),
        channels: Vec::new(),
        urgent: Vec::new(),
        outbox: Outbox::new(Arc::clone(&store), &[], &http::Client::default()),
        heartbeat: Some(heartbeat),
        store,
        every_log: true,
        fail_on: Severity::Critical,
        stop,
        progress,
    };
    let outcomes = watching.monitor.pass(logs, rules, false).await?;
    let result = watching.settle(unread(&outcomes)).await?;
    Ok(result.outcome())
}

/// Asks for an end at the first signal; ends at once at the second.
pub(super) fn stop_on_signals(stop: Stop) {
    tokio::spawn(async move {
        if !signal().await {
            return;
        }
        tracing::warn!("ending after what is being done; a second signal ends at once");
        stop.request();
        if signal().await {
            // 128 + SIGINT, as a shell reports it. What was committed is safe, the rest is repeated.
            std::process::exit(130);
        }
    });
}

/// Waits for SIGINT or SIGTERM; `false` if signals cannot be received.
async fn signal() -> bool {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return false;
        };
        tokio::select! {
            received = interrupt.recv() => received.is_some(),
            received = terminate.recv() => received.is_some(),
        }
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await.is_ok()
    }
}

/// Everything that a running monitor consists of.
struct Watching {
    monitor: Monitor,
    channels: Vec<String>,
    /// Channels that are told of findings about health.
    urgent: Vec<String>,
    outbox: Outbox,
    heartbeat: Option<Heartbeat>,
    store: Arc<dyn Store>,
    every_log: bool,
    fail_on: Severity,
    stop: Stop,
    progress: Progress,
}

impl Watching {
    fn new(setup: &Setup, store: &Arc<dyn Store>, settings: monitor::Settings, stop: Stop) -> Self {
        let progress = Progress::default();
        let every_log = settings.every_log;
        Self {
            monitor: Monitor::new(
                Arc::clone(store),
                Arc::new(SystemClock),
                progress.clone(),
                stop.clone(),
            )
            .with(settings),
            channels: setup.channel_names(),
            urgent: setup.channels_for(Severity::High),
            outbox: setup.outbox(Arc::clone(store)),
            heartbeat: setup.heartbeat(Arc::clone(store)),
            store: Arc::clone(store),
            every_log,
            fail_on: setup.fail_on(),
            stop,
            progress,
        }
    }

    async fn once(
        &self,
        mut monitored_logs: MonitoredLogs,
        bootstrap: bool,
        screen: &Screen,
    ) -> anyhow::Result<Outcome> {
        let bar = tokio::spawn(show_progress(self.progress.clone(), screen.clone()));
        let passed = self
            .pass_twice_at_most(&mut monitored_logs, bootstrap)
            .await;
        bar.abort();
        screen.show(None);
        let outcomes = match passed {
            Ok(outcomes) => outcomes,
            Err(error @ MonitorError::NeedsBootstrap(_)) => {
                return Err(Mistake(error.to_string()).into());
            }
            Err(MonitorError::Store(error)) => return Err(error.into()),
        };
        let result = self.settle(unread(&outcomes)).await?;
        self.conclude(result)?;
        Ok(result.outcome())
    }

    /// A pass, and another one if newer trust came of what the first one found: nobody makes the next one for us.
    async fn pass_twice_at_most(
        &self,
        monitored_logs: &mut MonitoredLogs,
        bootstrap: bool,
    ) -> Result<Vec<LogOutcome>, MonitorError> {
        let outcomes = self.pass(monitored_logs, bootstrap).await?;
        if monitored_logs.ask_after(&outcomes) && monitored_logs.renewed(&*self.store).await? {
            return self.pass(monitored_logs, bootstrap).await;
        }
        Ok(outcomes)
    }

    /// The last lines, for people and for scripts.
    fn conclude(&self, result: PassResult) -> anyhow::Result<()> {
        let mut stderr = std::io::stderr().lock();
        let PassResult {
            security,
            health,
            unread,
            undelivered,
        } = result;
        if unread > 0 {
            writeln!(
                stderr,
                "{unread} logs were not read and proven to their newest checkpoint: `modelwatch status` says why"
            )?;
        }
        if undelivered > 0 {
            writeln!(
                stderr,
                "{undelivered} alerts are due and could not be delivered: `modelwatch status` says why"
            )?;
        }
        if security + health > 0 {
            writeln!(
                stderr,
                "open findings: {security} security (of at least {}), {health} health: `modelwatch findings list`",
                self.fail_on.as_str(),
            )?;
        }
        writeln!(stderr, "RESULT={}", serde_json::to_string(&result)?)?;
        Ok(())
    }

    /// What comes after the only pass: alerts, heartbeat, and what all of it means.
    async fn settle(&self, unread: usize) -> anyhow::Result<PassResult> {
        self.outbox.drain(setup::now(), DELIVERY_TIME).await?;
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

    /// Passes on the schedule until it is asked to end (`None`), or has taken up its configuration anew.
    async fn daemon(
        self: Arc<Self>,
        monitored_logs: &mut MonitoredLogs,
        args: &Args,
        config: &Path,
        hangup: &Hangup,
    ) -> anyhow::Result<Option<Reloaded>> {
        let schedule = monitored_logs.setup().schedule().clone();
        systemd::ready();
        let watchdog = tokio::spawn(systemd::feed_watchdog(self.progress.clone()));
        let clean = Arc::new(AtomicBool::new(false));
        let wake = Arc::new(Notify::new());
        let quit = Arc::new(Notify::new());
        let mut delivery = tokio::spawn(Arc::clone(&self).deliver(
            Arc::clone(&clean),
            Arc::clone(&wake),
            Arc::clone(&quit),
        ));
        let mut said = None;
        let mut last = String::new();
        let mut next = None;
        while !self.stop.requested() {
            let passed = tokio::select! {
                biased;
                // What the pass has read since its last commit could not be recorded any more.
                ended = &mut delivery => return Err(lost(ended)),
                passed = self.pass(monitored_logs, args.bootstrap) => passed,
            };
            match passed {
                Ok(outcomes) => {
                    clean.store(unread(&outcomes) == 0, Ordering::Release);
                    self.report(&outcomes, &mut last).await;
                    monitored_logs.ask_after(&outcomes);
                }
                Err(error @ MonitorError::NeedsBootstrap(_)) => {
                    return Err(Mistake(error.to_string()).into());
                }
                Err(MonitorError::Store(error)) => {
                    // A full disk may be emptied; a position that somebody else moves will not
                    // come back.
                    clean.store(false, Ordering::Release);
                    systemd::status(&format!("nothing can be recorded: {error}"));
                    tracing::error!(
                        "the store cannot be used, nothing is recorded: {}",
                        escape::terminal(&error.to_string())
                    );
                    if unrecorded::is_final(&error) {
                        return Err(error.into());
                    }
                    self.say_without_the_store(&error, &mut said).await;
                }
            }
            wake.notify_one();
            let now = setup::now();
            let Some(due) = schedule.next(now) else {
                break;
            };
            let pause = Duration::try_from(due.duration_since(now)).unwrap_or_default();
            let due = tokio::time::Instant::now() + pause;
            let is_reloading = loop {
                tokio::select! {
                    () = self.stop.wait() => break false,
                    () = tokio::time::sleep_until(due) => break false,
                    () = hangup.wait() => break true,
                    ended = &mut delivery => return Err(lost(ended)),
                    // What failed for want of newer trust is tried again when it has come. A store that fails is for the
                    // next pass to say.
                    renewed = monitored_logs.renewed(&*self.store) => if !matches!(renewed, Ok(false)) {
                        break false;
                    },
                }
            };
            if is_reloading {
                match reload::reload(config, &args.log, monitored_logs, &*self.store).await {
                    Ok(reloaded) => {
                        next = Some(reloaded);
                        break;
                    }
                    Err(error) => reload::refused(&error),
                }
            }
        }
        watchdog.abort();
        if next.is_some() {
            // What is being delivered is delivered: aborted, it would be sent again.
            quit.notify_one();
            let _ = delivery.await;
            self.store.close().await;
            return Ok(next);
        }
        systemd::stopping();
        delivery.abort();
        // The task may have been aborted in the middle of a delivery: it is repeated under its id.
        let _ = delivery.await;
        self.outbox.drain(setup::now(), DELIVERY_TIME).await?;
        reload::forget(&*self.store).await?;
        self.store.close().await;
        Ok(None)
    }

    /// Tells the channels past the store that nothing can be recorded: after some minutes, then hourly.
    ///
    /// The outbox is in the store that fails. So this one message is not queued, not tried again and not told twice by
    /// the same id in an hour; the finding follows when the store can be written again.
    async fn say_without_the_store(&self, error: &StoreError, said: &mut Option<Timestamp>) {
        let now = setup::now();
        let Some(since) = self.monitor.failing_since() else {
            return;
        };
        let lasts = now.duration_since(since) >= STORE_PATIENCE;
        let is_due = said.is_none_or(|said| {
            said < since || moment::is_ahead(said, now) || now.duration_since(said) >= STORE_PAUSE
        });
        if !(lasts && is_due) {
            return;
        }
        *said = Some(now);
        let summary = format!(
            "nothing can be recorded since {}: {error}",
            super::output::time(since)
        );
        self.tell_past_the_store(since, summary).await;
    }

    /// Hands on how it ended. If that is because it could record nothing any more, it was told past the store.
    async fn told<T>(&self, ended: anyhow::Result<T>) -> anyhow::Result<T> {
        if let Err(error) = &ended
            && let Some(error) = unrecorded::final_error(error)
        {
            self.say_the_end(error).await;
        }
        ended
    }

    /// Tells the channels past the store that this monitor ends, because it could record nothing any more.
    async fn say_the_end(&self, error: &StoreError) {
        let summary =
            format!("this monitor has ended, and sees nothing until it is started again: {error}");
        self.tell_past_the_store(setup::now(), summary).await;
    }

    async fn tell_past_the_store(&self, since: Timestamp, summary: String) {
        let finding = unrecorded::finding("store", since, summary);
        let untold = self
            .outbox
            .send_past_the_store(&self.urgent, finding, setup::now())
            .await;
        unrecorded::say_untold(&untold);
    }

    /// Newer trust if it is time, one pass, then the rescans that were asked for: what is new is told first.
    async fn pass(
        &self,
        monitored_logs: &mut MonitoredLogs,
        bootstrap: bool,
    ) -> Result<Vec<LogOutcome>, MonitorError> {
        monitored_logs.renew(&*self.store).await?;
        let (logs, rules) = (monitored_logs.logs(), monitored_logs.rules());
        let outcomes = self.monitor.pass(logs, rules, bootstrap).await?;
        self.monitor.rescan_as_asked(logs, rules).await?;
        self.monitor
            .assess_trust(
                &monitored_logs.trust_report(),
                monitored_logs.all(),
                setup::now(),
            )
            .await?;
        Ok(outcomes)
    }

    /// Delivers what is due until it is aborted or is to quit (`None`), or until nothing can be recorded any more: its own
    /// task, so that a dead mail server never holds up a log.
    async fn deliver(
        self: Arc<Self>,
        clean: Arc<AtomicBool>,
        wake: Arc<Notify>,
        quit: Arc<Notify>,
    ) -> Option<anyhow::Error> {
        loop {
            tokio::select! {
                () = quit.notified() => return None,
                () = wake.notified() => {}
                () = tokio::time::sleep(DELIVERY_PAUSE) => {}
            }
            let delivered = self.outbox.drain(setup::now(), DELIVERY_TIME).await;
            let beaten = match delivered {
                Ok(_) => self.beat(clean.load(Ordering::Acquire)).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = beaten {
                tracing::error!("alerts: {}", escape::terminal(&format!("{error:#}")));
                if let Some(StoreError::Displaced { .. }) = unrecorded::final_error(&error) {
                    return Some(error);
                }
            }
        }
    }

    /// The dead man's switch: only a pass over every log that was clean in every way counts.
    async fn beat(&self, clean: bool) -> anyhow::Result<()> {
        let Some(heartbeat) = &self.heartbeat else {
            return Ok(());
        };
        if !(clean && self.every_log) {
            return Ok(());
        }
        let (counts, due) = self.counts().await?;
        if counts.health == 0 && due == 0 {
            heartbeat.beat_if_due(setup::now()).await?;
        }
        Ok(())
    }

    async fn counts(&self) -> Result<(Counts, u64), StoreError> {
        let due = self.store.channel_queues(setup::now()).await?;
        Ok((
            self.store.counts(self.fail_on).await?,
            // What waits for a channel that is no longer configured will wait for ever: `status`
            // says it, but it is nothing that this pass owes.
            due.iter()
                .filter(|(channel, _)| self.channels.contains(channel))
                .map(|(_, queue)| queue.due)
                .sum(),
        ))
    }

    /// Says how the pass ended; loudly if something is otherwise than it was `last`.
    async fn report(&self, outcomes: &[LogOutcome], last: &mut String) {
        let proven = outcomes.iter().filter(|outcome| outcome.proven).count();
        let open = match self.counts().await {
            Ok((counts, _)) => format!(
                "{} security and {} health findings open",
                counts.security, counts.health
            ),
            Err(error) => error.to_string(),
        };
        let state = format!("{proven} of {} logs proven; {open}", outcomes.len());
        systemd::status(&state);
        let troubles = outcomes.iter().filter_map(|outcome| {
            let error = outcome.error.as_ref()?;
            let said = format!("; {}: {}", outcome.log, error.message);
            Some(escape::terminal(&escape::truncate(&said, TROUBLE_CHARS)).into_owned())
        });
        let state = state + &troubles.collect::<String>();
        let entries: u64 = outcomes.iter().map(|outcome| outcome.entries).sum();
        if entries > 0 || *last != state {
            tracing::info!(target: "modelwatch::daemon", "{entries} entries read; {state}");
        }
        *last = state;
    }
}

/// Why the deliveries have ended by themselves.
fn lost(ended: Result<Option<anyhow::Error>, JoinError>) -> anyhow::Error {
    match ended {
        Ok(Some(error)) => error,
        Ok(None) => anyhow::anyhow!("the deliveries have ended without being asked to"),
        Err(error) => match error.try_into_panic() {
            // Only a bug gets here: let it be seen as one.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => cancelled.into(),
        },
    }
}
