//! The clocks of servers: the `Date` of their newest responses.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{AGE, DATE, HeaderMap};
use tokio::time::Instant;
use url::Url;

/// Number of hosts whose time is stored. A configuration names a few; further ones are ignored.
const MAX_HOSTS: usize = 64;

/// The time of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerDate {
    /// The host, with its port if that is not the default.
    pub host: String,
    /// The present time there: its `Date`, and the time since then by the monotonic clock.
    pub now: Timestamp,
}

/// The newest `Date` of each host, and when it came.
#[derive(Debug, Default)]
pub(super) struct Dates(Mutex<BTreeMap<String, (Timestamp, Instant)>>);

impl Dates {
    /// Records the `Date` of a response.
    pub(super) fn record(&self, url: &Url, headers: &HeaderMap) {
        let (Some(host), Some(date)) = (host(url), sent_at(headers)) else {
            return;
        };
        let mut dates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if dates.len() < MAX_HOSTS || dates.contains_key(&host) {
            dates.insert(host, (date, Instant::now()));
        }
    }

    /// The time at the host of this URL.
    pub(super) fn of(&self, url: &Url) -> Option<ServerDate> {
        let host = host(url)?;
        let dates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (date, came) = dates.get(&host)?;
        let now = date.checked_add(came.elapsed()).ok()?;
        Some(ServerDate { host, now })
    }
}

fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// When the response was sent. A cache passes on the `Date` of the origin, and the time since then in `Age` (RFC 9111
/// §5.1).
fn sent_at(headers: &HeaderMap) -> Option<Timestamp> {
    let date = http_date(headers.get(DATE)?.to_str().ok()?)?;
    let age = match headers.get(AGE) {
        None => 0,
        Some(age) => age.to_str().ok()?.trim().parse::<u32>().ok()?,
    };
    date.checked_add(SignedDuration::from_secs(i64::from(age)))
        .ok()
}

pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text.trim())
        .ok()
        .map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(date: &'static str, age: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static(date));
        if let Some(age) = age {
            headers.insert(AGE, HeaderValue::from_static(age));
        }
        headers
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_host_continues_from_its_newest_answer() {
        let url = |text: &str| Url::parse(text).unwrap();
        let (log, other) = (
            url("https://log.example/a"),
            url("https://log.example:8443/a"),
        );
        let dates = Dates::default();
        assert_eq!(dates.of(&log), None);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        dates.record(&log, &headers(date, None));
        assert_eq!(dates.of(&other), None, "another port is another server");
        tokio::time::advance(std::time::Duration::from_secs(10)).await;
        let now = |url: &Url| dates.of(url).unwrap().now.to_string();
        assert_eq!(now(&log), "1994-11-06T08:49:47Z");
        dates.record(&other, &headers(date, Some("120")));
        assert_eq!(now(&other), "1994-11-06T08:51:37Z");
        // A value that cannot be parsed changes nothing.
        dates.record(&log, &headers("yesterday", None));
        dates.record(&log, &headers(date, Some("-1")));
        assert_eq!(now(&log), "1994-11-06T08:49:47Z");
    }

    #[tokio::test]
    async fn the_number_of_hosts_is_bounded() {
        let dates = Dates::default();
        for host in 0..2 * MAX_HOSTS {
            let url = Url::parse(&format!("https://{host}.log.example/")).unwrap();
            dates.record(&url, &headers("Sun, 06 Nov 1994 08:49:37 GMT", None));
        }
        assert_eq!(dates.0.lock().unwrap().len(), MAX_HOSTS);
    }
}
