//! The answer for people: a row for each signing, and how far was looked.

use std::io::IsTerminal as _;

use crate::escape;
use crate::identity::Chain;
use crate::lookup::{Answer, Coverage, Ended, LogCoverage, Matched, Signing, Unproven};
use crate::report::time;

/// Narrowest width to which lines are wrapped.
const MIN_WIDTH: usize = 40;

/// The space before a line that belongs to the one above.
const INDENT: &str = "  ";

/// The width of the labels below a row.
const LABEL: usize = 8;

/// The width of the terminal; `None`: the output goes elsewhere, and is not wrapped.
pub(super) fn width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let (terminal_size::Width(width), _) = terminal_size::terminal_size()?;
    Some(usize::from(width).max(MIN_WIDTH))
}

/// The lines of an answer: all of them are escaped.
pub(super) fn lines(answer: &Answer, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    if !answer.signings.is_empty() {
        lines.push(format!(
            "{:<20}  {:<20}  {:>12}  {:<6}  KNOWN AS",
            "WHEN", "LOG", "ENTRY", "PROVEN"
        ));
    }
    for signing in &answer.signings {
        row(signing, width, &mut lines);
    }
    for unproven in &answer.unproven {
        not_proven(unproven, width, &mut lines);
    }
    if lines.is_empty() {
        lines.push(match answer.ended() {
            Ended::None => "there is no such signing".to_owned(),
            Ended::Found | Ended::Unanswered => "no such signing was found".to_owned(),
        });
    }
    lines.push(String::new());
    looked(&answer.coverage, width, &mut lines);
    lines
}

fn row(signing: &Signing, width: Option<usize>, lines: &mut Vec<String>) {
    let when = signing.time.map_or("not known".to_owned(), time);
    let row = format!(
        "{when:<20}  {:<20}  {:>12}  {:<6}  {}",
        escape::terminal(&signing.log),
        signing.index,
        "yes",
        known_as(signing),
    );
    wrap(&row, "", width, lines);
    detail("who", &who(signing), width, lines);
    let what = match (&signing.digest, signing.matched) {
        (Some(digest), Matched::Entry) => format!("{digest} ({})", signing.kind),
        (Some(digest), Matched::Payload) => format!(
            "{digest} ({}): a statement that is known to be about it",
            signing.kind
        ),
        (Some(digest), Matched::Hint) => format!(
            "{digest} ({}): only the search index names it for what was asked",
            signing.kind
        ),
        (None, _) => signing.kind.clone(),
    };
    detail("what", &what, width, lines);
    detail("next", &next(signing), width, lines);
}

/// What this monitor knows of it.
fn known_as(signing: &Signing) -> String {
    if signing.findings.is_empty() {
        return match signing.registered {
            Some(authority) => format!("not watched, registered by: {}", authority.as_str()),
            None => "not watched".to_owned(),
        };
    }
    let findings = signing.findings.iter().map(|finding| {
        let watch = finding.watch.as_deref().unwrap_or("-");
        format!(
            "{}: {}, {}, {}",
            escape::terminal(watch),
            finding.verdict,
            finding.severity.as_str(),
            finding.state.as_str()
        )
    });
    findings.collect::<Vec<_>>().join("; ")
}

fn who(signing: &Signing) -> String {
    let names: Vec<&str> = signing.san.iter().map(|san| san.value.as_str()).collect();
    let mut who = if names.is_empty() {
        let key = signing.key_sha256.as_deref().unwrap_or("that is not known");
        format!("the key {key}")
    } else {
        names.join(" and ")
    };
    if let Some(issuer) = &signing.issuer {
        who.push_str(" (");
        who.push_str(issuer);
        who.push(')');
    }
    match signing.chain {
        Some(Chain::Untrusted) => {
            who.push_str("; NO trusted authority issued the certificate: anyone can make one");
        }
        Some(Chain::Unknown) => {
            who.push_str("; whether a trusted authority issued the certificate is not known");
        }
        Some(Chain::None) if !names.is_empty() => {
            who.push_str("; NO authority confirms the name in a key");
        }
        _ => {}
    }
    who
}

/// The command that shows more of it.
fn next(signing: &Signing) -> String {
    if let Some(finding) = signing.findings.first() {
        let id = finding.id.to_string();
        format!(
            "modelwatch findings show {}",
            id.get(..8).unwrap_or(id.as_str())
        )
    } else {
        let entry = format!("{}:{}", signing.log, signing.index);
        format!(
            "modelwatch lookup --index {} --json",
            escape::shell_word(&entry)
        )
    }
}

fn not_proven(unproven: &Unproven, width: Option<usize>, lines: &mut Vec<String>) {
    let place = match unproven.index {
        Some(index) => format!("entry {index} of {}", unproven.log),
        None => unproven.log.clone(),
    };
    let text = format!("NOT PROVEN: {place}: {}", unproven.why);
    wrap(&escape::terminal(&text), "", width, lines);
}

fn looked(coverage: &Coverage, width: Option<usize>, lines: &mut Vec<String>) {
    for log in &coverage.logs {
        wrap(&escape::terminal(&looked_at(log)), "", width, lines);
    }
    if coverage.complete {
        let text = "complete: everything that was asked for was looked at, in each of these logs";
        wrap(text, "", width, lines);
        return;
    }
    lines.push("NOT complete:".to_owned());
    for why in &coverage.why {
        let log = why
            .log
            .as_ref()
            .map_or_else(String::new, |log| format!("{log}: "));
        let text = format!("{INDENT}{log}{} ({})", why.message, why.kind.as_str());
        wrap(&escape::terminal(&text), INDENT, width, lines);
    }
}

fn looked_at(log: &LogCoverage) -> String {
    let name = if log.origin == log.log {
        log.log.clone()
    } else {
        format!("{} ({})", log.log, log.origin)
    };
    let range = match (log.from, log.to, log.head) {
        (Some(from), Some(to), Some(head)) => {
            format!("looked at the entries from {from} to {to} of {head}")
        }
        (Some(from), Some(to), None) => format!("looked at the entries from {from} to {to}"),
        _ => "looked at nothing in full".to_owned(),
    };
    let until = log
        .to_time
        .map_or_else(String::new, |at| format!(", as of {}", time(at)));
    format!("{name}: {range}{until}")
}

fn detail(label: &str, text: &str, width: Option<usize>, lines: &mut Vec<String>) {
    let text = format!("{INDENT}{label:<LABEL$}{}", escape::terminal(text));
    wrap(&text, &" ".repeat(INDENT.len() + LABEL), width, lines);
}

/// Breaks a line at the width, after a space if there is one in its second half: nothing is left out. Lines after the first begin
/// with `indent`.
fn wrap(text: &str, indent: &str, width: Option<usize>, lines: &mut Vec<String>) {
    let Some(width) = width else {
        lines.push(text.to_owned());
        return;
    };
    let mut rest: Vec<char> = text.chars().collect();
    let mut begin = String::new();
    loop {
        let room = width
            .saturating_sub(begin.chars().count())
            .max(MIN_WIDTH / 2);
        if rest.len() <= room {
            let last: String = rest.iter().collect();
            lines.push(format!("{begin}{last}"));
            return;
        }
        let space = rest
            .iter()
            .take(room)
            .rposition(|character| *character == ' ');
        let end = match space {
            Some(space) if space >= room / 2 => space + 1,
            _ => room,
        };
        let tail = rest.split_off(end);
        let line: String = rest.iter().collect();
        lines.push(format!("{begin}{}", line.trim_end()));
        rest = tail;
        indent.clone_into(&mut begin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: usize) -> Vec<String> {
        let mut lines = Vec::new();
        wrap(text, "   ", Some(width), &mut lines);
        lines
    }

    #[test]
    fn a_long_line_is_broken_and_nothing_is_left_out() {
        let text = "who  https://example.org/a/very/long/name/without/any/space/in/it/at/all";
        for width in [40, 41, 50, 79] {
            let lines = wrapped(text, width);
            assert!(
                lines.iter().all(|line| line.chars().count() <= width),
                "{lines:?}"
            );
            let joined: String = lines.iter().flat_map(|line| line.chars()).collect();
            let bare = |text: &str| text.replace(' ', "");
            assert_eq!(bare(&joined), bare(text));
        }
        assert_eq!(wrapped("short", 40), ["short"]);
        let mut whole = Vec::new();
        wrap(text, "", None, &mut whole);
        assert_eq!(whole, [text]);
    }
}
