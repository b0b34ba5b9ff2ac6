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
    let known = Known::read(&reading, now).await;
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

/// The ways of going blind.
fn ways() -> impl Iterator<Item = Verdict> {
    let all = Verdict::ALL.into_iter();
    all.filter(|verdict| verdict.class() == Class::Health)
}

/// What the page shows.
struct Known {
    status: Status,
    coverage: Coverage,
    waiting: WaitingFindings,
    last_pass: Option<LastPass>,
    heartbeat: Option<Timestamp>,
}

impl Known {
    async fn read(reading: &Reading<'_>, now: Timestamp) -> Result<Self, Failure> {
        let store = &*reading.store;
        let (status, coverage) = reading.covered(now).await?;
        Ok(Self {
            coverage,
            waiting: store.waiting_findings().await?,
            last_pass: reading.view.last_pass(store).await?,
            heartbeat: reading.view.last_heartbeat(store).await?,
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
        let present: Vec<Verdict> = ways().filter(|verdict| self.open(*verdict) > 0).collect();
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
            (self.every_way())
            section aria-labelledby="unseen" {
                h2 #unseen { "What this page cannot show" }
                p { "Whether a log, a watch and a channel would really catch a theft: this command tries it." }
                (commands(&["modelwatch drill".to_owned()]))
                p { "Whether the logs, the trusted root and the channels answer now:" }
                (commands(&["modelwatch check".to_owned()]))
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

    /// Every way of going blind, with its present state.
    fn every_way(&self) -> Markup {
        html! {
            section aria-labelledby="ways" {
                h2 #ways { "Every way of going blind" }
                p { "Each becomes a finding when a pass or a check sees it. When no pass ends, nothing is seen: compare the last pass above, and when each log was proven last." }
                div.scroll role="region" aria-labelledby="ways-table" tabindex="0" {
                    table.ways {
                        caption #ways-table { "Ways of going blind, with their present state" }
                        thead { tr { th scope="col" { "Way" } th scope="col" { "Now" } th scope="col" { "What it means" } } }
                        tbody {
                            @for verdict in ways() {
                                tr {
                                    th scope="row" { (verdict.as_str()) }
                                    td { (self.state(verdict)) }
                                    td { (advice::of_health(verdict).meaning) }
                                }
                            }
                            (self.without_finding())
                        }
                    }
                }
            }
        }
    }

    fn state(&self, verdict: Verdict) -> Markup {
        html! {
            @match self.open(verdict) {
                0 => "none open",
                open => a.bad href=(links::findings(&[("verdict", verdict.as_str())])) { strong { (open) " open" } },
            }
        }
    }

    /// What no finding reports.
    fn without_finding(&self) -> Markup {
        let ended: Vec<&str> = self
            .status
            .logs
            .iter()
            .filter(|log| log.frozen)
            .map(|log| log.name.as_str())
            .collect();
        html! {
            tr {
                th scope="row" { "a log that its operator ended" }
                td {
                    @if ended.is_empty() { "none" }
                    @for (place, log) in ended.iter().enumerate() { @if place > 0 { ", " } a href=(links::log(log)) { (shown(log)) } }
                }
                td { "Its operator ended it with a last checkpoint, and another log continues it. No finding reports this: it is no failure." }
            }
            tr {
                th scope="row" { "a second monitor" }
                td { "not known here" }
                td { "It ends by itself with exit code 3, and its message names the process that has the lock of the database." }
            }
            tr {
                th scope="row" { "the machine is off" }
                td {
                    @match self.heartbeat {
                        Some(at) => { "last heartbeat " (moment(at)) },
                        None => "no heartbeat was sent",
                    }
                }
                td { "Nothing on this machine can report it: only a heartbeat that stays away does, where it is received." }
            }
        }
    }
}
