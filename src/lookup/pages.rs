//! The stored signings of a question, part by part. A part costs what it examines, and what is recorded meanwhile neither
//! repeats nor hides another signing.
//!
//! The order is that of the values by which signings are found, and of one value that in which they were recorded.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::coverage::{Asked, Coverage, coverage};
use super::error::LookupError;
use super::findings::{
    Group, Which, authorities, cannot_be_read, is_of_entry, is_of_logs, is_proven, is_unreadable,
    not_proven, reference, signing, which,
};
use super::held::Held;
use super::keys::{Key, Position, Repeated, repeated};
use super::leaves::is_in_time;
use super::line::{Matched, Signing, Unproven};
use super::matcher::Matcher;
use super::question::Question;
use super::trees::{self, Trees};
use super::world::World;
use crate::identity::Chain;
use crate::store::{FoundSigning, Place, SearchKey, SignerTerm};
use crate::watch::Glob;

/// Findings that are examined at once. One with its certificate has a few kilobytes, at most as much as a leaf.
const PART: u32 = 100;

/// Findings about the same entries that are read at once.
const SAME_ENTRY: u32 = 500;

/// Names of signers that are compared with a pattern at once.
const NAMES: u32 = 500;

/// Names that cost as much as one finding to examine.
const NAMES_OF_A_FINDING: usize = 10;

/// A line of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Item {
    /// A signing that meets all conditions, in an entry that is proven.
    Signing(Box<Signing>),
    /// An entry that may be what was asked for.
    Unproven(Unproven),
    /// One that cannot be read.
    Unreadable(Unproven),
}

/// The stored signings of a question after a position.
pub struct Pages<'a> {
    question: &'a Question,
    world: &'a World<'a>,
    matcher: Matcher,
    trees: Trees,
    keys: Vec<Key>,
    /// They are hashes of the key of the signer.
    by_key: bool,
    position: Position,
    examined: usize,
    /// The numbers of the findings that were answered.
    seen: HashSet<i64>,
}

impl<'a> Pages<'a> {
    /// The signings of a question behind a position; `None`: all. Its limit is not used.
    ///
    /// # Errors
    ///
    /// [`LookupError`]: the question names a log that is not followed, or the store cannot be read.
    pub async fn new(
        question: &'a Question,
        world: &'a World<'a>,
        after: Option<Position>,
    ) -> Result<Self, LookupError> {
        let mut matcher = Matcher::new(question)?;
        let payloads = world
            .store
            .payloads_about(&question.digests_asked())
            .await?;
        matcher.add_payloads(&payloads);
        let trees = trees::gather(question, &matcher, world).await?;
        let (mut keys, by_key) = matcher.keys();
        if !trees.covering.is_empty() {
            // An entry that cannot be read and that names a watch which selects everything that is asked for may be one of those.
            let unreadable = SearchKey::Unreadable(trees.covering.clone());
            keys.push(Key::Values(unreadable));
        }
        Ok(Self {
            question,
            world,
            matcher,
            trees,
            keys,
            by_key,
            position: after.unwrap_or_default(),
            examined: 0,
            seen: HashSet::new(),
        })
    }

    /// Behind the last finding that was examined.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Whether only entries that cannot be read are left.
    pub(super) fn is_at_unreadable(&self) -> bool {
        let key = self.keys.get(self.position.key);
        key.is_none_or(Key::is_unreadable)
    }

    /// Leaves out everything but entries that cannot be read.
    pub(super) fn skip_to_unreadable(&mut self) {
        let key = self.keys.iter().position(Key::is_unreadable);
        self.position = Position {
            key: key.unwrap_or(self.keys.len()),
            place: None,
        };
    }

    /// How many findings, and names of signers, were examined.
    pub fn examined(&self) -> usize {
        self.examined
    }

    /// How far the answer goes. `is_found`: some part of it has a signing; `is_cut`: there are more than were asked for.
    pub fn coverage(&self, is_found: bool, is_cut: bool) -> Coverage {
        let asked = Asked {
            since: self.question.since,
            now: self.world.now,
            digest_not_found: !self.question.digests.is_empty() && !is_found,
            is_cut,
        };
        coverage(&asked, &self.trees.logs)
    }

    /// The items of the next findings, each with its position; perhaps none. `None`: there are no more findings.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<(Position, Item)>>, LookupError> {
        let at = self.position.key;
        let Some(key) = self.keys.get(at).cloned() else {
            return Ok(None);
        };
        let after = self.position.place.take();
        let part = match key {
            Key::Values(key) => self.next_of(&key, after).await?,
            Key::Names(glob) => self.next_of_names(&glob, after).await?,
        };
        if self.position.place.is_none() {
            self.position.key = at.saturating_add(1);
        }
        self.examined = self.examined.saturating_add(part.len());
        Ok(Some(self.items(at, part).await?))
    }

    /// The next findings with one of these values. Sets the place behind them, if others may follow.
    async fn next_of(
        &mut self,
        key: &SearchKey,
        after: Option<Place>,
    ) -> Result<Vec<FoundSigning>, LookupError> {
        let part = self.world.store.search(key, after.as_ref(), PART).await?;
        let is_full = part.len() >= usize::try_from(PART).unwrap_or(usize::MAX);
        let last = part.last().filter(|_| is_full);
        self.position.place = last.map(|last| last.place.clone());
        Ok(part)
    }

    /// The next findings of signers whose name the glob selects, as above.
    async fn next_of_names(
        &mut self,
        glob: &Glob,
        after: Option<Place>,
    ) -> Result<Vec<FoundSigning>, LookupError> {
        let store = self.world.store;
        let from = after.as_ref().map_or("", |place| place.value.as_str());
        let names = store.names(Key::beginning(glob), from, NAMES).await?;
        self.examined = self
            .examined
            .saturating_add(names.len() / NAMES_OF_A_FINDING);
        let are_all = names.len() < usize::try_from(NAMES).unwrap_or(usize::MAX);
        let last = names.last().cloned();
        let selected = names.into_iter().filter(|name| Key::may_be(glob, name));
        let key = SearchKey::Signers(SignerTerm::Name, selected.collect());
        let part = self.next_of(&key, after).await?;
        if self.position.place.is_none() && !are_all {
            self.position.place = last.map(Place::behind);
        }
        Ok(part)
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

    /// The items whose first finding is among these, which the step `at` answered.
    async fn items(
        &mut self,
        at: usize,
        found: Vec<FoundSigning>,
    ) -> Result<Vec<(Position, Item)>, LookupError> {
        let mut selected: Vec<(FoundSigning, Matched)> = Vec::new();
        for stored in found {
            if let Some(matched) = self.selects(&stored)
                && !self.is_repeated(at, &stored).await?
                && self.seen.insert(stored.number)
            {
                selected.push((stored, matched));
            }
        }
        let all = self.of_same_entries(&selected).await?;
        let mut items = Vec::new();
        let mut groups: BTreeMap<Which, Group> = BTreeMap::new();
        let mut order = HashMap::new();
        for (place, (stored, matched)) in selected.into_iter().enumerate() {
            let which = which(&stored.finding);
            let is_unreadable = is_unreadable(&stored);
            let same = all.get(&(which.clone(), is_unreadable));
            let same = same.map_or(std::slice::from_ref(&stored), Vec::as_slice);
            // It is shown with the first of its findings that the question finds.
            let is_earlier = |other: &FoundSigning| {
                other.number < stored.number && self.selects(other).is_some()
            };
            if same.iter().any(is_earlier) {
                continue;
            }
            let position = Position {
                key: at,
                place: Some(stored.place.clone()),
            };
            if is_unreadable {
                let item = Item::Unreadable(cannot_be_read(&stored.finding));
                items.push((place, position, item));
                continue;
            }
            order.insert(stored.number, (place, position));
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
        for group in groups.into_values() {
            let (place, position) = order.remove(&group.first.number).unwrap_or_default();
            let item = if group.is_proven {
                Item::Signing(Box::new(signing(group, &authorities)))
            } else {
                Item::Unproven(not_proven(&group))
            };
            items.push((place, position, item));
        }
        items.sort_by_key(|(place, ..)| *place);
        let items = items.into_iter();
        Ok(items.map(|(_, position, item)| (position, item)).collect())
    }

    /// Whether a finding that the step `at` answered was answered before.
    async fn is_repeated(&self, at: usize, stored: &FoundSigning) -> Result<bool, LookupError> {
        let meets = || {
            self.matcher.stored(stored, self.by_key).is_some()
                && is_in_time(&self.matcher, Held::Stored(stored).time(Chain::Unknown))
        };
        match repeated(&self.keys, at, stored, meets) {
            Repeated::Known(is_repeated) => Ok(is_repeated),
            Repeated::IfIts(values) => {
                for (term, values) in values {
                    let store = self.world.store;
                    if store.has_value(&stored.place, term, &values).await? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
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
        let mut after = None;
        loop {
            let store = self.world.store;
            let part = store.search(&key, after.as_ref(), SAME_ENTRY).await?;
            let Some(last) = part.last() else { break };
            after = Some(last.place.clone());
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
