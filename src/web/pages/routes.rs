//! The addresses of the pages.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use super::{assets, finding, findings};
use crate::web::site::Site;

pub(in crate::web) fn router() -> Router<Arc<Site>> {
    Router::new()
        .route("/findings", get(findings::show))
        .route("/findings/{id}", get(finding::show))
        .route("/assets/{name}", get(assets::show))
}
