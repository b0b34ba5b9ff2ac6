//! What a person or a program does with a finding: acknowledge, reopen, note. Only with `actions = true`.

use axum::http::{HeaderMap, StatusCode};

use super::caller::Caller;
use super::host;
use super::problem::Problem;
use super::site::{Reading, Site};
use crate::clock;
use crate::escape;
use crate::finding::FindingId;
use crate::store::{FindingRecord, Handling, HandlingOutcome, HandlingRequest, StoreError};

/// Longest reason, in bytes.
pub(super) const MAX_REASON_BYTES: usize = 4096;

/// What became of an action.
#[derive(Debug)]
pub(super) struct Handled {
    /// Whether it changed something; `false`: the finding was as the action would make it.
    pub(super) changed: bool,
    /// The finding as it is now.
    pub(super) record: FindingRecord,
}

/// Who acts: one who may act, and who sent the request on purpose. `form_token`: what a browser got from
/// [`form_token`](super::session::Sessions::form_token).
///
/// # Errors
///
/// 403.
pub(super) fn author<'a>(
    site: &Site,
    caller: &'a Caller,
    headers: &HeaderMap,
    form_token: Option<&str>,
) -> Result<&'a str, Problem> {
    let settings = site.settings();
    let forbidden = |why| Problem::new(StatusCode::FORBIDDEN, why);
    if !settings.actions {
        return Err(forbidden(
            "this server only reads: `actions = true` in [web] allows it to acknowledge, reopen and note findings",
        ));
    }
    let author = caller
        .author()
        .ok_or_else(|| forbidden("nobody is known here: actions need a token or a proxy"))?;
    if !host::is_from_here(headers, settings.base_url.as_ref()) {
        return Err(forbidden("the request is of another site"));
    }
    let needs_token = matches!(caller, Caller::Session(_) | Caller::User(_));
    if needs_token && !form_token.is_some_and(|token| site.sessions.is_form_token(caller, token)) {
        return Err(forbidden(
            "the CSRF token is missing or wrong: `csrf` of /api/v1/session is the present one",
        ));
    }
    Ok(author)
}

/// Why somebody acts: the text that is kept with the finding.
///
/// # Errors
///
/// It is empty or too long.
pub(super) fn reason(written: &str) -> Result<&str, Problem> {
    let reason = written.trim();
    if reason.is_empty() {
        return Err(Problem::parameter("reason", "reason is empty: write why"));
    }
    if reason.len() > MAX_REASON_BYTES {
        let detail = format!("reason is longer than {MAX_REASON_BYTES} bytes");
        return Err(Problem::parameter("reason", detail));
    }
    Ok(reason)
}

/// The id of a finding in an address.
///
/// # Errors
///
/// 404.
pub(super) fn id(written: &str) -> Result<FindingId, Problem> {
    written.parse().map_err(|_| unknown())
}

/// There is no such finding.
pub(super) fn unknown() -> Problem {
    Problem::absent("there is no finding with this id: it has 32 hexadecimal digits")
}

/// Acts, in one transaction.
///
/// # Errors
///
/// 404, 409, or the store cannot be used.
pub(super) async fn handle(
    site: &Site,
    id: FindingId,
    handling: Handling,
    author: &str,
    reason: &str,
) -> Result<Handled, Problem> {
    let writing = site.write().await?;
    let request = HandlingRequest {
        handling,
        author,
        reason,
        at: clock::now(),
    };
    let handled = in_store(&writing, id, &request).await;
    writing.store.close().await;
    let (outcome, record) = handled?;
    let conflict = |why| Problem::new(StatusCode::CONFLICT, why);
    let changed = match outcome {
        HandlingOutcome::Done => true,
        HandlingOutcome::Before => false,
        HandlingOutcome::Unknown => return Err(unknown()),
        HandlingOutcome::NotAcked => {
            return Err(conflict(
                "it is not acknowledged: only its registration or its hold changes it (`modelwatch expect remove`)",
            ));
        }
        HandlingOutcome::Health => {
            return Err(conflict(
                "it is about the health of the watch: it resolves itself when the cause is gone",
            ));
        }
    };
    if changed {
        let verb = match handling {
            Handling::Ack => "acknowledged",
            Handling::Reopen => "reopened",
            Handling::Note => "noted something about",
        };
        tracing::info!("web: {} {verb} finding {id}", escape::terminal(author));
    }
    Ok(Handled {
        changed,
        record: record.ok_or_else(unknown)?,
    })
}

async fn in_store(
    writing: &Reading<'_>,
    id: FindingId,
    request: &HandlingRequest<'_>,
) -> Result<(HandlingOutcome, Option<FindingRecord>), StoreError> {
    let outcomes = writing.store.handle(&[id], request).await?;
    let outcome = outcomes.first().map(|(_, outcome)| *outcome);
    let record = writing.store.finding(&id.to_string()).await?;
    Ok((outcome.unwrap_or(HandlingOutcome::Unknown), record))
}
