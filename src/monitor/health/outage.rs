//! A store that could not be used: while it lasts nothing can be recorded, so it is said afterwards.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::moment;
use crate::store::{StoreError, Values};

/// Where it is remembered when the last outage was.
const MEMORY: &str = "store.outage";

/// For how long an outage that is over is said: long enough to reach every channel.
const SAID_FOR: SignedDuration = SignedDuration::from_hours(1);

/// When the store could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failing {
    from: Timestamp,
    until: Timestamp,
    why: String,
}

/// What this process has seen of it; clones share it.
///
/// In memory, because there is nowhere else: if the process dies while the store fails, the next one finds out anew.
#[derive(Debug, Clone, Default)]
pub(in crate::monitor) struct Outage(Arc<Mutex<Option<Failing>>>);

impl Outage {
    /// A pass could not be recorded.
    pub(in crate::monitor) fn goes_on(&self, error: &StoreError, now: Timestamp) {
        let mut failing = self.lock();
        let from = failing
            .as_ref()
            .map_or(now, |failing| moment::past(failing.from, now));
        *failing = Some(Failing {
            from,
            until: now,
            why: error.to_string(),
        });
    }

    /// Since when the store fails.
    pub(in crate::monitor) fn since(&self) -> Option<Timestamp> {
        self.lock().as_ref().map(|failing| failing.from)
    }

    /// What is to be said of an outage that is over. Called when the store is being used again: what was kept in memory
    /// is written down first.
    pub(in crate::monitor) async fn said(
        &self,
        store: &dyn Values,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let over = self.lock().clone();
        let over = if let Some(mut failing) = over {
            failing.until = now;
            let text = serde_json::to_string(&failing).expect("a struct of plain values is JSON");
            store.put_value(MEMORY, &text).await?;
            // Only now: had this failed, the outage would go on.
            *self.lock() = None;
            failing
        } else {
            let Some(text) = store.get_value(MEMORY).await? else {
                return Ok(None);
            };
            let Ok(mut failing) = serde_json::from_str::<Failing>(&text) else {
                return Ok(None);
            };
            if moment::is_ahead(failing.until, now) {
                // Written down, or it would be said for as long as the clock was ahead.
                failing.until = now;
                let text =
                    serde_json::to_string(&failing).expect("a struct of plain values is JSON");
                store.put_value(MEMORY, &text).await?;
            }
            failing
        };
        if now.duration_since(over.until) > SAID_FOR {
            return Ok(None);
        }
        let at = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Ok(Some(format!(
            "the database could not be used from {} to {}: {}",
            at(over.from),
            at(over.until),
            over.why
        )))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Failing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
