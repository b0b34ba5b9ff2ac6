//! The store, the outbox and the heartbeat of a setup.

use std::path::Path;
use std::sync::Arc;

use super::setup::Setup;
use crate::config::Config;
use crate::finding::{ChannelRoute, Routes};
use crate::notify::{Heartbeat, Links, Outbox};
use crate::store::sqlite::{SqliteStore, StoreLock};
use crate::store::{Settings, Store, StoreError};

impl Setup {
    /// Takes the lock that excludes a second monitor from the store.
    ///
    /// # Errors
    ///
    /// Another process has it, or the file cannot be opened.
    pub fn lock(&self) -> Result<StoreLock, StoreError> {
        SqliteStore::lock(&self.store_settings())
    }

    /// Opens the store, creating it if it does not exist.
    ///
    /// # Errors
    ///
    /// The store cannot be used.
    pub async fn writer(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(SqliteStore::open(self.store_settings()).await?))
    }

    /// Opens an existing store for reading.
    ///
    /// # Errors
    ///
    /// The store does not exist or cannot be used.
    pub async fn reader(&self) -> Result<Arc<dyn Store>, StoreError> {
        let store = SqliteStore::open_read_only(self.store_settings()).await?;
        Ok(Arc::new(store))
    }

    /// A copy of the store as it is now, in the new file `to`; an empty one if there is no store yet.
    ///
    /// # Errors
    ///
    /// The store cannot be read, or the copy cannot be written.
    pub async fn copied(&self, to: &Path) -> Result<SqliteStore, StoreError> {
        match SqliteStore::copy(&self.store_settings(), to).await {
            Ok(()) | Err(StoreError::Absent { .. }) => {}
            Err(error) => return Err(error),
        }
        let settings = Settings {
            path: to.to_owned(),
            ..self.store_settings()
        };
        SqliteStore::open(settings).await
    }

    /// A copy of the store as it is now, in the new file `to`, complete and checked, or no file at all.
    ///
    /// # Errors
    ///
    /// There is such a file, the store cannot be read, or the copy not be written.
    pub async fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        SqliteStore::backup(&self.store_settings(), to).await
    }

    /// The outbox of all channels.
    pub fn outbox(&self, store: Arc<dyn Store>) -> Outbox {
        Outbox::new(store, &self.config.channels, &self.http, &self.links())
    }

    /// Where links of messages lead.
    pub(super) fn links(&self) -> Links {
        links(&self.config)
    }

    /// The heartbeat, if there is one.
    pub(super) fn heartbeat(&self, store: Arc<dyn Store>) -> Option<Heartbeat> {
        let settings = self.config.heartbeat.clone()?;
        Some(Heartbeat::new(settings, self.http.clone(), store))
    }

    fn store_settings(&self) -> Settings {
        Settings {
            path: self.config.database.clone(),
            routes: routes(&self.config),
        }
    }
}

/// Where links of messages lead.
pub fn links(config: &Config) -> Links {
    Links::new(config.web.as_ref().and_then(|web| web.base_url.clone()))
}

/// The channels of each finding.
pub fn routes(config: &Config) -> Routes {
    let channels = config.channels.iter().map(|channel| ChannelRoute {
        name: channel.name.clone(),
        selection: channel.selection.clone(),
        quiet_hours: channel.quiet_hours.clone(),
        takes_acknowledgements: channel.settings.takes_acknowledgements(),
    });
    let by_watch = config
        .watches
        .iter()
        .filter_map(|watch| Some((watch.name.clone(), watch.notify.clone()?)));
    Routes::new(channels.collect(), by_watch.collect())
}
