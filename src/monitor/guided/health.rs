//! Findings about the limits of monitoring a guided log.
//!
//! They are about all trees of the log. Their origin is the log's name in the origins of its trees.

use jiff::{SignedDuration, Timestamp};

use super::plan;
use super::state::GuidedPass;
use super::trees::Trees;
use crate::escape;
use crate::finding::Verdict;
use crate::store::{Condition, Guide, LookupCounts, Scope, Store, StoreError};

/// A name that has waited for longer than this is a backlog, not a peak.
const BACKLOG: SignedDuration = SignedDuration::from_hours(1);

/// If no entry was found for this many certificates in a row, the index is not filled any more: it may still return old
/// entries of names that are used again and again.
const UNFOUND: u64 = LookupCounts::LAST;

/// Most CT logs that one sentence names.
const NAMED_GUIDES: usize = 5;

/// Most watches that one sentence names.
const NAMED_WATCHES: usize = 20;

const OF_A_GUIDED_LOG: &[Verdict] = &[
    Verdict::Backlog,
    Verdict::CoverageGap,
    Verdict::IndexSilent,
    Verdict::WatchIneffective,
];

/// Resolves the findings about a guided log when it is read in full. `signed_name` is its name in the origins of
/// its trees.
pub(in crate::monitor) async fn no_longer_guided(
    store: &dyn Store,
    signed_name: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let scope = Scope {
        verdicts: OF_A_GUIDED_LOG,
        origin: Some(signed_name.to_owned()),
    };
    store.assess(&scope, &[], now).await
}

impl GuidedPass<'_> {
    /// Assesses the log after its look-ups.
    pub(super) async fn assess(
        &self,
        guide: &Guide,
        trees: &Trees,
        counts: &LookupCounts,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let name = &self.guided.log.name;
        let nameless: Vec<&str> = self
            .rules
            .watches()
            .iter()
            .filter(|watch| {
                let no_lookup_note = |name: &String| !plan::is_askable(name);
                watch.selects_without_a_name()
                    || watch.spelled_out_sans().iter().any(no_lookup_note)
            })
            .map(|watch| watch.name.as_str())
            .collect();
        let sentence = [
            (Verdict::Backlog, backlog(name, counts, now)),
            (Verdict::CoverageGap, gap(name, counts)),
            (Verdict::IndexSilent, silent(name, counts)),
            (Verdict::WatchIneffective, ineffective(name, &nameless)),
        ];
        let conditions: Vec<Condition> = sentence
            .into_iter()
            .filter_map(|(verdict, summary)| {
                Some(Condition::of_log(
                    verdict,
                    name,
                    trees.signed_name.as_str(),
                    summary?,
                ))
            })
            .collect();
        if !counts.pending_guides.is_empty() && counts.fresh == 0 {
            self.context.store.guides_done(&guide.log).await?;
        }
        let scope = Scope {
            verdicts: OF_A_GUIDED_LOG,
            origin: Some(trees.signed_name.as_str().to_owned()),
        };
        self.context.store.assess(&scope, &conditions, now).await
    }
}

/// The number of entries in answers of the search index that are not read yet; `None`: all are read.
pub fn unread_entries(count: u64) -> Option<String> {
    (count > 0).then(|| format!("{count} entries that the index names are not read yet"))
}

fn backlog(name: &str, counts: &LookupCounts, now: Timestamp) -> Option<String> {
    let waited = now.duration_since(counts.oldest_due?);
    (waited > BACKLOG).then(|| {
        let unread = unread_entries(counts.unread)
            .map(|unread| format!("; {unread}"))
            .unwrap_or_default();
        format!(
            "{} names wait to be looked up in the search index of {name}, the first of them for more than an hour{unread}",
            counts.due
        )
    })
}

/// A CT log that became a guide later. Signings with its earlier certificates may be unknown until their names have
/// been looked up.
fn gap(name: &str, counts: &LookupCounts) -> Option<String> {
    if counts.pending_guides.is_empty() || counts.fresh == 0 {
        return None;
    }
    let guides = escape::few(&counts.pending_guides, NAMED_GUIDES);
    Some(format!(
        "{guides} guides {name} now, and {} names of certificates that it may have shown before are not looked up in {name} yet",
        counts.fresh
    ))
}

/// An index that returns entries for some names may be complete. One that returns none is not filled: certificates are
/// issued for an immediate signing.
fn silent(name: &str, counts: &LookupCounts) -> Option<String> {
    if counts.answered > 0 && counts.known == 0 {
        Some(format!(
            "the search index of {name} has no entry for any of the {} names whose certificates were logged and have ended: what was signed with them cannot be found",
            counts.answered
        ))
    } else if counts.ended >= UNFOUND && counts.found == 0 {
        Some(format!(
            "the search index of {name} has other entries, but none for any of the last {} certificates that have ended: what was signed with them cannot be found",
            counts.ended
        ))
    } else {
        None
    }
}

fn ineffective(name: &str, watches: &[&str]) -> Option<String> {
    if watches.is_empty() {
        return None;
    }
    let listed = escape::few(watches, NAMED_WATCHES);
    Some(format!(
        "{name} is guided by names, and these watches select by a key or a certificate without a name, or by one that is too long to look up: {listed}. Their signings are not found there: give them an exact `san`, or read the log with mode = \"tail\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(due: u64, oldest: Option<i64>, answered: u64, known: u64) -> LookupCounts {
        LookupCounts {
            due,
            oldest_due: oldest.map(at),
            answered,
            known,
            ..LookupCounts::default()
        }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minutes).expect("within range")
    }

    #[test]
    fn an_index_is_silent_if_it_has_none_of_the_expected_names() {
        assert!(silent("v1", &counts(0, None, 3, 0)).is_some());
        assert!(silent("v1", &counts(0, None, 3, 1)).is_none());
        assert!(silent("v1", &counts(0, None, 0, 0)).is_none());
    }

    #[test]
    fn an_index_with_old_entries_only_is_silent_too() {
        for (ended, found, is_silent) in [(4, 0, false), (5, 0, true), (1_000, 1, false)] {
            let counts = LookupCounts {
                ended,
                found,
                ..counts(0, None, 3, 3)
            };
            assert_eq!(
                silent("v1", &counts).is_some(),
                is_silent,
                "{ended} {found}"
            );
        }
    }

    #[test]
    fn a_queue_is_a_backlog_when_its_first_name_has_waited_for_an_hour() {
        assert!(backlog("v1", &counts(1, Some(0), 0, 0), at(61)).is_some());
        assert!(backlog("v1", &counts(1_000, Some(0), 0, 0), at(60)).is_none());
        assert!(backlog("v1", &counts(0, None, 0, 0), at(60)).is_none());
    }

    #[test]
    fn many_ineffective_watches_are_one_sentence_of_bounded_length() {
        assert_eq!(ineffective("v1", &[]), None);
        let names: Vec<String> = (0..25).map(|n| format!("w{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let sentence = ineffective("v1", &names).expect("there are some");
        assert!(
            sentence.contains("w19 and 5 more") && !sentence.contains("w20"),
            "{sentence}"
        );
    }
}
