//! `/login`: a person gives the token once, and the browser gets a session.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use secrecy::ExposeSecret as _;
use url::form_urlencoded;

use super::guard::{plain, unreadable_secret};
use super::host;
use super::session::is_same;
use super::site::Site;
use crate::clock;
use crate::config::Access;

/// A token has at most 64 KiB, as in its file; in a form each byte may take three.
const MAX_FORM_BYTES: usize = 200 * 1024;

/// The form. `{note}` says what was wrong.
const FORM: &str = "<!DOCTYPE html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">
<title>modelwatch: token</title></head>
<body><main><h1>modelwatch</h1>{note}
<form method=\"post\" action=\"/login\">
<p><label for=\"token\">Token</label> <input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"current-password\" required autofocus></p>
<p><button type=\"submit\">Sign in</button></p>
</form></main></body></html>
";

/// The form.
pub(super) async fn show(State(site): State<Arc<Site>>) -> Response {
    match site.settings().access {
        Access::Token(_) => form(StatusCode::OK, ""),
        _ => plain(StatusCode::NOT_FOUND, "there is no token to sign in with"),
    }
}

/// Begins a session if the form has the token.
pub(super) async fn submit(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let settings = site.settings();
    let Access::Token(source) = &settings.access else {
        return plain(StatusCode::NOT_FOUND, "there is no token to sign in with");
    };
    if !host::is_from_here(&headers, settings.base_url.as_ref()) {
        return plain(StatusCode::FORBIDDEN, "the form is of another site");
    }
    let Ok(form_bytes) = to_bytes(body, MAX_FORM_BYTES).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long");
    };
    let mut fields = form_urlencoded::parse(&form_bytes);
    let sent = fields.find(|(name, _)| name == "token");
    let sent = sent
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default();
    let token = match source.read().await {
        Ok(token) => token,
        Err(error) => return unreadable_secret(&error),
    };
    if !is_same(token.expose_secret(), sent.trim_end().as_bytes()) {
        tracing::warn!("web: a sign-in with a wrong token was refused");
        return form(
            StatusCode::FORBIDDEN,
            "<p role=\"alert\">This is not the token.</p>",
        );
    }
    let is_https = settings
        .base_url
        .as_ref()
        .is_some_and(|url| url.scheme() == "https");
    let cookie = site
        .sessions
        .begin(token.expose_secret(), is_https, clock::now());
    let Ok(cookie) = HeaderValue::from_str(&cookie) else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "no session can be made");
    };
    let mut answer = StatusCode::SEE_OTHER.into_response();
    let headers = answer.headers_mut();
    headers.insert(SET_COOKIE, cookie);
    headers.insert(LOCATION, HeaderValue::from_static("/"));
    answer
}

fn form(status: StatusCode, note: &str) -> Response {
    let mut answer = (status, FORM.replace("{note}", note)).into_response();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, html);
    answer
}
