//! The last findings over time, one line for each watch. What is expected is quiet, the rest is not.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use super::links;
use super::text::{moment, short};
use crate::finding::{Class, Severity, State, Verdict};
use crate::store::RecentFinding;

/// Columns of a line.
const COLUMNS: u64 = 200;

/// Most watches that have a line, those with the most severe findings first.
const LINES: usize = 20;

/// Width of a column, in units of the drawing.
const COLUMN_WIDTH: u64 = 5;

/// How loud a mark is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tone {
    /// Expected, acknowledged or over.
    #[default]
    Quiet,
    /// Open, with a low severity.
    Low,
    /// Open, and severe.
    Loud,
}

impl Tone {
    fn of(finding: &RecentFinding) -> Self {
        if !finding.state.is_open()
            || finding.verdict == Verdict::Expected && finding.state != State::Disputed
        {
            Self::Quiet
        } else if finding.severity >= Severity::Medium {
            Self::Loud
        } else {
            Self::Low
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Low => "low",
            Self::Loud => "loud",
        }
    }

    /// Height of the mark.
    const fn height(self) -> u8 {
        match self {
            Self::Quiet => 8,
            Self::Low => 16,
            Self::Loud => 24,
        }
    }
}

/// The line of one watch.
#[derive(Debug, Default)]
struct Line {
    total: u64,
    open: u64,
    last: Option<Timestamp>,
    /// By column: how loud its loudest finding is, and how many there are.
    marks: BTreeMap<u64, (Tone, u64)>,
}

/// The lines of findings about signings, by watch.
fn lines(findings: &[RecentFinding], from: Timestamp, to: Timestamp) -> Vec<(&str, Line)> {
    let span = to
        .as_second()
        .saturating_sub(from.as_second())
        .max(1)
        .unsigned_abs();
    let mut lines: BTreeMap<&str, Line> = BTreeMap::new();
    let of_watches = findings
        .iter()
        .filter(|found| found.verdict.class() == Class::Security);
    for found in of_watches {
        let Some(watch) = &found.watch else { continue };
        let line = lines.entry(watch).or_default();
        let at = found
            .first_seen
            .as_second()
            .saturating_sub(from.as_second());
        // A time of a clock that was wrong is drawn at the nearer end.
        let at = at.max(0).unsigned_abs().min(span);
        let column = (at * (COLUMNS - 1)).checked_div(span).unwrap_or(0);
        let tone = Tone::of(found);
        let mark = line.marks.entry(column).or_default();
        *mark = (mark.0.max(tone), mark.1 + 1);
        line.total += 1;
        line.open += u64::from(found.state.is_open());
        line.last = line.last.max(Some(found.first_seen));
    }
    let mut lines: Vec<(&str, Line)> = lines.into_iter().collect();
    lines.sort_by_key(|(name, line)| {
        let loudest = line.marks.values().map(|(tone, _)| *tone).max();
        (std::cmp::Reverse((loudest, line.open)), *name)
    });
    lines
}

/// The section. `has_more`: there are older findings that are not among these.
pub(super) fn timeline(findings: &[RecentFinding], has_more: bool, now: Timestamp) -> Markup {
    let from = findings
        .iter()
        .map(|found| found.first_seen)
        .min()
        .unwrap_or(now);
    let lines = lines(findings, from, now);
    html! {
        section aria-labelledby="signings" {
            h2 #signings { "Signings by watch" }
            @if lines.is_empty() {
                p { "No signing under a watched identity was seen yet." }
            } @else {
                p.facts {
                    "From " (moment(from)) " to " (moment(now)) ", by the time when they were seen here. Short and grey: expected, acknowledged or over. Long: open."
                    @if has_more { " Older ones are in " a href=(links::findings(&[("all", "true")])) { "the list" } "." }
                }
                ul.lines {
                    @for (watch, line) in lines.iter().take(LINES) {
                        li { (drawn(watch, line)) }
                    }
                }
                @if lines.len() > LINES {
                    p { "and " (lines.len() - LINES) " more watches: " a href=(links::findings(&[("all", "true")])) { "all findings" } }
                }
            }
        }
    }
}

fn drawn(watch: &str, line: &Line) -> Markup {
    let described = format!("{} signings, {} of them open", line.total, line.open);
    html! {
        p {
            a href=(links::findings(&[("all", "true"), ("watch", watch)])) { (short(watch)) }
            ": " (line.total) @if line.total == 1 { " signing" } @else { " signings" }
            @if line.open > 0 { ", " strong.bad { (line.open) " open" } }
            @if let Some(last) = line.last { ", the last seen " (moment(last)) }
        }
        svg.line role="img" aria-label=(described) viewBox="0 0 1000 24" preserveAspectRatio="none" {
            rect.base x="0" y="23" width="1000" height="1" {}
            @for (column, (tone, count)) in &line.marks {
                rect.(tone.class()) x=(column * COLUMN_WIDTH) y=(24 - tone.height()) width=(COLUMN_WIDTH - 1) height=(tone.height()) {
                    title { (count) " seen" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::finding::FindingId;

    fn found(watch: &str, verdict: Verdict, state: State, hours: i64) -> RecentFinding {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        RecentFinding {
            id: FindingId::of_signing(watch, "log", hours.unsigned_abs(), &[0; 32], 0),
            watch: Some(watch.to_owned()),
            verdict,
            severity: Severity::High,
            state,
            first_seen: at,
        }
    }

    #[test]
    fn what_is_open_is_loud_and_comes_first() {
        let findings = [
            found("a", Verdict::Expected, State::Resolved, 0),
            found("a", Verdict::Expected, State::Resolved, 100),
            found("b", Verdict::IdentityUnexpected, State::Open, 50),
            found("b", Verdict::Expected, State::Resolved, 50),
            found("c", Verdict::IdentityUnexpected, State::Acked, 200),
            // About the monitoring: not a signing.
            found("d", Verdict::Silence, State::Open, 10),
        ];
        let at = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let lines = lines(&findings, at(0), at(100));
        let shown: Vec<_> = lines
            .iter()
            .map(|(name, line)| (*name, line.total, line.open, line.marks.clone()))
            .collect();
        assert_eq!(
            shown,
            [
                ("b", 2, 1, BTreeMap::from([(99, (Tone::Loud, 2))])),
                (
                    "a",
                    2,
                    0,
                    BTreeMap::from([(0, (Tone::Quiet, 1)), (199, (Tone::Quiet, 1))])
                ),
                // Later than now.
                ("c", 1, 0, BTreeMap::from([(199, (Tone::Quiet, 1))])),
            ]
        );
        assert!(super::lines(&findings[..1], at(0), at(0)).len() == 1);
    }
}
