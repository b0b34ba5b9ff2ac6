//! The addresses of the pages.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use super::{assets, finding, findings, health, home, log, watch};
use crate::web::site::Site;

pub(in crate::web) fn router() -> Router<Arc<Site>> {
    Router::new()
        .route("/", get(home::show))
        .route("/logs/{name}", get(log::show))
        .route("/watches/{name}", get(watch::show))
        .route("/health", get(health::show))
        .route("/findings", get(findings::show))
        .route("/findings/{id}", get(finding::show))
        .route("/assets/{name}", get(assets::show))
}
