//! The state of a monitor, from its configuration and its store.

use jiff::Timestamp;

use super::error::ServiceError;
use super::setup::Setup;
use super::{discovery, loaded};
use crate::config::Mode;
use crate::report::log::{LogStatus, LookupStatus, StoredLogs, WaitingLog};
use crate::report::{
    AlertStatus, FindingStatus, NotFollowedStatus, Status, TrustStatus, WatchStatus,
};
use crate::store::{Store, StoreError};

impl Setup {
    /// The extent to which each log was read and proven, and whether alerts wait.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn status(&self, store: &dyn Store, now: Timestamp) -> Result<Status, ServiceError> {
        let logs = self.log_statuses(store, now).await?;
        let queues = store.channel_queues(now).await?;
        let watches = self.watch_set();
        let coverage = store.tree_coverage(&watches, None).await?;
        Ok(Status::new(
            loaded::daemon(store).await?,
            self.trust_status(),
            logs,
            WatchStatus::of_all(&watches, &coverage),
            AlertStatus::of(queues, &self.channel_names()),
            FindingStatus::from(store.counts(self.config.fail_on).await?),
        ))
    }

    /// The logs that are followed, and those of the configuration that wait for the trusted root.
    async fn log_statuses(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Vec<LogStatus>, StoreError> {
        let known = StoredLogs {
            logs: store.logs().await?,
            trees: store.trees().await?,
        };
        let mut statuses = Vec::with_capacity(self.logs().len());
        for log in self.logs() {
            let mut status = LogStatus::of(log, &known);
            if let Some(guide) = &status.guide {
                let counts = store.lookup_counts(guide, now).await?;
                status.lookups = Some(LookupStatus::of(&counts));
            }
            statuses.push(status);
        }
        statuses.extend(self.waiting().map(|log| {
            let waiting = WaitingLog {
                name: log.name.clone(),
                origin: log.origin.as_ref().map(ToString::to_string),
                location: log.location.as_ref().map(ToString::to_string),
                protocol: log.protocol,
                is_guided: matches!(log.mode, Mode::Guided { .. }),
            };
            LogStatus::waiting(&waiting, &known)
        }));
        Ok(statuses)
    }

    fn trust_status(&self) -> Option<TrustStatus> {
        let settings = self.trust_settings()?;
        let known = self.known();
        let update = known.update;
        let not_followed = self.not_followed();
        Some(TrustStatus {
            known: known.trust.is_some(),
            source: settings.source.to_string(),
            version: update.map(|update| update.version),
            expires: update.map(|update| update.expires),
            refreshed: update.map(|update| update.refreshed),
            not_followed: not_followed
                .iter()
                .map(|not| NotFollowedStatus {
                    log: discovery::named(not.log),
                    ignored: not.ignored,
                })
                .collect(),
            remarks: self
                .trust_remarks()
                .iter()
                .map(ToString::to_string)
                .collect(),
        })
    }
}
