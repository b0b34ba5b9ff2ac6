//! Findings about what an entry contains besides its signings, or instead of them. A search finds it.
//!
//! Anybody can put the public certificate of an owner where one reader finds a signer and others do not. So what only a
//! search finds is not a signing by that identity. It is an unreadable entry, with the severity of the watch that it
//! names.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sha2::{Digest as _, Sha256};

use super::Rules;
use super::context::{Judge, Place, of_signer};
use super::signer::who;
use crate::entry::{self, Entry, EntryError, Found, Kind, Signing, Unreadable};
use crate::escape;
use crate::finding::{Evidence, Finding, FindingId, NewFinding, Severity, Verdict};
use crate::identity::{MAX_NAMES, Signer};

/// Most reasons that a summary lists: an entry has as many as it has verifiers.
const MOST_REASONS: usize = 3;

/// The result of searching a leaf.
#[derive(Debug, Default)]
pub struct Hidden {
    /// The watches that it names, or may name.
    watches: BTreeMap<usize, Trace>,
    /// Why the search was not complete.
    limit: Option<&'static str>,
}

/// How a leaf names a watch.
#[derive(Debug)]
enum Trace {
    /// By a text of the watch.
    Text,
    /// By this signer.
    Signer(Signer),
    /// Possibly: the search was not complete, and the watch looks for something that no text shows.
    Unsearched,
}

impl Hidden {
    /// What is hidden in an entry that was read. It is not searched if all readers read the whole entry in the same
    /// way.
    pub fn beside(entry: &Entry, leaf: &[u8], rules: &Rules) -> Self {
        if !entry.unreadable.is_empty() {
            Self::search(leaf, rules, &[])
        } else if entry.has_more {
            Self::search(leaf, rules, &entry.signings)
        } else {
            Self::default()
        }
    }

    /// What is hidden in a leaf that could not be read.
    pub fn in_leaf(leaf: &[u8], rules: &Rules) -> Self {
        Self::search(leaf, rules, &[])
    }

    /// Whether it names no watch, and the search was complete.
    pub fn is_empty(&self) -> bool {
        self.watches.is_empty() && self.limit.is_none()
    }

    /// Removes the watches that only a text names and that are in `alarmed`: the text is that of the signing.
    pub fn without_texts_of(&mut self, alarmed: &[usize]) {
        self.watches
            .retain(|watch, trace| !matches!(trace, Trace::Text) || !alarmed.contains(watch));
    }

    fn search(leaf: &[u8], rules: &Rules, known: &[Signing]) -> Self {
        // As for the parser: a panic must not stop the monitoring.
        let searched = catch_unwind(AssertUnwindSafe(|| Self::of(leaf, rules, known)));
        searched.unwrap_or_else(|_| {
            let mut hidden = Self::default();
            for watch in rules.watches().literals_in(leaf) {
                hidden.watches.insert(watch, Trace::Text);
            }
            hidden.stop_at(
                "searching it failed in a way that this program did not foresee",
                rules,
            );
            hidden
        })
    }

    /// Records why the search ended early. Each watch that only the rest of the search could find is reported.
    fn stop_at(&mut self, limit: &'static str, rules: &Rules) {
        self.limit = Some(limit);
        for watch in rules.watches().without_text() {
            self.watches.entry(watch).or_insert(Trace::Unsearched);
        }
    }

    fn of(leaf: &[u8], rules: &Rules, known: &[Signing]) -> Self {
        let watches = rules.watches();
        let names_certificates = watches.name_certificates();
        let mut hidden = Self::default();
        let mut matches = Vec::new();
        let is_whole = entry::search(leaf, &mut |found| match found {
            Found::Bytes(bytes) => {
                for watch in watches.literals_in(bytes) {
                    hidden.watches.entry(watch).or_insert(Trace::Text);
                }
            }
            Found::Signer(signer) => {
                if known.iter().any(|signing| signing.signer == signer) {
                    return;
                }
                matches.clear();
                watches.matches(&signer, &mut matches);
                for found in &matches {
                    let trace = hidden.watches.entry(found.watch).or_insert(Trace::Text);
                    if matches!(trace, Trace::Text) {
                        *trace = Trace::Signer(signer.clone());
                    }
                }
            }
            Found::Certificate(der) if names_certificates => {
                for watch in watches.naming_certificate(&Sha256::digest(der).into()) {
                    hidden.watches.entry(watch).or_insert(Trace::Text);
                }
            }
            Found::Certificate(_) => {}
        });
        if !is_whole {
            hidden.stop_at("it contains more than is searched", rules);
        }
        hidden
    }
}

impl Judge<'_> {
    /// Adds the findings of an entry that was read: if a part of it is unreadable, one for each watch that it names, or
    /// one without a watch; if it only contains more than was read, one for each watch that this names.
    pub fn beside(
        &self,
        place: Place<'_>,
        entry: &Entry,
        hidden: &Hidden,
        findings: &mut Vec<NewFinding>,
    ) {
        let (ordinal, reason) = match entry.unreadable.first() {
            Some(first) => {
                let reasons = entry.unreadable.iter().map(Unreadable::to_string);
                (first.ordinal(), escape::few(reasons, MOST_REASONS))
            }
            None if hidden.is_empty() => return,
            None => {
                let signings = entry.signings.iter().map(|signing| signing.ordinal + 1);
                let reason = "it contains more than an entry of a known kind does".to_owned();
                (signings.max().unwrap_or(0), reason)
            }
        };
        self.unreadable(place, Some(&entry.kind), ordinal, &reason, hidden, findings);
    }

    /// Adds the findings of a leaf that could not be read.
    pub fn leaf(
        &self,
        place: Place<'_>,
        reason: &str,
        hidden: &Hidden,
        findings: &mut Vec<NewFinding>,
    ) {
        self.unreadable(place, None, 0, reason, hidden, findings);
    }

    fn unreadable(
        &self,
        place: Place<'_>,
        kind: Option<&Kind>,
        ordinal: u32,
        reason: &str,
        hidden: &Hidden,
        findings: &mut Vec<NewFinding>,
    ) {
        let mut sentence = format!(
            "entry {} of {} cannot be understood: {reason}",
            place.index, self.shard.name
        );
        if let Some(limit) = hidden.limit {
            sentence.push_str("; ");
            sentence.push_str(limit);
        }
        let mut add = |traced: Option<(usize, &Trace)>| {
            findings.push(self.one_unreadable(place, kind, ordinal, &sentence, traced));
        };
        if hidden.watches.is_empty() {
            add(None);
        }
        for (watch, trace) in &hidden.watches {
            add(Some((*watch, trace)));
        }
    }

    fn one_unreadable(
        &self,
        place: Place<'_>,
        kind: Option<&Kind>,
        ordinal: u32,
        sentence: &str,
        traced: Option<(usize, &Trace)>,
    ) -> NewFinding {
        let (watch, trace) = traced.unzip();
        let signer = trace.and_then(|trace| match trace {
            Trace::Signer(signer) => Some(signer),
            Trace::Text | Trace::Unsearched => None,
        });
        let watch_of = watch.map(|place| self.rules.watches().get(place));
        let origin = self.shard.origin.as_str();
        let mut summary = sentence.to_owned();
        match (watch_of, signer) {
            (None, _) => {}
            (Some(watch), None) if matches!(trace, Some(Trace::Unsearched)) => {
                summary.push_str(
                    "; the part that was not searched may contain what this watch looks for: ",
                );
                summary.push_str(&watch.name);
            }
            (Some(watch), None) => {
                summary.push_str("; it contains a name that this watch looks for: ");
                summary.push_str(&watch.name);
            }
            (Some(watch), Some(signer)) => {
                summary.push_str("; a lenient reader may accept ");
                summary.push_str(&who(signer, signer.names()));
                summary.push_str(" for its signer, whom this watch looks for: ");
                summary.push_str(&watch.name);
            }
        }
        let finding = Finding {
            watch: watch_of.map(|w| w.name.clone()),
            log: Some(self.shard.name.clone()),
            origin: Some(origin.to_owned()),
            index: Some(place.index),
            leaf_hash: Some(place.hash.to_hex()),
            proven: Some(false),
            kind: kind.map(ToString::to_string),
            san: signer
                .map(|signer| signer.names().iter().take(MAX_NAMES).cloned().collect())
                .unwrap_or_default(),
            ..Finding::new(
                FindingId::of_unreadable(
                    watch_of.map(|w| w.name.as_str()),
                    origin,
                    place.index,
                    place.hash.as_bytes(),
                    ordinal,
                ),
                Verdict::Unreadable,
                watch_of.map_or(Severity::Low, |w| w.severity),
                summary,
                self.now,
            )
        };
        NewFinding {
            finding: match signer {
                Some(signer) => of_signer(signer, finding),
                None => finding,
            },
            rule: watch.and_then(|w| self.rules.rule(w)),
            evidence: Evidence {
                leaf: Some(place.leaf.to_vec()),
                key_hashes: signer.map(Signer::key_hashes).unwrap_or_default(),
                ..Evidence::default()
            },
        }
    }
}

/// Why a leaf could not be read.
pub fn reason(error: Option<&EntryError>) -> String {
    match error {
        Some(error) => error.to_string(),
        None => "reading it failed in a way that this program did not foresee".to_owned(),
    }
}
