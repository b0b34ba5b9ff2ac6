//! One finding: what it means, what to do, and everything that is recorded about it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};

use super::commands::commands;
use super::evidence;
use super::failure::Failure;
use super::finding_difference::Beside;
use super::finding_proof::Proof;
use super::found::record;
use super::handling_form;
use super::layout::{Page, Section};
use super::links;
use super::text::{moment, shown};
use crate::clock;
use crate::finding::Finding;
use crate::report::{advice, finding};
use crate::store::FindingRecord;
use crate::web::caller::Caller;
use crate::web::site::{Reading, Site};

/// The page of the finding with this id. An id may be shortened, as in lists on a terminal.
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let now = clock::now();
    let reading = site.read().await?;
    let known = Known::read(&reading, &id).await;
    reading.store.close().await;
    let known = known?;
    let found = &known.record.finding;
    if found.id.to_string() != id {
        let mut answer = StatusCode::SEE_OTHER.into_response();
        // An address of ASCII letters and digits.
        if let Ok(address) = HeaderValue::from_str(&links::finding(found.id)) {
            answer.headers_mut().insert(LOCATION, address);
        }
        return Ok(answer);
    }
    let page = Page {
        title: finding::heading(found),
        section: Section::Findings,
        as_of: now,
        body: body(&known, &handling_form::form(&site, &caller, found)),
    };
    Ok(page.into_response())
}

/// What the page shows.
struct Known {
    record: FindingRecord,
    beside: Option<Beside>,
    proof: Option<Proof>,
}

impl Known {
    async fn read(reading: &Reading<'_>, id: &str) -> Result<Self, Failure> {
        let store = &*reading.store;
        let record = record(store, id).await?;
        Ok(Self {
            beside: Beside::read(&record.finding, store).await?,
            proof: Proof::read(&record, &reading.view, store).await?,
            record,
        })
    }
}

fn body(known: &Known, form: &Markup) -> Markup {
    let record = &known.record;
    let found = &record.finding;
    let advice = advice::of(found);
    html! {
        h1 { (finding::heading(found)) }
        p.badges {
            span.badge.(found.severity.as_str()) { (found.severity.as_str()) }
            " " span.state { (found.state.as_str()) }
            " " span.verdict { (found.verdict.as_str()) }
        }
        p.lead { (shown(&found.summary)) }
        @if !found.state.is_open() {
            p.closed { "This finding is " strong { (found.state.as_str()) } ": its history says since when and why." }
        }
        section aria-labelledby="meaning" {
            h2 #meaning { "What it means" }
            p { (advice.meaning) }
            h2 #action { "What to do now" }
            p { (advice.action) }
            (commands(&advice::commands(found)))
        }
        (form)
        section aria-labelledby="facts" {
            h2 #facts { "Who, what, when, where" }
            dl {
                @for (label, value) in finding::brief(found, false).iter().filter(|(label, _)| *label != "Summary") {
                    dt { (label) }
                    dd { @if *label == "When" { (when(found)) } @else { (shown(value)) } }
                }
            }
        }
        @if let Some(beside) = &known.beside { (beside.difference(found)) }
        (signed(record))
        @if let Some(proof) = &known.proof { (proof.markup(found)) }
        @if let Some(beside) = &known.beside { (beside.same_identity(found)) }
        (evidence::section(record, known.proof.as_ref().is_some_and(Proof::is_kept)))
        (history(record))
        (alerts(record))
        section aria-labelledby="all" {
            h2 #all { "Everything that is recorded" }
            dl {
                @for (label, value) in finding::facts(found) {
                    dt { (label) }
                    dd { (shown(&value)) }
                }
            }
        }
    }
}

fn when(found: &Finding) -> Markup {
    html! {
        @if let Some(issued) = found.not_before { "certificate issued " (moment(issued)) ", " }
        "first seen here " (moment(found.first_seen))
    }
}

fn signed(record: &FindingRecord) -> Markup {
    html! {
        @if let Some(payload) = &record.payload {
            section aria-labelledby="signed" {
                h2 #signed { "What was signed" }
                p { (shown(&payload.statement)) }
                p.facts { "From the file " (shown(&payload.file)) "." }
            }
        }
    }
}

fn history(record: &FindingRecord) -> Markup {
    html! {
        section aria-labelledby="history" {
            h2 #history { "History" }
            div.scroll role="region" aria-labelledby="history-table" tabindex="0" {
                table {
                    caption #history-table { "Each change of this finding, oldest first" }
                    thead { tr {
                        th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "Who" }
                        th scope="col" { "From then on" } th scope="col" { "Why" }
                    } }
                    tbody {
                        @for row in &record.history {
                            tr {
                                td { (moment(row.at)) }
                                td { (row.action.as_str()) }
                                td { (shown(row.author.as_deref().unwrap_or("modelwatch"))) }
                                td { (row.state.as_str()) ", " (row.verdict.as_str()) ", " (row.severity.as_str()) }
                                td { (shown(&row.reason)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn alerts(record: &FindingRecord) -> Markup {
    html! {
        section aria-labelledby="alerts" {
            h2 #alerts { "Alerts" }
            @if record.alerts.is_empty() {
                p { "No alert has this finding." }
            } @else {
                ul {
                    @for (channel, id, delivered) in &record.alerts {
                        li {
                            (shown(channel)) " (" (shown(id)) "): "
                            @match delivered {
                                Some(at) => { "delivered " (moment(*at)) },
                                None => { strong { "not delivered" } ": " code { "modelwatch status" } " shows why" },
                            }
                        }
                    }
                }
            }
        }
    }
}
