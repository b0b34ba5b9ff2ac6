//! The addresses of the API.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::get;

use super::{actions, etag, findings, openapi, registrations, signings, status};
use crate::store::Handling;
use crate::web::site::Site;

pub(in crate::web) fn router() -> Router<Arc<Site>> {
    Router::new()
        .route("/status", get(status::show))
        .route("/logs", get(status::logs))
        .route("/logs/{name}", get(status::log))
        .route("/watches", get(status::watches))
        .route("/watches/{name}", get(status::watch))
        .route("/registrations", get(registrations::list))
        .route("/signings", get(signings::list))
        .route("/findings", get(findings::list))
        .route("/findings/{id}", get(findings::show))
        .route("/findings/{id}/history", get(findings::history))
        .route("/findings/{id}/ack", actions::route(Handling::Ack))
        .route("/findings/{id}/reopen", actions::route(Handling::Reopen))
        .route("/findings/{id}/note", actions::route(Handling::Note))
        .route("/session", get(actions::session))
        .route("/openapi.json", get(openapi::show))
        .layer(from_fn(etag::add))
}
