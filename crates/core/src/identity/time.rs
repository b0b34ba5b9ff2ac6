//! ASN.1 times.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::der::{Element, GENERALIZED_TIME, UTC_TIME};

/// The moment a UTCTime or GeneralizedTime names, or `None`.
///
/// Rekor is written in Go, whose parser also accepts times without seconds and with an offset. Whatever a log accepts
/// must be parsed here, so both are accepted.
pub(super) fn parse(element: &Element, content: &[u8]) -> Option<Timestamp> {
    let mut digits = Digits(content);
    let year = match element.tag {
        // RFC 5280 §4.1.2.5.1: 50 and above are of the last century.
        UTC_TIME => match digits.pair()? {
            year @ 50.. => 1900 + i16::from(year),
            year => 2000 + i16::from(year),
        },
        GENERALIZED_TIME => i16::from(digits.pair()?) * 100 + i16::from(digits.pair()?),
        _ => return None,
    };
    let (month, day) = (digits.pair()?, digits.pair()?);
    let (hour, minute) = (digits.pair()?, digits.pair()?);
    let second = match digits.0.first()? {
        b'0'..=b'9' => digits.pair()?,
        _ => 0,
    };
    let offset_minutes = match digits.0 {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let mut rest = Digits(rest);
            let (hours, minutes) = (i64::from(rest.pair()?), i64::from(rest.pair()?));
            if !rest.0.is_empty() || hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 60 + minutes;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let civil = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let local = TimeZone::UTC.to_timestamp(civil).ok()?;
    Timestamp::from_second(local.as_second() - offset_minutes * 60).ok()
}

struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    /// The next two digits as a number.
    fn pair(&mut self) -> Option<i8> {
        let [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] = self.0 else {
            return None;
        };
        self.0 = rest;
        i8::try_from((tens - b'0') * 10 + (ones - b'0')).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_reads_them() {
        for (tag, text, expected) in [
            (UTC_TIME, "261121074824Z", Some("2026-11-21T07:48:24Z")),
            (UTC_TIME, "500101000000Z", Some("1950-01-01T00:00:00Z")),
            (UTC_TIME, "491231235959Z", Some("2049-12-31T23:59:59Z")),
            (UTC_TIME, "2611210748Z", Some("2026-11-21T07:48:00Z")),
            (UTC_TIME, "261121074824+0130", Some("2026-11-21T06:18:24Z")),
            (
                GENERALIZED_TIME,
                "20500101000000Z",
                Some("2050-01-01T00:00:00Z"),
            ),
            (UTC_TIME, "261121074824", None),
            (UTC_TIME, "261321074824Z", None),
            (UTC_TIME, "261121074860Z", None),
            (UTC_TIME, "2611210748zzZ", None),
            (UTC_TIME, "", None),
            (UTC_TIME, "261121074824Z ", None),
            (GENERALIZED_TIME, "20261121074824.5Z", None),
            (0x0c, "261121074824Z", None),
        ] {
            let element = Element {
                tag,
                whole: 0..0,
                content: 0..0,
            };
            let read = parse(&element, text.as_bytes()).map(|time| time.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
