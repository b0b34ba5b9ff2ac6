//! Looks up the names in the queue: the order of requests, and the use of the answers of the index.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::plan::{self, Question};
use super::prove::ProvenRoots;
use super::sample::{Chosen, Sample};
use super::state::GuidedPass;
use super::trees::Trees;
use crate::monitor::halt::Halt;
use crate::source::rekor_v1::{EntryId, IndexAnswer, IndexQuery, MAX_RETRIEVED};
use crate::store::{Answered, Guide, Lookup, PassError, PassErrorKind, Postponed, StoreError};

/// Number of look-ups that are read from the queue at once.
const PAGE: u32 = 100;

/// After this many failures in a row the harmless query is sent again, to find out whether the names fail or the
/// index.
const MAX_FAILURES: u32 = 3;

/// Requests for one name before the next name is looked up: one question, one request for entries, and a few proofs.
/// Anybody can log thousands of entries under a name, so each name has a share of a pass.
const REQUESTS_OF_A_LOOKUP: u64 = 6;

/// Names whose answers are kept in memory until more of their entries are fetched. The index is asked again for the
/// others.
const MAX_UNFINISHED: usize = 64;

impl GuidedPass<'_> {
    /// Looks up all names that are due, as far as the requests and the time of this pass allow. A name that fails does
    /// not delay the others.
    ///
    /// # Errors
    /// Only errors that end the pass. Other errors are in `self.first_error`.
    pub(super) async fn look_up_due(
        &mut self,
        guide: &mut Guide,
        trees: &mut Trees,
    ) -> Result<(), Halt> {
        let mut proven_roots = ProvenRoots::new();
        let mut unfinished = BTreeMap::new();
        let mut failures = 0;
        let mut is_index_healthy = false;
        let mut asked_any = false;
        loop {
            let failed = u32::try_from(self.failed.len()).unwrap_or(u32::MAX);
            let limit = PAGE.saturating_add(failed);
            let now = self.context.clock.now();
            let store = &self.context.store;
            let mut due = store.due_lookups(&guide.log, now, limit).await?;
            due.retain(|lookup| !self.failed.contains(&lookup.subject));
            if due.is_empty() {
                return Ok(());
            }
            for lookup in due {
                if self.context.stop.requested() {
                    return Err(Halt::Stopped);
                }
                // At least one name in each pass, so that slow machines make progress.
                if asked_any && self.deadline.is_over() {
                    return Ok(());
                }
                if !is_index_healthy {
                    is_index_healthy = self.is_index_healthy(guide).await?;
                    failures = 0;
                }
                if !is_index_healthy || !self.allows_request() {
                    return Ok(());
                }
                asked_any = true;
                let answer = unfinished.remove(&lookup.subject);
                let asked = self
                    .look_up(guide, trees, &mut proven_roots, &lookup, answer)
                    .await;
                self.record_spending(guide).await?;
                let error = match asked {
                    Ok(rest) => {
                        failures = 0;
                        if let Some(rest) = rest.filter(|_| unfinished.len() < MAX_UNFINISHED) {
                            unfinished.insert(lookup.subject, rest);
                        }
                        continue;
                    }
                    Err(Halt::Failed(error)) => error,
                    Err(Halt::Limited(error)) => {
                        // The next harmless question shows whether this name is the cause.
                        failures = MAX_FAILURES;
                        error
                    }
                    Err(other) => return Err(other),
                };
                self.record_failed_lookup(guide, &lookup, error, None)
                    .await?;
                failures += 1;
                is_index_healthy = failures < MAX_FAILURES;
            }
        }
    }

    /// Whether the index answers a harmless question. If it does, a failure is caused by the name that was looked up,
    /// which any signer may have chosen; otherwise by the index.
    ///
    /// # Errors
    /// The index limits the number of requests.
    async fn is_index_healthy(&mut self, guide: &mut Guide) -> Result<bool, Halt> {
        if !self.allows_request() {
            return Ok(false);
        }
        let harmless = plan::harmless(fastrand::u128(..));
        let mut asked = self.ask(plan::question(&harmless, false)).await;
        self.mail_only = None;
        if matches!(asked, Err(AskError::Refused)) {
            // Servers before Rekor 1.5.4 accept mail addresses only.
            asked = self.ask(plan::question(&harmless, true)).await;
            self.mail_only = Some(self.context.clock.now());
        }
        self.record_spending(guide).await?;
        match asked {
            Ok(_) => Ok(true),
            Err(AskError::Refused) => {
                let name = &self.guided.log.name;
                self.first_error.get_or_insert_with(|| {
                    PassError::new(
                        PassErrorKind::Unavailable,
                        format!("the search index of {name} refuses every question"),
                    )
                });
                Ok(false)
            }
            Err(AskError::Halt(Halt::Failed(error))) => {
                self.first_error.get_or_insert(error);
                Ok(false)
            }
            Err(AskError::Halt(halt)) => Err(halt),
        }
    }

    /// Records that a name could not be looked up, or that its entries could not all be read. It is retried with
    /// backoff, and not again in this pass.
    async fn record_failed_lookup(
        &mut self,
        guide: &Guide,
        lookup: &Lookup,
        error: PassError,
        rest: Option<&Chosen>,
    ) -> Result<(), Halt> {
        let retry = plan::again(lookup.failures, self.context.clock.now());
        self.postpone(guide, lookup, retry, Some(error.clone()), rest)
            .await?;
        self.failed.insert(lookup.subject.clone());
        self.first_error.get_or_insert(error);
        Ok(())
    }

    /// Records when a name is looked up next. `rest` is what was not read of its answer; `None`: there was no answer.
    async fn postpone(
        &self,
        guide: &Guide,
        lookup: &Lookup,
        retry: Timestamp,
        error: Option<PassError>,
        rest: Option<&Chosen>,
    ) -> Result<(), StoreError> {
        let postponed = Postponed {
            log: guide.log.clone(),
            subject: lookup.subject.clone(),
            retry,
            error,
            unread: rest.map(|rest| rest.total),
            position: rest.map_or(lookup.position, |rest| rest.position),
        };
        self.context.store.postponed(&postponed).await
    }

    /// Whether one more request may be made.
    pub(super) fn allows_request(&mut self) -> bool {
        self.charge();
        self.budget.allows_request(self.context.clock.now())
    }

    /// Whether the current name has used its requests. The budget does not end a look-up: otherwise the entries of the
    /// last name of each pass would never be read. The next pass makes fewer requests instead.
    pub(super) fn lookup_is_over(&mut self) -> bool {
        self.charge();
        self.requests >= self.lookup_ends_at
    }

    /// Charges the requests that were made since the last call, retries included.
    pub(super) fn charge(&mut self) {
        let made = self.made.take();
        self.requests = self.requests.saturating_add(made);
        self.budget.charge(made, self.context.clock.now());
    }

    pub(super) async fn record_spending(&mut self, guide: &mut Guide) -> Result<(), Halt> {
        self.charge();
        let spent = self.budget.spent();
        if (guide.spent, guide.mail_only) != (spent, self.mail_only) {
            guide.spent = spent;
            guide.mail_only = self.mail_only;
            self.context
                .store
                .spend(&guide.log, spent, self.mail_only)
                .await?;
        }
        Ok(())
    }

    /// Looks up one name: asks the index, fetches new entries, and records the results. Returns the rest of an answer
    /// that takes more requests than one name may make.
    async fn look_up(
        &mut self,
        guide: &Guide,
        trees: &mut Trees,
        proven_roots: &mut ProvenRoots,
        lookup: &Lookup,
        answer: Option<Answer>,
    ) -> Result<Option<Answer>, Halt> {
        self.charge();
        self.lookup_ends_at = self.requests.saturating_add(REQUESTS_OF_A_LOOKUP);
        let mut answer = match answer {
            Some(answer) => answer,
            None => self.answer(guide, trees, lookup).await?,
        };
        // After each failure fewer entries are requested at once: one of them may make the log fail.
        let limit = (MAX_RETRIEVED >> lookup.failures.min(4)).max(1);
        while !answer.chosen.is_empty() {
            if self.lookup_is_over() {
                return self.unfinished(guide, lookup, answer).await.map(Some);
            }
            self.fetch_chosen(guide, trees, proven_roots, &mut answer, limit)
                .await?;
        }
        if let Some(error) = answer.first_error {
            // The answer is not recorded: it is requested again until the log returns what its index names.
            self.record_failed_lookup(guide, lookup, error, Some(&answer.chosen))
                .await?;
            return Ok(None);
        }
        if answer.chosen.total > 0 {
            // The answer has more entries than were chosen from it: the index is asked again.
            self.unfinished(guide, lookup, answer).await?;
            return Ok(None);
        }
        let store = &self.context.store;
        let open = store.open_certificates(&guide.log, &lookup.subject).await?;
        let now = self.context.clock.now();
        let name = &self.guided.log.name;
        let next = plan::next(name, lookup.direct, lookup.tries, &open, now);
        store
            .answered(&Answered {
                log: guide.log.clone(),
                subject: lookup.subject.clone(),
                entries: answer.entries,
                due: next.due,
                settled: next.settled,
                now,
            })
            .await?;
        Ok(None)
    }

    /// Fetches the next entries of an answer.
    async fn fetch_chosen(
        &mut self,
        guide: &Guide,
        trees: &mut Trees,
        proven_roots: &mut ProvenRoots,
        answer: &mut Answer,
        limit: usize,
    ) -> Result<(), Halt> {
        let taken = answer.chosen.take(limit);
        let ids: Vec<EntryId> = taken.iter().map(|(id, _)| *id).collect();
        let fetched = self.fetch(guide, trees, proven_roots, ids).await?;
        if let Some(error) = fetched.first_error {
            answer.first_error.get_or_insert(error);
        }
        for (id, of_stretch) in taken {
            if fetched.recorded.contains(&id) {
                answer.chosen.read();
            } else if fetched.left.contains(&id) {
                answer.chosen.put_back(id, of_stretch);
            } else {
                answer.chosen.unread(of_stretch);
            }
        }
        Ok(())
    }

    /// Moves a name behind the other due ones, because there are more entries to fetch.
    async fn unfinished(
        &self,
        guide: &Guide,
        lookup: &Lookup,
        answer: Answer,
    ) -> Result<Answer, Halt> {
        let now = self.context.clock.now();
        self.postpone(guide, lookup, now, None, Some(&answer.chosen))
            .await?;
        Ok(answer)
    }

    /// Asks the index for a name, and chooses among the entries that are not known yet. If an answer is cut, its
    /// beginning is used.
    async fn answer(
        &mut self,
        guide: &Guide,
        trees: &Trees,
        lookup: &Lookup,
    ) -> Result<Answer, Halt> {
        let mut ids = self.ids(&lookup.subject).await?;
        let mut sample = Sample::from(lookup.position);
        let mut answer = Answer::default();
        let mut none = 0_u64;
        loop {
            match ids.next().await {
                Ok(Some(piece)) => {
                    answer.entries = answer.entries.saturating_add(piece.len() as u64);
                    let named: Vec<EntryId> = piece.iter().filter_map(|id| id.ok()).collect();
                    none += (piece.len() - named.len()) as u64;
                    let unknown = self.unknown(guide, trees, named).await?;
                    for id in unknown {
                        sample.add(id);
                    }
                }
                Ok(None) => break,
                Err(error) => match Halt::from(error) {
                    Halt::Failed(error) if answer.entries > 0 => {
                        answer.first_error = Some(error);
                        break;
                    }
                    halt => return Err(halt),
                },
            }
        }
        if none > 0 {
            let why = format!(
                "the index names {none} entries under {:?} by something that is not the id of an entry",
                lookup.subject
            );
            answer
                .first_error
                .get_or_insert_with(|| PassError::new(PassErrorKind::Malformed, why));
        }
        // After failures, begin with another entry each time: the log may fail at the first ones.
        answer.chosen = sample.chosen(lookup.failures);
        Ok(answer)
    }

    /// The ids that the index names.
    async fn ids(&mut self, subject: &str) -> Result<IndexAnswer, Halt> {
        let mail_only = self.mail_only.is_some();
        match self.ask(plan::question(subject, mail_only)).await {
            Ok(ids) => Ok(ids),
            Err(AskError::Refused) => {
                let why = if mail_only {
                    "it accepts mail addresses only, as servers before Rekor 1.5.4 do"
                } else {
                    "it refuses this name"
                };
                Err(Halt::failed(
                    PassErrorKind::Unavailable,
                    format!("its index cannot look up {subject:?}: {why}"),
                ))
            }
            Err(AskError::Halt(halt)) => Err(halt),
        }
    }

    async fn ask(&mut self, question: Option<Question>) -> Result<IndexAnswer, AskError> {
        let query = match question {
            None => return Err(AskError::Refused),
            Some(Question::Subject(subject)) => IndexQuery::Subject(subject),
            Some(Question::Email(email)) => IndexQuery::Email(email),
        };
        match self.guided.log.server.index(&query).await {
            Ok(ids) => Ok(ids),
            Err(error) if error.is_refusal() => Err(AskError::Refused),
            Err(error) => Err(AskError::Halt(error.into())),
        }
    }
}

/// The answer of the index for one name.
#[derive(Default)]
struct Answer {
    /// Number of entries in it.
    entries: u64,
    /// The entries that are still to be fetched.
    chosen: Chosen,
    /// The first error in it, or in one of its entries.
    first_error: Option<PassError>,
}

/// Why the index did not answer.
enum AskError {
    /// The server does not accept this question, or the name cannot be asked for.
    Refused,
    Halt(Halt),
}
