//! Moments as people write them: a date, a time, or how long ago it was.

use jiff::Timestamp;

use super::duration;
use super::log;

/// Reads a moment: `2026-01-01`, `2026-01-01T08:00:00Z`, `24h`.
///
/// # Errors
///
/// It is neither a date nor a time nor a duration.
pub fn parse(written: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some(time) = log::time(written) {
        return Ok(time);
    }
    duration::parse(written)
        .and_then(|age| now.checked_sub(age).ok())
        .ok_or_else(|| {
            "write a date such as 2026-01-01, a time such as 2026-01-01T08:00:00Z, or a duration such as 24h"
                .to_owned()
        })
}
