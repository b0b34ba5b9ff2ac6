//! `/login`: a person gives the token once, and the browser gets a session.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use secrecy::ExposeSecret as _;
use url::form_urlencoded;

use super::guard::{plain, unreadable_secret};
use super::host;
use super::own_address::is_own;
use super::pages::sign_in;
use super::session::is_same;
use super::site::Site;
use crate::clock;
use crate::config::Access;

/// A token has at most 64 KiB, as in its file; in a form each byte may take three.
const MAX_FORM_BYTES: usize = 200 * 1024;

/// Where the form, or its address, says that the person wants to go.
fn wanted(fields: &[u8]) -> Option<String> {
    let mut fields = form_urlencoded::parse(fields);
    let (_, to) = fields.find(|(name, _)| name == "to")?;
    is_own(&to).then(|| to.into_owned())
}

/// The form.
pub(super) async fn show(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    let to = wanted(uri.query().unwrap_or_default().as_bytes());
    match site.settings().access {
        Access::Token(_) => form(StatusCode::OK, to.as_deref(), None),
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
    let to = wanted(&form_bytes);
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
        let note = Some("This is not the token.");
        return form(StatusCode::FORBIDDEN, to.as_deref(), note);
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
    // Visible ASCII characters.
    let to = to.and_then(|to| HeaderValue::from_str(&to).ok());
    headers.insert(LOCATION, to.unwrap_or(HeaderValue::from_static("/")));
    answer
}

fn form(status: StatusCode, to: Option<&str>, note: Option<&str>) -> Response {
    (status, Html(sign_in(to, note))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_to_a_page_of_this_server_and_to_no_other() {
        assert_eq!(
            wanted(b"token=a&to=%2Ffindings%3Fa%3Db").as_deref(),
            Some("/findings?a=b")
        );
        for other in [
            "to=%2F%2Fevil.example",
            "to=%2F%5Cevil",
            "to=evil",
            "to",
            "",
        ] {
            assert_eq!(wanted(other.as_bytes()), None, "{other}");
        }
    }
}
