//! The form of a finding: acknowledge, reopen, note. It works without a script.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use url::form_urlencoded;

use super::failure::Failure;
use super::links;
use crate::finding::{Class, Finding, State as FindingState};
use crate::store::Handling;
use crate::web::caller::Caller;
use crate::web::handling;
use crate::web::problem::Problem;
use crate::web::site::Site;

/// Longest form: each byte of the reason may take three.
const MAX_FORM_BYTES: usize = 3 * handling::MAX_REASON_BYTES + 1024;

/// The words of the form, with what they do.
const ACTIONS: [(&str, Handling, &str); 3] = [
    ("ack", Handling::Ack, "Acknowledge"),
    ("reopen", Handling::Reopen, "Reopen"),
    ("note", Handling::Note, "Add a note"),
];

/// The form, if actions are allowed and the caller is a browser.
pub(super) fn form(site: &Site, caller: &Caller, found: &Finding) -> Markup {
    let token = site.sessions.form_token(caller);
    let Some(token) = token.filter(|_| site.settings().actions) else {
        return html! {};
    };
    let offered = ACTIONS
        .iter()
        .filter(|(_, handling, _)| is_offered(*handling, found));
    html! {
        section aria-labelledby="handle" {
            h2 #handle { "Record what you did" }
            form.handle method="post" action=(format!("{}/handle", links::finding(found.id))) {
                input type="hidden" name="csrf" value=(token);
                p {
                    label for="reason" { "Why (kept with the finding)" }
                    textarea #reason name="reason" rows="3" required maxlength=(handling::MAX_REASON_BYTES) {}
                }
                p {
                    @for (word, _, text) in offered {
                        button type="submit" name="action" value=(word) { (text) }
                        " "
                    }
                }
            }
        }
    }
}

fn is_offered(handling: Handling, found: &Finding) -> bool {
    let is_health = found.verdict.class() != Class::Security;
    match handling {
        Handling::Ack => {
            !is_health && !matches!(found.state, FindingState::Acked | FindingState::Resolved)
        }
        Handling::Reopen => !is_health && found.state == FindingState::Acked,
        Handling::Note => true,
    }
}

/// The fields of the form.
struct Sent {
    handling: Handling,
    reason: String,
    csrf: Option<String>,
}

/// Does what the form says, and leads back to the finding.
pub(super) async fn submit(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let is_form = headers.get(CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes().split(|byte| *byte == b';').next();
        value.is_some_and(|value| {
            value
                .trim_ascii()
                .eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        })
    });
    if !is_form {
        let why = "this is not the form of a finding";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into());
    }
    let Ok(body) = to_bytes(body, MAX_FORM_BYTES).await else {
        let why = "the form is too long, or incomplete";
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, why).into());
    };
    let sent = read(&body)?;
    let author = handling::author(&site, &caller, &headers, sent.csrf.as_deref())?;
    let reason = handling::reason(&sent.reason)?;
    let id = handling::id(&id)?;
    handling::handle(&site, id, sent.handling, author, reason).await?;
    let mut answer = StatusCode::SEE_OTHER.into_response();
    // An address of ASCII letters and digits.
    if let Ok(address) = HeaderValue::from_str(&links::finding(id)) {
        answer.headers_mut().insert(LOCATION, address);
    }
    Ok(answer)
}

fn read(body: &[u8]) -> Result<Sent, Problem> {
    let fields: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    let one = |wanted: &str| {
        let mut values = fields.iter().filter(|(name, _)| name == wanted);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value.clone()),
            _ => None,
        }
    };
    let action = one("action");
    let handling = ACTIONS
        .iter()
        .find(|(word, ..)| Some(*word) == action.as_deref())
        .map(|(_, handling, _)| *handling);
    match (handling, one("reason")) {
        (Some(handling), Some(reason)) => Ok(Sent {
            handling,
            reason,
            csrf: one("csrf"),
        }),
        _ => Err(Problem::bad_request(
            "the form needs one action (ack, reopen or note) and one reason",
        )),
    }
}
