//! What only a server asks of a view.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::error::ServiceError;
use super::metrics;
use super::view::View;
use crate::finding::Routes;
use crate::judge::Rules;
use crate::monitor::MonitoredLog;
use crate::notify;
use crate::report::{AlertStatus, Coverage, FindingStatus, LastPass, Status};
use crate::store::sqlite::SqliteStore;
use crate::store::{Settings, Store, StoreError};
use crate::watch::Watch;

impl View {
    /// Opens the existing store for reading. Each request opens it again: so a server never shows a database that was
    /// moved away, and keeps no old state of it in use.
    ///
    /// # Errors
    ///
    /// The store does not exist or cannot be used.
    pub async fn reader(&self) -> Result<Arc<dyn Store>, StoreError> {
        let settings = Settings {
            path: self.database.clone(),
            routes: Routes::default(),
        };
        Ok(Arc::new(SqliteStore::open_read_only(settings).await?))
    }

    /// Opens the existing store for one change by a person, in a connection of its own. A pass waits for a change as it
    /// waits for one of `modelwatch findings ack`: for milliseconds.
    ///
    /// # Errors
    ///
    /// The store does not exist or cannot be used.
    pub async fn writer(&self) -> Result<Arc<dyn Store>, StoreError> {
        // Opening for writing creates a store. An action must not.
        self.reader().await?.close().await;
        let settings = Settings {
            path: self.database.clone(),
            routes: self.routes.clone(),
        };
        Ok(Arc::new(SqliteStore::open(settings).await?))
    }

    /// Whether a pass over each log has proven everything within this time, as `status --max-age` answers it.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn is_ready(
        &self,
        store: &dyn Store,
        max_age: Duration,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let status = Status::new(
            None,
            self.trust.clone(),
            self.log_statuses(store, now).await?,
            Vec::new(),
            AlertStatus::default(),
            FindingStatus::default(),
        );
        Ok(status.stale(max_age, now).is_empty())
    }

    /// The last pass; `None` if none has ended.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn last_pass(&self, store: &dyn Store) -> Result<Option<LastPass>, StoreError> {
        metrics::last_pass(store).await
    }

    /// When a heartbeat was accepted last; `None`: never, or none is configured.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn last_heartbeat(&self, store: &dyn Store) -> Result<Option<Timestamp>, StoreError> {
        notify::last_heartbeat(store).await
    }

    /// How far an answer from the store can be relied on.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn coverage(
        &self,
        store: &dyn Store,
        max_age: Duration,
        now: Timestamp,
    ) -> Result<Coverage, ServiceError> {
        let status = self.status(store, now).await?;
        Ok(Coverage::of(&status, max_age, now))
    }

    /// The logs that are followed.
    pub fn logs(&self) -> &[MonitoredLog] {
        &self.logs
    }

    /// The names of the logs that cannot be read before there is a trusted root.
    pub fn waiting_for_trust(&self) -> Vec<String> {
        self.waiting.iter().map(|log| log.name.clone()).collect()
    }

    /// The watch with this name, as it is configured.
    pub fn watch(&self, name: &str) -> Option<&Watch> {
        self.rules.watch(name)
    }

    /// The compiled watches and the authorities, also without a trusted root: not for reading a log.
    ///
    /// # Errors
    ///
    /// Watches that cannot be compiled.
    pub fn rules_so_far(&self) -> Result<Arc<Rules>, ServiceError> {
        self.rules.compiled()
    }
}
