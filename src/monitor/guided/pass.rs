//! One pass over a guided log.

use crate::log::{LogId, Part};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::health::unread_entries;
use super::plan::{self, RequestBudget};
use super::state::{GuidedPass, GuidedState, ROUND};
use crate::judge::Rules;
use crate::monitor::context::Context;
use crate::monitor::guide_status::GuideStatus;
use crate::monitor::halt::Halt;
use crate::monitor::monitored_log::Guided;
use crate::monitor::outcome::LogOutcome;
use crate::monitor::pass_deadline::PassDeadline;
use crate::monitor::pass_end::{self, Ended};
use crate::monitor::rekor_v1::RekorV1Log;
use crate::source::rekor_v1::RequestCount;
use crate::store::{LookupCounts, PassErrorKind, PassReport, StoreError, TreeState};

/// One pass over a guided log. It ends after the passes over the CT logs that guide it.
pub(in crate::monitor) async fn pass_over(
    context: &Context,
    guided: &Guided,
    mut guide_statuses: Vec<GuideStatus>,
    rules: &Arc<Rules>,
    bootstrap: bool,
) -> Result<LogOutcome, StoreError> {
    let now = context.clock.now();
    let made = RequestCount::default();
    let counted = Guided {
        log: RekorV1Log {
            server: guided.log.server.counted(&made),
            ..guided.log.clone()
        },
        guides: guided.guides.clone(),
    };
    let mut pass = GuidedPass {
        context,
        guided: counted,
        rules,
        bootstrap,
        now,
        budget: RequestBudget::new(now),
        mail_only: None,
        knows_its_guide: false,
        tree_error: None,
        first_error: None,
        failed: BTreeSet::new(),
        made,
        requests: 0,
        lookup_ends_at: 0,
        deadline: PassDeadline::of_lookups(&context.settings),
        knows_all_trees: true,
        entries: 0,
    };
    let run = match Box::pin(pass.run(&mut guide_statuses)).await {
        // Nothing is lost, because the recorded values are compared with the stored ones. The passes over other logs
        // continue.
        Err(Halt::Store(error @ StoreError::Moved { .. })) => Err(Halt::failed(
            PassErrorKind::Unavailable,
            format!("another [[log]] or another monitor looks up the same log: {error}"),
        )),
        run => run,
    };
    let ended = Ended::of(run)?;
    let log = &guided.log;
    let report = PassReport {
        began: pass.now,
        entries: pass.entries,
        rate_limited: ended.rate_limited,
        ..PassReport::new(
            log.id(),
            Part::Whole,
            &log.name,
            ended.outcome,
            context.clock.now(),
        )
    };
    let mut outcome = pass_end::end_without_reading(context, report, rules).await?;
    if let Some(error) = pass.tree_error {
        outcome.proven = false;
        outcome.error = Some(error);
    }
    if let Some(error) = &outcome.error {
        pass_end::say(&log.name, log.id().as_str(), error);
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

impl GuidedPass<'_> {
    async fn run(&mut self, guide_statuses: &mut [GuideStatus]) -> Result<(), Halt> {
        let mut state = None;
        loop {
            let last = guide_statuses.iter().all(GuideStatus::has_ended);
            // A slow index must not delay the other logs or the report of errors.
            let deadline = self.deadline;
            let failed = match Box::pin(deadline.bound(self.round(&mut state))).await {
                Ok(()) => None,
                Err(halt @ Halt::Failed(_)) if !last => Some(halt),
                Err(halt) => return Err(halt),
            };
            if last {
                break;
            }
            let is_long = tokio::select! {
                biased;
                () = self.context.stop.wait() => return Err(Halt::Stopped),
                () = all(guide_statuses) => false,
                () = tokio::time::sleep(ROUND) => true,
            };
            // The next pass retries a log that cannot be read. But the passes over the CT logs may take days.
            if let Some(halt) = failed
                && !is_long
            {
                return Err(halt);
            }
            if is_long {
                self.first_error = None;
                self.failed.clear();
                self.deadline = PassDeadline::of_lookups(&self.context.settings);
            }
        }
        let Some(GuidedState { guide, .. }) = &state else {
            // Errors of a tree are recorded with that tree.
            return Ok(());
        };
        let now = self.context.clock.now();
        let counts = self.context.store.lookup_counts(&guide.log, now).await?;
        self.guides_proven(guide_statuses).await?;
        if let Some(error) = self.first_error.take().or_else(|| counts.failed.clone()) {
            return Err(Halt::Failed(error));
        }
        if counts.due > 0 {
            return Err(Halt::failed(
                PassErrorKind::Unavailable,
                self.waiting(&counts),
            ));
        }
        Ok(())
    }

    /// Which look-ups wait at the end of a pass, and why.
    fn waiting(&self, counts: &LookupCounts) -> String {
        let unread = unread_entries(counts.unread)
            .map(|unread| format!(", and {unread}"))
            .unwrap_or_default();
        let why = if self.deadline.is_over() {
            "the index answers too slowly for one pass"
        } else {
            "more requests would be too many for a shared index"
        };
        format!(
            "{} names still wait to be looked up{unread}: {why}",
            counts.due
        )
    }

    /// Puts new findings into the queue, and looks up the names that are due.
    async fn round(&mut self, state: &mut Option<GuidedState>) -> Result<(), Halt> {
        if !self.knows_all_trees || state.is_none() {
            *state = self.state().await?;
            self.knows_all_trees = true;
        }
        let Some(GuidedState { trees, guide }) = state else {
            return Ok(());
        };
        self.enqueue(guide).await?;
        let worked = self.look_up_due(guide, trees).await;
        self.record_spending(guide).await?;
        // Not only at the end of the pass: the passes over the CT logs may take days.
        let now = self.context.clock.now();
        let counts = self.context.store.lookup_counts(&guide.log, now).await?;
        self.assess(guide, trees, &counts, now).await?;
        worked
    }

    /// Requests the list of trees, and reads what the store contains about the log. `None`: the trees are not known.
    async fn state(&mut self) -> Result<Option<GuidedState>, Halt> {
        let listed = self.guided.log.server.info().await?;
        self.tree_error = None;
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
        let store = &self.context.store;
        store
            .set_exact_names(&guide.log, &rules, &names, self.now)
            .await?;
        let guides = self.guided.guides.iter().map(|guide| guide.id.clone());
        if let Some(guides) = guides.collect::<Option<Vec<LogId>>>() {
            store.set_guides(&guide.log, &guides).await?;
        }
        // With a new guide, all findings are read again.
        if let Some(known) = store.guide(&guide.log).await? {
            guide.cursor = known.cursor;
        }
        Ok(Some(GuidedState { trees, guide }))
    }

    /// Verifies that every CT log was read to its end: without all certificates, entries of this log are missed.
    async fn guides_proven(&self, guide_statuses: &[GuideStatus]) -> Result<(), Halt> {
        let states = self.context.store.trees().await?;
        for guide_status in guide_statuses {
            let proven = match &guide_status.ended {
                Some(ended) => *ended.borrow() == Some(true),
                None => states.iter().any(|state| {
                    guide_status.guide.id.as_ref() == Some(&state.log) && is_proven(state)
                }),
            };
            if !proven {
                return Err(Halt::failed(
                    PassErrorKind::Unavailable,
                    format!(
                        "{}, which guides it, is not proven",
                        guide_status.guide.name
                    ),
                ));
            }
        }
        Ok(())
    }
}

fn is_proven(state: &TreeState) -> bool {
    state.last_success.is_some() && state.error.is_none()
}

async fn all(guide_statuses: &mut [GuideStatus]) {
    for guide_status in guide_statuses {
        guide_status.wait().await;
    }
}
