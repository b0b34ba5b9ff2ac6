//! A finding beside other signings: the last registered one of its watch, and those under the same name within a day.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use maud::{Markup, html};

use super::findings::rows;
use super::links;
use super::text::{moment, short, shown};
use crate::finding::{Class, Finding};
use crate::report::difference::{Field, fields};
use crate::store::{RelatedFindings, StoreError};

/// How many findings that were recorded before and after are looked at.
const AROUND: u32 = 250;

/// Most of them that are shown.
const SHOWN: usize = 10;

/// How far from it in time.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What is shown beside a finding.
pub(super) struct Beside {
    /// The last registered signing of its watch.
    expected: Option<Finding>,
    /// Findings with the same name or key within a day, in the order in which they were recorded.
    same: Vec<Finding>,
    /// There may be more of them.
    has_more: bool,
}

impl Beside {
    /// Reads it; `None` for a finding that is not about a signing.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub(super) async fn read(
        found: &Finding,
        store: &dyn RelatedFindings,
    ) -> Result<Option<Self>, StoreError> {
        let is_signing = found.verdict.class() == Class::Security && !signers(found).is_empty();
        let Some(watch) = found.watch.as_ref().filter(|_| is_signing) else {
            return Ok(None);
        };
        let expected = store.last_expected(watch, found.id).await?;
        let around = store.recorded_around(found.id, AROUND).await?;
        let is_near =
            |other: &Finding| other.first_seen.duration_since(found.first_seen).abs() <= DAY;
        // The ends of what was looked at lie within the day: there may be more beyond them.
        let has_more = around.len() > AROUND as usize
            && (around.first().is_some_and(is_near) || around.last().is_some_and(is_near));
        let of_found = signers(found);
        let same = around.into_iter().filter(|other| {
            is_near(other)
                && other.verdict.class() == Class::Security
                && !signers(other).is_disjoint(&of_found)
        });
        Ok(Some(Self {
            expected,
            same: same.collect(),
            has_more,
        }))
    }

    /// The difference from the last registered signing.
    pub(super) fn difference(&self, found: &Finding) -> Markup {
        html! {
            section aria-labelledby="difference" {
                h2 #difference { "What is different from the last registered signing" }
                @match &self.expected {
                    Some(expected) => (compared(&fields(found, expected), expected)),
                    None => p { "No other signing that this watch selected is registered: there is nothing to compare it with." },
                }
            }
        }
    }

    /// The signings under the same name within a day.
    pub(super) fn same_identity(&self, found: &Finding) -> Markup {
        let count = self.same.len();
        html! {
            section aria-labelledby="same" {
                h2 #same { "The same identity within a day" }
                @if count == 0 {
                    p { "Nothing else was found under this identity within a day before or after." }
                } @else {
                    p {
                        @if count == 1 { "1 other finding" } @else { (count) " other findings" }
                        " within a day before or after"
                        @if self.has_more { ", among the " (2 * AROUND) " that were recorded around it" }
                        @if count > SHOWN { "; the nearest " (SHOWN) }
                        ":"
                    }
                    (rows(self.nearest(found)))
                }
                @if let Some(san) = found.san.first() {
                    @let since = found.first_seen.saturating_sub(DAY).map(|at| at.to_string()).unwrap_or_default();
                    p { a href=(links::findings(&[("all", "true"), ("san", &san.value), ("since", &since)])) { "Everything under this name since one day before" } }
                }
            }
        }
    }

    /// The findings around the place at which this one was recorded.
    fn nearest(&self, found: &Finding) -> &[Finding] {
        let place = self
            .same
            .partition_point(|other| other.first_seen < found.first_seen);
        let last = self.same.len().saturating_sub(SHOWN);
        let from = place.saturating_sub(SHOWN / 2).min(last);
        let until = (from + SHOWN).min(self.same.len());
        self.same.get(from..until).unwrap_or_default()
    }
}

/// The names of a signer, or its key.
fn signers(found: &Finding) -> BTreeSet<&str> {
    let names: BTreeSet<&str> = found.san.iter().map(|san| san.value.as_str()).collect();
    if names.is_empty() {
        found.key_sha256.iter().map(String::as_str).collect()
    } else {
        names
    }
}

fn compared(fields: &[Field], expected: &Finding) -> Markup {
    let different: Vec<&str> = fields
        .iter()
        .filter(|field| field.differs())
        .map(|field| field.label)
        .collect();
    html! {
        p.lead {
            @match different.as_slice() {
                [] => "Nothing that is compared here differs.",
                labels => {
                    strong { "Different: " (labels.join(", ")) "." }
                    " A new ref and commit are usual; another name, workflow, repository, trigger, runner or issuer is not."
                },
            }
        }
        div.scroll role="region" aria-labelledby="difference-table" tabindex="0" {
            table.difference {
                caption #difference-table { "This signing and the last registered one of the same watch" }
                thead { tr { th scope="col" { "Field" } th scope="col" { "This signing" } th scope="col" { "Last registered" } th scope="col" { "" span.hidden { "Result" } } } }
                tbody {
                    @for field in fields {
                        tr.differs[field.differs()] {
                            th scope="row" { (field.label) }
                            td { (value(field.here.as_deref())) }
                            td { (value(field.expected.as_deref())) }
                            td { @if field.differs() { strong { "differs" } } @else { span.facts { "same" } } }
                        }
                    }
                }
            }
        }
        p.facts {
            "The registered one: " a href=(links::finding(expected.id)) {
                @match (expected.index, &expected.log) {
                    (Some(index), Some(log)) => { "entry " (index) " of " (short(log)) },
                    _ => (expected.id.to_string()),
                }
            }
            ", first seen " (moment(expected.first_seen)) "."
        }
    }
}

fn value(value: Option<&str>) -> Markup {
    html! {
        @match value { Some(value) => (shown(value)), None => span.facts { "none" } }
    }
}
