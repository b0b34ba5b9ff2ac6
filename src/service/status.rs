//! The state of a monitor, from its configuration and its store.

use jiff::Timestamp;

use super::discovery;
use super::error::ServiceError;
use super::setup::Setup;
use crate::report::{NotFollowedStatus, Status, TrustStatus};
use crate::store::Store;

impl Setup {
    /// The extent to which each log was read and proven, and whether alerts wait.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn status(&self, store: &dyn Store, now: Timestamp) -> Result<Status, ServiceError> {
        self.view().status(store, now).await
    }

    /// The trusted root, as far as it is known without a request.
    pub(super) fn trust_status(&self) -> Option<TrustStatus> {
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
