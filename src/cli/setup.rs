//! The configuration of a command.

use std::path::Path;

use super::output;
use crate::service::{ServiceError, Setup};

/// The setup of a configuration, without a request. Its warnings are printed.
pub(super) fn load(config: &Path) -> Result<Setup, ServiceError> {
    Setup::load(config, output::warn)
}
