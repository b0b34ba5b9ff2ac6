//! Errors of the configuration and of what it names, which only the commands of the monitor read.

use std::io::{self, Write as _};

use crate::config::{ConfigError, Problems};
use crate::escape;
use crate::outcome::Outcome;
use crate::service::ServiceError;

/// Prints the warnings about a configuration.
pub(in crate::cli) fn warn(warnings: &Problems) {
    // As one string: stderr has no buffer, and a warning has many parts.
    let warnings = warnings.to_string();
    // There is no other place to print them.
    let _ = write!(io::stderr(), "{warnings}");
}

/// Prints what is wrong with the configuration, if this is why a command failed.
pub(super) fn fail(error: &anyhow::Error) -> Option<Outcome> {
    let of_config = match error.downcast_ref() {
        Some(ServiceError::Config(problems)) => problems,
        _ => error.downcast_ref()?,
    };
    let _ = match of_config {
        // One line for each problem, already escaped.
        ConfigError::Wrong(problems) => write!(io::stderr(), "{problems}"),
        ConfigError::Unreadable { .. } => writeln!(
            io::stderr(),
            "error: the configuration {} (--config FILE or $MODELWATCH_CONFIG names another; `modelwatch init` writes one)",
            escape::terminal(of_config.to_string().trim_end())
        ),
    };
    Some(Outcome::Wrong)
}

/// Whether what the configuration names is wrong, or the configuration itself.
pub(super) fn is_mistake(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(ServiceError::Config(_) | ServiceError::Mistake(_))
    )
}
