//! What the routes share.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::session::Sessions;
use crate::config::WebSettings;
use crate::report::{Coverage, Status};
use crate::service::{ServiceError, View};
use crate::store::{Store, StoreError};

/// Requests that read the store at the same time; others wait. The passes of the monitor need the processor and the disk.
const READERS: usize = 4;

/// Changes of the store at the same time. They wait for each other in the store anyway.
const WRITERS: usize = 1;

/// What a server shows, and to whom.
pub struct Site {
    views: watch::Receiver<Arc<View>>,
    /// Settings that replace those of the view: `modelwatch serve --listen`.
    fixed: Option<WebSettings>,
    pub(super) sessions: Sessions,
    readers: Semaphore,
    writers: Semaphore,
}

/// The opened store of one request.
pub(super) struct Reading<'a> {
    pub(super) view: Arc<View>,
    pub(super) store: Arc<dyn Store>,
    /// From when on the last pass over a log is old.
    pub(super) max_age: Duration,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Site {
    /// A site that shows the newest of these views, with its settings for the server or with `fixed`.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn new(
        views: watch::Receiver<Arc<View>>,
        fixed: Option<WebSettings>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            views,
            fixed,
            sessions: Sessions::new()?,
            readers: Semaphore::new(READERS),
            writers: Semaphore::new(WRITERS),
        })
    }

    /// The newest view.
    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.views.borrow())
    }

    /// The settings of the server as they are now: a reload of the configuration changes them.
    pub(super) fn settings(&self) -> WebSettings {
        let of_view = || self.views.borrow().web.clone();
        // Without [web] a daemon serves nothing, so that the defaults are those of `serve`.
        self.fixed.clone().or_else(of_view).unwrap_or_default()
    }

    /// Opens the store for one request.
    ///
    /// # Errors
    ///
    /// The store cannot be used.
    pub(super) async fn read(&self) -> Result<Reading<'_>, StoreError> {
        // It is never closed.
        let permit = self.readers.acquire().await.ok();
        let view = self.view();
        let store = view.reader().await?;
        Ok(Reading {
            view,
            store,
            max_age: self.settings().ready_max_age,
            _permit: permit,
        })
    }

    /// What `status` says now, for a request that needs nothing else of the store.
    ///
    /// # Errors
    ///
    /// The store cannot be used.
    pub(super) async fn status(&self, now: Timestamp) -> Result<Status, ServiceError> {
        let reading = self.read().await?;
        let status = reading.view.status(&*reading.store, now).await;
        reading.store.close().await;
        status
    }

    /// Opens the store for one change. The request is to be read before, and the answer to be sent after: so a slow client
    /// holds nothing that a pass waits for.
    ///
    /// # Errors
    ///
    /// The store cannot be used.
    pub(super) async fn write(&self) -> Result<Reading<'_>, StoreError> {
        let permit = self.writers.acquire().await.ok();
        let view = self.view();
        let store = view.writer().await?;
        Ok(Reading {
            view,
            store,
            max_age: self.settings().ready_max_age,
            _permit: permit,
        })
    }
}

impl Reading<'_> {
    /// What `status` says now, and how far it can be relied on.
    ///
    /// # Errors
    ///
    /// The store cannot be used.
    pub(super) async fn covered(&self, now: Timestamp) -> Result<(Status, Coverage), ServiceError> {
        let status = self.view.status(&*self.store, now).await?;
        let coverage = Coverage::of(&status, self.max_age, now);
        Ok((status, coverage))
    }
}
