//! What the server shows.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::api;
use super::guard::{self, plain};
use super::log;
use super::login;
use super::pages;
use super::site::Site;
use crate::clock;
use crate::service::ServiceError;

/// The media type of the text format of Prometheus.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every route, behind the checks of `guard`.
pub(super) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/login", get(login::show).post(login::submit))
        .nest("/api/v1", api::router())
        .merge(pages::router())
        .fallback(async || plain(StatusCode::NOT_FOUND, "there is no such page"))
        .method_not_allowed_fallback(async || {
            plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "this method is not allowed here",
            )
        })
        .layer(DefaultBodyLimit::max(
            usize::try_from(guard::MAX_BODY_BYTES).unwrap_or(usize::MAX),
        ))
        .layer(from_fn_with_state(Arc::clone(&site), guard::guard))
        .with_state(site)
}

/// The process works. It does not depend on the logs: a probe that restarts the program must not do so because a log is
/// down.
async fn healthz() -> Response {
    plain(StatusCode::OK, "ok")
}

/// As `status --max-age`, without any name.
async fn readyz(State(site): State<Arc<Site>>) -> Response {
    let max_age = site.settings().ready_max_age;
    let now = clock::now();
    let ready = match site.read().await {
        Ok(reading) => {
            let store = &*reading.store;
            let ready = reading.view.is_ready(store, max_age, now).await;
            store.close().await;
            ready
        }
        Err(error) => Err(error),
    };
    match ready {
        Ok(true) => plain(StatusCode::OK, "ready"),
        Ok(false) => plain(StatusCode::SERVICE_UNAVAILABLE, "not ready"),
        Err(error) => unreadable(&error.into()),
    }
}

async fn metrics(State(site): State<Arc<Site>>) -> Response {
    let now = clock::now();
    let metrics = match site.read().await {
        Ok(reading) => {
            let store = &*reading.store;
            let metrics = reading.view.metrics(store, now).await;
            store.close().await;
            metrics
        }
        Err(error) => Err(error.into()),
    };
    match metrics {
        Ok(text) => {
            let mut answer = text.into_response();
            let exposition = HeaderValue::from_static(EXPOSITION);
            answer.headers_mut().insert(CONTENT_TYPE, exposition);
            answer
        }
        Err(error) => unreadable(&error),
    }
}

/// The store cannot be read. The answer does not name its file.
fn unreadable(error: &ServiceError) -> Response {
    log::store_error(error);
    plain(StatusCode::SERVICE_UNAVAILABLE, log::STORE_UNUSABLE)
}
