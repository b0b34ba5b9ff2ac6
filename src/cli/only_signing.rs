//! Systems other than Unix, where the program signs, verifies and computes digests, and has no monitor.

use std::ffi::OsString;

use super::signing;

/// What the program says of itself there.
#[cfg(not(unix))]
pub(super) const ABOUT: &str = "Signs machine-learning models and verifies their signatures. The monitor of modelwatch is for Unix";

/// The commands that are only on Unix.
const FOR_UNIX: [&str; 15] = [
    "demo",
    "init",
    "monitor",
    "status",
    "serve",
    "findings",
    "verify-evidence",
    "expect",
    "reconcile",
    "lookup",
    "backup",
    "rescan",
    "check",
    "drill",
    "watch",
];

/// The answer to a command line with a command that is only on Unix.
pub(super) fn answer(arguments: &[OsString]) -> Option<String> {
    let (_, command) = signing::command(arguments)?;
    FOR_UNIX.contains(&command).then(|| {
        format!(
            "`modelwatch {command}` is for Unix, as everything of the monitor is: on this system modelwatch has `sign`, `verify` and `digest`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn every_command_of_the_monitor_is_answered() {
        use clap::Subcommand as _;

        let all = super::super::monitoring::Command::augment_subcommands(clap::Command::new("x"));
        let names: Vec<_> = all.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(names, FOR_UNIX);
    }

    #[test]
    fn the_commands_for_models_and_mistakes_are_left_to_the_parser() {
        for (line, is_answered) in [
            ("modelwatch monitor --once", true),
            ("modelwatch --config f -v findings list", true),
            ("modelwatch sign key monitor --private-key k", false),
            ("modelwatch version", false),
            ("modelwatch monitr", false),
            ("modelwatch --help", false),
            ("modelwatch", false),
        ] {
            let words: Vec<_> = line.split(' ').map(OsString::from).collect();
            assert_eq!(answer(&words).is_some(), is_answered, "{line}");
        }
    }
}
