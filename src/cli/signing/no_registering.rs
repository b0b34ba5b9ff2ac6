//! `sign --register` on systems other than Unix, where there is no database of a monitor.

use std::path::Path;

use crate::cli::output::Mistake;

/// Whether the signing is registered.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct RegisterArgs {
    /// Taken to be refused with the reason.
    #[arg(long, hide = true)]
    register: bool,
}

/// There is none.
#[derive(Debug)]
pub(super) enum Registering {}

impl RegisterArgs {
    pub(super) fn prepare(&self, _: &Path, _: bool) -> anyhow::Result<Option<Registering>> {
        if self.register {
            return Err(Mistake(
                "--register: the monitor and its database are for Unix; register the signature there: `modelwatch expect add --authority signer FILE`"
                    .to_owned(),
            )
            .into());
        }
        Ok(None)
    }
}

impl Registering {
    pub(super) fn register(&self, _: &[u8], _: &Path) -> anyhow::Result<()> {
        match *self {}
    }
}
