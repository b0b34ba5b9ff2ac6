//! The questions to the search index: which, when, and until when. Pure.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::identity::{Certificate, Chain, San};
use crate::moment;
use crate::store::{
    KnownEntry, Lookup, OpenCertificate, PendingCertificate, PendingCertificateEnd,
    SettledCertificate, Sighting,
};

/// Longest name that the index of Rekor accepts, in characters (its OpenAPI document, `SearchIndex.subject`).
const MAX_SUBJECT_CHARS: usize = 512;

/// Most names of one certificate that are looked up. The index contains an entry under each of its names, so one would
/// suffice; Fulcio issues certificates with one name, and those of another CA may have thousands.
const MAX_NAMES: usize = 16;

/// How long certificates of Fulcio are valid (fulcio `CertificateIssuance`). A finding contains only the start of the
/// validity.
const VALIDITY: SignedDuration = SignedDuration::from_mins(10);

/// Delays before a name is looked up again if the entry was not found: the index is filled some time after the log, and
/// a signing mostly follows its certificate within seconds.
const RETRIES: [SignedDuration; 3] = [
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
];

/// The delay after those: one hour, half of which may be spent in the queue.
const LAST_DELAY: SignedDuration = SignedDuration::from_mins(30);

/// How often the exact names of watches are looked up.
const EXACT_NAME_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// How long after the end of its validity modelwatch looks for the entry of a certificate.
const SEARCH_PERIOD: SignedDuration = SignedDuration::from_hours(24);

/// The mean rate of requests: one in two seconds. The CT logs need 14 requests a minute (227 certificates per second in
/// requests of 1,000), so that the sum is less than one a second.
const REQUEST_INTERVAL: SignedDuration = SignedDuration::from_secs(2);

/// Requests that may be made at once after a time without requests: enough for the first pass of an ordinary
/// configuration.
const BURST: i32 = 300;

/// The virtual clock of a [`RequestBudget`] is never further ahead, even if the real clock was set back by some
/// minutes.
const MAX_AHEAD: SignedDuration =
    SignedDuration::from_secs(REQUEST_INTERVAL.as_secs() * 2 * BURST as i64);

/// The requests that may be made to the index of a log. Each request advances a virtual clock by [`REQUEST_INTERVAL`].
/// The clock may be ahead of the real one by [`BURST`] requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestBudget {
    spent: Timestamp,
}

impl RequestBudget {
    pub(super) const fn new(spent: Timestamp) -> Self {
        Self { spent }
    }

    /// Whether one more request may be made now.
    pub(super) fn allows_request(&mut self, now: Timestamp) -> bool {
        // If the clock was set back by more, earlier requests are not counted. Otherwise no request would be made for
        // as long.
        self.spent = moment::planned(self.spent, MAX_AHEAD, now);
        self.spent.duration_since(now) <= REQUEST_INTERVAL * (BURST - 1)
    }

    /// Counts requests that were made. Requests beyond the limit delay the next ones.
    pub(super) fn charge(&mut self, requests: u64, now: Timestamp) {
        let requests = i32::try_from(requests).unwrap_or(i32::MAX).min(BURST);
        self.spent = later(self.spent.max(now), REQUEST_INTERVAL * requests);
    }

    /// The virtual clock, which is stored.
    pub(super) const fn spent(self) -> Timestamp {
        self.spent
    }
}

/// A question to the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// About a name of any type.
    Subject(String),
    /// About a mail address: the only question that servers before Rekor 1.5.4 accept.
    Email(String),
}

/// The question about a name; `None` if this server cannot be asked for it.
pub(super) fn question(subject: &str, mail_only: bool) -> Option<Question> {
    if !mail_only {
        return Some(Question::Subject(subject.to_owned()));
    }
    is_mail(subject).then(|| Question::Email(subject.to_owned()))
}

/// Whether a server accepts it as a mail address.
pub(super) fn is_mail(subject: &str) -> bool {
    subject.split_once('@').is_some_and(|(local, domain)| {
        let plain = |part: &str| {
            !part.is_empty()
                && !part.contains(|c: char| c.is_whitespace() || "@:/!\"<>".contains(c))
        };
        plain(local) && plain(domain)
    })
}

/// A name that has no entries and that the index has no reason to refuse. If this question fails, the index is the
/// cause. The name is random: otherwise an attacker could log entries under it until its answer takes too long.
pub(super) fn harmless(random: u128) -> String {
    format!("harmless-{random:032x}@example.com")
}

/// What a certificate has in common with forged copies of it: its key and the start of its validity.
pub(super) fn key_and_start(key: &str, not_before: Option<Timestamp>) -> String {
    not_before.map_or_else(
        || key.to_owned(),
        |not_before| format!("{key}@{}", not_before.as_second()),
    )
}

/// What identifies a certificate, and what it has in common with forged copies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CertificateId {
    /// SHA-256 of the TBSCertificate as CT logs contain it. Only the CA can sign another one. It is the same for a
    /// precertificate and for the certificate.
    pub(super) key: String,
    /// As [`key_and_start`].
    pub(super) key_and_start: String,
}

impl CertificateId {
    /// The identity of a signer, by the hex digits of its key and its certificate, if it has one. A certificate without
    /// a trusted CA is identified by its own bytes: anyone can copy a TBSCertificate and sign the copy.
    pub(super) fn of(
        key: &str,
        not_before: Option<Timestamp>,
        chain: Option<Chain>,
        logged: Option<String>,
        certificate: Option<&[u8]>,
    ) -> Self {
        let key_and_start = key_and_start(key, not_before);
        if chain == Some(Chain::Untrusted) {
            let own = certificate.map_or_else(
                || key_and_start.clone(),
                |der| hex::encode(Sha256::digest(der)),
            );
            let key = format!("untrusted {own}");
            return Self { key, key_and_start };
        }
        let logged = logged.or_else(|| {
            let certificate = Certificate::parse(certificate?.to_vec()).ok()?;
            certificate.logged_sha256().map(hex::encode)
        });
        Self {
            key: logged.unwrap_or_else(|| key_and_start.clone()),
            key_and_start,
        }
    }
}

/// The note on the finding of a certificate without a name that can be looked up.
pub(super) fn no_lookup_note(log: &str) -> String {
    format!(
        "; what was signed with it cannot be looked up in {log}: the search index takes names of 1 to {MAX_SUBJECT_CHARS} characters"
    )
}

/// When a look-up that failed is retried. The index has answered a harmless question, so the name is the cause.
pub(super) fn again(failures: u32, now: Timestamp) -> Timestamp {
    later(now, backoff(failures))
}

fn backoff(times: u32) -> SignedDuration {
    usize::try_from(times)
        .ok()
        .and_then(|times| RETRIES.get(times))
        .copied()
        .unwrap_or(LAST_DELAY)
}

/// The names of a certificate that are looked up: in lower case like in the index, each once, none that is too long,
/// and not too many.
pub(super) fn subjects(sans: &[San]) -> Vec<String> {
    let mut subjects: Vec<String> = sans
        .iter()
        .map(|san| san.value.to_ascii_lowercase())
        .filter(|subject| is_askable(subject))
        .collect();
    subjects.sort_unstable();
    subjects.dedup();
    subjects.truncate(MAX_NAMES);
    subjects
}

/// Whether the index accepts a name.
pub(super) fn is_askable(subject: &str) -> bool {
    !subject.is_empty() && subject.chars().count() <= MAX_SUBJECT_CHARS
}

/// When the validity of a certificate ends. If that is not known, the usual time from now.
pub(super) fn not_after(sighting: &Sighting, now: Timestamp) -> Timestamp {
    let kept = sighting
        .certificate
        .clone()
        .and_then(|der| Certificate::parse(der).ok())
        .map(|certificate| certificate.not_after());
    kept.unwrap_or_else(|| later(sighting.not_before.unwrap_or(now), VALIDITY))
}

/// The consequences of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    /// When the name is looked up again; `None`: not until there is a new reason.
    pub(super) due: Option<Timestamp>,
    /// Certificates whose search has ended.
    pub(super) settled: Vec<SettledCertificate>,
}

/// The consequences of an answer about a name whose entries are all recorded. `tries` is the number of answers before
/// this one.
pub(super) fn next(
    log: &str,
    direct: bool,
    tries: u32,
    open: &[OpenCertificate],
    now: Timestamp,
) -> Next {
    let mut settled = Vec::new();
    let mut due: Vec<Timestamp> = Vec::new();
    if direct {
        due.push(later(now, EXACT_NAME_INTERVAL));
    }
    let retry = backoff(tries);
    for certificate in open {
        let given_up = later(certificate.not_after, SEARCH_PERIOD);
        let end = match certificate.entries.first() {
            Some((_, true)) => PendingCertificateEnd::InThisLog,
            Some((_, false)) => PendingCertificateEnd::InOtherLog,
            None if now >= given_up => PendingCertificateEnd::NotFound,
            None => {
                due.push(later(now, retry).min(given_up));
                continue;
            }
        };
        // A valid certificate can sign again. So its name is looked up a last time after its end.
        let end_of_use = later(certificate.not_after, PendingCertificate::LAG);
        if now < end_of_use {
            due.push(end_of_use);
        }
        settled.push(SettledCertificate {
            key: certificate.key.clone(),
            end,
            summary: sentence(log, certificate),
        });
    }
    if open.len() >= OpenCertificate::MAX_AT_ONCE && settled.len() == open.len() {
        // There are more than these.
        due.push(now);
    }
    Next {
        due: due
            .into_iter()
            .min()
            .map(|due| due.min(later(now, Lookup::LONGEST_WAIT))),
        settled,
    }
}

/// The text that is appended to the summary of the finding of a certificate.
fn sentence(log: &str, certificate: &OpenCertificate) -> String {
    let mut sentence = match certificate.entries.split_first() {
        None => format!(
            "; no entry of it was found in {log} within a day after its end: it may have been used with a log that is not followed, or not at all"
        ),
        Some(((first, own), rest)) => {
            let more = rest
                .iter()
                .filter(|(entry, also)| also == own && entry.name == first.name)
                .map(|(entry, _)| entry);
            let entries: Vec<_> = std::iter::once(first).chain(more).collect();
            let (listed, is_one) = listed(&entries);
            let verb = if is_one {
                "signing is entry"
            } else {
                "signings are entries"
            };
            format!("; its {verb} {listed} of {}", first.name)
        }
    };
    let others: Vec<_> = certificate.other_certificates.iter().collect();
    if let Some(first) = others.first() {
        let (listed, is_one) = listed(&others);
        let (noun, verb) = if is_one {
            ("entry", "holds")
        } else {
            ("entries", "hold")
        };
        let name = &first.name;
        sentence = format!(
            "{sentence}; {noun} {listed} of {name} {verb} another certificate for its key: anybody can make one, so it proves nothing about this one"
        );
    }
    sentence
}

/// The indexes in a sentence, and whether it is one.
fn listed(entries: &[&KnownEntry]) -> (String, bool) {
    let mut indexes: Vec<u64> = entries.iter().map(|entry| entry.index).collect();
    indexes.dedup();
    let listed: Vec<String> = indexes.iter().map(u64::to_string).collect();
    let more = if entries.len() >= OpenCertificate::MAX_ENTRIES as usize {
        ", perhaps more"
    } else {
        ""
    };
    (format!("{}{more}", listed.join(", ")), indexes.len() == 1)
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::SanType;

    /// Seconds after some moment.
    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("within range")
    }

    const MINUTE: i64 = 60;
    const HOUR: i64 = 3600;

    fn open(not_after: i64, entries: &[(u64, bool)]) -> OpenCertificate {
        OpenCertificate {
            key: "k".to_owned(),
            other_certificates: Vec::new(),
            not_after: at(not_after),
            entries: entries
                .iter()
                .map(|&(index, own)| {
                    let entry = KnownEntry {
                        key_and_start: "a".to_owned(),
                        tree: crate::log::TreeId::new("o"),
                        name: if own { "v1" } else { "v2" }.to_owned(),
                        index,
                        leaf_hash: "l".to_owned(),
                        key: "k".to_owned(),
                    };
                    (entry, own)
                })
                .collect(),
        }
    }

    #[test]
    fn a_name_is_looked_up_less_and_less_often_until_a_day_after_its_certificate_ended() {
        let certificate = [open(0, &[])];
        let table = [
            (0, 0, Some(MINUTE)),
            (1, MINUTE, Some(6 * MINUTE)),
            (2, 6 * MINUTE, Some(36 * MINUTE)),
            (3, 36 * MINUTE, Some(66 * MINUTE)),
            (9, 23 * HOUR + 30 * MINUTE, Some(24 * HOUR)),
            (u32::MAX, 10 * HOUR, Some(10 * HOUR + 30 * MINUTE)),
            (9, 24 * HOUR, None),
        ];
        for (tries, now, due) in table {
            let next = next("v1", false, tries, &certificate, at(now));
            assert_eq!(next.due, due.map(at), "{tries} tries, {now} s");
            assert_eq!(
                next.settled.is_empty(),
                due.is_some(),
                "{tries} tries, {now} s"
            );
        }
    }

    #[test]
    fn an_exact_name_of_a_watch_is_always_looked_up_hourly() {
        assert_eq!(next("v1", true, 7, &[], at(0)).due, Some(at(HOUR)));
        let ended = [open(-25 * HOUR, &[])];
        assert_eq!(next("v1", true, 7, &ended, at(0)).due, Some(at(HOUR)));
        // And sooner while a certificate is open.
        let fresh = [open(0, &[])];
        assert_eq!(next("v1", true, 0, &fresh, at(0)).due, Some(at(MINUTE)));
    }

    #[test]
    fn a_found_certificate_is_looked_up_once_more_after_it_can_no_longer_sign() {
        let found = [open(0, &[(5, true)])];
        let while_valid = next("v1", false, 0, &found, at(-MINUTE));
        assert_eq!(while_valid.due, Some(at(10 * MINUTE)));
        assert_eq!(while_valid.settled.len(), 1);
        assert_eq!(next("v1", false, 0, &found, at(10 * MINUTE)).due, None);
        // Without an open certificate there is no next question.
        assert_eq!(next("v1", false, 0, &[], at(0)).due, None);
    }

    #[test]
    fn the_summary_of_a_certificate_has_the_result_of_its_search() {
        type Case<'a> = (&'a [(u64, bool)], PendingCertificateEnd, &'a str);
        let table: [Case<'_>; 5] = [
            (
                &[(5, true)],
                PendingCertificateEnd::InThisLog,
                "; its signing is entry 5 of v1",
            ),
            (
                &[(5, true), (7, true), (1, false)],
                PendingCertificateEnd::InThisLog,
                "; its signings are entries 5, 7 of v1",
            ),
            (
                &[(5, true), (6, true), (7, true), (8, true)],
                PendingCertificateEnd::InThisLog,
                "; its signings are entries 5, 6, 7, 8, perhaps more of v1",
            ),
            (
                &[(9, false)],
                PendingCertificateEnd::InOtherLog,
                "; its signing is entry 9 of v2",
            ),
            (
                &[],
                PendingCertificateEnd::NotFound,
                "; no entry of it was found in v1 within a day after its end: it may have been used with a log that is not followed, or not at all",
            ),
        ];
        for (entries, end, sentence) in table {
            let settled = next("v1", false, 0, &[open(0, entries)], at(25 * HOUR)).settled;
            assert_eq!(settled.len(), 1);
            assert_eq!(
                (settled[0].end, settled[0].summary.as_str()),
                (end, sentence)
            );
        }
    }

    #[test]
    fn a_full_page_of_settled_certificates_is_followed_by_the_next() {
        let page = vec![open(0, &[(5, true)]); OpenCertificate::MAX_AT_ONCE];
        assert_eq!(next("v1", false, 0, &page, at(HOUR)).due, Some(at(HOUR)));
    }

    #[test]
    fn requests_average_one_in_two_seconds_with_a_burst_after_a_time_without_requests() {
        let spend = |budget: &mut RequestBudget, now: i64| {
            (0..1000)
                .take_while(|_| {
                    let allows_request = budget.allows_request(at(now));
                    if allows_request {
                        budget.charge(1, at(now));
                    }
                    allows_request
                })
                .count()
        };
        let mut budget = RequestBudget::new(at(-HOUR));
        assert_eq!(spend(&mut budget, 0), 300);
        // After a minute, the requests of a minute are allowed.
        assert_eq!(spend(&mut budget, 60), 30);
        // It is the same after it was stored.
        let mut restored = RequestBudget::new(budget.spent());
        assert!(!restored.allows_request(at(60)));
        // Requests beyond the first are subtracted later.
        restored.charge(4, at(60));
        assert!(!restored.allows_request(at(68)) && restored.allows_request(at(70)));
        // A clock that is set back by a day must not stop look-ups for a day.
        assert!(restored.allows_request(at(-24 * HOUR)));
    }

    #[test]
    fn names_are_looked_up_in_lower_case_each_once_and_not_beyond_the_limit() {
        let san = |value: &str| San {
            kind: SanType::Uri,
            value: value.to_owned(),
        };
        let long = "x".repeat(513);
        let sans = [san("B"), san("a"), san("b"), san(&long), san("")];
        assert_eq!(subjects(&sans), ["a", "b"]);
        let many: Vec<San> = (0..10_000).map(|n| san(&n.to_string())).collect();
        assert_eq!(subjects(&many).len(), MAX_NAMES);
    }

    #[test]
    fn a_name_that_fails_comes_again_later_and_later() {
        for (failures, after) in [
            (0, MINUTE),
            (1, 5 * MINUTE),
            (2, 30 * MINUTE),
            (3, 30 * MINUTE),
            (u32::MAX, 30 * MINUTE),
        ] {
            assert_eq!(again(failures, at(0)), at(after), "{failures}");
        }
    }

    #[test]
    fn a_certificate_is_identified_by_the_part_that_its_ca_signed_and_a_bare_key_by_itself() {
        let of = |not_before, logged: Option<&str>| {
            CertificateId::of("k", not_before, None, logged.map(str::to_owned), None)
        };
        let one = of(Some(at(0)), Some("t"));
        assert_eq!(
            (one.key.as_str(), one.key_and_start),
            ("t", format!("k@{}", at(0).as_second()))
        );
        let bare = of(None, None);
        assert_eq!((bare.key.as_str(), bare.key_and_start.as_str()), ("k", "k"));
        // A certificate that cannot be put into the form of CT logs equals no other certificate.
        assert_ne!(of(Some(at(0)), None).key, "t");
        // The same holds for a certificate without a trusted CA, whatever part of a real certificate it copies.
        let impostor = CertificateId::of(
            "k",
            Some(at(0)),
            Some(Chain::Untrusted),
            Some("t".to_owned()),
            None,
        );
        assert_ne!(impostor.key, one.key);
        assert_ne!(impostor.key, impostor.key_and_start);
    }

    #[test]
    fn an_impostor_is_mentioned_and_settles_nothing() {
        let mut certificate = open(0, &[]);
        certificate.other_certificates = vec![KnownEntry {
            tree: crate::log::TreeId::new("o"),
            name: "v1".to_owned(),
            index: 9,
            leaf_hash: "l".to_owned(),
            key: "other".to_owned(),
            key_and_start: "a".to_owned(),
        }];
        let early = next("v1", false, 0, &[certificate.clone()], at(HOUR));
        assert!(early.settled.is_empty());
        let settled = next("v1", false, 0, &[certificate], at(25 * HOUR)).settled;
        assert_eq!(settled[0].end, PendingCertificateEnd::NotFound);
        let sentence = &settled[0].summary;
        assert!(
            sentence.starts_with("; no entry of it was found"),
            "{sentence}"
        );
        assert!(
            sentence.contains("; entry 9 of v1 holds another certificate"),
            "{sentence}"
        );
    }

    #[test]
    fn an_old_server_gets_questions_about_mail_addresses_only() {
        let uri = "https://github.com/o/r/.github/workflows/w.yml@refs/tags/v1";
        for (subject, mail_only, question_) in [
            (
                "a@b.example",
                false,
                Some(Question::Subject("a@b.example".to_owned())),
            ),
            (uri, false, Some(Question::Subject(uri.to_owned()))),
            (
                "a@b.example",
                true,
                Some(Question::Email("a@b.example".to_owned())),
            ),
            (uri, true, None),
            ("release-bot!login.example.com", true, None),
            ("a@b@c", true, None),
            ("@b", true, None),
        ] {
            assert_eq!(question(subject, mail_only), question_, "{subject}");
        }
    }
}
