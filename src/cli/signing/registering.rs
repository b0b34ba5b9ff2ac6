//! `sign --register`: the signing that was just made, in the database of the monitor, with the authority of the signer.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};

use super::files::is_standard;
use super::messages::say;
use crate::cli::output::Mistake;
use crate::cli::{expect, setup};
use crate::escape;
use crate::expect::{Authority, from_bundle};
use crate::service::Setup;

/// Whether the signing is registered.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct RegisterArgs {
    /// Register the signing in the database of the configuration, as `expect add --authority signer`
    /// does. Its finding is then `self-registered`, until the operator confirms it
    // Shown for the methods whose signatures have an entry in a log. The others take it to refuse it with the reason.
    #[arg(long, hide = true)]
    register: bool,
}

/// The database of the monitor, which could be opened before anything was signed.
pub(super) struct Registering {
    setup: Setup,
    config: PathBuf,
    runtime: Runtime,
}

impl RegisterArgs {
    /// Opens the database once, if the option is there: an error in the configuration is found before the signature is public.
    pub(super) fn prepare(
        &self,
        config: &Path,
        has_log_entry: bool,
    ) -> anyhow::Result<Option<Registering>> {
        if !self.register {
            return Ok(None);
        }
        if !has_log_entry {
            return Err(Mistake(
                "--register: only a keyless signature (`sign sigstore`) can be registered, because it has an entry in a log; \
                 no log has one of a signature by a key or a certificate. Leave the option out"
                    .to_owned(),
            )
            .into());
        }
        let setup = setup::load(config)?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the system gives no threads or timers")?;
        runtime
            .block_on(async {
                let store = setup.writer().await?;
                store.close().await;
                anyhow::Ok(())
            })
            .context(
                "--register: nothing is signed, because the signing could not be registered",
            )?;
        Ok(Some(Registering {
            setup,
            config: config.to_owned(),
            runtime,
        }))
    }
}

impl Registering {
    /// Registers the signature in `file`, which was written to `signature`.
    ///
    /// # Errors
    ///
    /// It is not registered; the error names the command that registers it.
    pub(super) fn register(&self, file: &[u8], signature: &Path) -> anyhow::Result<()> {
        let place = if is_standard(signature) {
            "standard output".to_owned()
        } else {
            let absolute = std::path::absolute(signature);
            let absolute = absolute.unwrap_or_else(|_| signature.to_owned());
            absolute.display().to_string()
        };
        let recorded = self.runtime.block_on(async {
            let signing = (place, from_bundle(file)?);
            let store = self.setup.writer().await?;
            let recorded = expect::record_quietly(&[signing], Authority::Signer, &*store).await;
            store.close().await;
            recorded
        });
        let lines = recorded.with_context(|| {
            format!(
                "the model is signed, and the signing is not registered; `{}` registers it",
                self.command(signature)
            )
        })?;
        for line in lines {
            say(&line);
        }
        Ok(())
    }

    /// The command that does the same later.
    fn command(&self, signature: &Path) -> String {
        let bundle = if is_standard(signature) {
            "FILE".to_owned()
        } else {
            quoted(signature)
        };
        let config = quoted(&self.config);
        format!("modelwatch --config {config} expect add --authority signer {bundle}")
    }
}

/// A path as a word of the shell, and not as an option.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let beginning = if text.starts_with('-') { "./" } else { "" };
    escape::shell_word(&format!("{beginning}{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_the_shell() {
        for (path, word) in [
            ("models/falcon-7b.sig", "models/falcon-7b.sig"),
            ("my model.sig", "'my model.sig'"),
            ("it's.sig", r"'it'\''s.sig'"),
            ("$(x).sig", "'$(x).sig'"),
            ("-x.sig", "./-x.sig"),
            ("a\u{1b}[2J.sig", r"$'a\x1b[2J.sig'"),
        ] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }
}
