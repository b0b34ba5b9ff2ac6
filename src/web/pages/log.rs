//! One log: how far it is read, its trees, and why its last pass did not finish.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use maud::{Markup, html};

use super::commands::commands;
use super::failure::Failure;
use super::findings::limits;
use super::home::log_line;
use super::layout::{Page, Section};
use super::log_parts;
use super::strip::Strip;
use super::text::{moment, shown};
use crate::clock;
use crate::report::Coverage;
use crate::report::log::{LogStatus, TreeStatus};
use crate::web::site::{Reading, Site};

/// The page of the log with this name in the configuration.
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let now = clock::now();
    let reading = site.read().await?;
    let page = page(&reading, &name, now).await;
    reading.store.close().await;
    page
}

async fn page(reading: &Reading<'_>, name: &str, now: Timestamp) -> Result<Response, Failure> {
    let store = &*reading.store;
    let (status, coverage) = reading.covered(now).await?;
    let Some(log) = status.logs.iter().find(|log| log.name == name) else {
        return Err(Failure::absent("No log that is followed has this name."));
    };
    let known = Known {
        log,
        strip: Strip::read(log, &status, store, reading.max_age, now).await?,
        coverage: coverage.of_log(name),
        checkpoints: log_parts::checkpoints(log, store).await?,
        faults: log_parts::faults(name, store).await?,
    };
    let page = Page {
        title: name,
        section: Section::Overview,
        as_of: now,
        body: body(&known),
    };
    Ok(page.into_response())
}

/// What the page shows.
struct Known<'a> {
    log: &'a LogStatus,
    strip: Strip,
    coverage: Coverage,
    checkpoints: Vec<log_parts::OfTree>,
    faults: log_parts::Faults,
}

fn body(known: &Known<'_>) -> Markup {
    let log = known.log;
    html! {
        h1 { "Log " (shown(&log.name)) }
        (log_line(log))
        (known.strip.markup())
        section aria-labelledby="positions" {
            h2 #positions { "Positions" }
            dl {
                dt { "Origin" } dd { (shown(log.origin().unwrap_or("not known before there is a trusted root"))) }
                dt { "Type" } dd { (log.protocol()) }
                dt { "Mode" } dd { (log.mode().to_string()) }
                (position("First", "where reading began", log.first()))
                (position("Proven", "every entry below it is covered by a signed checkpoint", log.proven))
                (position("Seen", "every entry below it was read", log.seen))
                (position("Head", "the size of the largest checkpoint that was verified", log.head))
                @if let Some(lookups) = &log.lookups { dt { "Look-ups" } dd { (lookups.due) " names wait to be looked up" } }
            }
        }
        (trees(log.trees()))
        (known.faults.markup())
        (log_parts::list(&known.checkpoints))
        (limits(&known.coverage))
        section aria-labelledby="command" {
            h2 #command { "Ask the log now" }
            p { "This page is from the database. This command requests the checkpoint of every log:" }
            (commands(&["modelwatch check".to_owned()]))
        }
    }
}

fn position(label: &str, meaning: &str, value: Option<u64>) -> Markup {
    html! {
        dt { (label) }
        dd {
            @match value { Some(value) => { (value) }, None => "not known" }
            span.facts { " (" (meaning) ")" }
        }
    }
}

fn trees(trees: &[TreeStatus]) -> Markup {
    let number =
        |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    html! {
        @if !trees.is_empty() {
            section aria-labelledby="trees" {
                h2 #trees { "Trees" }
                div.scroll role="region" aria-labelledby="trees-table" tabindex="0" {
                    table {
                        caption #trees-table { "The trees of this log, oldest first; positions count within each" }
                        thead { tr {
                            th scope="col" { "Origin" } th.number scope="col" { "Begins at" } th.number scope="col" { "Proven" }
                            th.number scope="col" { "Seen" } th.number scope="col" { "Head" } th scope="col" { "Last proven" } th scope="col" { "State" }
                        } }
                        tbody {
                            @for tree in trees {
                                tr {
                                    th scope="row" { (shown(&tree.origin)) }
                                    td.number { (number(tree.base)) } td.number { (number(tree.proven)) }
                                    td.number { (number(tree.seen)) } td.number { (number(tree.head)) }
                                    td { @match tree.last_success { Some(at) => { (moment(at)) }, None => "never" } }
                                    td {
                                        @if tree.head.is_none() { strong.bad { "never verified" } }
                                        @else if tree.frozen { "ended" } @else { "followed" }
                                        @if let Some(error) = &tree.error { ": " (error.kind.to_string()) ": " (shown(&error.message)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
