//! One watch: what it selects, what it was compared with since when, its registrations and its findings.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use maud::{Markup, html};

use super::commands::{self, commands};
use super::failure::Failure;
use super::layout::{Page, Section};
use super::links;
use super::text::{moment, shown};
use super::watch_parts;
use crate::clock;
use crate::report::log::LogStatus;
use crate::report::{Status, WatchStatus};
use crate::store::{Reached, RecordedCheckpoints, Registration, StoreError};
use crate::watch::Watch;
use crate::web::site::{Reading, Site};

/// How many of the last registrations are looked at.
const RECENT: u32 = 500;

/// The page of the watch with this name.
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
    let status = reading.view.status(store, now).await?;
    let watch = status.watches.iter().find(|watch| watch.name() == name);
    let (Some(watch), Some(configured)) = (watch, reading.view.watch(name)) else {
        return Err(Failure::absent(
            "No watch of the configuration has this name.",
        ));
    };
    let known = Known {
        watch,
        configured,
        since: since(watch, &status, store).await?,
        registrations: store.last_registrations(RECENT).await?,
    };
    let page = Page {
        title: name,
        section: Section::Overview,
        as_of: now,
        body: known.body(),
    };
    Ok(page.into_response())
}

/// What the page shows.
struct Known<'a> {
    watch: &'a WatchStatus,
    configured: &'a Watch,
    /// For each tree: when it reached the entry from which on the watch covers all.
    since: Vec<Reached>,
    /// The last ones of all watches.
    registrations: Vec<Registration>,
}

async fn since(
    watch: &WatchStatus,
    status: &Status,
    store: &dyn RecordedCheckpoints,
) -> Result<Vec<Reached>, StoreError> {
    let mut since = Vec::new();
    for on in watch.on_logs() {
        let log = status.logs.iter().find(|log| log.name == on.log);
        let trees = log.map(LogStatus::tree_bases).unwrap_or_default();
        let tree = trees.iter().find(|(tree, _)| tree.as_str() == on.origin);
        since.push(match tree {
            Some((tree, base)) => store.reached(tree, on.from.saturating_sub(*base)).await?,
            None => Reached::default(),
        });
    }
    Ok(since)
}

impl Known<'_> {
    fn body(&self) -> Markup {
        let watch = self.watch;
        let name = watch.name();
        let filter = commands::word(name);
        let has_more = self.registrations.len() >= RECENT as usize;
        html! {
            h1 { "Watch " (shown(name)) }
            p.lead { (shown(&watch.covers())) }
            section aria-labelledby="findings" {
                h2 #findings { "Findings" }
                ul.counts {
                    li { a href=(links::findings(&[("watch", name)])) { "Open" } }
                    li { a href=(links::findings(&[("all", "true"), ("watch", name)])) { "All" } }
                    li { a href=(links::findings(&[("state", "resolved"), ("verdict", "expected"), ("watch", name)])) { "Registered signings" } }
                }
            }
            (watch_parts::selection(self.configured))
            (self.coverage())
            (watch_parts::registrations(name, &self.registrations, has_more))
            section aria-labelledby="command" {
                h2 #command { "On the command line" }
                @if let Some(filter) = &filter {
                    p { "Does it select the signing in a bundle, and why not?" }
                    (commands(&[format!("modelwatch check watch {filter} --against BUNDLE")]))
                }
                p { "All registrations:" }
                (commands(&["modelwatch expect list".to_owned()]))
            }
        }
    }

    fn coverage(&self) -> Markup {
        let watch = self.watch;
        html! {
            section aria-labelledby="coverage" {
                h2 #coverage { "What it was compared with" }
                @if watch.on_logs().next().is_none() { p.bad { "No log was read yet." } } @else {
                    div.scroll role="region" aria-labelledby="coverage-table" tabindex="0" {
                        table {
                            caption #coverage-table { "By log: since when everything is compared with it, and what was read without it" }
                            thead { tr {
                                th scope="col" { "Log" } th.number scope="col" { "From entry" } th scope="col" { "Logged since" } th scope="col" { "Gaps" }
                            } }
                            tbody {
                                @for (on, reached) in watch.on_logs().zip(&self.since) {
                                    tr {
                                        th scope="row" {
                                            a href=(links::log(on.log)) { (shown(on.log)) }
                                            @if on.origin != on.log { br; span.facts { (shown(on.origin)) } }
                                        }
                                        td.number { (on.from) }
                                        td { (logged_since(on.from, reached)) }
                                        td {
                                            @if on.gaps.is_empty() { "none" }
                                            @for (from, to) in on.gaps { span.bad { (from) " to " (to) } " " }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                @if let Some(filter) = commands::word(watch.name()).filter(|_| watch.has_gaps()) {
                    p { "This command compares it with the gaps:" }
                    (commands(&[format!("modelwatch rescan --watch {filter}")]))
                }
            }
        }
    }
}

/// When the entries from one on were logged.
fn logged_since(from: u64, reached: &Reached) -> Markup {
    html! {
        @match (from, reached.after, reached.by) {
            (0, ..) => "the beginning of the log",
            (_, _, Some(by)) => { (moment(by)) " at the latest" },
            (_, Some(after), None) => { "after " (moment(after)) },
            (_, None, None) => "not known: no checkpoint is kept",
        }
    }
}
