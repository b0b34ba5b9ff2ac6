//! `POST /api/v1/findings/ID/{ack,reopen,note}`, and who the caller is.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use serde::{Deserialize, Serialize};

use super::list::object;
use super::parameters::Parameters;
use crate::report::finding::{RecordJson, record_json};
use crate::store::Handling;
use crate::web::caller::Caller;
use crate::web::handling;
use crate::web::problem::Problem;
use crate::web::site::Site;

/// The header with the CSRF token of a browser.
const CSRF: &str = "x-modelwatch-csrf";

/// Longest body of an action: a reason in which each byte is written as an escape of JSON.
const MAX_ACTION_BYTES: usize = 6 * handling::MAX_REASON_BYTES + 1024;

/// The body of an action.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ActionRequest)]
pub(super) struct Action {
    /// Why: at most 4,096 bytes. It is kept with the finding.
    #[schema(min_length = 1, max_length = 4096)]
    reason: String,
}

/// The answer to an action.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ActionAnswer)]
pub(super) struct Done<'a> {
    /// `false`: the finding was acknowledged, resolved or open before.
    changed: bool,
    /// The finding as it is now.
    finding: RecordJson<'a>,
}

/// Who the caller is.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Session<'a> {
    /// The author of the caller's actions; null: nothing is known of the caller.
    author: Option<&'a str>,
    /// Whether the caller may act.
    actions: bool,
    /// What a browser has to send in `X-Modelwatch-CSRF` with an action; null: nothing.
    csrf: Option<String>,
}

/// Who asks, and what a browser has to send with an action.
pub(super) async fn session(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Problem> {
    Parameters::of(uri.query()).end()?;
    object(&Session {
        author: caller.author(),
        actions: site.settings().actions && caller.author().is_some(),
        csrf: site.sessions.form_token(&caller),
    })
}

/// The route of one action.
pub(super) fn route(handling: Handling) -> MethodRouter<Arc<Site>> {
    post(
        move |State(site): State<Arc<Site>>,
              Extension(caller): Extension<Caller>,
              Path(id): Path<String>,
              uri: Uri,
              headers: HeaderMap,
              body: Body| async move {
            act(&site, &caller, &id, handling, &uri, &headers, body).await
        },
    )
}

async fn act(
    site: &Site,
    caller: &Caller,
    id: &str,
    handling: Handling,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let token = headers.get(CSRF).and_then(|token| token.to_str().ok());
    let author = handling::author(site, caller, headers, token)?;
    Parameters::of(uri.query()).end()?;
    if !is_json(headers) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body has to be application/json: {\"reason\":\"…\"}",
        ));
    }
    let Ok(body) = to_bytes(body, MAX_ACTION_BYTES).await else {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {MAX_ACTION_BYTES} bytes, or incomplete"),
        ));
    };
    let action: Action = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request(format!("the body is not an action: {error}")))?;
    let reason = handling::reason(&action.reason)?;
    let id = handling::id(id)?;
    let handled = handling::handle(site, id, handling, author, reason).await?;
    object(&Done {
        changed: handled.changed,
        finding: record_json(&handled.record),
    })
}

/// Whether the body is said to be JSON. A form of another site cannot say so without asking this server first.
fn is_json(headers: &HeaderMap) -> bool {
    let written = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    written.is_some_and(|written| {
        let media_type = written.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("application/json")
    })
}
