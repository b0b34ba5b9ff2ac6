//! How far a log is read, as a strip over time, and in words by its entries.

mod entries;
mod timed;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use self::entries::{Kind, LEAST, Part, few, parts, placed};
use self::timed::{Axis, Logged, stretches};
use super::text::moment;
use crate::report::log::LogStatus;
use crate::report::{Status, time};
use crate::store::{Reached, RecordedCheckpoints, StoreError};

/// Width of a strip, in units of its drawing.
const WIDTH: u64 = 1_000;

/// Width of what was logged before the first checkpoint, at times that are not known.
const EARLIER: u64 = 120;

/// Width between it and the time that is known.
const BETWEEN: u64 = 6;

/// What is known of a log, to be drawn.
pub(super) struct Strip(Shown);

/// What a strip shows.
enum Shown {
    /// Nothing of it is known in parts: the class of its colour, and why.
    Plain(&'static str, &'static str),
    /// Its entries in parts.
    Parts {
        parts: Vec<(Part, Logged)>,
        /// The end of the log is not known.
        is_open: bool,
        /// The entries of the first checkpoint.
        earlier: u64,
        /// `None`: no checkpoint is kept.
        axis: Option<Axis>,
    },
}

impl Strip {
    /// The strip of a log, with the times that the store knows. `max_age`: from when on the last pass is old.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub(super) async fn read(
        log: &LogStatus,
        status: &Status,
        store: &dyn RecordedCheckpoints,
        max_age: Duration,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        if log.is_guided() {
            return Ok(Self(Shown::Plain(
                "guided",
                "The entries of this log are not read: they are looked up by certificates in other logs.",
            )));
        }
        let (Some(first), Some(seen)) = (log.first(), log.seen) else {
            return Ok(Self(Shown::Plain(
                "unread",
                "Nothing of this log is read yet.",
            )));
        };
        let proven = log.proven.unwrap_or(first);
        let gaps = status.gaps_of(&log.name);
        let parts = few(parts(first, proven, seen, log.head.unwrap_or(seen), &gaps));
        if parts.is_empty() {
            return Ok(Self(Shown::Plain("proven", "The log is empty.")));
        }
        let times = Times::read(log, &parts, store).await?;
        let logged = |(_, from, to): &Part| Logged::between(times.at(*from), times.at(*to));
        Ok(Self(Shown::Parts {
            parts: parts.iter().map(|part| (*part, logged(part))).collect(),
            is_open: log.head.is_none(),
            earlier: times.earlier,
            axis: times.begun.map(|begun| Axis {
                begun,
                proven: log.last_success,
                is_stale: log.error.is_some() || log.is_stale(max_age, now),
                now,
            }),
        }))
    }

    /// The strip with its description.
    pub(super) fn markup(&self) -> Markup {
        match &self.0 {
            Shown::Plain(class, text) => plain(class, text),
            Shown::Parts {
                parts,
                is_open,
                earlier,
                axis,
            } => {
                let mut texts: Vec<String> = parts.iter().map(described).collect();
                if *is_open {
                    texts.push("the end of the log is not known".to_owned());
                }
                texts.extend(axis.as_ref().and_then(since));
                html! {
                    (drawing(parts, *earlier, axis.as_ref(), &texts.join("; ")))
                    (legend(parts, axis.as_ref()))
                }
            }
        }
    }
}

/// When a log reached the borders of its parts.
struct Times {
    /// When the first of its checkpoints was recorded.
    begun: Option<Timestamp>,
    /// The entries that it had then.
    earlier: u64,
    reached: BTreeMap<u64, Reached>,
}

impl Times {
    async fn read(
        log: &LogStatus,
        parts: &[Part],
        store: &dyn RecordedCheckpoints,
    ) -> Result<Self, StoreError> {
        let trees = log.tree_bases();
        let mut firsts = Vec::new();
        for (tree, base) in &trees {
            let first = store.first_checkpoint(tree).await?;
            firsts.extend(first.map(|first| (first.at, base.saturating_add(first.head.size))));
        }
        let mut times = Self {
            begun: firsts.iter().map(|(at, _)| *at).min(),
            earlier: firsts.iter().map(|(_, end)| *end).max().unwrap_or(0),
            reached: BTreeMap::new(),
        };
        // Of what is proven no border is drawn.
        let borders = parts.iter().filter(|(kind, ..)| *kind != Kind::Proven);
        for border in borders.flat_map(|(_, from, to)| [*from, *to]) {
            // A border between two trees is the end of the earlier one.
            let within = trees.iter().rev().find(|(_, base)| *base < border);
            if let Some((tree, base)) = within.or(trees.first()) {
                let reached = store.reached(tree, border.saturating_sub(*base)).await?;
                times.reached.insert(border, reached);
            }
        }
        Ok(times)
    }

    fn at(&self, border: u64) -> Reached {
        self.reached.get(&border).copied().unwrap_or_default()
    }
}

fn described(((kind, from, to), logged): &(Part, Logged)) -> String {
    let entries = format!("entries {from} to {to} {}", kind.text());
    let when = match (kind, logged.after, logged.by) {
        (Kind::Proven, ..) | (_, None, None) => return entries,
        (_, Some(after), Some(by)) => format!("logged between {} and {}", time(after), time(by)),
        (_, Some(after), None) => format!("logged after {}", time(after)),
        (_, None, Some(by)) => format!("logged before {}", time(by)),
    };
    format!("{entries}, {when}")
}

/// What is known of the time after the last pass.
fn since(axis: &Axis) -> Option<String> {
    let at = axis.proven?;
    Some(if axis.is_stale {
        format!("no pass has proven the log since {}", time(at))
    } else {
        format!("proven at {}, and not asked since", time(at))
    })
}

fn drawing(parts: &[(Part, Logged)], earlier: u64, axis: Option<&Axis>, text: &str) -> Markup {
    let early: Vec<Part> = parts
        .iter()
        .map(|((kind, from, to), _)| (*kind, *from, (*to).min(earlier)))
        .filter(|(_, from, to)| from < to)
        .collect();
    let timed = axis.map_or_else(Vec::new, |axis| {
        let kinds: Vec<_> = parts
            .iter()
            .map(|((kind, ..), logged)| (*kind, *logged))
            .collect();
        stretches(axis, &kinds)
    });
    let widest = EARLIER.max(LEAST * early.len() as u64);
    let begin = match (early.is_empty(), timed.is_empty()) {
        (true, _) => 0,
        (false, true) => WIDTH,
        (false, false) => widest + BETWEEN,
    };
    html! {
        svg.strip role="img" aria-label=(text) viewBox="0 0 1000 24" preserveAspectRatio="none" {
            @for (part, place) in early.iter().zip(placed(&early, begin.saturating_sub(BETWEEN))) {
                (drawn(part.0, place, 0))
            }
            @for (part, place) in timed.iter().zip(placed(&timed, WIDTH.saturating_sub(begin))) {
                (drawn(part.0, place, begin))
            }
        }
        @if let Some(axis) = axis {
            p.axis.early[!early.is_empty()] {
                @if !early.is_empty() { span.earlier { "earlier" } }
                span { (moment(axis.begun)) }
                span { "now" }
            }
        }
    }
}

fn drawn(kind: Kind, (left, width): (u64, u64), begin: u64) -> Markup {
    let top = top(kind);
    html! {
        rect.(kind.class()) x=(begin + left) y=(top) width=(width) height=(24 - top) {}
    }
}

fn legend(parts: &[(Part, Logged)], axis: Option<&Axis>) -> Markup {
    html! {
        ul.legend {
            @for (part, logged) in parts {
                @let (kind, from, to) = part;
                li {
                    span.key.(kind.class()) aria-hidden="true" {} " "
                    (from) " to " (to) ": " (kind.text())
                    @if *kind != Kind::Proven {
                        @match (logged.after, logged.by) {
                            (None, None) => {},
                            (Some(after), Some(by)) => { ", logged between " (moment(after)) " and " (moment(by)) },
                            (Some(after), None) => { ", logged after " (moment(after)) },
                            (None, Some(by)) => { ", logged before " (moment(by)) },
                        }
                    }
                }
            }
            @if let Some(axis) = axis && let Some(at) = axis.proven {
                @if axis.is_stale {
                    li { span.key.unread aria-hidden="true" {} " no pass has proven the log since " (moment(at)) }
                } @else {
                    li { span.key.since aria-hidden="true" {} " not asked for since " (moment(at)) }
                }
            }
        }
    }
}

/// What is not proven is lower: the difference is not one of colour alone.
const fn top(kind: Kind) -> u8 {
    match kind {
        Kind::Proven => 0,
        Kind::Read => 8,
        Kind::NotCompared => 12,
        Kind::Unread | Kind::NotFollowed => 18,
        Kind::Since => 21,
    }
}

fn plain(class: &str, text: &str) -> Markup {
    html! {
        svg.strip role="img" aria-label=(text) viewBox="0 0 1000 24" preserveAspectRatio="none" {
            rect.(class) x="0" y="18" width="1000" height="6" {}
        }
        ul.legend { li { span.key.(class) aria-hidden="true" {} " " (text) } }
    }
}
