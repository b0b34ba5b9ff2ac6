//! Findings: listed with the filters of `findings list`, and shown.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;

use super::list::{Page, object};
use super::parameters::{Parameters, word};
use crate::clock;
use crate::finding::{Severity, State as FindingState, Verdict};
use crate::report::finding;
use crate::store::{FindingPlace, FindingQuery, FindingRecord, Findings};
use crate::times;
use crate::web::handling;
use crate::web::problem::Problem;
use crate::web::site::{Reading, Site};

/// The list's name in its cursors.
pub(in crate::web) const LIST: &str = "findings";

/// The list's name in the cursors of a history.
const HISTORY: &str = "history";

/// What is asked for.
pub(in crate::web) struct Asked {
    pub(in crate::web) query: FindingQuery,
    pub(in crate::web) limit: usize,
}

/// The findings that a person has to look at, or those of the filters.
pub(super) async fn list(State(site): State<Arc<Site>>, uri: Uri) -> Result<Response, Problem> {
    let now = clock::now();
    let asked = asked(uri.query(), now)?;
    let reading = site.read().await?;
    let answer = page(&site, &reading, &asked, now).await;
    reading.store.close().await;
    answer
}

/// One finding with its evidence and history, as `findings show --json` prints it.
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    Parameters::of(uri.query()).end()?;
    let reading = site.read().await?;
    let record = record(&*reading.store, &id).await;
    reading.store.close().await;
    object(&finding::record_json(&record?))
}

/// The history of one finding, oldest first.
pub(super) async fn history(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(uri.query());
    let limit = parameters.limit()?;
    let after: Option<usize> = parameters.cursor(HISTORY)?;
    parameters.end()?;
    let reading = site.read().await?;
    let store = &*reading.store;
    let max_age = site.settings().ready_max_age;
    let coverage = reading.view.coverage(store, max_age, clock::now()).await;
    let record = record(store, &id).await;
    reading.store.close().await;
    let (coverage, record) = (coverage?, record?);
    let mut page = Page::new(limit);
    // Rows are only added at the end.
    let mut end = after.unwrap_or(0);
    for row in record.history.iter().skip(end) {
        if page.is_full() {
            break;
        }
        page.add(row)?;
        end += 1;
    }
    let next = (end < record.history.len()).then_some(&end);
    page.answer(HISTORY, next, &coverage)
}

/// What the part of an address after `?` asks for.
pub(in crate::web) fn asked(query: Option<&str>, now: Timestamp) -> Result<Asked, Problem> {
    let mut parameters = Parameters::of(query);
    let text = |written: &str| Ok(written.to_owned());
    let limit = parameters.limit()?;
    let after = parameters.cursor::<FindingPlace>(LIST)?;
    if after.as_ref().is_some_and(|place| {
        place
            .index
            .is_some_and(|index| i64::try_from(index).is_err())
    }) {
        let detail = "cursor: this is not the `next` of an answer: begin without it";
        return Err(Problem::parameter("cursor", detail));
    }
    let every = parameters.one("all", word(["true", "false"], |word| word.parse().ok()))?;
    let mut states = parameters.all(
        "state",
        word(
            FindingState::ALL.map(FindingState::as_str),
            FindingState::from_word,
        ),
    )?;
    match every {
        Some(true) if !states.is_empty() => {
            return Err(Problem::parameter(
                "all",
                "all and state cannot be given together",
            ));
        }
        Some(true) => {}
        _ if states.is_empty() => states = FindingQuery::open().states,
        _ => {}
    }
    let digest = parameters.one("digest", FindingQuery::digest_of)?;
    let mut san = parameters.one("san", FindingQuery::san_of)?;
    if let Some(identity) = parameters.one("identity", FindingQuery::san_of)? {
        if san.is_some() {
            return Err(Problem::parameter(
                "identity",
                "identity is another name of san: give one of them",
            ));
        }
        san = Some(identity);
    }
    let query = FindingQuery {
        states,
        watches: parameters.all("watch", text)?,
        verdicts: parameters.all(
            "verdict",
            word(Verdict::ALL.map(Verdict::as_str), Verdict::from_word),
        )?,
        min_severity: parameters.one(
            "severity",
            word(Severity::ALL.map(Severity::as_str), |word| {
                word.parse().ok()
            }),
        )?,
        since: parameters.one("since", |written| times::parse_moment(written, now))?,
        digest,
        san,
        after,
        // One more than the page has: it shows whether there is another page.
        limit: Some(limit as u64 + 1),
    };
    parameters.end()?;
    Ok(Asked { query, limit })
}

async fn page(
    site: &Site,
    reading: &Reading<'_>,
    asked: &Asked,
    now: Timestamp,
) -> Result<Response, Problem> {
    let store = &*reading.store;
    let max_age = site.settings().ready_max_age;
    // Before the findings: what it says is read is then among them.
    let coverage = reading.view.coverage(store, max_age, now).await?;
    let mut page = Page::new(asked.limit);
    let mut last = None;
    let mut has_more = false;
    let mut found = store.findings(&asked.query);
    while let Some(finding) = found.try_next().await? {
        if page.is_full() {
            has_more = true;
            break;
        }
        page.add(&finding)?;
        last = Some(FindingPlace::from(&finding));
    }
    page.answer(LIST, last.as_ref().filter(|_| has_more), &coverage)
}

/// The finding with this id, in full.
async fn record(store: &dyn Findings, id: &str) -> Result<FindingRecord, Problem> {
    let id = handling::id(id)?;
    let record = store.finding(&id.to_string()).await?;
    record.ok_or_else(handling::unknown)
}
