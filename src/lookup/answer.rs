//! The answer to a question.

use jiff::Timestamp;

use super::coverage::{Asked, Coverage, coverage};
use super::error::LookupError;
use super::findings::{self, Found};
use super::line::{Signing, Unproven};
use super::matcher::Matcher;
use super::question::Question;
use super::trees::{self, Trees};
use super::world::World;

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
    let mut matcher = Matcher::new(question)?;
    let payloads = world
        .store
        .payloads_about(&question.digests_asked())
        .await?;
    matcher.add_payloads(&payloads);
    let trees = trees::gather(question, &matcher, world).await?;
    let found = findings::find(&matcher, world, &trees).await?;
    Ok(conclude(question, world.now, found, &trees))
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
