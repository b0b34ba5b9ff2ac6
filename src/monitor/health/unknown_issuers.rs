//! Certificates of authorities that the trusted root does not contain. A single one is forged; many may be of a new
//! authority of Sigstore.
//!
//! Anybody can log ten such certificates. The finding is then wrong, once, and hides nothing: a watched name is always
//! a finding of its own, with any issuer. So nothing is verified here. Memory is bounded: one certificate of each entry
//! is counted, among the last thousand entries.

use std::collections::{BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::identity::{Authorities, Certificate};
use crate::log::TreeId;
use crate::moment;
use crate::store::{StoreError, Values};

/// This many different names under one unknown authority are a burst.
const BURST_NAMES: usize = 10;

/// They are counted among this many last entries.
const WINDOW: u64 = 1_000;

/// How long a burst is reported after its last certificate. A finding about health cannot be acknowledged, so it has to
/// end by itself; and it must outlast the reading of a backlog.
const REPORT_PERIOD: SignedDuration = SignedDuration::from_hours(24);

/// One name in a certificate of an unknown authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::monitor) struct UnknownIssuer {
    index: u64,
    /// The key id of the authority, by the certificate.
    authority: [u8; 20],
    /// The beginning of a hash of the first name.
    name: u64,
}

impl UnknownIssuer {
    /// `None` if a trusted authority issued the certificate, by the key id in it.
    pub(in crate::monitor) fn of(
        index: u64,
        certificate: &Certificate,
        authorities: &Authorities,
    ) -> Option<Self> {
        let authority = authorities.unknown_issuer(certificate)?;
        let hash = Sha256::digest(&certificate.sans().first()?.value);
        let name = hash.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))?;
        Some(Self {
            index,
            authority,
            name,
        })
    }
}

/// The unknown issuers of one log, among its last entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::monitor) struct UnknownIssuers {
    /// In the order of their indexes.
    seen: VecDeque<UnknownIssuer>,
    #[serde(rename = "crowd")]
    burst: Option<IssuerBurst>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct IssuerBurst {
    authority: [u8; 20],
    /// The last entry of the burst.
    index: u64,
    at: Timestamp,
}

impl UnknownIssuers {
    /// Reads what earlier passes counted.
    pub(in crate::monitor) async fn load(
        store: &dyn Values,
        tree: &TreeId,
    ) -> Result<Self, StoreError> {
        let kept = store.get_value(&key(tree)).await?;
        // A value of a later version is ignored.
        Ok(kept
            .and_then(|kept| serde_json::from_str(&kept).ok())
            .unwrap_or_default())
    }

    /// Sets the time of a burst that is in the future to now. Otherwise it would be reported for as long as the clock
    /// was ahead.
    pub(in crate::monitor) fn correct_future_times(&mut self, now: Timestamp) {
        if let Some(burst) = &mut self.burst {
            burst.at = moment::past(burst.at, now);
        }
    }

    /// Stores it for the next pass. If this process dies before, the entries of this pass are not counted.
    pub(in crate::monitor) async fn save(
        &self,
        store: &dyn Values,
        tree: &TreeId,
    ) -> Result<(), StoreError> {
        let kept = serde_json::to_string(self).expect("numbers and times can be written");
        store.put_value(&key(tree), &kept).await
    }

    /// Counts one certificate. Those of a log come in the order of their indexes, but may come again.
    pub(in crate::monitor) fn count(&mut self, unknown_issuer: UnknownIssuer, now: Timestamp) {
        if self
            .seen
            .back()
            .is_some_and(|last| last.index >= unknown_issuer.index)
        {
            return;
        }
        self.seen
            .retain(|earlier| unknown_issuer.index - earlier.index < WINDOW);
        let names: BTreeSet<u64> = self
            .seen
            .iter()
            .filter(|earlier| earlier.authority == unknown_issuer.authority)
            .map(|earlier| earlier.name)
            .chain([unknown_issuer.name])
            .collect();
        if names.len() >= BURST_NAMES {
            self.burst = Some(IssuerBurst {
                authority: unknown_issuer.authority,
                index: unknown_issuer.index,
                at: now,
            });
        }
        self.seen.push_back(unknown_issuer);
    }

    /// A sentence about the log of this name: why the trusted root may be out of date.
    pub(in crate::monitor) fn sentence(
        &self,
        log: &str,
        authorities: Option<&Authorities>,
        now: Timestamp,
    ) -> Option<String> {
        let burst = self.burst.as_ref()?;
        if now.duration_since(burst.at) > REPORT_PERIOD || authorities?.has_key_id(&burst.authority)
        {
            return None;
        }
        Some(format!(
            "{BURST_NAMES} different names and more within {WINDOW} entries of {log}, before entry {}, have certificates of an authority that the trusted root does not contain (key id {}): it may be a new one of Sigstore",
            burst.index.saturating_add(1),
            hex::encode(burst.authority)
        ))
    }
}

fn key(tree: &TreeId) -> String {
    format!("strangers {tree}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    fn counted(unknown_issuers: impl IntoIterator<Item = (u64, u8, u64)>) -> UnknownIssuers {
        let mut all = UnknownIssuers::default();
        for (index, authority, name) in unknown_issuers {
            let authority = [authority; 20];
            let unknown_issuer = UnknownIssuer {
                index,
                authority,
                name,
            };
            all.count(unknown_issuer, at(0));
        }
        all
    }

    #[test]
    fn ten_different_names_under_one_authority_within_a_thousand_entries_are_a_burst() {
        let every = |step: u64, count: u64| (0..count).map(move |n| (n * step, 1, n));
        for (unknown_issuers, burst) in [
            (counted(every(1, 10)), true),
            (counted(every(111, 10)), true),
            (counted(every(1, 9)), false),
            (counted(every(112, 10)), false),
            (counted(every(112, 500)), false),
            // Ten names under two authorities, and one name ten times.
            (counted((0..10).map(|n| (n, u8::from(n < 5), n))), false),
            (counted((0..1000).map(|n| (n, 1, n % 9))), false),
            // Read again after a fault, or after a restart.
            (counted((0..10).map(|n| (n % 5, 1, n))), false),
        ] {
            assert_eq!(
                unknown_issuers.burst.is_some(),
                burst,
                "{unknown_issuers:?}"
            );
        }
    }

    #[test]
    fn a_flood_takes_no_more_memory_than_the_window() {
        let flood = counted((0..5000).map(|n| (n, 1, n)));
        assert_eq!(flood.seen.len(), 1000);
    }

    #[test]
    fn a_burst_is_reported_until_a_day_after_its_last_name() {
        let authorities = Some(Authorities::usable_of(Vec::new()).0);
        let burst = counted((0..10).map(|n| (n, 1, n)));
        for (hours, reported) in [(0, true), (24, true), (25, false)] {
            let now = at(hours * HOUR);
            let sentence = burst.sentence("main", authorities.as_ref(), now);
            assert_eq!(sentence.is_some(), reported, "{hours}");
        }
        // By a clock that was ahead then.
        let mut ahead = burst.clone();
        ahead.correct_future_times(at(-1000 * HOUR));
        let sentence = |hours| ahead.sentence("main", authorities.as_ref(), at(hours * HOUR));
        assert!(sentence(-1000 + 24).is_some() && sentence(-1000 + 25).is_none());
        assert_eq!(burst.sentence("main", None, at(0)), None);
    }

    #[test]
    fn what_is_counted_is_kept_between_passes() {
        let burst = counted((0..12).map(|n| (n, 1, n)));
        let kept = serde_json::to_string(&burst).ok();
        assert_eq!(
            kept.and_then(|kept| serde_json::from_str(&kept).ok()),
            Some(burst)
        );
    }
}
