//! The stored signings of a question, part by part, in the order in which their first findings were recorded. So a part
//! costs what it examines, and what is recorded meanwhile neither repeats nor hides another signing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::coverage::{Asked, Coverage, coverage};
use super::error::LookupError;
use super::findings::{
    Group, Which, authorities, cannot_be_read, is_of_entry, is_of_logs, is_proven, not_proven,
    reference, signing, which,
};
use super::held::Held;
use super::leaves::is_in_time;
use super::line::{Matched, Signing, Unproven};
use super::matcher::Matcher;
use super::question::Question;
use super::trees::{self, Trees};
use super::world::World;
use crate::finding::Verdict;
use crate::identity::Chain;
use crate::store::{FoundSigning, SearchKey};

/// Findings that are examined at once. One with its certificate has a few kilobytes, at most as much as a leaf.
const PART: u32 = 100;

/// Findings about the same entries that are read at once.
const SAME_ENTRY: u32 = 500;

/// A line of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Item {
    /// A signing that meets all conditions, in an entry that is proven.
    Signing(Box<Signing>),
    /// An entry that may be what was asked for.
    Unproven(Unproven),
}

/// The stored signings of a question after a position.
pub struct Pages<'a> {
    question: &'a Question,
    world: &'a World<'a>,
    matcher: Matcher,
    trees: Trees,
    keys: Vec<SearchKey>,
    /// The keys are hashes of the key of the signer.
    by_key: bool,
    position: i64,
    examined: usize,
    has_ended: bool,
}

impl<'a> Pages<'a> {
    /// The signings of a question whose first finding has a larger number than `after`; `None`: all. Its limit is not used.
    ///
    /// # Errors
    ///
    /// [`LookupError`]: the question names a log that is not followed, or the store cannot be read.
    pub async fn new(
        question: &'a Question,
        world: &'a World<'a>,
        after: Option<i64>,
    ) -> Result<Self, LookupError> {
        let mut matcher = Matcher::new(question)?;
        let payloads = world
            .store
            .payloads_about(&question.digests_asked())
            .await?;
        matcher.add_payloads(&payloads);
        let trees = trees::gather(question, &matcher, world).await?;
        let (mut keys, by_key) = matcher.search_keys();
        if !trees.covering.is_empty() {
            // An entry that cannot be read and that names a watch which selects everything that is asked for may be one of those.
            keys.push(SearchKey::Unreadable(trees.covering.clone()));
        }
        Ok(Self {
            question,
            world,
            matcher,
            trees,
            keys,
            by_key,
            position: after.unwrap_or(i64::MIN),
            examined: 0,
            has_ended: false,
        })
    }

    /// The number of the last finding that was examined.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// How many findings were examined.
    pub fn examined(&self) -> usize {
        self.examined
    }

    /// How far the answer goes. `is_found`: some part of it has a signing.
    pub fn coverage(&self, is_found: bool) -> Coverage {
        let asked = Asked {
            since: self.question.since,
            now: self.world.now,
            digest_not_found: !self.question.digests.is_empty() && !is_found,
            is_cut: false,
        };
        coverage(&asked, &self.trees.logs)
    }

    /// The items of the next findings, each with the number of its first finding; perhaps none. `None`: there are no more
    /// findings.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<(i64, Item)>>, LookupError> {
        if self.has_ended {
            return Ok(None);
        }
        let mut found: BTreeMap<i64, FoundSigning> = BTreeMap::new();
        // Up to here all keys were read.
        let mut end = i64::MAX;
        for key in &self.keys {
            let part = self.world.store.search(key, self.position, PART).await?;
            if part.len() >= usize::try_from(PART).unwrap_or(usize::MAX)
                && let Some(last) = part.last()
            {
                end = end.min(last.number);
            }
            found.extend(part.into_iter().map(|stored| (stored.number, stored)));
        }
        found.retain(|number, _| *number <= end);
        self.has_ended = end == i64::MAX;
        if let Some((last, _)) = found.last_key_value() {
            self.position = *last;
        }
        self.examined = self.examined.saturating_add(found.len());
        Ok(Some(self.items(found.into_values().collect()).await?))
    }

    /// What a finding shows of the question; `None`: nothing.
    fn selects(&self, stored: &FoundSigning) -> Option<Matched> {
        if !is_of_logs(&stored.finding, &self.matcher, &self.trees) {
            return None;
        }
        let matched = self.matcher.stored(stored, self.by_key);
        let is_in_time = is_in_time(&self.matcher, Held::Stored(stored).time(Chain::Unknown));
        if matched.is_some() && is_in_time {
            return matched;
        }
        let watch = stored.finding.watch.as_ref();
        let may_be = is_unreadable(stored)
            && watch.is_some_and(|watch| self.trees.covering.contains(watch))
            && is_of_entry(&self.matcher, stored);
        may_be.then_some(Matched::Entry)
    }

    /// The items whose first finding is among these.
    async fn items(&self, found: Vec<FoundSigning>) -> Result<Vec<(i64, Item)>, LookupError> {
        let selected = found
            .into_iter()
            .filter_map(|stored| self.selects(&stored).map(|matched| (stored, matched)));
        let selected: Vec<(FoundSigning, Matched)> = selected.collect();
        let all = self.of_same_entries(&selected).await?;
        let mut items = Vec::new();
        let mut groups: BTreeMap<Which, Group> = BTreeMap::new();
        for (stored, matched) in selected {
            let which = which(&stored.finding);
            let is_unreadable = is_unreadable(&stored);
            let same = all.get(&(which.clone(), is_unreadable));
            let same = same.map_or(std::slice::from_ref(&stored), Vec::as_slice);
            if same.iter().any(|other| other.number < stored.number) {
                continue;
            }
            if is_unreadable {
                let item = Item::Unproven(cannot_be_read(&stored.finding));
                items.push((stored.number, item));
                continue;
            }
            let findings = same.iter().map(|same| &same.finding);
            let group = Group {
                is_proven: findings.clone().any(is_proven),
                findings: findings.map(reference).collect(),
                first: stored,
                matched,
            };
            groups.insert(which, group);
        }
        let authorities = authorities(self.world, &groups).await?;
        items.extend(groups.into_values().map(|group| {
            let number = group.first.number;
            let item = if group.is_proven {
                Item::Signing(Box::new(signing(group, &authorities)))
            } else {
                Item::Unproven(not_proven(&group))
            };
            (number, item)
        }));
        items.sort_by_key(|(number, _)| *number);
        Ok(items)
    }

    /// All findings about the entries of these, by their signing and by whether it cannot be read, in the order of their
    /// numbers: each watch that selects a signing has a finding about it.
    async fn of_same_entries(
        &self,
        selected: &[(FoundSigning, Matched)],
    ) -> Result<BTreeMap<(Which, bool), Vec<FoundSigning>>, LookupError> {
        // By their indexes: the same leaf may be logged any number of times.
        let indexes = selected
            .iter()
            .filter_map(|(stored, _)| stored.finding.index);
        let indexes: BTreeSet<u64> = indexes.collect();
        let key = SearchKey::Indexes(indexes.into_iter().collect());
        let mut all: BTreeMap<(Which, bool), Vec<FoundSigning>> = BTreeMap::new();
        let mut after = i64::MIN;
        loop {
            let part = self.world.store.search(&key, after, SAME_ENTRY).await?;
            let Some(last) = part.last() else { break };
            after = last.number;
            for stored in part {
                let is_unreadable = is_unreadable(&stored);
                if is_unreadable && self.selects(&stored).is_none() {
                    continue;
                }
                let same = all.entry((which(&stored.finding), is_unreadable));
                same.or_default().push(stored);
            }
        }
        Ok(all)
    }
}

/// Whether a finding is about an entry, or a signing in it, that cannot be read.
fn is_unreadable(stored: &FoundSigning) -> bool {
    stored.finding.verdict == Verdict::Unreadable
}
