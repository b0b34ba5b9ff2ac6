//! What a running monitor follows: made from configuration and trust, and made anew when trust changes.

use std::sync::Arc;

use super::output::Mistake;
use super::setup::Setup;
use crate::escape;
use crate::monitor::{Followed, Rules, TrustReport};
use crate::store::{Store, StoreError};

/// The logs of a pass, and what is looked for in them.
pub(super) struct Following {
    setup: Setup,
    only: Vec<String>,
    all: Vec<Followed>,
    logs: Vec<Followed>,
    rules: Arc<Rules>,
}

impl Following {
    /// Every log, or only those of these names.
    ///
    /// # Errors
    ///
    /// A name that no log has; watches that cannot be compiled; no trust.
    pub(super) fn new(setup: Setup, only: Vec<String>) -> anyhow::Result<Self> {
        let all = setup.logs().to_vec();
        if let Some(name) = only
            .iter()
            .find(|name| !all.iter().any(|log| log.name() == name.as_str()))
        {
            return Err(Mistake(format!(
                "the configuration has no log named {name}: {}",
                setup.log_names()
            ))
            .into());
        }
        Ok(Self {
            logs: named(&all, &only),
            rules: setup.rules()?,
            all,
            setup,
            only,
        })
    }

    /// Looks for newer trust if that is due, and follows what it names from now on.
    ///
    /// # Errors
    ///
    /// The store cannot say what is known of the logs. Trust that cannot be had or worked with is no error: what
    /// was followed before goes on, and [`Self::trust_report`] says why.
    pub(super) async fn renew(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        if self.setup.renew(store).await? {
            self.make_anew();
        }
        Ok(())
    }

    /// A log without a position that trust has found begins at its first entry once another one has a position.
    ///
    /// # Errors
    ///
    /// The store cannot say what is known of the logs; configuration and trust do not fit.
    pub(super) async fn begin(&mut self, store: &dyn Store) -> anyhow::Result<()> {
        self.setup.arrange_after(store).await?;
        self.make_anew();
        Ok(())
    }

    fn make_anew(&mut self) {
        match self.setup.rules() {
            Ok(rules) => {
                self.rules = rules;
                self.all = self.setup.logs().to_vec();
                self.logs = named(&self.all, &self.only);
            }
            // The watches were compiled before and trust only ever gives way to newer trust.
            Err(error) => tracing::error!("{}", escape::terminal(&format!("{error:#}"))),
        }
    }

    /// The logs to read.
    pub(super) fn logs(&self) -> &[Followed] {
        &self.logs
    }

    /// The logs of the configuration and of trust, also those that are not to be read now.
    pub(super) fn all(&self) -> &[Followed] {
        &self.all
    }

    /// What is looked for.
    pub(super) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// What it was made from.
    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// What somebody should know about trust.
    pub(super) fn trust_report(&self) -> TrustReport {
        self.setup.trust_report()
    }
}

fn named(all: &[Followed], only: &[String]) -> Vec<Followed> {
    all.iter()
        .filter(|log| only.is_empty() || only.iter().any(|name| name == log.name()))
        .cloned()
        .collect()
}
