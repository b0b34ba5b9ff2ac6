//! The first page: what is known in a few sentences, and what they are based on.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use maud::{Markup, html};

use super::commands::commands;
use super::failure::Failure;
use super::findings::{limits, rows};
use super::layout::{Page, Section};
use super::links;
use super::strip::Strip;
use super::text::{moment, short, shown};
use super::timeline::timeline;
use crate::clock;
use crate::finding::{Finding, FindingId, Severity, Verdict};
use crate::report::log::LogStatus;
use crate::report::{Coverage, Headline, Status, WatchStatus};
use crate::store::{RecentFinding, Store, StoreError, WaitingFindings};
use crate::web::site::{Reading, Site};

/// How many of the last findings are looked at for the time line.
const RECENT: u32 = 2_000;

/// Most open findings that are shown here.
const SHOWN_FINDINGS: usize = 5;

/// Most logs and most watches that are shown here.
const SHOWN: usize = 50;

/// The page.
pub(super) async fn show(State(site): State<Arc<Site>>) -> Result<Response, Failure> {
    let now = clock::now();
    let reading = site.read().await?;
    let known = Known::read(&reading, now).await;
    reading.store.close().await;
    let known = known?;
    let page = Page {
        title: "Overview",
        section: Section::Overview,
        as_of: now,
        body: known.body(now),
    };
    Ok(page.into_response())
}

/// What the page shows.
struct Known {
    status: Status,
    /// Those of the logs that are shown, in their order.
    strips: Vec<Strip>,
    coverage: Coverage,
    waiting: WaitingFindings,
    recent: Vec<RecentFinding>,
    /// The most severe of the last open findings.
    worst: Vec<Finding>,
}

impl Known {
    async fn read(reading: &Reading<'_>, now: Timestamp) -> Result<Self, Failure> {
        let store = &*reading.store;
        // Before the findings: what it says is read is then among them.
        let (status, coverage) = reading.covered(now).await?;
        let mut strips = Vec::new();
        for log in first_logs(&status) {
            strips.push(Strip::read(log, &status, store, reading.max_age, now).await?);
        }
        let recent = store.recent_findings(RECENT).await?;
        let mut open: Vec<&RecentFinding> = recent
            .iter()
            .filter(|found| found.state.is_open())
            .collect();
        // They are the newest first, and stay so among equals.
        open.sort_by_key(|found| Reverse(found.severity));
        let ids = open.iter().take(SHOWN_FINDINGS).map(|found| found.id);
        Ok(Self {
            worst: findings(store, ids).await?,
            waiting: store.waiting_findings().await?,
            status,
            strips,
            coverage,
            recent,
        })
    }

    fn body(&self, now: Timestamp) -> Markup {
        let Headline {
            findings,
            logs,
            blind,
        } = Headline::of(&self.status, &self.coverage, &self.waiting);
        let has_more = self.recent.len() >= RECENT as usize;
        html! {
            h1.headline {
                @for sentence in [&findings, &logs, &blind] {
                    span.(if sentence.is_good { "good" } else { "bad" }) { (shown(&sentence.text)) } " "
                }
            }
            @if !blind.is_good { p { a href="/health" { "What is blind, and what to do" } } }
            (self.open_findings())
            (self.logs())
            (timeline(&self.recent, has_more, now))
            (self.watches())
            (limits(&self.coverage))
            section aria-labelledby="command" {
                h2 #command { "The same on the command line" }
                (commands(&["modelwatch status".to_owned(), "modelwatch findings list".to_owned()]))
            }
        }
    }

    fn open_findings(&self) -> Markup {
        html! {
            section aria-labelledby="open" {
                h2 #open { "Open findings" }
                @if self.waiting.open.is_empty() {
                    p { "No finding is open." }
                } @else {
                    ul.counts {
                        @for (severity, verdict, count) in by_verdict(&self.waiting) {
                            li {
                                span.badge.(severity.as_str()) { (severity.as_str()) } " "
                                a href=(links::findings(&[("verdict", verdict.as_str())])) { (count) " " (verdict.as_str()) }
                            }
                        }
                    }
                    @if self.worst.is_empty() {
                        p { "They are older than the last " (RECENT) " findings: " a href="/findings" { "all open findings" } "." }
                    } @else {
                        h3 { "The most severe of the last " (RECENT) " findings" }
                        (rows(&self.worst))
                        p { a href="/findings" { "All open findings" } }
                    }
                }
            }
        }
    }

    fn logs(&self) -> Markup {
        let logs = &self.status.logs;
        html! {
            section aria-labelledby="logs" {
                h2 #logs { "Logs" }
                @if logs.is_empty() { p.bad { "No log is followed: nothing is read." } }
                @for (log, strip) in first_logs(&self.status).iter().zip(&self.strips) {
                    h3 { a href=(links::log(&log.name)) { (short(&log.name)) } }
                    (log_line(log))
                    (strip.markup())
                }
                (more(logs.len(), "logs"))
            }
        }
    }

    fn watches(&self) -> Markup {
        let watches = &self.status.watches;
        html! {
            section aria-labelledby="watches" {
                h2 #watches { "Watches" }
                @if watches.is_empty() { p.bad { "There is no watch: nothing is selected." } } @else {
                    div.scroll role="region" aria-labelledby="watches-table" tabindex="0" {
                        table {
                            caption #watches-table { "What each watch was compared with" }
                            thead { tr { th scope="col" { "Watch" } th scope="col" { "Covers" } } }
                            tbody {
                                @for watch in first(watches, WatchStatus::has_gaps) {
                                    tr {
                                        th scope="row" { a href=(links::watch(watch.name())) { (short(watch.name())) } }
                                        td { (shown(&watch.covers())) }
                                    }
                                }
                            }
                        }
                    }
                }
                (more(watches.len(), "watches"))
            }
        }
    }
}

/// The line under the name of a log.
pub(super) fn log_line(log: &LogStatus) -> Markup {
    html! {
        p {
            @match log.last_success {
                Some(at) => { "Proven up to its end of " (moment(at)) },
                None => strong.bad { "No pass has proven all of it" },
            }
            @if log.frozen { "; ended by its operator" }
            "."
            @if let Some(error) = &log.error {
                " " strong.bad { "The last pass did not finish: " (error.kind.to_string()) ": " (shown(&error.message)) }
            }
        }
    }
}

/// How many findings with each verdict are open, and how severe the worst of them is; the most severe first.
fn by_verdict(waiting: &WaitingFindings) -> Vec<(Severity, Verdict, u64)> {
    let mut counts: BTreeMap<Verdict, (Severity, u64)> = BTreeMap::new();
    for ((severity, verdict), count) in &waiting.open {
        let of_verdict = counts.entry(*verdict).or_insert((*severity, 0));
        *of_verdict = (of_verdict.0.max(*severity), of_verdict.1 + count);
    }
    let mut counts: Vec<_> = counts
        .into_iter()
        .map(|(verdict, (severity, count))| (severity, verdict, count))
        .collect();
    counts.sort_by_key(|(severity, ..)| Reverse(*severity));
    counts
}

/// The logs that are shown.
fn first_logs(status: &Status) -> Vec<&LogStatus> {
    first(&status.logs, |log| log.error.is_some())
}

/// At most [`SHOWN`], those that are wrong first.
fn first<T>(all: &[T], is_wrong: impl Fn(&T) -> bool) -> Vec<&T> {
    let (mut shown, right): (Vec<&T>, Vec<&T>) = all.iter().partition(|one| is_wrong(one));
    shown.extend(right);
    shown.truncate(SHOWN);
    shown
}

fn more(count: usize, what: &str) -> Markup {
    html! {
        @if count > SHOWN {
            p { "and " (count - SHOWN) " more " (what) ", all of them by this command:" }
            (commands(&["modelwatch status".to_owned()]))
        }
    }
}

async fn findings(
    store: &dyn Store,
    ids: impl Iterator<Item = FindingId>,
) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for id in ids {
        let record = store.finding(&id.to_string()).await?;
        findings.extend(record.map(|record| record.finding));
    }
    Ok(findings)
}
