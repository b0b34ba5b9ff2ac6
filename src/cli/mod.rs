//! The command line: one file for each command, with its `Args` and its `run`.

#[cfg(unix)]
mod backup;
#[cfg(unix)]
mod bundles;
#[cfg(unix)]
mod check;
#[cfg(unix)]
mod demo;
#[cfg(unix)]
mod drill;
#[cfg(unix)]
mod evidence;
#[cfg(unix)]
mod expect;
#[cfg(unix)]
mod finding_filter;
#[cfg(unix)]
mod findings;
mod generate;
#[cfg(unix)]
mod handling;
#[cfg(unix)]
mod init;
mod logging;
#[cfg(unix)]
mod lookup;
#[cfg(unix)]
mod monitor;
#[cfg(unix)]
mod monitoring;
#[cfg(any(not(unix), test))]
mod only_signing;
mod output;
mod pages;
#[cfg(unix)]
mod progress;
#[cfg(unix)]
mod reconcile;
#[cfg(unix)]
mod rescan;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod setup;
#[cfg(unix)]
mod signer_file;
mod signing;
#[cfg(unix)]
mod status;
#[cfg(unix)]
mod values;
#[cfg(unix)]
mod verify_evidence;
mod version;
#[cfg(unix)]
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

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
#[cfg_attr(not(unix), command(about = only_signing::ABOUT, long_about = None))]
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
        hide = cfg!(not(unix)),
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
#[cfg_attr(
    not(unix),
    expect(
        clippy::large_enum_variant,
        reason = "there is one value of it in a run"
    )
)]
enum Command {
    #[cfg(unix)]
    #[command(flatten)]
    Monitor(monitoring::Command),
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
    #[cfg(not(unix))]
    if let Some(answer) = only_signing::answer(&arguments) {
        return output::fail(&output::Mistake(answer).into()).into();
    }
    if let Some(answer) = signing::slip(&arguments) {
        return output::fail(&output::Mistake(answer).into()).into();
    }
    let arguments = signing::normalize(arguments);
    let Cli { global, command } = Cli::parse_arguments(arguments);
    let usual = match &command {
        #[cfg(unix)]
        Command::Monitor(command) => command.usual_log_lines(),
        _ => logging::Usual::Warnings,
    };
    let screen = match logging::start(&global.logging, usual) {
        Ok(screen) => screen,
        Err(error) => return output::fail(&error).into(),
    };
    #[cfg(not(unix))]
    let _ = (screen, limit_memory);
    // Commands that need no runtime do not pay for one.
    let ended = match command {
        Command::Model(command) => Ok(command.run(&global.config, global.logging.level())),
        Command::Completions(args) => generate::completions(&args, Cli::command()),
        Command::Man(args) => generate::man(&args, Cli::command()),
        Command::Version(args) => version::run(&args),
        #[cfg(unix)]
        Command::Monitor(command) => command.run(&global.config, &screen, limit_memory),
    };
    match ended {
        Ok(outcome) => outcome.into(),
        Err(error) => output::fail(&error).into(),
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
