//! Values on the command line.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock;
use crate::times;

/// A duration on the command line, written as in the configuration.
pub(super) fn duration(written: &str) -> Result<Duration, String> {
    times::parse_duration(written)
        .ok_or_else(|| format!("`{written}` is not a duration such as 45m or 2h"))
}

/// A whole number on the command line.
pub(super) fn number<T: std::str::FromStr>(written: &str) -> Result<T, String> {
    written.parse().map_err(|_| {
        let is_number = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit());
        if is_number {
            "the number is too large".to_owned()
        } else {
            "a whole number in digits is wanted, such as 10".to_owned()
        }
    })
}

/// A time on the command line, or how long ago it was.
pub(super) fn moment(written: &str) -> Result<Timestamp, String> {
    times::parse_moment(written, clock::now())
}
