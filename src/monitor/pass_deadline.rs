//! How long one log may be read before the others get their turn.

use std::time::Duration;

use tokio::time::Instant;

use super::Settings;
use super::tail::pass::Halt;

/// How long what is not the reading of leaves may take in a pass, in all: to ask for a checkpoint and for hashes, and to
/// record. Each question is given up after half a minute by itself; a log may make us ask many of them.
const BESIDES: Duration = Duration::from_mins(10);

/// How long names are looked up in a pass that reads the logs to their ends: an index that answers slowly must not keep the
/// program from ending, and what waits is looked up by the next pass.
const LOOKUPS: Duration = Duration::from_mins(10);

/// The turn of one log in one pass.
///
/// By the machine's monotonic clock: it is about waiting, not about what time it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct PassDeadline(Option<Limits>);

#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Nothing more is read from then on; what was read is recorded.
    ends: Instant,
    /// Whatever is being done is given up: a log may be slow in answering other questions than for its leaves.
    given_up: Instant,
}

impl Limits {
    fn after(length: Duration) -> Self {
        let begins = Instant::now();
        Self {
            ends: begins + length,
            given_up: begins + length + BESIDES,
        }
    }
}

impl PassDeadline {
    /// A turn that begins now.
    pub(super) fn of(settings: &Settings) -> Self {
        Self(settings.pass_limit.map(Limits::after))
    }

    /// A turn to look names up that begins now.
    pub(super) fn of_lookups(settings: &Settings) -> Self {
        Self(Some(Limits::after(settings.pass_limit.unwrap_or(LOOKUPS))))
    }

    pub(super) fn is_over(&self) -> bool {
        self.0
            .is_some_and(|deadline| deadline.ends <= Instant::now())
    }

    /// Returns when it is over.
    pub(super) async fn wait(&self) {
        match self.0 {
            Some(deadline) => tokio::time::sleep_until(deadline.ends).await,
            None => std::future::pending().await,
        }
    }

    /// Does this, unless it takes longer than a turn may at the very most. A pass may be dropped anywhere: what it has
    /// read since its last commit is read again.
    pub(super) async fn bound<T, E: Into<Halt>>(
        self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Halt> {
        let Some(deadline) = self.0 else {
            return work.await.map_err(Into::into);
        };
        match tokio::time::timeout_at(deadline.given_up, work).await {
            Ok(ended) => ended.map_err(Into::into),
            Err(_) => Err(Halt::failed(
                "unavailable",
                "it answers, but too slowly for a pass to end".to_owned(),
            )),
        }
    }
}
