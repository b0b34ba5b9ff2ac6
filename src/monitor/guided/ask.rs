//! Working off the queue: in which order names are looked up, and what the index answers.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Pass;
use super::heads::Trees;
use super::plan::{self, Question};
use super::prove::ProvenRoots;
use super::sample::{Chosen, Sample};
use crate::monitor::tail::pass::Halt;
use crate::source::rekor_v1::{EntryId, IndexAnswer, IndexQuery, MAX_RETRIEVED};
use crate::store::{Answered, Guide, Lookup, PassError, Postponed};

/// Look-ups that are read from the queue at once.
const LOOKUPS: u32 = 100;

/// After so many failures in a row the harmless question is asked again: is it these names, or the index?
const DOUBTFUL: u32 = 3;

/// After so many requests a turn of a name ends: a question, one for entries, and a few proofs. Anybody can have entries logged
/// under any name, by the thousand: each name has its share of a pass, whatever waits under the others.
const TURN: u64 = 6;

/// Names of which more is to be fetched in this pass. The rest of another one's answer is asked for again.
const UNDER_WAY: usize = 64;

impl Pass<'_> {
    /// Asks for all that is due, as far as the requests and the time of this pass go. What one name fails at does not keep the
    /// others waiting.
    ///
    /// # Errors
    /// Only what ends the pass; what is left to be reported otherwise is in `self.trouble`.
    pub(super) async fn work_off(
        &mut self,
        guide: &mut Guide,
        trees: &mut Trees,
    ) -> Result<(), Halt> {
        let mut proven_roots = ProvenRoots::new();
        let mut under_way = BTreeMap::new();
        let mut failures = 0;
        let mut is_well = false;
        let mut asked_any = false;
        loop {
            let failed = u32::try_from(self.failed.len()).unwrap_or(u32::MAX);
            let limit = LOOKUPS.saturating_add(failed);
            let now = self.monitor.clock.now();
            let store = &self.monitor.store;
            let mut due = store.due_lookups(&guide.log, now, limit).await?;
            due.retain(|lookup| !self.failed.contains(&lookup.subject));
            if due.is_empty() {
                return Ok(());
            }
            for lookup in due {
                if self.monitor.stop.requested() {
                    return Err(Halt::Stopped);
                }
                // One name at least, or a slow machine would never get on.
                if asked_any && self.deadline.is_over() {
                    return Ok(());
                }
                if !is_well {
                    is_well = self.is_well(guide).await?;
                    failures = 0;
                }
                if !is_well || !self.has_room() {
                    return Ok(());
                }
                asked_any = true;
                let answer = under_way.remove(&lookup.subject);
                let asked = self
                    .look_up(guide, trees, &mut proven_roots, &lookup, answer)
                    .await;
                self.record_spending(guide).await?;
                let error = match asked {
                    Ok(rest) => {
                        failures = 0;
                        if let Some(rest) = rest.filter(|_| under_way.len() < UNDER_WAY) {
                            under_way.insert(lookup.subject, rest);
                        }
                        continue;
                    }
                    Err(Halt::Failed(error)) => error,
                    Err(Halt::Limited(error)) => {
                        // Whether it is this name alone, the next question tells.
                        failures = DOUBTFUL;
                        error
                    }
                    Err(other) => return Err(other),
                };
                let now = self.monitor.clock.now();
                let error = in_the_contracts_words(error);
                self.postponed(guide, &lookup, &error, now).await?;
                self.failed.insert(lookup.subject);
                self.trouble.get_or_insert(error);
                failures += 1;
                is_well = failures < DOUBTFUL;
            }
        }
    }

    /// Whether the index answers what nobody would refuse to answer. Without this, what fails could be the index or the name
    /// that was asked for, which anybody may have chosen; and one name that fails would look like an index that is down.
    ///
    /// # Errors
    /// The index wants to be left alone.
    async fn is_well(&mut self, guide: &mut Guide) -> Result<bool, Halt> {
        if !self.has_room() {
            return Ok(false);
        }
        let harmless = plan::harmless(fastrand::u128(..));
        let mut asked = self.ask(plan::question(&harmless, false)).await;
        self.mail_only = None;
        if matches!(asked, Err(AskError::Refused)) {
            // Servers before Rekor 1.5.4 know mail addresses only.
            asked = self.ask(plan::question(&harmless, true)).await;
            self.mail_only = Some(self.monitor.clock.now());
        }
        self.record_spending(guide).await?;
        match asked {
            Ok(_) => Ok(true),
            Err(AskError::Refused) => {
                let name = &self.guided.log.name;
                self.trouble.get_or_insert_with(|| {
                    PassError::new(
                        "unavailable",
                        format!("the search index of {name} refuses every question"),
                    )
                });
                Ok(false)
            }
            Err(AskError::Halt(Halt::Failed(error))) => {
                self.trouble.get_or_insert(error);
                Ok(false)
            }
            Err(AskError::Halt(halt)) => Err(halt),
        }
    }

    /// Records that a name could not be looked up: it is retried later and later.
    async fn postponed(
        &self,
        guide: &Guide,
        lookup: &Lookup,
        error: &PassError,
        now: Timestamp,
    ) -> Result<(), Halt> {
        let postponed = Postponed {
            log: guide.log.clone(),
            subject: lookup.subject.clone(),
            retry: plan::again(lookup.failures, now),
            error: Some(error.clone()),
            unread: None,
            position: lookup.position,
        };
        Ok(self.monitor.store.postponed(&postponed).await?)
    }

    /// Whether one more request may be made.
    pub(super) fn has_room(&mut self) -> bool {
        self.charge();
        self.budget.has_room(self.monitor.clock.now())
    }

    /// Whether the present turn of a name has no request left. One that has begun is not cut short by the allowance, or the last
    /// name of each pass could be asked and never read: what it takes more is paid back by the next pass.
    pub(super) fn deadline_is_used(&mut self) -> bool {
        self.charge();
        self.requests >= self.turn_ends_at
    }

    /// Counts the requests that were made since the last call, retries included.
    pub(super) fn charge(&mut self) {
        let made = self.made.take();
        self.requests = self.requests.saturating_add(made);
        self.budget.charge(made, self.monitor.clock.now());
    }

    pub(super) async fn record_spending(&mut self, guide: &mut Guide) -> Result<(), Halt> {
        self.charge();
        let spent = self.budget.spent();
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

    /// One turn of one name: its entries, those of them that are new, and what follows. An answer that takes more than a turn
    /// is given back, to be gone on with.
    async fn look_up(
        &mut self,
        guide: &Guide,
        trees: &mut Trees,
        proven_roots: &mut ProvenRoots,
        lookup: &Lookup,
        answer: Option<Answer>,
    ) -> Result<Option<Answer>, Halt> {
        self.charge();
        self.turn_ends_at = self.requests.saturating_add(TURN);
        let mut answer = match answer {
            Some(answer) => answer,
            None => self.answer(guide, trees, lookup).await?,
        };
        // Smaller and smaller questions where one of the entries makes the log fail.
        let most = (MAX_RETRIEVED >> lookup.failures.min(4)).max(1);
        while !answer.chosen.is_empty() {
            if self.deadline_is_used() {
                return self.unfinished(guide, lookup, answer).await.map(Some);
            }
            self.fetch_chosen(guide, trees, proven_roots, &mut answer, most)
                .await?;
        }
        if let Some(error) = answer.trouble {
            // The answer is not recorded: it is asked for again until the log shows what its index names.
            let now = self.monitor.clock.now();
            let error = in_the_contracts_words(error);
            let postponed = Postponed {
                log: guide.log.clone(),
                subject: lookup.subject.clone(),
                retry: plan::again(lookup.failures, now),
                unread: Some(answer.chosen.total),
                position: answer.chosen.position,
                error: Some(error.clone()),
            };
            self.monitor.store.postponed(&postponed).await?;
            self.failed.insert(lookup.subject.clone());
            self.trouble.get_or_insert(error);
            return Ok(None);
        }
        if answer.chosen.total > 0 {
            // More than are chosen of one answer: it is asked for again.
            self.unfinished(guide, lookup, answer).await?;
            return Ok(None);
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
        most: usize,
    ) -> Result<(), Halt> {
        let taken = answer.chosen.take(most);
        let ids: Vec<EntryId> = taken.iter().map(|(id, _)| *id).collect();
        let fetched = self.fetch(guide, trees, proven_roots, ids).await?;
        if let Some(error) = fetched.trouble {
            answer.trouble.get_or_insert(error);
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

    /// Puts a name behind the others that are due: there is more to fetch of its answer.
    async fn unfinished(
        &self,
        guide: &Guide,
        lookup: &Lookup,
        answer: Answer,
    ) -> Result<Answer, Halt> {
        let postponed = Postponed {
            log: guide.log.clone(),
            subject: lookup.subject.clone(),
            retry: self.monitor.clock.now(),
            error: None,
            unread: Some(answer.chosen.total),
            position: answer.chosen.position,
        };
        self.monitor.store.postponed(&postponed).await?;
        Ok(answer)
    }

    /// Asks the index for a name, and chooses among the entries that it names and that are not known. An answer that breaks
    /// off is used as far as it came.
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
                        answer.trouble = Some(error);
                        break;
                    }
                    halt => return Err(halt),
                },
            }
        }
        if none > 0 {
            let why = format!(
                "the index names {none} entries under {:?} by something that is no entry's id",
                lookup.subject
            );
            answer
                .trouble
                .get_or_insert_with(|| PassError::new("malformed", why));
        }
        // Where the log fails at some of them, another one is the first each time.
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
                    "it takes mail addresses only, as servers before Rekor 1.5.4 do"
                } else {
                    "it refuses this name"
                };
                Err(Halt::failed(
                    REFUSED,
                    format!("its index cannot be asked for {subject:?}: {why}"),
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

/// The kind of a failure to have an answer from an index that could be had: it refuses the question.
const REFUSED: &str = "refused";

/// A refusal leaves the question unanswered as any other failure does.
fn in_the_contracts_words(error: PassError) -> PassError {
    match error.kind.as_str() {
        REFUSED => PassError {
            kind: "unavailable".to_owned(),
            ..error
        },
        _ => error,
    }
}

/// What the index answered for one name.
#[derive(Default)]
struct Answer {
    /// How many entries it named.
    entries: u64,
    /// Those that are to be fetched yet.
    chosen: Chosen,
    /// What was wrong with it, or with one of its entries.
    trouble: Option<PassError>,
}

/// Why there is no answer from the index.
enum AskError {
    /// The server does not take this question, or there is none for this name.
    Refused,
    Halt(Halt),
}
