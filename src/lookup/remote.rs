//! Asks the search index of Rekor v1 logs: a hint, of which each entry is fetched and proven.
//!
//! The index is filled with best effort, so what it does not name may exist: such an answer is never complete. Nothing that a log
//! answers is believed before it is proven by a checkpoint that one of its keys signed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tlog::Head;

use super::answer::{Answer, conclude};
use super::coverage::{LogReach, TreeReach};
use super::error::LookupError;
use super::findings::Found;
use super::leaves::{self, Hit};
use super::line::{Matched, Source, Unproven};
use super::matcher::Matcher;
use super::question::Question;
use super::trees::{Trees, never_read};
use crate::judge::Rules;
use crate::monitor::{KnownTree, RekorV1Log, Root, place};
use crate::report::log::ReadingMode;
use crate::source::Leaves;
use crate::source::rekor_v1::{Entry, EntryId, IndexQuery, MAX_ENTRIES_BYTES, MAX_RETRIEVED};

/// What is asked, and by what the answers are judged.
pub struct Remote<'a> {
    /// The logs.
    pub logs: &'a [RekorV1Log],
    /// The authorities by which certificates are judged.
    pub rules: &'a Rules,
    /// The present.
    pub now: Timestamp,
}

/// Asks the search indexes.
///
/// # Errors
///
/// [`LookupError`]: the index cannot be asked for any of the conditions, or no log that is asked for is known. What a log does
/// not answer is in the answer.
pub async fn remote(question: &Question, world: &Remote<'_>) -> Result<Answer, LookupError> {
    let matcher = Matcher::new(question)?;
    // The index names entries by the digests of what they sign; the entries do not show these.
    let hinted = Matcher::new(&Question {
        digests: Vec::new(),
        ..question.clone()
    })?;
    let asked = Asked::of(question).ok_or(LookupError::NotInIndex)?;
    let mut trees = Trees::default();
    let mut found = Found::default();
    for name in &question.logs {
        if !world.logs.iter().any(|log| log.name == *name) {
            return Err(LookupError::UnknownLog(name.clone()));
        }
    }
    for log in world.logs {
        if !question.logs.is_empty() && !question.logs.contains(&log.name) {
            continue;
        }
        let mut reach = LogReach {
            name: log.name.clone(),
            mode: ReadingMode::Guided,
            guides: Vec::new(),
            list: None,
            unreadable: None,
            trees: Vec::new(),
        };
        let one = One {
            log,
            world,
            matcher: &matcher,
            hinted: &hinted,
        };
        if let Err(why) = one.look(&asked, &mut reach, &mut found).await {
            reach.unreadable = Some(why);
        }
        trees.logs.push(reach);
    }
    super::findings::sort(&mut found);
    Ok(conclude(question, world.now, found, &trees))
}

/// What the index is asked for, and entries that the question names itself.
struct Asked {
    queries: Vec<IndexQuery>,
    ids: Vec<EntryId>,
}

impl Asked {
    /// `None`: no condition is one that the index has.
    fn of(question: &Question) -> Option<Self> {
        let leaf = |hex: &String| hex.parse::<EntryId>().ok();
        let mut asked = Self {
            queries: Vec::new(),
            ids: Vec::new(),
        };
        if let Some(id) = question.uuid {
            asked.ids.push(id);
        } else if let Some(bundle) = &question.bundle {
            asked.ids.extend(bundle.leaves.iter().filter_map(leaf));
            let digests = bundle.digests.iter().map(|(_, digest)| digest);
            asked.queries.extend(hashes(digests));
        } else if let Some(digest) = question.digests.first() {
            asked.queries.extend(hashes(digest.any_of.iter()));
        } else if let Some(name) = &question.identity {
            asked.queries.push(IndexQuery::Subject(name.clone()));
        } else {
            return None;
        }
        Some(asked)
    }
}

/// The index has digests by SHA-1, SHA-256 and others as `algorithm:hex`.
fn hashes<'a>(digests: impl Iterator<Item = &'a String>) -> impl Iterator<Item = IndexQuery> {
    digests.map(|digest| IndexQuery::Hash(digest.clone()))
}

/// One log that is asked.
struct One<'a> {
    log: &'a RekorV1Log,
    world: &'a Remote<'a>,
    matcher: &'a Matcher,
    hinted: &'a Matcher,
}

impl One<'_> {
    /// Looks for what is asked in one log. An error: nothing can be asked of it.
    async fn look(
        &self,
        asked: &Asked,
        reach: &mut LogReach,
        found: &mut Found,
    ) -> Result<(), String> {
        let mut trees = self.trees(reach).await?;
        // An entry may have two names here: with its tree, by the index, and without it, by a bundle.
        let mut read = BTreeSet::new();
        let limit = self.matcher.question.limit;
        let mut ids: BTreeSet<EntryId> = asked.ids.iter().copied().collect();
        for query in &asked.queries {
            let (named, is_cut) = self.index(query, limit).await?;
            ids.extend(named);
            found.is_cut |= is_cut;
        }
        let is_named: BTreeSet<EntryId> = asked.ids.iter().copied().collect();
        let ids: Vec<EntryId> = ids.into_iter().collect();
        for some in ids.chunks(MAX_RETRIEVED) {
            let entries = match self
                .log
                .server
                .retrieve_uuids(some, MAX_ENTRIES_BYTES)
                .await
            {
                Ok(entries) => entries,
                Err(error) => {
                    let why = format!("entries that the index names cannot be fetched: {error}");
                    found.unproven.push(self.unproven(None, why));
                    continue;
                }
            };
            for (id, entry) in some.iter().zip(entries) {
                match entry {
                    Some(entry) => self.entry(id, &entry, &mut trees, &mut read, found).await,
                    // Of a log that need not have it, the absence of an entry proves nothing.
                    None if is_named.contains(id) => {}
                    None => {
                        let why =
                            format!("the index names entry {id}, which the log does not show");
                        found.unproven.push(self.unproven(None, why));
                    }
                }
            }
        }
        Ok(())
    }

    /// The trees of the log, each with a head that its key signed.
    async fn trees(&self, reach: &mut LogReach) -> Result<Vec<KnownTree>, String> {
        let (listed, error) = self.log.ask().await;
        if let (true, Some(error)) = (listed.is_empty(), error) {
            return Err(error.message);
        }
        let mut trees = Vec::new();
        for tree in listed {
            let label = tree.shard.label.as_deref().unwrap_or_default();
            let id = label
                .parse()
                .map_err(|error| format!("tree {label}: {error}"))?;
            let note = tree.source.checkpoint().await;
            let note = note.map_err(|error| error.to_string())?;
            let checkpoint = tree
                .shard
                .open(&note)
                .map_err(|error| format!("tree {label}: {error}"))?;
            let head = Head::from(&checkpoint);
            reach.trees.push(TreeReach {
                base: tree.shard.base,
                head: Some(head.size),
                proven_at: Some(self.world.now),
                ..never_read(&tree.shard.id())
            });
            trees.push(KnownTree {
                id,
                shard: tree.shard,
                head,
            });
        }
        Ok(trees)
    }

    /// The entries that the index names, at most `limit`, and whether there are more.
    async fn index(
        &self,
        query: &IndexQuery,
        limit: usize,
    ) -> Result<(Vec<EntryId>, bool), String> {
        let mut answer = self.log.server.index(query).await;
        if let (Err(error), IndexQuery::Subject(name)) = (&answer, query)
            && error.is_refusal()
            && name.contains('@')
        {
            // Servers before Rekor 1.5.4 accept mail addresses only.
            let email = IndexQuery::Email(name.clone());
            answer = self.log.server.index(&email).await;
        }
        let refused = |error| format!("its search index cannot be asked: {error}");
        let mut answer = answer.map_err(refused)?;
        let mut ids = Vec::new();
        while let Some(piece) = answer.next().await.map_err(refused)? {
            for id in piece {
                if ids.len() >= limit {
                    return Ok((ids, true));
                }
                ids.push(id.map_err(|error| format!("its search index answers {error}"))?);
            }
        }
        Ok((ids, false))
    }

    /// Proves one entry, and adds what it holds of what is asked for, unless it is among the places that were read.
    async fn entry(
        &self,
        id: &EntryId,
        entry: &Entry,
        trees: &mut [KnownTree],
        read: &mut BTreeSet<(usize, u64)>,
        found: &mut Found,
    ) {
        let (tree, local) = match self.prove(id, entry, trees).await {
            Ok(proven) => proven,
            Err(why) => {
                found
                    .unproven
                    .push(self.unproven(Some(entry.global.get()), why));
                return;
            }
        };
        if !read.insert((tree, local)) {
            return;
        }
        let Some(tree) = trees.get(tree) else { return };
        let Ok(mut leaves) = Leaves::copied(local, [&entry.body]) else {
            return;
        };
        if let Some(attestation) = &entry.attestation {
            leaves = leaves.with(local, attestation.clone());
        }
        if let Some(promise) = entry.promise() {
            leaves = leaves.with_promise(local, promise);
        }
        let of =
            |matcher: &Matcher| leaves::compare(&leaves, &tree.shard, matcher, self.world.rules);
        let compared = of(self.matcher);
        let is_shown = !compared.hits.is_empty();
        let hits = if is_shown || self.matcher.question.digests.is_empty() {
            compared.hits
        } else {
            of(self.hinted).hits
        };
        for Hit { mut signing, .. } in hits {
            if found.signings.len() >= self.matcher.question.limit {
                found.is_cut = true;
                continue;
            }
            signing.source = Source::Remote;
            if !is_shown {
                signing.matched = Matched::Hint;
            }
            found.signings.push(signing);
        }
        for suspect in compared.suspects {
            let why = format!(
                "the entry cannot be read in full, and may hold what was asked for: {}",
                suspect.why
            );
            found
                .unproven
                .push(self.unproven(Some(entry.global.get()), why));
        }
    }

    /// The tree of an entry, by its place, and its index within the tree. Its inclusion is proven.
    async fn prove(
        &self,
        id: &EntryId,
        entry: &Entry,
        trees: &mut [KnownTree],
    ) -> Result<(usize, u64), String> {
        let placed = place(trees, id, entry).map_err(|error| error.to_string())?;
        let (place, local) = (placed.tree, placed.local);
        let tree = trees.get_mut(place).ok_or("the log lists no such tree")?;
        let root = placed.root(tree).map_err(|error| error.to_string())?;
        if let Some((older, newer)) = root.heads(&tree.head) {
            let proof = self
                .log
                .server
                .consistency(tree.id, older.size, newer.size)
                .await
                .map_err(|error| error.to_string())?;
            root.verify(&tree.head, &proof)
                .map_err(|error| error.to_string())?;
        }
        if let Root::Newer(head) = root {
            tree.head = head;
        }
        Ok((place, local))
    }

    fn unproven(&self, index: Option<u64>, why: String) -> Unproven {
        Unproven {
            line_type: "unproven",
            source: Source::Remote,
            log: self.log.name.clone(),
            origin: String::new(),
            index,
            why,
        }
    }
}
