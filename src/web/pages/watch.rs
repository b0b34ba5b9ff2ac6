//! One watch: what it was compared with, and its findings.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};

use super::commands::{self, commands};
use super::failure::Failure;
use super::layout::{Page, Section};
use super::links;
use super::text::shown;
use crate::clock;
use crate::report::WatchStatus;
use crate::web::site::Site;

/// The page of the watch with this name.
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let now = clock::now();
    let reading = site.read().await?;
    let status = reading.view.status(&*reading.store, now).await;
    reading.store.close().await;
    let status = status?;
    let Some(watch) = status.watches.iter().find(|watch| watch.name() == name) else {
        return Err(Failure::absent(
            "No watch of the configuration has this name.",
        ));
    };
    let page = Page {
        title: &name,
        section: Section::Overview,
        as_of: now,
        body: body(watch),
    };
    Ok(page.into_response())
}

fn body(watch: &WatchStatus) -> Markup {
    let name = watch.name();
    let filter = commands::word(name);
    html! {
        h1 { "Watch " (shown(name)) }
        p.lead { (shown(&watch.covers())) }
        section aria-labelledby="coverage" {
            h2 #coverage { "What it was compared with" }
            @if watch.on_logs().next().is_none() { p.bad { "No log was read yet." } } @else {
                div.scroll role="region" aria-labelledby="coverage" tabindex="0" {
                    table {
                        caption { "By log: from which entry on, and what was read without it" }
                        thead { tr { th scope="col" { "Log" } th scope="col" { "Tree" } th.number scope="col" { "From entry" } th scope="col" { "Gaps" } } }
                        tbody {
                            @for on in watch.on_logs() {
                                tr {
                                    th scope="row" { (shown(on.log)) }
                                    td { (shown(on.origin)) }
                                    td.number { (on.from) }
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
            @if let Some(filter) = filter.as_ref().filter(|_| watch.has_gaps()) {
                p { "This command compares it with the gaps:" }
                (commands(&[format!("modelwatch rescan --watch {filter}")]))
            }
        }
        section aria-labelledby="findings" {
            h2 #findings { "Findings" }
            ul {
                li { a href=(links::findings(&[("watch", name)])) { "Open" } }
                li { a href=(links::findings(&[("all", "true"), ("watch", name)])) { "All" } }
                li { a href=(links::findings(&[("state", "resolved"), ("verdict", "expected"), ("watch", name)])) { "Registered signings" } }
            }
        }
        section aria-labelledby="more" {
            h2 #more { "What it selects, and what is registered" }
            p { "The conditions of a watch are in the configuration, and registrations may be thousands. These commands show both:" }
            @if let Some(filter) = &filter { (commands(&[format!("modelwatch check watch {filter} --against BUNDLE"), "modelwatch expect list".to_owned()])) }
            @else { (commands(&["modelwatch expect list".to_owned()])) }
        }
    }
}
