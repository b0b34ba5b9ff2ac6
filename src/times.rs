//! Times and lengths of time as people write them: `2026-01-01`, `2026-01-01T08:00:00Z`, `45m`, `24h`, `1h30m`.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Reads a length of time of at least a second: numbers with the units `s`, `m`, `h` and `d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(unit_at);
        let unit = match tail.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        let part = number.parse::<u64>().ok()?.checked_mul(unit)?;
        seconds = seconds.checked_add(part)?;
        rest = tail.get(1..)?;
    }
    // A century: a longer duration is a typing error, and could overflow when it is added to a time.
    (1..=100 * 366 * 86_400)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds))
}

/// A date (its midnight, UTC) or a timestamp of RFC 3339 with its offset.
pub fn parse_time(written: &str) -> Option<Timestamp> {
    // The parsers accept more (a week, a zone's name in brackets), which would surprise the reader of the file.
    if let Ok(time) = written.parse::<Timestamp>() {
        return (!written.contains('[')).then_some(time);
    }
    let date = Date::strptime("%Y-%m-%d", written).ok();
    let date = date.filter(|date| date.to_string() == written)?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Reads a moment: `2026-01-01`, `2026-01-01T08:00:00Z`, `24h`.
///
/// # Errors
///
/// It is neither a date nor a time nor a duration.
pub fn parse_moment(written: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some(time) = parse_time(written) {
        return Ok(time);
    }
    parse_duration(written)
        .and_then(|age| now.checked_sub(age).ok())
        .ok_or_else(|| {
            "write a date such as 2026-01-01, a time such as 2026-01-01T08:00:00Z, or a duration such as 24h"
                .to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [
            ("1s", Some(1)),
            ("45m", Some(2700)),
            ("24h", Some(86_400)),
            ("1h30m", Some(5400)),
            ("2d", Some(172_800)),
            ("0s", None),
            ("", None),
            ("45", None),
            ("m", None),
            ("1.5h", None),
            ("-1h", None),
            ("1 h", None),
            ("1H", None),
            ("1é", None),
            ("99999999999999999999h", None),
            ("18446744073709551615d", None),
            ("1000000d", None),
        ] {
            assert_eq!(
                parse_duration(text),
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
    }
}
