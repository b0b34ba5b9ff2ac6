//! What a platform shows of itself to the programs that it runs.

use std::fmt;
use std::path::PathBuf;

use super::error::OidcError;
use super::platform::Platform;
use crate::file;

/// A name of hardware, in one line.
const MAX_NAME_BYTES: usize = 256;

/// The variables of this process, and the places that a platform has beside them.
pub(super) struct Environment {
    #[expect(
        clippy::type_complexity,
        reason = "it is used here alone, and is the type of `std::env::var` without its errors"
    )]
    variable: Box<dyn Fn(&str) -> Option<String>>,
    /// What the firmware calls the machine.
    pub(super) product_name: PathBuf,
    /// Google Cloud's IAM Service Account Credentials API.
    pub(super) google_credentials: String,
}

impl fmt::Debug for Environment {
    /// Without the variables, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

impl Environment {
    pub(super) fn new(
        variable: impl Fn(&str) -> Option<String> + 'static,
        product_name: impl Into<PathBuf>,
        google_credentials: impl Into<String>,
    ) -> Self {
        Self {
            variable: Box::new(variable),
            product_name: product_name.into(),
            google_credentials: google_credentials.into(),
        }
    }

    /// A variable that is set, and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.trim().is_empty())
    }

    /// Whether a variable is set, and not to a word for no.
    pub(super) fn is_set(&self, name: &str) -> bool {
        let value = self.variable(name);
        value.is_some_and(|value| !matches!(value.as_str(), "0" | "false"))
    }

    /// A variable without which the platform gives no token.
    pub(super) fn required(
        &self,
        platform: Platform,
        name: &str,
        hint: &str,
    ) -> Result<String, OidcError> {
        self.variable(name).ok_or_else(|| OidcError::Ambient {
            platform,
            reason: format!("the variable {name} is not set: {hint}"),
        })
    }

    /// Whether the firmware gives the machine one of these names.
    pub(super) fn is_machine(&self, names: &[&str]) -> bool {
        let name = file::read_regular(&self.product_name, MAX_NAME_BYTES);
        let name = name.ok().flatten().and_then(|name| file::text(name).ok());
        name.is_some_and(|name| names.contains(&name.trim()))
    }
}
