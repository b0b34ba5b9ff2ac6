//! A message as lines for a chat, each with its rank: what does not fit is left out from the least important line on.
//!
//! A line consists of our own words and of strings that a signer may have chosen. Each chat writes the latter so that it
//! interprets nothing in them.

use super::page;
use crate::escape;
use crate::finding::DRILL;
use crate::notify::message::{Kind, Message};
use crate::report::finding::heading;
use crate::report::page::Block;

/// The labels of facts whose values are sentences of modelwatch.
const OWN_WORDS: [&str; 6] = ["Trust", "When", "Proven", "Shape", "Verdict", "Over"];

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::notify) enum Part {
    /// Our own words.
    Text(String),
    /// Our own words, emphasised.
    Strong(&'static str),
    /// A string from a log or the configuration, or a command: unescaped.
    Name(String),
    /// The next part begins a new line.
    Break,
}

/// One line, with the heading over it if it is the first of its block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::notify) struct Line {
    rank: Rank,
    pub(in crate::notify) parts: Vec<Part>,
}

/// How important a line is, the most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The summary, and the id of the message.
    Always,
    /// The facts of the first finding.
    First,
    /// How many findings of which kind there are.
    Counts,
    /// What to do about the first finding.
    Advice,
    /// The facts of further findings.
    Further,
    /// Findings in one line each.
    Others,
    /// What to do about other kinds of findings.
    FurtherAdvice,
}

/// Longest name in a line, in UTF-16 code units with its escapes. A name may fill a whole certificate.
const NAME_UNITS: usize = 500;

/// How a chat writes our own words. Names are code spans in each.
#[derive(Debug, Clone, Copy)]
pub(in crate::notify) struct Markup {
    pub(in crate::notify) strong: fn(&str) -> String,
    pub(in crate::notify) text: fn(&str) -> String,
}

impl Line {
    /// The line for a chat with code spans.
    pub(in crate::notify) fn markup(&self, markup: &Markup) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => (markup.text)(text),
            Part::Strong(text) => (markup.strong)(text),
            Part::Name(name) => escape::chat_within(name, NAME_UNITS),
            Part::Break => "\n".to_owned(),
        });
        parts.collect()
    }
}

/// Our own words for Markdown: characters that could begin markup have a backslash before them.
pub(in crate::notify) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '<' | '>' | '#' | '|' | '@'
        ) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The last line: that something was left out, and the link. `link` is written for the chat.
pub(in crate::notify) fn end(is_short: bool, link: Option<String>) -> Option<String> {
    match (is_short, link) {
        (false, link) => link,
        (true, None) => Some(SHORTENED.to_owned()),
        (true, Some(link)) => Some(format!("{SHORTENED_LINK} {link}")),
    }
}

/// One line in our own words: `critical: A signing under a watched identity`.
pub(in crate::notify) fn title(message: &Message) -> String {
    let what = match message.findings.as_slice() {
        _ if message.kind == Kind::Digest => match message.total {
            1 => "1 finding".to_owned(),
            total => format!("{total} findings"),
        },
        [] => "no findings".to_owned(),
        [first, ..] => heading(first).to_owned(),
    };
    let kind = match message.kind {
        Kind::Alert if !message.is_test => message.severity.as_str(),
        _ => message.word(),
    };
    let drill = if message.is_drill() {
        format!("{DRILL} ")
    } else {
        String::new()
    };
    format!("{drill}{kind}: {what}")
}

/// The lines of a message, in the order in which they are shown. The title is not among them.
pub(in crate::notify) fn lines(message: &Message) -> Vec<Line> {
    let mut lines = vec![Line {
        rank: Rank::Always,
        parts: vec![Part::Name(message.summary())],
    }];
    if message.kind == Kind::Resolved {
        lines.push(Line {
            rank: Rank::Always,
            parts: vec![Part::Text(format!("It ends the alert {}.", message.key))],
        });
    }
    let (mut headings, mut facts, mut advices) = (Vec::new(), 0, 0);
    let mut rank = Rank::First;
    for block in page::of(message).blocks {
        let mut add = |rank: Rank, mut parts: Vec<Part>| {
            let mut whole = Vec::new();
            for heading in headings.drain(..) {
                whole.extend([Part::Strong(heading), Part::Break]);
            }
            whole.append(&mut parts);
            lines.push(Line { rank, parts: whole });
        };
        match block {
            Block::Heading(heading) => {
                if heading == page::MEANING {
                    advices += 1;
                    rank = if advices == 1 {
                        Rank::Advice
                    } else {
                        Rank::FurtherAdvice
                    };
                } else if heading == page::COUNTS {
                    rank = Rank::Counts;
                } else if heading == page::OTHERS {
                    rank = Rank::Others;
                }
                headings.push(heading);
            }
            Block::Facts(of_finding) => {
                facts += 1;
                let rank = if facts == 1 {
                    Rank::First
                } else {
                    Rank::Further
                };
                let is_alone = facts == 1 && message.kind != Kind::Digest;
                for (label, value) in of_finding {
                    // It is the summary of the message already.
                    if label == "Summary" && is_alone {
                        continue;
                    }
                    let value = if OWN_WORDS.contains(&label) {
                        Part::Text(value)
                    } else {
                        Part::Name(value)
                    };
                    add(
                        rank,
                        vec![Part::Strong(label), Part::Text(" ".to_owned()), value],
                    );
                }
            }
            Block::Paragraph(text) => {
                let is_id = text.starts_with(page::MESSAGE);
                let rank = if is_id { Rank::Always } else { rank };
                add(rank, vec![Part::Text(text)]);
            }
            Block::Items(items) => {
                for item in items {
                    add(rank, vec![Part::Text("• ".to_owned()), Part::Name(item)]);
                }
            }
            Block::Commands(commands) => {
                for command in commands {
                    add(rank, vec![Part::Name(command)]);
                }
            }
        }
    }
    lines
}

/// The lines that fit into `room`, in order, and whether lines were left out. `cost` is the size of a line in the unit of
/// `room`. The most important lines come first; from the first that does not fit on, all less important ones are left out.
pub(in crate::notify) fn fitting(
    lines: &[Line],
    room: usize,
    cost: impl Fn(&Line) -> usize,
) -> (Vec<&Line>, bool) {
    let mut by_rank: Vec<usize> = (0..lines.len()).collect();
    by_rank.sort_by_key(|&at| lines.get(at).map(|line| line.rank));
    let mut left = room;
    let mut kept = Vec::new();
    for at in by_rank {
        let Some(rest) = lines.get(at).and_then(|line| left.checked_sub(cost(line))) else {
            break;
        };
        left = rest;
        kept.push(at);
    }
    kept.sort_unstable();
    let is_short = kept.len() < lines.len();
    (
        kept.into_iter().filter_map(|at| lines.get(at)).collect(),
        is_short,
    )
}

/// What follows the lines if some were left out and there is no link.
pub(in crate::notify) const SHORTENED: &str =
    "This message is shortened. The whole: modelwatch findings list";

/// The same, before a link.
pub(in crate::notify) const SHORTENED_LINK: &str = "This message is shortened.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::testing;

    fn is_advice(line: &Line) -> bool {
        line.parts.contains(&Part::Strong(page::MEANING))
    }

    #[test]
    fn the_least_important_lines_are_left_out_first() {
        let findings: Vec<_> = (0..8).map(testing::signing).collect();
        let lines = lines(&testing::alert(findings));
        let (all, is_short) = fitting(&lines, lines.len(), |_| 1);
        assert_eq!((all.len(), is_short), (lines.len(), false));
        let mut shown = Vec::new();
        for room in (0..lines.len()).rev() {
            let (kept, is_short) = fitting(&lines, room, |_| 1);
            assert_eq!((kept.len(), is_short), (room, true));
            shown.push(kept.iter().any(|line| is_advice(line)));
            let others = |line: &&Line| line.parts.contains(&Part::Strong(page::OTHERS));
            assert!(kept.iter().any(|line| is_advice(line)) || !kept.iter().any(others));
            if room > 1 {
                assert_eq!(kept[0].parts, lines[0].parts, "the summary stays");
                let last = &kept[room - 1].parts;
                assert!(matches!(&last[..], [Part::Text(id)] if id.starts_with(page::MESSAGE)));
            }
        }
        assert!(shown.contains(&true) && shown.contains(&false));
    }

    #[test]
    fn a_line_that_is_too_long_leaves_out_no_more_important_one() {
        let lines = lines(&testing::alert(vec![testing::signing(1)]));
        let (kept, is_short) = fitting(&lines, 100, |line| if is_advice(line) { 1000 } else { 1 });
        assert!(is_short && kept.len() > 5, "{kept:?}");
        assert!(!kept.iter().any(|line| is_advice(line)));
    }

    #[test]
    fn a_title_has_no_text_of_a_signer() {
        let hostile = testing::hostile("@everyone <!channel>");
        let mut message = testing::alert(vec![hostile]);
        assert_eq!(
            title(&message),
            "critical: A signing under a watched identity"
        );
        message.kind = Kind::Resolved;
        assert_eq!(
            title(&message),
            "resolved: A signing under a watched identity"
        );
        message.kind = Kind::Digest;
        message.total = 25;
        assert_eq!(title(&message), "digest: 25 findings");
        let drill = testing::alert(vec![crate::finding::Finding::drill(testing::NOW)]);
        assert!(title(&drill).starts_with("[DRILL] critical: "));
        let [test, ..] = Message::tests(testing::NOW);
        assert_eq!(title(&test), "test: A signing under a watched identity");
    }
}
