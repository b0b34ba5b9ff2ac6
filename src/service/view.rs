//! What a report needs of a setup: a copy that a server can keep while the monitor continues.

use std::sync::Arc;

use jiff::Timestamp;

use super::error::ServiceError;
use super::loaded;
#[cfg(feature = "web")]
use super::rules::LazyRules;
use super::setup::Setup;
use crate::config::Mode;
use crate::finding::Severity;
use crate::monitor::MonitoredLog;
use crate::report::log::{LogStatus, LookupStatus, StoredLogs, WaitingLog};
use crate::report::{AlertStatus, FindingStatus, Status, TrustStatus, WatchStatus};
use crate::store::{Store, StoreError, WatchSet};

/// The logs, watches and channels of a setup at one moment, and the state of its trusted root.
pub struct View {
    /// The database, which each request to the server opens.
    #[cfg(feature = "web")]
    pub(super) database: std::path::PathBuf,
    /// The settings of the HTTP server.
    #[cfg(feature = "web")]
    pub web: Option<crate::config::WebSettings>,
    /// The channels of each finding: an acknowledgement is told on those that take it.
    #[cfg(feature = "web")]
    pub(super) routes: crate::finding::Routes,
    /// The rules of the monitor, which a look-up compares with its question.
    #[cfg(feature = "web")]
    pub(super) rules: Arc<LazyRules>,
    pub(super) logs: Vec<MonitoredLog>,
    pub(super) waiting: Vec<WaitingLog>,
    pub(super) trust: Option<TrustStatus>,
    watches: Arc<WatchSet>,
    pub(super) channels: Vec<String>,
    fail_on: Severity,
    /// Why the last pass of this process could record nothing.
    failure: Option<&'static str>,
}

impl Setup {
    /// A view of this setup as it is now.
    pub fn view(&self) -> View {
        let waiting = self.waiting().map(|log| WaitingLog {
            name: log.name.clone(),
            origin: log.origin.as_ref().map(ToString::to_string),
            location: log.location.as_ref().map(ToString::to_string),
            protocol: log.protocol,
            is_guided: matches!(log.mode, Mode::Guided { .. }),
        });
        View {
            #[cfg(feature = "web")]
            database: self.config.database.clone(),
            #[cfg(feature = "web")]
            web: self.config.web.clone(),
            #[cfg(feature = "web")]
            routes: super::stores::routes(&self.config),
            #[cfg(feature = "web")]
            rules: Arc::clone(&self.rules),
            logs: self.logs().to_vec(),
            waiting: waiting.collect(),
            trust: self.trust_status(),
            watches: self.watch_set(),
            channels: self.channel_names(),
            fail_on: self.config.fail_on,
            failure: None,
        }
    }
}

impl View {
    /// The same, when the last pass could record nothing: the database then has the state of an earlier one.
    #[must_use]
    pub(super) const fn after_failure(mut self, error: &StoreError) -> Self {
        self.failure = Some(match error {
            StoreError::Full { .. } => "no space is left for the database",
            StoreError::ReadOnly { .. } => "the database is read-only",
            _ => "the database cannot be used; the log of the daemon has the reason",
        });
        self
    }

    /// The extent to which each log was read and proven, and whether alerts wait.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn status(&self, store: &dyn Store, now: Timestamp) -> Result<Status, ServiceError> {
        let logs = self.log_statuses(store, now).await?;
        let queues = store.channel_queues(now).await?;
        let coverage = store.tree_coverage(&self.watches, None).await?;
        let mut status = Status::new(
            loaded::daemon(store).await?,
            self.trust.clone(),
            logs,
            WatchStatus::of_all(&self.watches, &coverage),
            AlertStatus::of(queues, &self.channels),
            FindingStatus::from(store.counts(self.fail_on).await?),
        );
        status.failure = self.failure;
        Ok(status)
    }

    /// The logs that are followed, and those of the configuration that wait for the trusted root.
    pub(super) async fn log_statuses(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Vec<LogStatus>, StoreError> {
        let known = StoredLogs {
            logs: store.logs().await?,
            trees: store.trees().await?,
        };
        let mut statuses = Vec::with_capacity(self.logs.len());
        for log in &self.logs {
            let mut status = LogStatus::of(log, &known);
            if let Some(guide) = &status.guide {
                let counts = store.lookup_counts(guide, now).await?;
                status.lookups = Some(LookupStatus::of(&counts));
            }
            statuses.push(status);
        }
        let waiting = self.waiting.iter();
        statuses.extend(waiting.map(|log| LogStatus::waiting(log, &known)));
        Ok(statuses)
    }
}
