//! The addresses of the pages.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::{assets, evidence, finding, findings, handling_form, health, home, log, watch};
use crate::web::site::Site;

pub(in crate::web) fn router() -> Router<Arc<Site>> {
    Router::new()
        .route("/", get(home::show))
        .route("/logs/{name}", get(log::show))
        .route("/watches/{name}", get(watch::show))
        .route("/health", get(health::show))
        .route("/findings", get(findings::show))
        .route("/findings/{id}", get(finding::show))
        .route("/findings/{id}/evidence.tar", get(evidence::download))
        .route("/findings/{id}/handle", post(handling_form::submit))
        .route("/assets/{name}", get(assets::show))
}
