//! The answer to a question.

use jiff::Timestamp;

use super::coverage::{Asked, Coverage, coverage};
use super::error::LookupError;
use super::findings::{Found, sort};
use super::line::{Signing, Unproven};
use super::pages::{Item, Pages};
use super::question::Question;
use super::trees::Trees;
use super::world::World;

/// Most entries that cannot be read that are named: anybody can log them.
const MAX_UNREADABLE: usize = 100;

/// What was found, and how far it was looked.
#[derive(Debug)]
pub struct Answer {
    /// The signings, in the order of logs and indexes.
    pub signings: Vec<Signing>,
    /// Entries that may be what was asked for, and that are not proven or cannot be read.
    pub unproven: Vec<Unproven>,
    /// How far it was looked.
    pub coverage: Coverage,
}

/// How a lookup ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There are such signings, and each is proven.
    Found,
    /// There is none, and everything that was asked for was looked at.
    None,
    /// An entry is not proven, or there is none and not everything was looked at.
    Unanswered,
}

impl Answer {
    /// How it ended.
    pub fn ended(&self) -> Ended {
        match (self.signings.is_empty(), self.unproven.is_empty()) {
            (false, true) => Ended::Found,
            (true, true) if self.coverage.complete => Ended::None,
            (_, false) | (true, true) => Ended::Unanswered,
        }
    }
}

/// Answers from the store.
///
/// # Errors
///
/// [`LookupError`]: the question names a log that is not followed, or the store cannot be read.
pub async fn from_findings(question: &Question, world: &World<'_>) -> Result<Answer, LookupError> {
    let mut pages = Pages::new(question, world, None).await?;
    let found = find(&mut pages, question.limit).await?;
    Ok(Answer {
        coverage: pages.coverage(!found.signings.is_empty(), found.is_cut),
        signings: found.signings,
        unproven: found.unproven,
    })
}

/// Finds the stored signings of a question.
async fn find(pages: &mut Pages<'_>, limit: usize) -> Result<Found, LookupError> {
    let mut found = Found::default();
    let (mut signings, mut unreadable) = (0_usize, 0_usize);
    while let Some(items) = pages.next().await? {
        for (_, item) in items {
            if let Item::Unreadable(entry) = item {
                if unreadable < MAX_UNREADABLE {
                    unreadable += 1;
                    found.unproven.push(entry);
                }
                continue;
            }
            if signings >= limit {
                if !found.is_cut {
                    found.is_cut = true;
                    pages.skip_to_unreadable();
                }
                continue;
            }
            signings += 1;
            match item {
                Item::Signing(signing) => found.signings.push(*signing),
                Item::Unproven(entry) | Item::Unreadable(entry) => found.unproven.push(entry),
            }
        }
        if unreadable >= MAX_UNREADABLE && pages.is_at_unreadable() {
            break;
        }
    }
    sort(&mut found);
    Ok(found)
}

/// The answer, with how far was looked.
pub(super) fn conclude(question: &Question, now: Timestamp, found: Found, trees: &Trees) -> Answer {
    let asked = Asked {
        since: question.since,
        now,
        digest_not_found: !question.digests.is_empty() && found.signings.is_empty(),
        is_cut: found.is_cut,
    };
    Answer {
        coverage: coverage(&asked, &trees.logs),
        signings: found.signings,
        unproven: found.unproven,
    }
}
