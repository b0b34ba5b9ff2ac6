//! What a running monitor follows: made from configuration and trust, and made anew when trust changes.

use std::sync::Arc;

use super::Mistake;
use super::setup::Setup;
use crate::escape;
use crate::monitor::{LogOutcome, MonitoredLog, Rules, TrustReport};
use crate::store::{Store, StoreError};
use crate::trust::Ask;

/// The logs of a pass, and what is looked for in them.
pub struct MonitoredLogs {
    setup: Setup,
    only: Vec<String>,
    all: Vec<MonitoredLog>,
    logs: Vec<MonitoredLog>,
    rules: Arc<Rules>,
}

impl MonitoredLogs {
    /// Every log, or only those of these names.
    ///
    /// # Errors
    ///
    /// A name that no log has; watches that cannot be compiled; no trust.
    pub fn new(setup: Setup, only: Vec<String>) -> anyhow::Result<Self> {
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

    /// Begins to look for newer trust if that is due, and follows from now on what newer trust names that has come.
    ///
    /// # Errors
    ///
    /// The store cannot say what is known of the logs. Trust that cannot be had or worked with is no error: what
    /// was followed before goes on, and [`Self::trust_report`] says why.
    pub async fn renew(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        if self.setup.renew(store).await? {
            self.make_anew();
        }
        Ok(())
    }

    /// Begins to look for newer trust if it may explain what a pass found: a checkpoint that does not verify, or a
    /// certificate with a watched name that leads to no authority. Answers whether it did.
    pub fn ask_after(&mut self, outcomes: &[LogOutcome]) -> bool {
        let unknown = self.rules.take_unknown_authorities().into_iter();
        let mut asks: Vec<Ask> = unknown.map(Ask::Authority).collect();
        let is_unverifiable = |outcome: &LogOutcome| {
            let error = outcome.error.as_ref();
            error.is_some_and(|error| error.kind == "unverifiable-checkpoint")
        };
        if outcomes.iter().any(is_unverifiable) {
            asks.push(Ask::Checkpoint);
        }
        self.setup.ask(&asks)
    }

    /// Waits for the newer trust that is being looked for, without end if none is, and follows what it names from now on.
    /// Answers whether it is another trust than before: then a pass may end in another way. May be dropped.
    ///
    /// # Errors
    ///
    /// As [`Self::renew`].
    pub async fn renewed(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        let has_changed = self.setup.renewed(store).await?;
        if has_changed {
            self.make_anew();
        }
        Ok(has_changed)
    }

    /// A log without a position that trust has found begins at its first entry once another one has a position.
    ///
    /// # Errors
    ///
    /// The store cannot say what is known of the logs; configuration and trust do not fit.
    pub async fn begin(&mut self, store: &dyn Store) -> anyhow::Result<()> {
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
    pub fn logs(&self) -> &[MonitoredLog] {
        &self.logs
    }

    /// The logs of the configuration and of trust, also those that are not to be read now.
    pub fn all(&self) -> &[MonitoredLog] {
        &self.all
    }

    /// What is looked for.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// What it was made from.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// What somebody should know about trust.
    pub fn trust_report(&self) -> TrustReport {
        self.setup.trust_report()
    }
}

fn named(all: &[MonitoredLog], only: &[String]) -> Vec<MonitoredLog> {
    all.iter()
        .filter(|log| only.is_empty() || only.iter().any(|name| name == log.name()))
        .cloned()
        .collect()
}
