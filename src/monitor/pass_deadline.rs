//! How long one log may be read in a pass, so that the others are read as well.

use crate::store::PassErrorKind;
use std::time::Duration;

use tokio::time::Instant;

use super::halt::Halt;
use super::settings::Settings;

/// How much longer a pass may take for everything but leaves: requests for checkpoints and hashes, and recording. Each
/// request has a timeout of half a minute, but a log may cause many of them.
const MAX_OTHER_WORK: Duration = Duration::from_mins(10);

/// How long names are looked up in a pass that reads the logs to their ends. A slow index must not keep the program
/// from ending; the next pass looks up the rest.
const LOOKUPS: Duration = Duration::from_mins(10);

/// The deadline of a pass over one log.
///
/// It uses the monotonic clock of the machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct PassDeadline(Option<Limits>);

#[derive(Debug, Clone, Copy)]
struct Limits {
    /// No more leaves are read after it; what was read is recorded.
    ends: Instant,
    /// All work ends then: a log may be slow in answers other than leaves.
    gives_up: Instant,
}

impl Limits {
    fn after(length: Duration) -> Self {
        let begins = Instant::now();
        Self {
            ends: begins + length,
            gives_up: begins + length + MAX_OTHER_WORK,
        }
    }
}

impl PassDeadline {
    /// The deadline of a pass that begins now.
    pub(super) fn of(settings: &Settings) -> Self {
        Self(settings.pass_limit.map(Limits::after))
    }

    /// The deadline of look-ups that begin now.
    pub(super) fn of_lookups(settings: &Settings) -> Self {
        Self(Some(Limits::after(settings.pass_limit.unwrap_or(LOOKUPS))))
    }

    pub(super) fn is_over(&self) -> bool {
        self.0
            .is_some_and(|deadline| deadline.ends <= Instant::now())
    }

    /// Returns at the deadline.
    pub(super) async fn wait(&self) {
        match self.0 {
            Some(deadline) => tokio::time::sleep_until(deadline.ends).await,
            None => std::future::pending().await,
        }
    }

    /// Does `work`, unless it takes longer than a pass may take at most. A pass may be dropped anywhere: what it has
    /// read since its last commit is read again.
    pub(super) async fn bound<T, E: Into<Halt>>(
        self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Halt> {
        let Some(deadline) = self.0 else {
            return work.await.map_err(Into::into);
        };
        match tokio::time::timeout_at(deadline.gives_up, work).await {
            Ok(ended) => ended.map_err(Into::into),
            Err(_) => Err(Halt::failed(
                PassErrorKind::Unavailable,
                "it answers, but too slowly to finish a pass".to_owned(),
            )),
        }
    }
}
