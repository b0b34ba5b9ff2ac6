//! The list of findings, with the filters of `findings list` in the address.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use maud::{Markup, html};

use super::commands::commands;
use super::failure::Failure;
use super::filter_form::{self, Filters};
use super::layout::{Page, Section};
use super::links;
use super::text::{moment, short, shown};
use crate::clock;
use crate::finding::Finding;
use crate::report::Coverage;
use crate::store::FindingPlace;
use crate::web::api::{self, AskedFindings};
use crate::web::site::{Reading, Site};

/// Most bytes of the names in a page. It ends with the finding that exceeds them.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

/// The findings that a person has to look at, or those of the filters.
pub(super) async fn show(State(site): State<Arc<Site>>, uri: Uri) -> Result<Response, Failure> {
    let now = clock::now();
    let filters = Filters::of(uri.query());
    let asked = api::asked_findings(Some(&filters.address()), now)?;
    let reading = site.read().await?;
    let page = page(&site, &reading, &filters, &asked, now).await;
    reading.store.close().await;
    page
}

async fn page(
    site: &Site,
    reading: &Reading<'_>,
    filters: &Filters,
    asked: &AskedFindings,
    now: Timestamp,
) -> Result<Response, Failure> {
    let store = &*reading.store;
    let max_age = site.settings().ready_max_age;
    // Before the findings: what it says is read is then among them.
    let coverage = reading.view.coverage(store, max_age, now).await?;
    let mut listed: Vec<Finding> = Vec::new();
    let mut bytes = 0;
    let mut has_more = false;
    let mut found = store.findings(&asked.query);
    while let Some(finding) = found.try_next().await? {
        if listed.len() >= asked.limit || bytes > MAX_PAGE_BYTES {
            has_more = true;
            break;
        }
        bytes +=
            finding.summary.len() + finding.san.iter().map(|san| san.value.len()).sum::<usize>();
        listed.push(finding);
    }
    drop(found);
    let end = listed.last().map(FindingPlace::from).filter(|_| has_more);
    let next = end.and_then(|end| api::cursor::encode(api::FINDINGS, &end));
    let title = filters.title();
    let page = Page {
        title: &title,
        section: Section::Findings,
        as_of: now,
        body: html! {
            h1 { (shown(&title)) }
            (filter_form::form(filters))
            @if listed.is_empty() {
                p.lead { (if filters.is_default() { "No finding is open." } else { "There is no such finding." }) }
            } @else {
                (rows(&listed))
            }
            @if let Some(next) = next {
                p { a rel="next" href=(format!("/findings?{}", filters.with("cursor", &next))) { "Next page" } }
            }
            @if filters.is_default() {
                p { a href=(links::findings(&[("all", "true")])) { "All findings" } ", also those that are held, acknowledged or resolved." }
            }
            (limits(&coverage))
            @if let Some(command) = filters.command() {
                section aria-labelledby="command" {
                    h2 #command { "The same on the command line" }
                    (commands(&[command]))
                }
            }
        },
    };
    Ok(page.into_response())
}

/// The findings in a list.
pub(super) fn rows(findings: &[Finding]) -> Markup {
    html! {
        ol.findings {
            @for finding in findings {
                li.(finding.severity.as_str()) {
                    p.badges {
                        span.badge.(finding.severity.as_str()) { (finding.severity.as_str()) }
                        " " span.state { (finding.state.as_str()) }
                        " " span.verdict { (finding.verdict.as_str()) }
                    }
                    p.summary { a href=(links::finding(finding.id)) { (short(&finding.summary)) } }
                    p.facts {
                        @if let Some(watch) = &finding.watch { span { "watch " (short(watch)) } " " }
                        @if let Some(log) = &finding.log {
                            span {
                                @if let Some(index) = finding.index { "entry " (index) " of " }
                                (short(log))
                            } " "
                        }
                        span { "first seen " (moment(finding.first_seen)) }
                    }
                }
            }
        }
    }
}

/// What a list does not show, because it was not read, proven or compared.
pub(super) fn limits(coverage: &Coverage) -> Markup {
    html! {
        section.limits aria-labelledby="limits" {
            h2 #limits { "How far this can be relied on" }
            @if coverage.why.is_empty() {
                p { "Every log that is followed was read from its first position on and proven up to its end, and every watch was compared with all of it." }
            } @else {
                p { strong { "Something may be missing here:" } }
                ul {
                    @for why in &coverage.why {
                        li {
                            @if let Some(log) = &why.log { (short(log)) ": " }
                            (shown(&why.message))
                        }
                    }
                }
            }
        }
    }
}
