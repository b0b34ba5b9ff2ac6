//! The log that an assessment is about.

use std::time::Duration;

use crate::finding::Verdict;
use crate::log::{LogId, Part, Shard};

/// The log that is assessed, or the one of its trees.
pub(in crate::monitor) struct Subject<'a> {
    /// Its name.
    pub(in crate::monitor) name: &'a str,
    /// Which log.
    pub(in crate::monitor) log: &'a LogId,
    /// The part of it.
    pub(in crate::monitor) part: Part,
    /// How long it may show no new entry; `None`: without limit.
    pub(in crate::monitor) silence_after: Option<Duration>,
    /// The tree; `None` if the assessment is about a log of several trees as a whole.
    pub(in crate::monitor) tree: Option<&'a Shard>,
}

impl<'a> Subject<'a> {
    pub(in crate::monitor) fn of(shard: &'a Shard) -> Self {
        Self {
            name: &shard.name,
            log: &shard.log,
            part: Part::Tree(shard.id()),
            silence_after: shard.silence_after,
            tree: Some(shard),
        }
    }

    /// The origin that findings about it name.
    pub(super) fn origin(&self) -> &str {
        self.part.key(self.log)
    }
}

/// What a pass has noticed and the store does not contain.
#[derive(Default)]
pub(in crate::monitor) struct Noticed {
    /// Why the stored position cannot be used.
    pub(in crate::monitor) lost: Option<String>,
    /// Why the trusted root may be out of date.
    pub(in crate::monitor) issuer_burst: Option<String>,
    /// What the signatures of the newest checkpoint show; `None` if no checkpoint was opened.
    pub(in crate::monitor) signatures: Option<Vec<(Verdict, String)>>,
}
