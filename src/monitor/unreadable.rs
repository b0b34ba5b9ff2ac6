//! What an entry holds beside its signings, or in their place: found by a search, and told without claiming more.
//!
//! Anyone can put the owner's public certificate where one reader finds a signer and others do not. So what only a search
//! finds is never a signing by that identity. It is an unreadable entry, at the severity of the watch that it names.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sha2::{Digest as _, Sha256};

use super::Rules;
use super::judge::{Judge, Place, who};
use crate::entry::{self, Entry, EntryError, Found, Kind, Signing, Unreadable};
use crate::escape;
use crate::finding::{Evidence, Finding, FindingId, NewFinding, Severity, Verdict};
use crate::identity::{Certificate, Extension, Key, Signer};

/// Most reasons that a summary lists: an entry has as many as it has verifiers.
const MOST_REASONS: usize = 3;

/// What a search of a leaf found.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// The watches that something in it names, by a text of theirs or by this signer.
    watches: BTreeMap<usize, Option<Signer>>,
    /// Why the search does not say everything.
    limit: Option<&'static str>,
}

impl Hidden {
    /// What is hidden in an entry that was read; nothing, without a search, if all readers read all of it alike.
    pub(super) fn beside(entry: &Entry, leaf: &[u8], rules: &Rules) -> Self {
        if !entry.unreadable.is_empty() {
            Self::search(leaf, rules, &[])
        } else if entry.has_more {
            Self::search(leaf, rules, &entry.signings)
        } else {
            Self::default()
        }
    }

    /// What is hidden in a leaf of which nothing was read.
    pub(super) fn in_leaf(leaf: &[u8], rules: &Rules) -> Self {
        Self::search(leaf, rules, &[])
    }

    /// Whether it names a watch.
    pub(super) fn is_empty(&self) -> bool {
        self.watches.is_empty()
    }

    /// Leaves out the watches that only a text names, of those that are alarmed already: it is that of the signing.
    pub(super) fn without_texts_of(&mut self, alarmed: &[usize]) {
        self.watches
            .retain(|watch, signer| signer.is_some() || !alarmed.contains(watch));
    }

    fn search(leaf: &[u8], rules: &Rules, known: &[Signing]) -> Self {
        // As for the parser: a way to make it panic must not blind the watch.
        let searched = catch_unwind(AssertUnwindSafe(|| Self::of(leaf, rules, known)));
        searched.unwrap_or_else(|_| Self {
            watches: (rules.watches().literals_in(leaf).into_iter())
                .map(|watch| (watch, None))
                .collect(),
            limit: Some("searching it failed in a way that this program did not foresee"),
        })
    }

    fn of(leaf: &[u8], rules: &Rules, known: &[Signing]) -> Self {
        let watches = rules.watches();
        let names_certificates = watches.name_certificates();
        let mut hidden = Self::default();
        let mut matches = Vec::new();
        let is_whole = entry::search(leaf, &mut |found| match found {
            Found::Bytes(bytes) => {
                for watch in watches.literals_in(bytes) {
                    hidden.watches.entry(watch).or_default();
                }
            }
            Found::Signer(signer) => {
                matches.clear();
                watches.matches(&signer, &mut matches);
                if known.iter().any(|signing| signing.signer == signer) {
                    return;
                }
                for found in &matches {
                    let place = hidden.watches.entry(found.watch).or_default();
                    place.get_or_insert_with(|| signer.clone());
                }
            }
            Found::Certificate(der) if names_certificates => {
                for watch in watches.naming_certificate(&Sha256::digest(der).into()) {
                    hidden.watches.entry(watch).or_default();
                }
            }
            Found::Certificate(_) => {}
        });
        if !is_whole {
            hidden.limit = Some("it holds more layers of base64 than are searched");
        }
        hidden
    }
}

impl Judge<'_> {
    /// An entry that was read: if a part of it cannot be understood one finding for each watch that it names, or one
    /// without a watch; if it only has more than was read, one for each watch that this names.
    pub(super) fn beside(
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
                let reason = "it holds more than an entry of a known kind does".to_owned();
                (signings.max().unwrap_or(0), reason)
            }
        };
        self.unreadable(place, Some(&entry.kind), ordinal, &reason, hidden, findings);
    }

    /// A leaf that cannot be understood at all.
    pub(super) fn leaf(
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
        let mut said = format!(
            "entry {} of {} cannot be understood: {reason}",
            place.index, self.shard.name
        );
        if let Some(limit) = hidden.limit {
            said.push_str("; ");
            said.push_str(limit);
        }
        let mut add = |watch, signer: Option<&Signer>| {
            findings.push(self.one_unreadable(place, kind, ordinal, &said, watch, signer));
        };
        if hidden.is_empty() {
            add(None, None);
        }
        for (watch, signer) in &hidden.watches {
            add(Some(*watch), signer.as_ref());
        }
    }

    fn one_unreadable(
        &self,
        place: Place<'_>,
        kind: Option<&Kind>,
        ordinal: u32,
        said: &str,
        watch: Option<usize>,
        signer: Option<&Signer>,
    ) -> NewFinding {
        let watch_of = watch.map(|place| self.rules.watches().get(place));
        let origin = self.shard.origin.as_str();
        let mut summary = said.to_owned();
        match (watch_of, signer) {
            (None, _) => {}
            (Some(watch), None) => {
                summary.push_str("; it holds a name that this watch looks for: ");
                summary.push_str(&watch.name);
            }
            (Some(watch), Some(signer)) => {
                summary.push_str("; a lenient reader may take ");
                summary.push_str(&who(signer, signer.names()));
                summary.push_str(" for its signer, whom this watch looks for: ");
                summary.push_str(&watch.name);
            }
        }
        let certificate = signer.and_then(Signer::certificate);
        NewFinding {
            finding: Finding {
                watch: watch_of.map(|w| w.name.clone()),
                log: Some(self.shard.name.clone()),
                origin: Some(origin.to_owned()),
                index: Some(place.index),
                leaf_hash: Some(place.hash.to_hex()),
                proven: Some(false),
                kind: kind.map(ToString::to_string),
                san: signer
                    .map(|signer| signer.names().to_vec())
                    .unwrap_or_default(),
                issuer: certificate.and_then(Certificate::issuer).map(str::to_owned),
                extensions: certificate.map(extensions).unwrap_or_default(),
                certificate_sha256: certificate.and_then(Certificate::sha256).map(hex::encode),
                key_sha256: signer.map(|signer| hex::encode(signer.key_sha256())),
                key_fingerprint: match signer {
                    Some(Signer::Key(key)) => Key::fingerprint(key).map(str::to_owned),
                    _ => None,
                },
                not_before: certificate.map(Certificate::not_before),
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
            },
            rule: watch.and_then(|w| self.rules.rule(w)),
            evidence: Evidence {
                leaf: Some(place.leaf.to_vec()),
                ..Evidence::default()
            },
        }
    }
}

/// Fulcio's extensions by name, but for the issuer.
pub(super) fn extensions(certificate: &Certificate) -> BTreeMap<String, String> {
    certificate
        .extensions()
        .iter()
        .filter(|(extension, _)| *extension != Extension::Issuer)
        .map(|(extension, value)| (extension.name().to_owned(), value.clone()))
        .collect()
}

/// Why nothing of a leaf was read.
pub(super) fn reason(error: Option<&EntryError>) -> String {
    match error {
        Some(error) => error.to_string(),
        None => "reading it failed in a way that this program did not foresee".to_owned(),
    }
}
