//! The log lines of the program, on stderr.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::ProgressBar;
use tracing::Metadata;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::output::Mistake;
use crate::escape;

/// The heading in `--help` of what every command takes.
pub(super) const GLOBAL: &str = "Global options";

/// Which log lines are written, and in which form.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Say more of what is done (-vv: even more); $MODELWATCH_LOG takes a filter such as
    /// `modelwatch::source=debug`
    #[arg(help_heading = GLOBAL, short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,

    /// The same in the words of the reference implementation of `sign` and `verify`, in any case
    #[arg(
        help_heading = GLOBAL,
        long,
        global = true,
        value_enum,
        ignore_case = true,
        hide = true,
        value_name = "LEVEL"
    )]
    log_level: Option<Level>,

    /// Form of the log lines on stderr
    #[arg(help_heading = GLOBAL, long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORM")]
    log_format: Format,
}

/// Python's levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl Level {
    /// Whether what is neither a warning nor an error is shown.
    pub(super) fn shows_information(self) -> bool {
        self <= Self::Info
    }
}

impl Args {
    /// The level, if it was given in Python's words.
    pub(super) fn level(&self) -> Option<Level> {
        self.log_level
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Standard error, shared by log lines and a progress bar that must not tear each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Screen {
    bar: Arc<Mutex<Option<ProgressBar>>>,
    /// Log lines are JSON, which is written in ASCII.
    is_json: bool,
}

impl Screen {
    /// Log lines are written above this bar from now on; `None`: there is no bar.
    #[cfg(unix)]
    pub(super) fn show(&self, bar: Option<ProgressBar>) {
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }
}

/// One log line on its way.
pub(super) struct Line {
    screen: Screen,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            screen: self.clone(),
            bytes: Vec::new(),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let bar = self
            .screen
            .bar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        // There is no other place to report that a log line cannot be written.
        let write = || {
            let _ = match std::str::from_utf8(&self.bytes) {
                Ok(json) if self.screen.is_json => {
                    io::stderr().write_all(escape::ascii_json(json).as_bytes())
                }
                _ => io::stderr().write_all(&self.bytes),
            };
        };
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

/// The default level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usual {
    Nothing,
    Warnings,
    /// And what happens to a daemon: its start, passes that changed something, alerts.
    Events,
}

/// The variable that holds a filter.
const VARIABLE: &str = "MODELWATCH_LOG";

/// The words for levels, as filters have them.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The filter in the variable, if there is one.
///
/// # Errors
/// It names no level. A filter that means nothing would hide what it was to show.
fn filter(written: Option<&str>) -> Result<Option<EnvFilter>, Mistake> {
    let Some(written) = written.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let mistake = |why: String| {
        Mistake(format!(
            "the environment variable {VARIABLE}: {why}: write one of {}, or a filter such as modelwatch::source=debug",
            LEVELS.join(", ")
        ))
    };
    for directive in written.split(',').map(str::trim) {
        // A single word would be used as the name of a module.
        let level = directive
            .rsplit_once('=')
            .map_or(directive, |(_, level)| level);
        let is_level = LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level));
        let is_module = directive.starts_with("modelwatch") || directive.contains("::");
        let names_module = is_module && !directive.contains('=');
        if !is_level && !names_module && !directive.ends_with(']') {
            return Err(mistake(format!("{level:?} is not a level")));
        }
    }
    EnvFilter::try_new(written)
        .map(Some)
        .map_err(|error| mistake(error.to_string()))
}

/// Starts logging.
///
/// # Errors
/// The environment contains a level that does not exist.
pub(super) fn start(args: &Args, usual: Usual) -> anyhow::Result<Screen> {
    let level = match (args.verbose, args.log_level) {
        (0, None) if usual == Usual::Nothing => "off",
        (0, Some(Level::Error | Level::Critical)) => "error",
        (0, None | Some(Level::Warning)) => "warn",
        (0, Some(Level::Info)) | (1, _) => "info",
        (0, Some(Level::Debug)) | (2, _) => "debug",
        _ => "trace",
    };
    let written = std::env::var_os(VARIABLE);
    let written = written.as_ref().map(|text| text.to_string_lossy());
    let filter = filter(written.as_deref())?.unwrap_or_else(|| {
        let events = if usual == Usual::Events && level == "warn" {
            ",modelwatch::daemon=info"
        } else {
            ""
        };
        // sqlx warns of what takes more than a second or two: a migration of a large database, or a loaded machine.
        EnvFilter::new(format!("warn,sqlx=error,modelwatch={level}{events}"))
    });
    let screen = Screen {
        is_json: args.log_format == Format::Json,
        ..Screen::default()
    };
    let lines = fmt::layer().with_writer(screen.clone()).with_target(false);
    match args.log_format {
        Format::Text => {
            let lines = lines.with_ansi(io::stderr().is_terminal());
            // A line for people names its log itself: the spans before it would repeat that.
            let lines = lines.with_filter(filter_fn(|of: &Metadata<'_>| of.is_event()));
            tracing_subscriber::registry()
                .with(lines)
                .with(filter)
                .init();
        }
        Format::Json => {
            tracing_subscriber::registry()
                .with(lines.json())
                .with(filter)
                .init();
        }
    }
    Ok(screen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_without_a_level_that_is_one_is_refused() {
        for good in [
            "debug",
            "WARN",
            "off",
            "modelwatch=debug",
            "modelwatch::source",
            "warn,modelwatch::source=trace",
            "sqlx::query=off, info",
        ] {
            assert!(matches!(filter(Some(good)), Ok(Some(_))), "{good}");
        }
        for none in [None, Some(""), Some("  ")] {
            assert!(matches!(filter(none), Ok(None)), "{none:?}");
        }
        for bad in [
            "debgu",
            "verbose",
            "modelwatch=loud",
            "info,debgu",
            "=",
            "a=b=c",
        ] {
            let said = filter(Some(bad)).expect_err(bad).to_string();
            assert!(
                said.contains("MODELWATCH_LOG") && said.contains("warn"),
                "{said}"
            );
        }
    }
}
