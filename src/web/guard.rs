//! What every request passes before its route, and every answer after it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HeaderName, LOCATION,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;

use super::access::{self, Refusal};
use super::host;
use super::listener::Peer;
use super::own_address;
use super::problem::{self, Line};
use super::site::Site;
use crate::clock;
use crate::config::Access;
use crate::escape;
use crate::secret::SecretError;

/// Longest body of a request.
pub(super) const MAX_BODY_BYTES: u64 = 256 * 1024;

/// How long a request may take, with the reading of its body and the store.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// What is answered to everyone: health without any name, and the form for the token.
const WITHOUT_AUTHENTICATION: [&str; 3] = ["/healthz", "/readyz", "/login"];

/// The headers of every answer. Nothing is loaded from elsewhere, no script is run that is not a file of this server, no
/// other site may show a page in a frame, and nothing is stored.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    // Other sites get no address of a page. With `no-referrer`, browsers would send `Origin: null` with forms of this site
    // (Fetch, "append a request Origin header"), and all of them would be refused as those of another site.
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Answers a request, or refuses it.
pub(super) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let is_api = problem::is_api(request.uri().path());
    let mut answer = match timeout(REQUEST_TIME, checked(&site, request, next)).await {
        Ok(answer) => answer,
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the request took too long"),
    };
    if is_api {
        answer = problem::for_programs(answer);
    }
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        answer.headers_mut().entry(name).or_insert(value);
    }
    answer
}

async fn checked(site: &Site, mut request: Request, next: Next) -> Response {
    let settings = site.settings();
    let headers = request.headers();
    if !host::is_ours(request.uri(), headers, settings.base_url.as_ref()) {
        return plain(
            StatusCode::MISDIRECTED_REQUEST,
            "this server does not answer for this host: see base_url in [web]",
        );
    }
    if is_too_long(headers) {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too long");
    }
    if !WITHOUT_AUTHENTICATION.contains(&request.uri().path()) {
        let Some(peer) = request.extensions().get::<Peer>().copied() else {
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "the peer is unknown");
        };
        let caller = access::caller(&settings, &site.sessions, peer, headers, clock::now()).await;
        match caller {
            Ok(caller) => {
                tracing::debug!(
                    "web: {} asks for {}",
                    escape::terminal(&caller.to_string()),
                    escape::terminal(request.uri().path())
                );
                request.extensions_mut().insert(caller);
            }
            Err(refusal) => return refused(&refusal, &request, &settings.access),
        }
    }
    next.run(request).await
}

/// A body without a length is measured where it is read.
fn is_too_long(headers: &HeaderMap) -> bool {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    length.is_some_and(|length| {
        length
            .parse::<u64>()
            .is_ok_and(|length| length > MAX_BODY_BYTES)
    })
}

fn refused(refusal: &Refusal, request: &Request, access: &Access) -> Response {
    match refusal {
        Refusal::NeedsToken if is_a_person(request) && matches!(access, Access::Token(_)) => {
            let mut answer = StatusCode::SEE_OTHER.into_response();
            let asked = request
                .uri()
                .path_and_query()
                .map_or("/", |asked| asked.as_str());
            let login = HeaderValue::from_str(&own_address::sign_in(asked));
            let login = login.unwrap_or(HeaderValue::from_static("/login"));
            answer.headers_mut().insert(LOCATION, login);
            answer
        }
        Refusal::NeedsToken => {
            let mut answer = plain(StatusCode::UNAUTHORIZED, &refusal.to_string());
            let bearer = HeaderValue::from_static("Bearer");
            answer.headers_mut().insert(WWW_AUTHENTICATE, bearer);
            answer
        }
        Refusal::NotTheProxy(why) => plain(StatusCode::FORBIDDEN, why),
        Refusal::Secret(error) => unreadable_secret(error),
    }
}

/// Whether a browser asks for a page.
fn is_a_person(request: &Request) -> bool {
    let accepts = request.headers().get(ACCEPT);
    let accepts = accepts.and_then(|accepts| accepts.to_str().ok());
    request.method() == Method::GET
        && !problem::is_api(request.uri().path())
        && accepts.is_some_and(|accepts| accepts.contains("text/html"))
}

/// The secret of the server cannot be read: nothing is shown. The answer does not name its place.
pub(super) fn unreadable_secret(error: &SecretError) -> Response {
    tracing::error!(
        "web: nothing is served, because the secret of [web] cannot be read: {}",
        escape::terminal(&error.to_string())
    );
    plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "the server cannot check who asks; its log has the reason",
    )
}

/// One line of text.
pub(super) fn plain(status: StatusCode, line: &str) -> Response {
    let mut answer = (status, format!("{line}\n")).into_response();
    answer.extensions_mut().insert(Line(line.to_owned()));
    answer
}
