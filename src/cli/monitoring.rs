//! The commands of the monitor. They are for Unix: the store locks its files and asks who owns them, and the daemon takes
//! signals, as only Unix has them.

use std::path::Path;

use clap::Subcommand;

use super::logging::{Screen, Usual};
use super::output::Outcome;
use super::{
    backup, check, demo, drill, expect, findings, init, lookup, monitor, reconcile, rescan, serve,
    status, verify_evidence, watch,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show on a small recorded log what this program does: no network, no configuration
    Demo(demo::Args),
    /// Write a configuration: the identities to watch, the Sigstore instance, the channels
    ///
    /// On a terminal, it asks for values that are not given; elsewhere options are required. No file is replaced without
    /// --force.
    Init(init::Args),
    /// Follow the logs: as a daemon on the schedule, or --once
    Monitor(monitor::Args),
    /// Show how far each log was read and proven, and whether alerts wait
    Status(status::Args),
    /// Serve metrics and health over HTTP, beside a monitor
    ///
    /// As the daemon does with `[web]` in its configuration: for `monitor --once`, or to serve from a process of its own. It
    /// only reads the database, and needs no network but the one that it listens on.
    Serve(serve::Args),
    /// List, show, acknowledge and reopen findings, add notes to them
    #[command(subcommand)]
    Findings(findings::Command),
    /// Check a directory of evidence: no configuration, no database, no network
    ///
    /// `findings show ID --evidence DIR` writes such a directory. Everything in it is checked against keys and authorities
    /// from outside of it: those of Sigstore's public instance, or those that you name. The present time does not matter.
    VerifyEvidence(verify_evidence::Args),
    /// Register signings as your own, from their bundles
    #[command(subcommand)]
    Expect(expect::Command),
    /// Compare your bundles and models with the logs, in both directions
    ///
    /// For each bundle: does it verify, is its entry proven in its log, and is the model beside it still the one that was
    /// signed? For each signing by the watched identities: which bundle belongs to it? Exit code 1: there is a discrepancy; 3:
    /// there is none, and a question could not be answered.
    Reconcile(reconcile::Args),
    /// Look up who signed what, and how far the answer goes
    ///
    /// All conditions that are given must hold. The answer is from the findings, so it is about watched identities; with
    /// --scan the logs are read again, and it is about everything in them. Its last
    /// line states what of each log was looked at, and whether that is everything that was asked for. Exit code 0: found, and
    /// each entry is proven; 1: there is none, and everything was looked at; 3: an entry is not proven, or there is none and not
    /// everything was looked at.
    Lookup(Box<lookup::Args>),
    /// Copy the database into a new file, also while a monitor runs
    ///
    /// The copy has the state of the database at this moment, is checked by opening it, and only its owner may read it.
    /// No file is overwritten, and after an error none is left.
    Backup(backup::Args),
    /// Compare entries that were already read with watches that were added later
    Rescan(rescan::Args),
    /// Check the configuration, the store and every log; one watch; or the channels
    Check(check::Args),
    /// Test that signings are found and alerts arrive: logs, watches, channels, on a copy of the store
    ///
    /// It fetches entries again and proves them. It compares made-up signings, and near misses, with each watch. It
    /// records an alert marked `[DRILL]` in a process that it kills, and delivers it to every channel from another one. It
    /// checks that a changed entry and an outage are reported. At the end it lists what this configuration can detect and
    /// what it cannot. The running daemon and its database are not changed. Exit code 1: a test failed; 3: something could
    /// not be tested.
    Drill(drill::Args),
    /// Write watches
    #[command(subcommand)]
    Watch(watch::Command),
}

impl Command {
    /// What it logs if no option says more or less.
    pub(super) fn usual_log_lines(&self) -> Usual {
        match self {
            // A drill makes logs and channels fail: the log lines about that would alarm the operator.
            Self::Drill(_) => Usual::Nothing,
            Self::Monitor(args) if args.is_daemon() => Usual::Events,
            Self::Serve(_) => Usual::Events,
            _ => Usual::Warnings,
        }
    }

    pub(super) fn run(
        self,
        config: &Path,
        screen: &Screen,
        limit_memory: fn(),
    ) -> anyhow::Result<Outcome> {
        match self {
            // These need no runtime, and do not pay for one.
            Self::VerifyEvidence(args) => verify_evidence::run(&args),
            Self::Watch(command) => watch::run(&command),
            command => {
                let runtime = runtime(limit_memory)?;
                let ended = runtime.block_on(command.run_in_runtime(config, screen));
                // A delivery that hangs must not keep the program from ending.
                runtime.shutdown_background();
                ended
            }
        }
    }

    async fn run_in_runtime(self, config: &Path, screen: &Screen) -> anyhow::Result<Outcome> {
        match self {
            Self::Demo(args) => demo::run(&args).await,
            Self::Init(args) => init::run(&args, config).await,
            Self::Monitor(args) => Box::pin(monitor::run(&args, config, screen)).await,
            Self::Status(args) => status::run(&args, config).await,
            Self::Serve(args) => serve::run(&args, config).await,
            Self::Findings(command) => findings::run(&command, config).await,
            Self::Expect(command) => expect::run(&command, config).await,
            Self::Reconcile(args) => Box::pin(reconcile::run(&args, config)).await,
            Self::Lookup(args) => Box::pin(lookup::run(&args, config, screen)).await,
            Self::Backup(args) => backup::run(&args, config).await,
            Self::Rescan(args) => rescan::run(&args, config).await,
            Self::Check(args) => check::run(&args, config).await,
            Self::Drill(args) => drill::run(&args, config).await,
            Self::Watch(_) | Self::VerifyEvidence(_) => {
                unreachable!("these ran without a runtime")
            }
        }
    }
}

fn runtime(limit_memory: fn()) -> anyhow::Result<tokio::runtime::Runtime> {
    use anyhow::Context as _;
    limit_memory();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the system gives no threads or timers")
}
