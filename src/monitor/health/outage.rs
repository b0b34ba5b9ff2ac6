//! Times in which the store could not be used. Nothing can be recorded meanwhile, so they are reported afterwards.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::moment;
use crate::store::{StoreError, Values};

/// The key of the stored value.
const KEY: &str = "store.outage";

/// How long an outage is reported after its end: long enough to reach every channel.
const REPORT_PERIOD: SignedDuration = SignedDuration::from_hours(1);

/// When the store could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failing {
    from: Timestamp,
    until: Timestamp,
    why: String,
}

/// The outage that this process is in; clones share it.
///
/// It is kept in memory, because the store fails. If this process dies, the next one finds the failure again.
#[derive(Debug, Clone, Default)]
pub(in crate::monitor) struct Outage(Arc<Mutex<Option<Failing>>>);

impl Outage {
    /// Records that a pass could not be stored.
    pub(in crate::monitor) fn record_failure(&self, error: &StoreError, now: Timestamp) {
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

    /// Since when the store has failed.
    pub(in crate::monitor) fn since(&self) -> Option<Timestamp> {
        self.lock().as_ref().map(|failing| failing.from)
    }

    /// The sentence about an outage that is over. It is called when the store works again, and first stores what was
    /// kept in memory.
    pub(in crate::monitor) async fn sentence(
        &self,
        store: &dyn Values,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let over = self.lock().clone();
        let over = if let Some(mut failing) = over {
            failing.until = now;
            let text = serde_json::to_string(&failing).expect("a struct of plain values is JSON");
            store.put_value(KEY, &text).await?;
            // Only now: if storing it fails, the outage continues.
            *self.lock() = None;
            failing
        } else {
            let Some(text) = store.get_value(KEY).await? else {
                return Ok(None);
            };
            let Ok(mut failing) = serde_json::from_str::<Failing>(&text) else {
                return Ok(None);
            };
            if moment::is_ahead(failing.until, now) {
                // Stored, because otherwise it would be reported for as long as the clock was ahead.
                failing.until = now;
                let text =
                    serde_json::to_string(&failing).expect("a struct of plain values is JSON");
                store.put_value(KEY, &text).await?;
            }
            failing
        };
        if now.duration_since(over.until) > REPORT_PERIOD {
            return Ok(None);
        }
        Ok(Some(format!(
            "the database could not be used from {} to {}: {}",
            moment::shown(over.from),
            moment::shown(over.until),
            over.why
        )))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Failing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
