//! Working off the queue: names to the index, entries by their ids, and what is found in them.

use std::collections::BTreeSet;

use super::Pass;
use super::heads::Trees;
use super::plan::{self, Question};
use super::prove::{self, Linked};
use crate::monitor::pass::Halt;
use crate::monitor::scan;
use crate::source::Leaves;
use crate::source::rekor_v1::{Entry, EntryId, IndexQuery, MAX_ENTRIES_BYTES, MAX_RETRIEVED};
use crate::store::{
    Answered, Enlisting, FoundEntries, Guide, KnownEntry, Lookup, Sighting, SoughtCertificate,
};

/// Findings that are taken up in one transaction.
const SIGHTINGS: u32 = 1_000;

/// Look-ups that are read from the queue at once.
const LOOKUPS: u32 = 100;

/// A server that cannot be had this often in a row is left alone for the rest of the pass: each try costs it up to five
/// requests.
const UNAVAILABLE: u32 = 3;

/// How often a server that only knows mail addresses is tried with another name: it may have been brought up to date.
const TRY_AGAIN: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

impl Pass<'_> {
    /// Takes up what was found since the last time, in CT logs to be looked up, in other logs to be recognized.
    pub(super) async fn enlist(&self, guide: &mut Guide, trees: &Trees) -> Result<(), Halt> {
        loop {
            let store = &self.monitor.store;
            let sightings = store.sightings(guide.cursor, SIGHTINGS).await?;
            let Some(last) = sightings.last() else {
                return Ok(());
            };
            let cursor = last.number;
            let mut enlisting = Enlisting {
                log: guide.log.clone(),
                expected: guide.cursor,
                cursor,
                certificates: Vec::new(),
                elsewhere: Vec::new(),
                now: self.now,
            };
            for sighting in sightings {
                let is = |origin: &str| sighting.origin == origin;
                if trees.list.iter().any(|t| is(t.shard.origin.as_str())) {
                    continue;
                }
                if self.guided.guides.contains(&sighting.log) {
                    enlisting.certificates.extend(sought(sighting));
                } else {
                    enlisting.elsewhere.push(KnownEntry {
                        origin: sighting.origin,
                        name: sighting.log,
                        index: sighting.index,
                        leaf_hash: sighting.leaf_hash,
                        key: sighting.key,
                    });
                }
            }
            store.enlist(&enlisting).await?;
            guide.cursor = cursor;
        }
    }

    /// Asks for all that is due, as far as the allowance goes. What one name fails at does not keep the others waiting.
    ///
    /// # Errors
    /// Only what ends the pass; what is left to be said otherwise is in `self.trouble`.
    pub(super) async fn work_off(
        &mut self,
        guide: &mut Guide,
        trees: &mut Trees,
    ) -> Result<(), Halt> {
        let mut linked = Linked::new();
        let mut failed = BTreeSet::new();
        let mut unavailable = 0;
        loop {
            let limit = LOOKUPS.saturating_add(u32::try_from(failed.len()).unwrap_or(u32::MAX));
            let now = self.monitor.clock.now();
            let store = &self.monitor.store;
            let mut due = store.due_lookups(&guide.log, now, limit).await?;
            due.retain(|lookup| !failed.contains(&lookup.subject));
            if due.is_empty() {
                return Ok(());
            }
            for lookup in due {
                if self.monitor.stop.requested() {
                    return Err(Halt::Stopped);
                }
                let asked = self.look_up(guide, trees, &mut linked, &lookup).await;
                self.record_spending(guide).await?;
                match asked {
                    Ok(()) => unavailable = 0,
                    Err(Halt::Failed(error)) => {
                        if error.kind == OUT_OF_ALLOWANCE {
                            return Ok(());
                        }
                        if error.kind == "unavailable" {
                            unavailable += 1;
                        }
                        failed.insert(lookup.subject);
                        self.trouble.get_or_insert(error);
                        if unavailable >= UNAVAILABLE {
                            return Ok(());
                        }
                    }
                    Err(other) => return Err(other),
                }
            }
        }
    }

    /// Counts one more request.
    pub(super) fn afford(&mut self) -> Result<(), Halt> {
        if self.allowance.take(self.monitor.clock.now()) {
            Ok(())
        } else {
            Err(Halt::failed(OUT_OF_ALLOWANCE, String::new()))
        }
    }

    async fn record_spending(&self, guide: &mut Guide) -> Result<(), Halt> {
        let spent = self.allowance.spent();
        if (guide.spent, guide.mail_only) != (spent, self.mail_only) {
            guide.spent = spent;
            guide.mail_only = self.mail_only;
            self.monitor
                .store
                .spend(&guide.log, spent, self.mail_only)
                .await?;
        }
        Ok(())
    }

    /// One name: its entries, those of them that are new, and what follows.
    async fn look_up(
        &mut self,
        guide: &Guide,
        trees: &mut Trees,
        linked: &mut Linked,
        lookup: &Lookup,
    ) -> Result<(), Halt> {
        let mut ids = self.ids(&lookup.subject).await?;
        ids.sort_unstable();
        ids.dedup();
        let entries = ids.len() as u64;
        let new = self.unknown(guide, trees, ids).await?;
        let mut missing = None;
        for chunk in new.chunks(MAX_RETRIEVED) {
            missing = missing.or(self.fetch(guide, trees, linked, chunk).await?);
        }
        if let Some(id) = missing {
            // The answer is not recorded: it is asked for again until the log shows what its index names.
            return Err(Halt::failed(
                "entries-missing",
                format!("the index names entry {id}, which the log does not show"),
            ));
        }
        let store = &self.monitor.store;
        let open = store.open_certificates(&guide.log, &lookup.subject).await?;
        let now = self.monitor.clock.now();
        let name = &self.guided.log.name;
        let next = plan::next(name, lookup.direct, lookup.tries, &open, now);
        store
            .answered(&Answered {
                log: guide.log.clone(),
                subject: lookup.subject.clone(),
                entries,
                due: next.due,
                settled: next.settled,
                now,
            })
            .await?;
        Ok(())
    }

    /// The ids that the index names. A server that does not know the question for names of any type is asked by mail
    /// address from then on.
    async fn ids(&mut self, subject: &str) -> Result<Vec<EntryId>, Halt> {
        let now = self.monitor.clock.now();
        let mail_only = self
            .mail_only
            .is_some_and(|since| now.duration_since(since) < TRY_AGAIN);
        if !mail_only {
            match self.ask(plan::question(subject, false)).await {
                Err(Asking::Refused) => self.mail_only = Some(now),
                Ok(ids) => {
                    self.mail_only = None;
                    return Ok(ids);
                }
                Err(Asking::Halt(halt)) => return Err(halt),
            }
        }
        match self.ask(plan::question(subject, true)).await {
            Ok(ids) => Ok(ids),
            Err(Asking::Refused) => Err(Halt::failed(
                "unavailable",
                format!(
                    "its index cannot be asked for {subject:?}: it takes mail addresses only, as servers before Rekor 1.5.4 do"
                ),
            )),
            Err(Asking::Halt(halt)) => Err(halt),
        }
    }

    async fn ask(&mut self, question: Option<Question>) -> Result<Vec<EntryId>, Asking> {
        let query = match question {
            None => return Err(Asking::Refused),
            Some(Question::Subject(subject)) => IndexQuery::Subject(subject),
            Some(Question::Email(email)) => IndexQuery::Email(email),
        };
        self.afford().map_err(Asking::Halt)?;
        match self.guided.log.server.index(&query).await {
            Ok(ids) => Ok(ids),
            Err(error) if error.is_refusal() => Err(Asking::Refused),
            Err(error) => Err(Asking::Halt(error.into())),
        }
    }

    /// Those that were not fetched, proven and matched before.
    async fn unknown(
        &self,
        guide: &Guide,
        trees: &Trees,
        ids: Vec<EntryId>,
    ) -> Result<Vec<EntryId>, Halt> {
        // An id without a tree may be of each of them.
        let named: Vec<(EntryId, (String, String))> = ids
            .iter()
            .flat_map(|id| {
                trees
                    .list
                    .iter()
                    .filter(|tree| id.tree.is_none_or(|named| named == tree.id))
                    .map(|tree| {
                        let origin = tree.shard.origin.as_str().to_owned();
                        (*id, (origin, id.leaf.to_hex()))
                    })
            })
            .collect();
        let leaves: Vec<(String, String)> = named.iter().map(|(_, leaf)| leaf.clone()).collect();
        let store = &self.monitor.store;
        let known = store.known_entries(&guide.log, &leaves).await?;
        let known: BTreeSet<EntryId> = named
            .into_iter()
            .filter(|(_, leaf)| known.contains(leaf))
            .map(|(id, _)| id)
            .collect();
        Ok(ids.into_iter().filter(|id| !known.contains(id)).collect())
    }

    /// Fetches, proves, matches and records up to ten entries; answers one that the log leaves out.
    async fn fetch(
        &mut self,
        guide: &Guide,
        trees: &mut Trees,
        linked: &mut Linked,
        ids: &[EntryId],
    ) -> Result<Option<EntryId>, Halt> {
        self.afford()?;
        let server = &self.guided.log.server;
        let answer = server.retrieve_uuids(ids, MAX_ENTRIES_BYTES).await?;
        let mut missing = None;
        let mut found = FoundEntries {
            log: guide.log.clone(),
            entries: Vec::new(),
            findings: Vec::new(),
            now: self.now,
        };
        let mut refused = None;
        for (id, entry) in ids.iter().zip(answer) {
            let Some(entry) = entry else {
                missing = missing.or(Some(*id));
                continue;
            };
            // One that cannot be proven is told as such, and does not keep the others from being told.
            match self
                .prove(guide, trees, linked, id, entry, &mut found)
                .await
            {
                Ok(()) => {}
                Err(halt @ Halt::Failed(_)) => refused = refused.or(Some(halt)),
                Err(other) => return Err(other),
            }
        }
        if !found.entries.is_empty() {
            self.monitor.store.found_entries(&found).await?;
            self.entries += found.entries.len() as u64;
        }
        match refused {
            Some(halt) => Err(halt),
            None => Ok(missing),
        }
    }

    /// Proves one entry, and adds it and what watches find in it.
    async fn prove(
        &mut self,
        guide: &Guide,
        trees: &mut Trees,
        linked: &mut Linked,
        id: &EntryId,
        entry: Entry,
        found: &mut FoundEntries,
    ) -> Result<(), Halt> {
        let placed = prove::place(&trees.list, id, &entry)?;
        self.vouched(trees, linked, &placed).await?;
        let (tree, local) = (placed.tree, placed.local);
        let Some(tree) = trees.list.get(tree) else {
            return Ok(());
        };
        let (index, leaf_hash) = (entry.global.get(), id.leaf.to_hex());
        let mut leaves = Leaves::copied(local, [&entry.body])
            .map_err(|error| Halt::failed("malformed", error.to_string()))?;
        if let Some(attestation) = entry.attestation {
            leaves = leaves.with(local, attestation);
        }
        let shard = std::sync::Arc::clone(&tree.shard);
        let rules = std::sync::Arc::clone(self.rules);
        let scanned = scan::scan(leaves, shard, rules, self.now).await;
        let known = |key: String| KnownEntry {
            origin: tree.shard.origin.as_str().to_owned(),
            name: self.guided.log.name.clone(),
            index,
            leaf_hash: leaf_hash.clone(),
            key,
        };
        let keys: BTreeSet<&String> = scanned
            .findings
            .iter()
            .filter_map(|new| new.finding.key_sha256.as_ref())
            .collect();
        if keys.is_empty() {
            found.entries.push(known(String::new()));
        }
        found.entries.extend(keys.into_iter().cloned().map(known));
        if index >= guide.start {
            found
                .findings
                .extend(scanned.findings.into_iter().map(|mut new| {
                    new.finding.proven = Some(true);
                    new
                }));
        }
        Ok(())
    }
}

/// The kind of a failure that is none of the log's: the allowance is used up, and the rest of the queue has to wait.
const OUT_OF_ALLOWANCE: &str = "out-of-allowance";

/// Why there is no answer from the index.
enum Asking {
    /// The server does not take this question, or there is none for this name.
    Refused,
    Halt(Halt),
}

/// A certificate as it is looked up.
fn sought(sighting: Sighting) -> Option<SoughtCertificate> {
    let not_after = plan::not_after(&sighting)?;
    Some(SoughtCertificate {
        subjects: plan::subjects(&sighting.san),
        key: sighting.key,
        not_after,
        finding: sighting.number,
    })
}
