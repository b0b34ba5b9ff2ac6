//! Renders a message: one page for people, as text and as HTML, and one line for programs.
//!
//! A [`Page`](crate::report::page::Page) contains unescaped strings. The text and HTML renderers escape everything that they write, each in one
//! place, so that no field of a finding can be missed.

pub(super) mod chat;
mod json;
mod page;

pub(super) use json::json;

use super::message::{Kind, Message};
use crate::escape;
use crate::finding::DRILL;
use crate::report;

/// The message as plain text.
pub(super) fn text(message: &Message) -> String {
    report::text::write(&page::of(message))
}

/// The message as an HTML document without external resources and links.
pub(super) fn html(message: &Message) -> String {
    report::html::write(&page::of(message))
}

/// One line that distinguishes mails in a list; bounded, valid in a mail header.
pub(super) fn subject(message: &Message) -> String {
    let what = match message.kind {
        _ if message.is_test => "test",
        Kind::Alert => message.severity.as_str(),
        Kind::Digest => "digest",
        Kind::Resolved => "resolved",
        Kind::Acknowledged => "acknowledged",
    };
    let summary = message.summary();
    let subject = match summary.strip_prefix(DRILL) {
        // In front, where it is visible in a list of mails.
        Some(drill) => format!("{DRILL} [modelwatch]{drill}"),
        None => format!("[modelwatch] {what}: {summary}"),
    };
    escape::header(&subject).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::testing::{self, HOSTILE};

    /// A character that no output for people may contain, whatever the log contains. Lines end with `\n`.
    fn harmful(text: &str) -> Option<char> {
        text.chars().find(|c| {
            (c.is_control() && *c != '\n')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}')
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
        })
    }

    #[test]
    fn no_string_from_a_log_harms_a_reader() {
        for hostile in HOSTILE {
            let message = testing::alert(vec![testing::hostile(hostile)]);
            let (text, html) = (text(&message), html(&message));
            assert_eq!(harmful(&text), None, "{hostile:?}");
            assert_eq!(harmful(&html), None, "{hostile:?}");
            for forbidden in ["<script", "<img", "onmouseover='", "</td><"] {
                assert!(!html.contains(forbidden), "{hostile:?}: {html}");
            }
            let innocent = super::text(&testing::alert(vec![testing::hostile("x")]));
            assert_eq!(
                text.lines().count(),
                innocent.lines().count(),
                "{hostile:?} makes lines"
            );
        }
    }

    #[test]
    fn a_subject_is_one_bounded_line() {
        for hostile in HOSTILE {
            let mut finding = testing::hostile(hostile);
            finding.summary = hostile.repeat(100);
            let subject = subject(&testing::alert(vec![finding]));
            assert!(subject.starts_with("[modelwatch] critical: "), "{subject}");
            assert!(
                subject.chars().count() <= escape::MAX_HEADER_CHARS,
                "{subject}"
            );
            assert!(!subject.contains(['\r', '\n']), "{subject:?}");
        }
    }

    #[test]
    fn the_mark_of_a_drill_comes_first_and_only_for_drills() {
        let drill = testing::alert(vec![crate::finding::Finding::drill(testing::NOW)]);
        assert!(
            subject(&drill).starts_with("[DRILL] "),
            "{}",
            subject(&drill)
        );
        let text = text(&drill);
        assert!(text.starts_with("[DRILL] "), "{text}");
        assert!(!text.contains("What to do now"), "{text}");
        for hostile in ["[DRILL] all is well", " [drill] all is well"] {
            let mut finding = testing::hostile("x");
            finding.summary = hostile.to_owned();
            let message = testing::alert(vec![finding]);
            assert!(message.summary().starts_with("no drill: "), "{hostile}");
            assert!(!subject(&message).starts_with("[DRILL]"), "{hostile}");
        }
    }

    #[test]
    fn html_loads_nothing_and_links_nowhere() {
        let html = html(&testing::alert(vec![testing::signing(138)]));
        for forbidden in ["src=", "href=", "url(", "<link", "<a "] {
            assert!(!html.contains(forbidden), "{forbidden}: {html}");
        }
    }

    #[test]
    fn an_alert_contains_who_what_when_where_whether_proven_its_meaning_and_what_to_do() {
        let finding = testing::signing(138);
        let id = finding.id.to_string();
        let text = text(&testing::alert(vec![finding]));
        for needed in [
            "release.yml@refs/tags/v1",
            "https://token.actions.githubusercontent.com",
            "actions/runs/1/attempts/1",
            "sha256:138",
            "2026-11-21T08:53:20Z",
            "entry 138 of main (log.example)",
            "a signed checkpoint of the log covers this entry",
            "outside the shape",
            "What it means",
            "What to do now",
            "modelwatch expect add BUNDLE",
            &format!("modelwatch findings show {id}"),
            &format!("modelwatch findings ack {id} --reason "),
        ] {
            assert!(text.contains(needed), "{needed}: {text}");
        }
    }

    #[test]
    fn a_long_digest_shows_the_first_and_counts_the_rest() {
        let findings: Vec<_> = (0..1000).map(testing::signing).collect();
        let mut message = testing::alert(findings);
        message.kind = Kind::Digest;
        message.total = 100_000;
        let text = text(&message);
        assert!(text.contains("99"), "{text}");
        assert!(text.contains("and 99800 more"), "{text}");
        assert!(text.len() < 100_000, "{}", text.len());
    }
}
