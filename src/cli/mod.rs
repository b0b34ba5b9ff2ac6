//! The command line: one file for each command, with its `Args` and its `run`.

mod backup;
mod bundles;
mod check;
mod demo;
mod drill;
mod evidence;
mod expect;
mod finding_filter;
mod findings;
mod generate;
mod handling;
mod init;
mod logging;
mod lookup;
mod monitor;
mod output;
mod pages;
mod progress;
mod reconcile;
mod rescan;
mod serve;
mod setup;
mod signer_file;
mod signing;
mod status;
mod values;
mod verify_evidence;
mod version;
mod watch;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use output::Outcome;

/// Watches Sigstore's transparency logs for signings by your identities.
///
/// An attacker who steals a signing identity can publish a poisoned model whose signature verifies; the only trace is
/// an entry in a public log. modelwatch reads every entry, proves that the log showed it everything, and alerts on each
/// signing under your identities that you did not register.
///
/// Start with `modelwatch demo`, then `modelwatch init`.
#[derive(Debug, Parser)]
#[command(
    name = "modelwatch",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,

    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Global {
    /// The configuration file
    #[arg(
        help_heading = logging::GLOBAL,
        long,
        global = true,
        value_name = "FILE",
        env = "MODELWATCH_CONFIG",
        default_value = "modelwatch.toml"
    )]
    config: PathBuf,

    #[command(flatten)]
    logging: logging::Args,
}

impl Cli {
    /// Parses a command line; ends the program if it is wrong, or asks for help.
    fn parse_arguments(arguments: Vec<OsString>) -> Self {
        if let Some((global, command)) = signing::direct::parse(&arguments) {
            let command = Command::Model(command);
            return Self { global, command };
        }
        let matches = pages::with_examples(Self::command(), "").get_matches_from(arguments);
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

#[derive(Debug, Subcommand)]
enum Command {
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
    #[command(flatten)]
    Model(signing::Command),
    /// Print shell completions
    Completions(generate::CompletionsArgs),
    /// Write the man pages into a directory
    Man(generate::ManArgs),
    /// Print the version of this program, and what its build contains
    ///
    /// A database that a newer version has written names the oldest version that may open it.
    Version(version::Args),
}

/// Parses the command line, runs the command, answers its exit code.
///
/// `limit_memory` is called once, by commands that start many threads, before the first of them.
pub fn main(limit_memory: fn()) -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some(answer) = signing::slip(&arguments) {
        return output::fail(&output::Mistake(answer).into()).into();
    }
    let arguments = signing::normalize(arguments);
    let Cli { global, command } = Cli::parse_arguments(arguments);
    // A drill makes logs and channels fail: the log lines about that would alarm the operator.
    let usual = match &command {
        Command::Drill(_) => logging::Usual::Nothing,
        Command::Monitor(args) if args.is_daemon() => logging::Usual::Events,
        Command::Serve(_) => logging::Usual::Events,
        _ => logging::Usual::Warnings,
    };
    let screen = match logging::start(&global.logging, usual) {
        Ok(screen) => screen,
        Err(error) => return output::fail(&error).into(),
    };
    // Commands that need no runtime do not pay for one.
    let ended = match command {
        Command::Model(command) => Ok(command.run(&global.config, global.logging.level())),
        Command::VerifyEvidence(args) => verify_evidence::run(&args),
        Command::Completions(args) => generate::completions(&args, Cli::command()),
        Command::Man(args) => generate::man(&args, Cli::command()),
        Command::Version(args) => version::run(&args),
        Command::Watch(command) => watch::run(&command),
        command => match runtime(limit_memory) {
            Ok(runtime) => {
                let ended = runtime.block_on(run(command, &global.config, &screen));
                // A delivery that hangs must not keep the program from ending.
                runtime.shutdown_background();
                ended
            }
            Err(error) => Err(error),
        },
    };
    match ended {
        Ok(outcome) => outcome.into(),
        Err(error) => output::fail(&error).into(),
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

async fn run(command: Command, config: &Path, screen: &logging::Screen) -> anyhow::Result<Outcome> {
    match command {
        Command::Demo(args) => demo::run(&args).await,
        Command::Init(args) => init::run(&args, config).await,
        Command::Monitor(args) => Box::pin(monitor::run(&args, config, screen)).await,
        Command::Status(args) => status::run(&args, config).await,
        Command::Serve(args) => serve::run(&args, config).await,
        Command::Findings(command) => findings::run(&command, config).await,
        Command::Expect(command) => expect::run(&command, config).await,
        Command::Reconcile(args) => Box::pin(reconcile::run(&args, config)).await,
        Command::Lookup(args) => Box::pin(lookup::run(&args, config, screen)).await,
        Command::Backup(args) => backup::run(&args, config).await,
        Command::Rescan(args) => rescan::run(&args, config).await,
        Command::Check(args) => check::run(&args, config).await,
        Command::Drill(args) => drill::run(&args, config).await,
        Command::Watch(_)
        | Command::Model(_)
        | Command::VerifyEvidence(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Version(_) => {
            unreachable!("these ran without a runtime")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the parser of one method, and the whole parser, make of a command line.
    fn parsed(line: &str) -> (Option<String>, Option<String>) {
        let words = line.split(' ').map(OsString::from);
        let arguments = signing::normalize(std::iter::once("modelwatch".into()).chain(words));
        let direct = signing::direct::parse(&arguments);
        let direct = direct.map(|(global, command): (Global, _)| {
            format!("{global:?} {:?}", Command::Model(command))
        });
        let whole = Cli::command().try_get_matches_from(&arguments).ok();
        let whole = whole.and_then(|matches| Cli::from_arg_matches(&matches).ok());
        let whole = whole.map(|Cli { global, command }| format!("{global:?} {command:?}"));
        (direct, whole)
    }

    #[test]
    fn a_method_is_parsed_as_the_whole_parser_does() {
        for line in [
            "sign key m --private-key k",
            "sign key --private_key k --signature=s --ignore_paths a --ignore-paths b --json -v m",
            "sign key m --private-key k --private-key l --signature s --signature t",
            "sign key --oci-manifest f --private-key k --password-env P --strict",
            "sign key --private-key k -- -m",
            "sign certificate m --private-key k --signing-certificate c --certificate-chain d --certificate-chain e",
            "sign certificate m --private-key k --signing-certificate c --tsa-url http://a.example --tsa-url http://b.example --resume",
            "sign pkcs11-key m --pkcs11-uri pkcs11:",
            "sign pkcs11-certificate m --pkcs11-uri pkcs11: --signing-certificate c",
            "sign m",
            "sign sigstore m --register --config c --use-staging --client-id x",
            "verify key m --public-key p --signature s --ignore-unsigned-files --no-ignore-unsigned-files",
            "verify key key --public-key p --signature s --tsa-certificate-chain t --trusted-root r",
            "verify certificate m --signature s --certificate-chain c --at 2026-01-01 --log-fingerprints",
            "verify certificate m --signature s --allow-expired --log_level INFO",
            "verify m --signature s --identity i --identity-provider p --require a=b --require c=d",
            "verify attestation m b c --identity-glob g --identity-provider p --predicate-type t",
            "digest m --json --hash blake3",
            "digest key",
            "-v verify key m --public-key p --signature s",
            "--log-level DEBUG --config c sign key m --private-key k",
        ] {
            let (direct, whole) = parsed(line);
            assert!(whole.is_some(), "{line}");
            assert_eq!(direct, whole, "{line}");
        }
    }

    #[test]
    fn all_else_is_left_to_the_whole_parser() {
        for line in [
            "-v verify key m --public-key p --signature s -v",
            "--config a sign key m --private-key k --config b",
            "sign key m",
            "sign key m --private-key k --no-such-option",
            "sign key m n --private-key k",
            "sign key m --private-key k --password-env P --password-file f",
            "sign help",
            "sign help key",
            "sign key --help",
            "sign key --version",
            "sign",
            "verify --help",
            "verify attestation --help",
            "digest",
            "digest --help",
            "status",
            "--version",
        ] {
            let (direct, _) = parsed(line);
            assert_eq!(direct, None, "{line}");
        }
    }
}
