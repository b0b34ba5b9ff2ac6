//! What a message says to a person, before it is dressed for a medium.

use crate::finding::{Class, Finding, State, Verdict};
use crate::identity::Chain;
use crate::notify::message::{Kind, Message};

use super::advice::{self, Advice};

/// Findings that are shown with everything that is known of them.
const SHOWN_IN_FULL: usize = 5;

/// Findings that are shown at all, the others by a line each.
const SHOWN: usize = 200;

/// Names in one certificate that are shown; real ones have one.
const SANS_SHOWN: usize = 5;

/// Raw content; every string may hold what a signer wrote.
pub(super) struct Page {
    /// The first line.
    pub(super) title: String,
    /// The rest.
    pub(super) blocks: Vec<Block>,
}

/// A part of a page.
pub(super) enum Block {
    Heading(&'static str),
    Paragraph(String),
    /// Label and value.
    Facts(Vec<(&'static str, String)>),
    Items(Vec<String>),
    /// To be copied: consist of our words and hexadecimal ids only.
    Commands(Vec<String>),
}

impl Page {
    /// The page that tells this message.
    pub(super) fn of(message: &Message) -> Self {
        let mut page = Self {
            title: message.summary(),
            blocks: Vec::new(),
        };
        page.counts(message);
        page.findings(message);
        match message.kind {
            Kind::Resolved => page.blocks.push(Block::Paragraph(
                "Nothing is to be done. The record stays: modelwatch findings list --all"
                    .to_owned(),
            )),
            Kind::Test => page.blocks.push(Block::Paragraph(
                "Nobody signed anything, nothing is wrong: somebody ran modelwatch check notify."
                    .to_owned(),
            )),
            Kind::Alert | Kind::Digest if message.is_drill() => page.blocks.push(Block::Paragraph(
                "Nothing is wrong and nothing is to be done: somebody ran modelwatch drill, and this message shows that a \
                 real alarm would have reached you."
                    .to_owned(),
            )),
            Kind::Alert | Kind::Digest => page.advice(message),
        }
        page.blocks
            .push(Block::Paragraph(format!("Message {}", message.id)));
        page
    }

    fn counts(&mut self, message: &Message) {
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
        self.blocks.push(Block::Heading("How many of what"));
        self.blocks.push(Block::Items(items));
    }

    fn findings(&mut self, message: &Message) {
        for finding in message.findings.iter().take(SHOWN_IN_FULL) {
            self.blocks.push(Block::Heading(advice::heading(finding)));
            self.blocks.push(Block::Facts(facts(finding, message.kind)));
        }
        let lines = message.findings.iter().take(SHOWN).skip(SHOWN_IN_FULL);
        let mut items: Vec<_> = lines.map(line).collect();
        let shown = message.findings.len().min(SHOWN) as u64;
        if message.total > shown {
            let more = message.total - shown;
            items.push(format!("and {more} more: modelwatch findings list"));
        }
        if !items.is_empty() {
            self.blocks.push(Block::Heading("The others"));
            self.blocks.push(Block::Items(items));
        }
    }

    /// Once for each kind of finding, in the order of the findings: worst first.
    fn advice(&mut self, message: &Message) {
        let mut given: Vec<(Verdict, Option<&str>)> = Vec::new();
        for finding in &message.findings {
            let kind = (finding.verdict, finding.fault.as_deref());
            if given.contains(&kind) {
                continue;
            }
            given.push(kind);
            let Advice { meaning, action } = advice::of(finding);
            self.blocks.push(Block::Heading("What it means"));
            self.blocks.push(Block::Paragraph(meaning.to_owned()));
            self.blocks.push(Block::Heading("What to do now"));
            self.blocks.push(Block::Paragraph(action.to_owned()));
            self.blocks.push(Block::Commands(advice::commands(finding)));
        }
    }
}

fn facts(finding: &Finding, kind: Kind) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Summary", finding.summary.clone())];
    let mut fact = |label, value: Option<String>| {
        if let Some(value) = value {
            facts.push((label, value));
        }
    };
    fact("Who", who(finding));
    fact("Issuer", finding.issuer.clone());
    fact("Trust", trust(finding));
    for (label, name) in [
        ("Run", "run_invocation_uri"),
        ("Ref", "source_repository_ref"),
        ("Trigger", "build_trigger"),
    ] {
        fact(label, finding.extensions.get(name).cloned());
    }
    fact("What", finding.digest.clone());
    fact("When", Some(when(finding)));
    fact("Where", place(finding));
    fact("Proven", proven(finding).map(ToOwned::to_owned));
    fact("Watch", finding.watch.clone());
    fact("Shape", finding.in_shape.map(shape));
    let verdict = match &finding.fault {
        Some(fault) => format!("{} ({fault})", finding.verdict),
        None => finding.verdict.to_string(),
    };
    fact("Verdict", Some(format!("{verdict}, {}", finding.severity)));
    fact(
        "Over",
        (kind == Kind::Resolved).then(|| over(finding).to_owned()),
    );
    fact("Finding", Some(finding.id.to_string()));
    facts
}

fn who(finding: &Finding) -> Option<String> {
    let fingerprint = finding.key_fingerprint.as_ref();
    if finding.san.is_empty() {
        let sha256 = finding.key_sha256.as_ref();
        return fingerprint
            .map(|key| format!("the key with the fingerprint {key}"))
            .or_else(|| sha256.map(|key| format!("the key with the SHA-256 {key}")));
    }
    let names = finding.san.iter().take(SANS_SHOWN);
    let mut who: Vec<_> = names
        .map(|san| format!("{} ({})", san.value, san.kind.as_str()))
        .collect();
    if finding.san.len() > SANS_SHOWN {
        who.push(format!("and {} more names", finding.san.len() - SANS_SHOWN));
    }
    who.extend(fingerprint.map(|key| format!("as the key {key} calls itself")));
    Some(who.join(", "))
}

fn trust(finding: &Finding) -> Option<String> {
    let text = match finding.chain? {
        Chain::Trusted => "a CA of the trusted root issued the certificate",
        Chain::Untrusted => {
            "NO CA of the trusted root issued the certificate: anyone can make one with any name"
        }
        Chain::Unknown => "unknown: no trusted root is configured",
        Chain::None if finding.san.is_empty() => return None,
        Chain::None => {
            "NOBODY vouches for what a key calls itself: anyone can make one with any name"
        }
    };
    Some(text.to_owned())
}

fn when(finding: &Finding) -> String {
    match finding.not_before {
        Some(issued) => format!(
            "certificate issued {issued}, first seen here {}",
            finding.first_seen
        ),
        None => format!("first seen here {}", finding.first_seen),
    }
}

/// `entry 138 of main (log.example), hashedrekord 0.0.2, leaf hash …`
fn place(finding: &Finding) -> Option<String> {
    let origin = finding.origin.as_deref()?;
    let log = match finding.log.as_deref() {
        Some(name) if name != origin => format!("{name} ({origin})"),
        _ => origin.to_owned(),
    };
    let Some(index) = finding.index else {
        return Some(format!("the log {log}"));
    };
    let mut place = format!("entry {index} of {log}");
    for (label, value) in [("", &finding.kind), ("leaf hash ", &finding.leaf_hash)] {
        if let Some(value) = value {
            place.push_str(", ");
            place.push_str(label);
            place.push_str(value);
        }
    }
    Some(place)
}

fn proven(finding: &Finding) -> Option<&'static str> {
    Some(match (finding.state, finding.proven?) {
        (State::Disputed, _) => {
            "no: what the log served does not hash to what it signed; kept as evidence"
        }
        (_, true) => "yes: a checkpoint that the log signed vouches for this entry",
        (_, false) => "not yet: the log served this entry, its proof is pending",
    })
}

fn shape(in_shape: bool) -> String {
    if in_shape {
        "inside the shape that the watch expects"
    } else {
        "outside the shape that the watch expects"
    }
    .to_owned()
}

fn over(finding: &Finding) -> &'static str {
    match (finding.verdict, finding.verdict.class()) {
        (Verdict::Expected, _) => "it was registered as the owner's own signing",
        (_, Class::Health) => "it ended by itself",
        (_, Class::Security) => "it was closed",
    }
}

fn line(finding: &Finding) -> String {
    let place = match (&finding.log, finding.index) {
        (Some(log), Some(index)) => format!(" entry {index} of {log}:"),
        _ => ":".to_owned(),
    };
    let Finding { severity, id, .. } = finding;
    format!("{severity}{place} {} [{id}]", finding.summary)
}
