//! What the log of the server has of a request that fails.

use crate::escape;
use crate::outcome::causes;
use crate::service::ServiceError;

/// What the client is told when the store cannot be used.
pub(super) const STORE_UNUSABLE: &str =
    "the store cannot be read; the log of the server has the reason";

/// The store cannot be used.
pub(super) fn store_error(error: &ServiceError) {
    tracing::error!("web: {}", escape::terminal(&causes(error)));
}
