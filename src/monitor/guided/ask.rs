//! Working off the queue: whose turn it is, and what the index answers.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Pass;
use super::fetch::is_of_the_entry;
use super::heads::Trees;
use super::plan::{self, Question};
use super::prove::Linked;
use crate::monitor::pass::Halt;
use crate::source::rekor_v1::{EntryId, IndexQuery, MAX_RETRIEVED};
use crate::store::{Answered, Guide, Lookup, PassError, Postponed};

/// Look-ups that are read from the queue at once.
const LOOKUPS: u32 = 100;

/// A server that cannot be had this often in a row is left alone for the rest of the pass: each try costs it up to five
/// requests.
const UNAVAILABLE: u32 = 3;

/// Requests that a name may take in one turn. Anybody can have entries logged under any name, by the thousand: they must not
/// keep the other names waiting.
const TURN: u64 = 10;

/// How often a server that only knows mail addresses is tried with another name: it may have been brought up to date.
const TRY_AGAIN: SignedDuration = SignedDuration::from_hours(24);

impl Pass<'_> {
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
        let mut unfinished = BTreeMap::new();
        while self.unavailable < UNAVAILABLE {
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
                let began = self.requests;
                let answer = unfinished.remove(&lookup.subject);
                let asked = self
                    .look_up(guide, trees, &mut linked, &lookup, answer)
                    .await;
                self.record_spending(guide).await?;
                match asked {
                    Ok(rest) => {
                        self.unavailable = 0;
                        if let Some(rest) = rest {
                            unfinished.insert(lookup.subject, rest);
                        }
                    }
                    Err(Halt::Failed(error)) if error.kind == OUT_OF_ALLOWANCE => {
                        // Should this one take more than all that is granted, the others come first the next time.
                        if self.requests > began {
                            self.postpone(guide, &lookup, None, now).await?;
                        }
                        return Ok(());
                    }
                    Err(Halt::Failed(error)) => {
                        let retry = plan::again(&error.kind, lookup.failures, now);
                        if error.kind == "unavailable" {
                            self.unavailable += 1;
                        }
                        let error = in_the_contracts_words(error);
                        self.postpone(guide, &lookup, Some(&error), retry).await?;
                        self.failed.insert(lookup.subject);
                        self.trouble.get_or_insert(error);
                        if self.unavailable >= UNAVAILABLE {
                            break;
                        }
                    }
                    Err(other) => return Err(other),
                }
            }
        }
        Ok(())
    }

    /// Puts a name behind the others that are due.
    async fn postpone(
        &self,
        guide: &Guide,
        lookup: &Lookup,
        error: Option<&PassError>,
        retry: Timestamp,
    ) -> Result<(), Halt> {
        self.monitor
            .store
            .postponed(&Postponed {
                log: guide.log.clone(),
                subject: lookup.subject.clone(),
                retry,
                error: error.cloned(),
            })
            .await?;
        Ok(())
    }

    /// Counts one more request.
    pub(super) fn afford(&mut self) -> Result<(), Halt> {
        if self.allowance.take(self.monitor.clock.now()) {
            self.requests += 1;
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

    /// One turn of one name: its entries, those of them that are new, and what follows. An answer that takes more than a turn
    /// is given back, to be gone on with.
    async fn look_up(
        &mut self,
        guide: &Guide,
        trees: &mut Trees,
        linked: &mut Linked,
        lookup: &Lookup,
        answer: Option<IndexAnswer>,
    ) -> Result<Option<IndexAnswer>, Halt> {
        let spent = self.requests;
        let mut answer = if let Some(answer) = answer {
            answer
        } else {
            let mut ids = self.ids(&lookup.subject).await?;
            ids.sort_unstable();
            ids.dedup();
            // What takes more than one pass begins elsewhere in the next one: names of entries that are not there must not be
            // in the way of the others for ever.
            let seconds = u64::try_from(self.now.as_second()).unwrap_or_default();
            let by = seconds.checked_rem(ids.len() as u64).unwrap_or_default();
            ids.rotate_left(usize::try_from(by).unwrap_or_default());
            IndexAnswer {
                entries: ids.len() as u64,
                left: self.unknown(guide, trees, ids).await?,
                trouble: None,
            }
        };
        while !answer.left.is_empty() {
            if self.requests.saturating_sub(spent) >= TURN {
                let now = self.monitor.clock.now();
                self.postpone(guide, lookup, None, now).await?;
                return Ok(Some(answer));
            }
            let rest = answer.left.len().saturating_sub(MAX_RETRIEVED);
            let chunk = answer.left.split_off(rest);
            match self.fetch(guide, trees, linked, chunk).await {
                Ok(()) => {}
                // What is wrong with one entry hides no other one.
                Err(Halt::Failed(error)) if is_of_the_entry(&error) => {
                    answer.trouble.get_or_insert(error);
                }
                Err(halt) => return Err(halt),
            }
        }
        if let Some(error) = answer.trouble {
            // The answer is not recorded: it is asked for again until the log shows what its index names.
            return Err(Halt::Failed(error));
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

    /// The ids that the index names. A server that does not know the question for names of any type is asked by mail
    /// address from then on.
    async fn ids(&mut self, subject: &str) -> Result<Vec<EntryId>, Halt> {
        let now = self.monitor.clock.now();
        let mail_only = self.mail_only.is_some_and(|since| {
            // A clock that was ahead must not make it so for longer.
            (SignedDuration::ZERO..TRY_AGAIN).contains(&now.duration_since(since))
        });
        if !mail_only {
            match self.ask(plan::question(subject, false)).await {
                Ok(ids) => {
                    self.mail_only = None;
                    return Ok(ids);
                }
                // Whoever has a certificate chooses its name: that one is refused says nothing about the next.
                Err(Asking::Refused) => {
                    match self.ask(plan::question(plan::HARMLESS, false)).await {
                        Ok(_) => self.mail_only = None,
                        Err(Asking::Refused) => self.mail_only = Some(now),
                        Err(Asking::Halt(halt)) => return Err(halt),
                    }
                }
                Err(Asking::Halt(halt)) => return Err(halt),
            }
        }
        match self.ask(plan::question(subject, true)).await {
            Ok(ids) => Ok(ids),
            Err(Asking::Refused) => {
                let why = if self.mail_only.is_some() {
                    "it takes mail addresses only, as servers before Rekor 1.5.4 do"
                } else {
                    "it refuses this name"
                };
                Err(Halt::failed(
                    REFUSED,
                    format!("its index cannot be asked for {subject:?}: {why}"),
                ))
            }
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
}

/// The kind of a failure that is none of the log's: the allowance is used up, and the rest of the queue has to wait.
const OUT_OF_ALLOWANCE: &str = "out-of-allowance";

/// The kind of a failure to have an answer from an index that could be had: it refuses the question.
const REFUSED: &str = "refused";

/// A refusal leaves the question unanswered as any other failure does; that it will mostly be repeated matters only to when
/// it is asked again.
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
struct IndexAnswer {
    /// How many entries it named.
    entries: u64,
    /// Those that are to be fetched yet.
    left: Vec<EntryId>,
    /// What was wrong with one of the others.
    trouble: Option<PassError>,
}

/// Why there is no answer from the index.
enum Asking {
    /// The server does not take this question, or there is none for this name.
    Refused,
    Halt(Halt),
}
