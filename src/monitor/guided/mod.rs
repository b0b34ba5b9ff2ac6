//! A log that is too fast to be read in full, covered by way of CT logs and its search index.
//!
//! The CT logs of the CA hold every certificate that it ever issued, and are read in full and proven as any other log.
//! A certificate that a watch selects there is a finding, and its names are then looked up in the search index of the
//! log; so are, every hour, the names that watches spell out. What the index names is fetched, proven against a signed
//! checkpoint, matched against all watches and recorded like any entry.
//!
//! This proves that a certificate exists and that an entry is in the log. It does not prove that there is no other
//! entry: the index is filled with best effort, and answers to names only.
//!
//! `heads` keeps the trees' checkpoints consistent, `enqueue` takes up what was found, `plan` says what is asked when, `ask`
//! asks it, `sample` chooses among many entries, `fetch` has them, `prove` believes nothing of them, `health` says where this is
//! blind.

mod ask;
mod enqueue;
mod fetch;
mod heads;
mod health;
mod plan;
mod prove;
mod sample;

pub(super) use health::no_longer_guided;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use self::heads::Trees;
use self::plan::RequestBudget;
use super::pass_deadline::PassDeadline;
use super::pass_end::{self, Ended};
use super::tail::pass::Halt;
use super::tail::start_position::position_of;
use super::{LogOutcome, Monitor, RekorV1Log, Rules};
use crate::log::{Shard, Start};
use crate::source::rekor_v1::{RequestCount, TreeHead};
use crate::store::{Guide, LogState, LookupCounts, PassError, PassReport, StoreError};

/// How often the queue is gone through while the CT logs are still being read: their first pass may take days.
const ROUND: Duration = Duration::from_mins(1);

/// A Rekor v1 log that is followed by way of CT logs and its search index.
#[derive(Debug, Clone)]
pub struct Guided {
    /// The log. Its `start` is the index from which on entries are told.
    pub log: RekorV1Log,
    /// The names of the CT logs that show which certificates were issued; never empty.
    pub guides: Vec<String>,
}

/// A CT log as a guided pass waits for it.
#[derive(Clone)]
pub(super) struct GuideStatus {
    /// Its name.
    pub(super) name: String,
    /// Its origin; `None`: it is not part of this pass.
    pub(super) origin: Option<String>,
    /// Whether its pass proved everything, once that has ended; `None`: it is not part of this pass.
    pub(super) ended: Option<watch::Receiver<Option<bool>>>,
}

impl GuideStatus {
    fn is_open(&self) -> bool {
        self.ended.as_ref().is_none_or(|ended| {
            // A pass that died will not end any more.
            ended.borrow().is_some() || ended.has_changed().is_err()
        })
    }

    async fn wait(&mut self) {
        if let Some(ended) = &mut self.ended {
            // An error is a sender that is gone: there is nothing left to wait for.
            let _ = ended.wait_for(Option::is_some).await;
        }
    }
}

/// What a pass over a guided log carries along.
struct Pass<'a> {
    monitor: &'a Monitor,
    /// The log, whose requests are counted in `made`.
    guided: Guided,
    /// Origins of the CT logs that are followed by this pass too.
    guides: BTreeSet<String>,
    /// How many CT logs guide it that are not followed by this pass.
    absent_guides: usize,
    rules: &'a Arc<Rules>,
    bootstrap: bool,
    now: Timestamp,
    budget: RequestBudget,
    /// When the server refused to be asked for other names than mail addresses.
    mail_only: Option<Timestamp>,
    /// Whether what was recorded of earlier requests is counted.
    knows_its_guide: bool,
    /// The first thing that is wrong with one of the trees; recorded with the tree.
    tree_trouble: Option<PassError>,
    /// The first look-up that was not answered.
    trouble: Option<PassError>,
    /// Names that were not answered: they are not asked for again before a [`ROUND`] is over.
    failed: BTreeSet<String>,
    /// Requests that are not charged to the allowance yet.
    made: RequestCount,
    /// Requests of this pass that are.
    requests: u64,
    /// The number of `requests` at which the present turn of a name ends.
    turn_ends_at: u64,
    /// How long names may be looked up before the other logs of the pass have waited long enough.
    deadline: PassDeadline,
    /// No entry was found to be in a tree that the log did not list yet when it was asked for its trees.
    knows_all_trees: bool,
    entries: u64,
}

impl Monitor {
    /// Whether a guided log would begin at its end for the first time.
    pub(super) async fn would_begin_at_the_end(&self, guided: &Guided) -> Result<bool, StoreError> {
        if guided.log.start != Start::End {
            return Ok(false);
        }
        let is_known = |state: &LogState| state.name == guided.log.name && state.is_begun();
        if self.store.logs().await?.iter().any(is_known) {
            return Ok(false);
        }
        // New, or known under another name.
        let (trees, _) = guided.log.ask().await;
        for tree in &trees {
            let origin = tree.shard.origin.as_str();
            if self
                .store
                .log(origin)
                .await?
                .as_ref()
                .is_some_and(LogState::is_begun)
            {
                return Ok(false);
            }
        }
        Ok(!trees.is_empty())
    }

    /// One pass over a guided log. It goes on until the CT logs have been read.
    pub(super) async fn pass_over_guided(
        &self,
        guided: &Guided,
        mut guide_statuses: Vec<GuideStatus>,
        rules: &Arc<Rules>,
        bootstrap: bool,
    ) -> Result<LogOutcome, StoreError> {
        let now = self.clock.now();
        let made = RequestCount::default();
        let counted = Guided {
            log: RekorV1Log {
                server: guided.log.server.counted(&made),
                ..guided.log.clone()
            },
            guides: guided.guides.clone(),
        };
        let mut pass = Pass {
            monitor: self,
            guided: counted,
            guides: guide_statuses
                .iter()
                .filter_map(|guide_status| guide_status.origin.clone())
                .collect(),
            absent_guides: guide_statuses
                .iter()
                .filter(|guide_status| guide_status.origin.is_none())
                .count(),
            rules,
            bootstrap,
            now,
            budget: RequestBudget::new(now),
            mail_only: None,
            knows_its_guide: false,
            tree_trouble: None,
            trouble: None,
            failed: BTreeSet::new(),
            made,
            requests: 0,
            turn_ends_at: 0,
            deadline: PassDeadline::of_lookups(&self.settings),
            knows_all_trees: true,
            entries: 0,
        };
        let run = match pass.run(&mut guide_statuses).await {
            // Nothing is lost: what was to be recorded is compared with what is stored. But no other log should suffer from it.
            Err(Halt::Store(error @ StoreError::Moved { .. })) => Err(Halt::failed(
                "unavailable",
                format!("another [[log]] or another monitor looks up the same log: {error}"),
            )),
            run => run,
        };
        let ended = Ended::of(run)?;
        let log = &guided.log;
        let origin = log.origin();
        let report = PassReport {
            began: pass.now,
            entries: pass.entries,
            rate_limited: ended.rate_limited,
            ..PassReport::new(&origin, &log.name, ended.outcome, self.clock.now())
        };
        let mut outcome = self.end_without_reading(report, rules).await?;
        if let Some(error) = pass.tree_trouble {
            outcome.proven = false;
            outcome.error = Some(error);
        }
        if let Some(error) = &outcome.error {
            pass_end::say(&log.name, &origin, error);
        } else {
            tracing::info!(
                log.name = log.name,
                entries = outcome.entries,
                "{} entries of {} found by its index and proven",
                outcome.entries,
                crate::escape::terminal(&log.name),
            );
        }
        Ok(outcome)
    }
}

/// What a pass goes by: the log's trees as it listed them, and what is known of the log.
struct GuidedState {
    trees: Trees,
    guide: Guide,
}

impl Pass<'_> {
    async fn run(&mut self, guide_statuses: &mut [GuideStatus]) -> Result<(), Halt> {
        let mut state = None;
        loop {
            let last = guide_statuses.iter().all(GuideStatus::is_open);
            // An index that is slow on purpose must not keep the other logs waiting, nor what is wrong from being reported.
            let deadline = self.deadline;
            let failed = match deadline.bound(self.round(&mut state)).await {
                Ok(()) => None,
                Err(halt @ Halt::Failed(_)) if !last => Some(halt),
                Err(halt) => return Err(halt),
            };
            if last {
                break;
            }
            let is_long = tokio::select! {
                biased;
                () = self.monitor.stop.wait() => return Err(Halt::Stopped),
                () = all(guide_statuses) => false,
                () = tokio::time::sleep(ROUND) => true,
            };
            // A log that cannot be had is left to the next pass. But the CT logs may be read for days yet.
            if let Some(halt) = failed
                && !is_long
            {
                return Err(halt);
            }
            if is_long {
                self.trouble = None;
                self.failed.clear();
                self.deadline = PassDeadline::of_lookups(&self.monitor.settings);
            }
        }
        let Some(GuidedState { guide, .. }) = &state else {
            // What is wrong with which tree is recorded with that tree.
            return Ok(());
        };
        let now = self.monitor.clock.now();
        let counts = self.monitor.store.lookup_counts(&guide.log, now).await?;
        self.guides_proven(guide_statuses).await?;
        if let Some(error) = self.trouble.take().or_else(|| counts.failed.clone()) {
            return Err(Halt::Failed(error));
        }
        if counts.due > 0 {
            return Err(Halt::failed("unavailable", self.waiting(&counts)));
        }
        Ok(())
    }

    /// What waits at the end of a pass, and for what.
    fn waiting(&self, counts: &LookupCounts) -> String {
        let unread = match counts.unread {
            0 => String::new(),
            unread => format!(", and {unread} entries that the index names are not read yet"),
        };
        let why = if self.deadline.is_over() {
            "the index answers too slowly for one pass"
        } else {
            "more would be more requests than a shared index should be asked"
        };
        format!(
            "{} names still wait to be looked up{unread}: {why}",
            counts.due
        )
    }

    /// Takes up what was found meanwhile, and asks for what is due.
    async fn round(&mut self, state: &mut Option<GuidedState>) -> Result<(), Halt> {
        if !self.knows_all_trees || state.is_none() {
            *state = self.state().await?;
            self.knows_all_trees = true;
        }
        let Some(GuidedState { trees, guide }) = state else {
            return Ok(());
        };
        self.enqueue(guide, trees).await?;
        let worked = self.work_off(guide, trees).await;
        self.record_spending(guide).await?;
        // Now, and not at the end of the pass: the CT logs may be read for days yet.
        let now = self.monitor.clock.now();
        let counts = self.monitor.store.lookup_counts(&guide.log, now).await?;
        self.assess(guide, &counts, now).await?;
        worked
    }

    /// Asks the log for its trees, and finds out what is known of it. `None`: the trees cannot be told.
    async fn state(&mut self) -> Result<Option<GuidedState>, Halt> {
        let listed = self.guided.log.server.info().await?;
        self.tree_trouble = None;
        let Some(trees) = self.trees(&listed).await? else {
            return Ok(None);
        };
        let mut guide = self.guide(&listed, &trees).await?;
        if !self.knows_its_guide {
            self.knows_its_guide = true;
            self.budget = RequestBudget::new(guide.spent);
            self.mail_only = guide.mail_only;
        }
        let mut names: Vec<String> = self
            .rules
            .watches()
            .iter()
            .flat_map(crate::watch::Watch::spelled_out_sans)
            .filter(|name| plan::is_askable(name))
            .collect();
        names.sort_unstable();
        names.dedup();
        let rules = self.rules.conditions_hash();
        let store = &self.monitor.store;
        store
            .set_exact_names(&guide.log, &rules, &names, self.now)
            .await?;
        store.set_guides(&guide.log, &self.guided.guides).await?;
        // With one more guide, what was found is gone over again.
        if let Some(known) = store.guide(&guide.log).await? {
            guide.cursor = known.cursor;
        }
        Ok(Some(GuidedState { trees, guide }))
    }

    /// What is known of the log, or its beginning.
    async fn guide(&self, listed: &[TreeHead], trees: &Trees) -> Result<Guide, Halt> {
        let store = &self.monitor.store;
        if let Some(guide) = store.guide(&trees.log).await? {
            return Ok(guide);
        }
        let read_before = self.first_read(trees).await?;
        let start = match (read_before, self.guided.log.start) {
            // What was told when it was read in full stays told, and nothing of it is left out now.
            (Some(first), _) => first,
            (None, Start::Beginning) => 0,
            (None, Start::Index(at)) => at,
            (None, Start::Time(since)) => self.logged_since(since, listed, trees).await?,
            (None, Start::End) if self.bootstrap => trees.total(),
            (None, Start::End) => {
                return Err(Halt::failed(
                    "unavailable",
                    "nothing is known of this log yet, and it would begin at its end: run once with --bootstrap".to_owned(),
                ));
            }
        };
        let guide = Guide {
            log: trees.log.clone(),
            start,
            cursor: 0,
            rules: self.rules.conditions_hash(),
            spent: self.now,
            mail_only: None,
        };
        store.begin_guide(&guide).await?;
        Ok(guide)
    }

    /// The index, over all trees, before which nothing was logged at or after that time.
    async fn logged_since(
        &self,
        since: Timestamp,
        listed: &[TreeHead],
        trees: &Trees,
    ) -> Result<u64, Halt> {
        for (head, tree) in listed.iter().zip(&trees.list) {
            let log = self.guided.log.tree(Shard::clone(&tree.shard), head);
            let size = tree.head.size;
            let authorities = self.rules.authorities();
            let local = position_of(since, &log, size, authorities, self.now).await?;
            if local < size {
                return Ok(tree.shard.base.saturating_add(local));
            }
        }
        Ok(trees.total())
    }

    /// The first entry that was read when this log was read in full, if it was.
    async fn first_read(&self, trees: &Trees) -> Result<Option<u64>, StoreError> {
        for tree in &trees.list {
            let state = self.monitor.store.log(tree.shard.origin.as_str()).await?;
            if let Some(state) = state.filter(|state| state.follower.is_some()) {
                return Ok(Some(state.base.saturating_add(state.first)));
            }
        }
        Ok(None)
    }

    /// That every certificate was seen: without it, no entry of this log says anything.
    async fn guides_proven(&self, guide_statuses: &[GuideStatus]) -> Result<(), Halt> {
        let states = self.monitor.store.logs().await?;
        for guide_status in guide_statuses {
            let proven = match &guide_status.ended {
                Some(ended) => *ended.borrow() == Some(true),
                None => states
                    .iter()
                    .any(|state| state.name == guide_status.name && is_proven(state)),
            };
            if !proven {
                return Err(Halt::failed(
                    "unavailable",
                    format!("{}, which guides it, is not proven", guide_status.name),
                ));
            }
        }
        Ok(())
    }
}

fn is_proven(state: &LogState) -> bool {
    state.last_success.is_some() && state.error.is_none()
}

async fn all(guide_statuses: &mut [GuideStatus]) {
    for guide_status in guide_statuses {
        guide_status.wait().await;
    }
}
