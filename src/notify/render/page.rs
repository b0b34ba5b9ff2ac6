//! The content of a message for people, before it is rendered.

use crate::finding::{FaultKind, Verdict};
use crate::notify::message::{Kind, Message};
use crate::report::advice::{self, Advice};
use crate::report::finding;
use crate::report::page::{Block, Page};

/// Number of findings that are shown with all their fields.
const SHOWN_IN_FULL: usize = 5;

/// Number of findings that are shown at all; after the first ones, with one line each.
const SHOWN: usize = 200;

/// The heading over the numbers of findings.
pub(super) const COUNTS: &str = "How many of what";

/// The heading over findings with one line each.
pub(super) const OTHERS: &str = "The others";

/// The heading over the meaning of a kind of finding.
pub(super) const MEANING: &str = "What it means";

/// What precedes the id of the message.
pub(super) const MESSAGE: &str = "Message ";

/// The page of a message.
pub(super) fn of(message: &Message) -> Page {
    let mut blocks = Vec::new();
    counts(message, &mut blocks);
    findings(message, &mut blocks);
    match message.kind {
        _ if message.is_test => blocks.push(Block::Paragraph(
            "Nothing was signed and nothing is wrong: this is a test with modelwatch check notify."
                .to_owned(),
        )),
        Kind::Resolved => blocks.push(Block::Paragraph(
            "Nothing to do. The finding is kept: modelwatch findings list --all".to_owned(),
        )),
        Kind::Acknowledged => blocks.push(Block::Paragraph(
            "Nothing to do: a person has acknowledged every finding of the alert.".to_owned(),
        )),
        Kind::Alert | Kind::Digest if message.is_drill() => blocks.push(Block::Paragraph(
            "Nothing is wrong and you need to do nothing: a person ran modelwatch drill, and this message shows that a real alarm would have reached you."
                .to_owned(),
        )),
        Kind::Alert | Kind::Digest => advice(message, &mut blocks),
    }
    blocks.push(Block::Paragraph(format!("{MESSAGE}{}", message.id)));
    Page {
        title: message.summary(),
        blocks,
    }
}

fn counts(message: &Message, blocks: &mut Vec<Block>) {
    if message.counts.is_empty() {
        return;
    }
    let rows = message.counts.iter().take(SHOWN).map(|row| {
        let watch = match &row.watch {
            Some(watch) => format!("watch {watch}"),
            None => "no watch".to_owned(),
        };
        format!("{} {} {}, {watch}", row.count, row.severity, row.verdict)
    });
    let mut items: Vec<_> = rows.collect();
    if message.counts.len() > SHOWN {
        items.push(format!("and {} more watches", message.counts.len() - SHOWN));
    }
    blocks.push(Block::Heading(COUNTS));
    blocks.push(Block::Items(items));
}

fn findings(message: &Message, blocks: &mut Vec<Block>) {
    let is_over = message.kind == Kind::Resolved;
    for found in message.findings.iter().take(SHOWN_IN_FULL) {
        blocks.push(Block::Heading(finding::heading(found)));
        blocks.push(Block::Facts(finding::brief(found, is_over)));
    }
    let lines = message.findings.iter().take(SHOWN).skip(SHOWN_IN_FULL);
    let mut items: Vec<_> = lines.map(finding::line).collect();
    let shown = message.findings.len().min(SHOWN) as u64;
    if message.total > shown {
        let more = message.total - shown;
        items.push(format!("and {more} more: modelwatch findings list"));
    }
    if !items.is_empty() {
        blocks.push(Block::Heading(OTHERS));
        blocks.push(Block::Items(items));
    }
}

/// Once for each kind of finding, in the order of the findings: worst first.
fn advice(message: &Message, blocks: &mut Vec<Block>) {
    let mut given: Vec<(Verdict, Option<FaultKind>)> = Vec::new();
    for found in &message.findings {
        let kind = (found.verdict, found.fault);
        if given.contains(&kind) {
            continue;
        }
        given.push(kind);
        let Advice { meaning, action } = advice::of(found);
        blocks.push(Block::Heading(MEANING));
        blocks.push(Block::Paragraph(meaning.to_owned()));
        blocks.push(Block::Heading("What to do now"));
        blocks.push(Block::Paragraph(action.to_owned()));
        blocks.push(Block::Commands(advice::commands(found)));
    }
}
