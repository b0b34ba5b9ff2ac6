//! One finding: what it means, what to do, and everything that is recorded about it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};

use super::commands::commands;
use super::failure::Failure;
use super::handling_form;
use super::layout::{Page, Section};
use super::links;
use super::text::{moment, shown};
use crate::clock;
use crate::finding::{Class, Finding};
use crate::report::{advice, finding};
use crate::store::{FindingRecord, Findings, StoreError};
use crate::web::caller::Caller;
use crate::web::site::Site;

/// Fewest digits of an id.
const MIN_DIGITS: usize = 4;

/// The page of the finding with this id. An id may be shortened, as in lists on a terminal.
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let now = clock::now();
    let reading = site.read().await?;
    let record = record(&*reading.store, &id).await;
    reading.store.close().await;
    let record = record?;
    let found = &record.finding;
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
        body: body(&record, &handling_form::form(&site, &caller, found)),
    };
    Ok(page.into_response())
}

async fn record(store: &dyn Findings, id: &str) -> Result<FindingRecord, Failure> {
    let is_id = (MIN_DIGITS..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_id {
        return Err(Failure::absent(
            "The id of a finding has 32 hexadecimal digits, or at least the first 4 of them.",
        ));
    }
    match store.finding(&id.to_ascii_lowercase()).await {
        Ok(Some(record)) => Ok(record),
        Ok(None) => Err(Failure::absent("There is no finding with this id.")),
        Err(StoreError::Ambiguous(_)) => Err(Failure::absent(
            "Several findings have an id that begins with these digits: use more of them.",
        )),
        Err(error) => Err(error.into()),
    }
}

fn body(record: &FindingRecord, form: &Markup) -> Markup {
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
            (same_name(found))
        }
        (signed(record))
        (evidence(record))
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

/// The list of what else has the first of its names.
fn same_name(found: &Finding) -> Markup {
    let Some(san) = found.san.first() else {
        return html! {};
    };
    let around = found
        .first_seen
        .saturating_sub(jiff::SignedDuration::from_hours(24));
    let since = around.map_or_else(|_| String::new(), |since| since.to_string());
    let filters = [("all", "true"), ("san", &san.value), ("since", &since)];
    html! {
        p { a href=(links::findings(&filters)) { "What this name signed since one day before" } }
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

fn evidence(record: &FindingRecord) -> Markup {
    let found = &record.finding;
    let json = format!("/api/v1/findings/{}", found.id);
    let is_entry = found.index.is_some() && found.verdict.class() == Class::Security;
    html! {
        section aria-labelledby="evidence" {
            h2 #evidence { "Evidence" }
            p {
                a href=(json) download=(format!("finding-{}.json", found.id)) { "Everything as JSON" }
                @if record.evidence.certificate.is_some() { ", with the certificate" }
                "."
            }
            @if is_entry {
                p { "A package that a third party can verify without this database, with the leaf, its inclusion proof and the checkpoint, is written by this command:" }
                (commands(&[format!("modelwatch findings show {} --evidence DIR", found.id)]))
            }
            @for (place, note) in record.evidence.notes.iter().enumerate() {
                h3 { "Signed note " (place + 1) " of the log" }
                pre tabindex="0" {
                    @for line in String::from_utf8_lossy(note).lines() { (shown(line)) "\n" }
                }
            }
        }
    }
}

fn history(record: &FindingRecord) -> Markup {
    html! {
        section aria-labelledby="history" {
            h2 #history { "History" }
            div.scroll role="region" aria-labelledby="history" tabindex="0" {
                table {
                    caption { "Each change of this finding, oldest first" }
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
