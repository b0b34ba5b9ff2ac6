//! The registrations that others put somewhere, read before each pass.

use std::path::PathBuf;
use std::time::Duration;

use super::setup::Setup;
use crate::registrations::Registrations;

/// How long one source may take before a pass: the logs wait for it. A repository that is received for the first time may take
/// longer; `expect sync` gives it that time.
pub(super) const BEFORE_A_PASS: Duration = Duration::from_mins(1);

/// How long one source may take if a person waits for it.
pub const ASKED_FOR: Duration = Duration::from_mins(30);

impl Setup {
    /// The configured sources of registrations. Copies of git repositories are kept beside the database.
    pub fn registrations(&self) -> Registrations {
        let mut directory = self.config.database.clone().into_os_string();
        directory.push(".sources");
        Registrations::new(
            self.config.expect_from.clone(),
            self.http.clone(),
            PathBuf::from(directory),
        )
    }
}
