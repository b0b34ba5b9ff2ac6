//! The log that an assessment is about.

use std::time::Duration;

use crate::log::Shard;

/// The log that is assessed.
#[derive(Clone, Copy)]
pub(in crate::monitor) struct Subject<'a> {
    /// Its name.
    pub(in crate::monitor) name: &'a str,
    /// Its identity.
    pub(in crate::monitor) origin: &'a str,
    /// How long it may show no new entry; `None`: without limit.
    pub(in crate::monitor) silence_after: Option<Duration>,
    /// The tree; `None` if the assessment is about a log of several trees as a whole.
    pub(in crate::monitor) tree: Option<&'a Shard>,
}

impl<'a> Subject<'a> {
    pub(in crate::monitor) fn of(shard: &'a Shard) -> Self {
        Self {
            name: &shard.name,
            origin: shard.origin.as_str(),
            silence_after: shard.silence_after,
            tree: Some(shard),
        }
    }
}

/// What a pass has noticed and the store does not contain.
#[derive(Default)]
pub(in crate::monitor) struct Noticed {
    /// Why the stored position cannot be used.
    pub(in crate::monitor) lost: Option<String>,
    /// Why the trusted root may be out of date.
    pub(in crate::monitor) crowd: Option<String>,
}
