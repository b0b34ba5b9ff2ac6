//! Every way of going blind, with its present state.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use maud::{Markup, html};

use super::commands::commands;
use super::failure::Failure;
use super::findings::limits;
use super::layout::{Page, Section};
use super::links;
use super::text::{moment, shown};
use crate::clock;
use crate::finding::{Class, Verdict};
use crate::report::advice::{self, Advice};
use crate::report::{Coverage, LastPass, Status, finding};
use crate::store::WaitingFindings;
use crate::web::site::{Reading, Site};

/// The page.
pub(super) async fn show(State(site): State<Arc<Site>>) -> Result<Response, Failure> {
    let now = clock::now();
    let reading = site.read().await?;
    let known = Known::read(&site, &reading, now).await;
    reading.store.close().await;
    let known = known?;
    let page = Page {
        title: "Health",
        section: Section::Health,
        as_of: now,
        body: known.body(),
    };
    Ok(page.into_response())
}

/// What the page shows.
struct Known {
    status: Status,
    coverage: Coverage,
    waiting: WaitingFindings,
    last_pass: Option<LastPass>,
}

impl Known {
    async fn read(site: &Site, reading: &Reading<'_>, now: Timestamp) -> Result<Self, Failure> {
        let store = &*reading.store;
        let status = reading.view.status(store, now).await?;
        Ok(Self {
            coverage: Coverage::of(&status, site.settings().ready_max_age, now),
            waiting: store.waiting_findings().await?,
            last_pass: reading.view.last_pass(store).await?,
            status,
        })
    }

    /// How many findings with this verdict are open.
    fn open(&self, verdict: Verdict) -> u64 {
        let open = self.waiting.open.iter();
        let open = open.filter(|((_, of), _)| *of == verdict);
        open.map(|(_, count)| *count).fold(0, u64::saturating_add)
    }

    fn body(&self) -> Markup {
        let ways = Verdict::ALL.into_iter();
        let ways = ways.filter(|verdict| verdict.class() == Class::Health);
        let (present, absent): (Vec<Verdict>, Vec<Verdict>) =
            ways.partition(|verdict| self.open(*verdict) > 0);
        html! {
            h1 { "Health" }
            (self.monitor())
            section aria-labelledby="present" {
                h2 #present { "Ways of going blind that are present" }
                @if present.is_empty() {
                    p { "No finding about the monitoring is open." }
                }
                @for verdict in &present { (self.present(*verdict)) }
            }
            (self.delivery())
            (limits(&self.coverage))
            (absent_ways(&absent))
            section aria-labelledby="unseen" {
                h2 #unseen { "What this page cannot show" }
                p { "Whether the whole machine is off: only a heartbeat that stays away shows it. Whether a log, a watch and a channel would really catch a theft: this command tries it." }
                (commands(&["modelwatch drill".to_owned(), "modelwatch check".to_owned()]))
            }
        }
    }

    fn monitor(&self) -> Markup {
        html! {
            section aria-labelledby="monitor" {
                h2 #monitor { "The monitor" }
                dl {
                    dt { "Last pass" }
                    dd {
                        @match &self.last_pass {
                            Some(pass) => { "ended " (moment(pass.ended)) },
                            None => "none is recorded",
                        }
                    }
                    dt { "Daemon" }
                    dd {
                        @match &self.status.daemon {
                            Some(daemon) => {
                                "process " (daemon.process) ", its configuration was read " (moment(daemon.loaded))
                                @if daemon.changed {
                                    ", " strong.bad { "and the file has changed since" } ": " code { "systemctl reload modelwatch" } " loads it"
                                }
                            },
                            None => "none has recorded itself",
                        }
                    }
                    @if let Some(trust) = &self.status.trust {
                        dt { "Trusted root" }
                        dd {
                            "from " (shown(&trust.source))
                            @if !trust.known { ", " strong.bad { "never verified: nothing is read" } }
                            @if let Some(at) = trust.refreshed { ", verified " (moment(at)) }
                            @if let Some(at) = trust.expires { ", expires " (moment(at)) }
                            @for log in &trust.not_followed {
                                br; "not followed" @if log.ignored { ", as configured" } ": " (shown(&log.log))
                            }
                            @for remark in &trust.remarks { br; (shown(remark)) }
                        }
                    }
                }
            }
        }
    }

    fn present(&self, verdict: Verdict) -> Markup {
        let Advice { meaning, action } = advice::of_health(verdict);
        html! {
            h3.bad { (finding::heading_of(verdict)) ": " (self.open(verdict)) " open" }
            p { (meaning) }
            p { (action) }
            p { a href=(links::findings(&[("verdict", verdict.as_str())])) { "Open findings: " (verdict.as_str()) } }
        }
    }

    fn delivery(&self) -> Markup {
        let alerts = &self.status.alerts;
        html! {
            section aria-labelledby="delivery" {
                h2 #delivery { "Delivery of alerts" }
                p {
                    (alerts.pending()) " pending, "
                    @if alerts.due() > 0 { strong.bad { (alerts.due()) " of them due" } ", " }
                    @if alerts.failed() > 0 { strong.bad { (alerts.failed()) " given up" } } @else { "none given up" }
                    "."
                }
                @if !alerts.errors().is_empty() {
                    ul { @for error in alerts.errors() { li { (shown(error)) } } }
                }
                p { "A test message on every channel:" }
                (commands(&["modelwatch check notify".to_owned()]))
            }
        }
    }
}

fn absent_ways(absent: &[Verdict]) -> Markup {
    html! {
        section aria-labelledby="absent" {
            h2 #absent { "Ways of going blind of which none is open" }
            p { "Each becomes a finding when a pass or a check sees it. When no pass ends, nothing is seen: compare the last pass above, and when each log was proven last." }
            div.scroll role="region" aria-labelledby="absent" tabindex="0" {
                table {
                    caption { "Ways of going blind that no open finding reports" }
                    thead { tr { th scope="col" { "Finding" } th scope="col" { "It would mean" } } }
                    tbody {
                        @for verdict in absent {
                            tr {
                                th scope="row" { (verdict.as_str()) }
                                td { (advice::of_health(*verdict).meaning) }
                            }
                        }
                    }
                }
            }
        }
    }
}
