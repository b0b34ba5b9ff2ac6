//! The other direction: which bundle explains each signing by the watched identities, and what of the logs was not read.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};

use super::error::ReconcileError;
use super::followed::Followed;
use super::line::{EntryPlace, Kind, Line};
use crate::expect::{Expectation, Part};
use crate::finding::{State, Verdict};
use crate::identity::{Chain, San};
use crate::report::log::LogStatus;
use crate::store::{SigningQuery, Store, StoredSigning, WatchSet};

/// How old the newest proven pass over a log may be: an older one shows nothing of what was signed since.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(2);

/// Names of one signer that are shown; real certificates have one.
const NAMES_SHOWN: usize = 3;

/// The signings that bundles explain.
#[derive(Debug, Default)]
pub(super) struct Explained {
    /// Leaf hashes, hex.
    leaves: HashSet<String>,
    /// What is the same in every entry of a signing, by its signature.
    signatures: HashMap<String, Vec<Same>>,
    /// Certificates in CT logs, by what is logged of them, hex.
    logged: HashSet<String>,
}

/// What entries of one signing share besides the signature, hex.
#[derive(Debug)]
struct Same {
    message: Option<String>,
    payload: Option<String>,
    certificate_sha256: String,
    tbs_sha256: String,
    key_sha256: String,
}

impl Explained {
    /// A bundle that verifies.
    pub(super) fn add(&mut self, expectation: &Expectation) {
        self.leaves
            .extend(expectation.leaf_hashes.iter().map(hex::encode));
        self.logged
            .extend(expectation.logged_sha256.map(hex::encode));
        let Some(signing) = &expectation.signing else {
            return;
        };
        let same = Same {
            message: signing.message.clone(),
            payload: signing.payload.clone(),
            certificate_sha256: expectation.certificate_sha256.clone(),
            tbs_sha256: signing.tbs_sha256.clone(),
            key_sha256: expectation.key_sha256.clone(),
        };
        let of_signature = self.signatures.entry(signing.signature_sha256.clone());
        of_signature.or_default().push(same);
    }

    /// Leaves of a bundle by a key, which has no certificate.
    pub(super) fn add_leaves(&mut self, leaves: &[String]) {
        self.leaves.extend(leaves.iter().cloned());
    }

    /// Whether a bundle is of this signing: its leaf, or the same certificate, digest and signature in another entry.
    fn explains(&self, signing: &StoredSigning) -> bool {
        if let Some(logged) = &signing.logged_sha256 {
            return self.logged.contains(logged);
        }
        if self.leaves.contains(&signing.leaf_hash) {
            return true;
        }
        let same = signing.signature_sha256.as_ref();
        let same = same.and_then(|signature| self.signatures.get(signature));
        same.is_some_and(|same| same.iter().any(|same| same.is_of(signing)))
    }
}

impl Same {
    fn is_of(&self, signing: &StoredSigning) -> bool {
        let digest = match Part::of_kind(&signing.kind) {
            Some(Part::Message) => &self.message,
            Some(Part::Payload) => &self.payload,
            None => return false,
        };
        if digest.is_none() || *digest != signing.digest {
            return false;
        }
        match (&signing.certificate_sha256, &signing.tbs_sha256) {
            (Some(certificate), _) if *certificate == self.certificate_sha256 => true,
            // The same certificate to its CA; the bundle's own was verified.
            (Some(_), Some(tbs)) => {
                *tbs == self.tbs_sha256 && signing.chain == Some(Chain::Trusted)
            }
            (None, None) => signing.key_sha256.as_ref() == Some(&self.key_sha256),
            _ => false,
        }
    }
}

/// Compares each stored signing with the bundles. `tell` answers whether to go on.
pub(super) async fn compare(
    store: &dyn Store,
    query: &SigningQuery,
    explained: &Explained,
    tell: &mut dyn FnMut(Line) -> bool,
) -> Result<bool, ReconcileError> {
    let mut signings = store.signings(query);
    // Several watches may select one signing, and an entry may hold several: they follow each other.
    let mut place = None;
    let mut told = HashSet::new();
    while let Some(signing) = signings.try_next().await? {
        let here = (signing.origin.clone(), signing.index);
        if place.as_ref() != Some(&here) {
            place = Some(here);
            told.clear();
        }
        let which = (
            signing.verdict == Verdict::Unreadable,
            signing.leaf_hash.clone(),
            signing.signature_sha256.clone(),
            signing
                .certificate_sha256
                .clone()
                .or_else(|| signing.key_sha256.clone()),
        );
        if explained.explains(&signing) || !told.insert(which) {
            continue;
        }
        if !tell(unexplained(&signing)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn unexplained(signing: &StoredSigning) -> Line {
    let place = EntryPlace {
        log: signing.log.clone(),
        origin: signing.origin.clone(),
        index: signing.index,
    };
    if signing.verdict == Verdict::Unreadable {
        let why = "an entry that holds a watched name cannot be read: which bundle is its own is not known";
        return Line::new(Kind::Unreadable, why).at(place);
    }
    let who = who(signing);
    let mut why = if signing.logged_sha256.is_some() {
        format!("a certificate was issued to {who}, and none of the bundles is signed with it")
    } else {
        let what = signing.digest.as_deref().unwrap_or("something");
        format!("{who} signed {what}, and none of the bundles is of this signing")
    };
    match signing.chain {
        Some(Chain::Untrusted) => why
            .push_str("; no trusted authority issued the certificate, so anyone may have made it"),
        Some(Chain::None) if signing.certificate_sha256.is_none() && signing.names.len() > 2 => {
            why.push_str("; the name is one that the key gives itself");
        }
        _ => {}
    }
    if signing.verdict == Verdict::Expected {
        why.push_str("; it is registered, from a bundle that is not among these");
    } else if signing.verdict == Verdict::SelfRegistered {
        why.push_str("; only its signer registered it");
    }
    match signing.state {
        State::Acked => why.push_str("; its finding is acknowledged"),
        State::Disputed => why.push_str("; the log could not prove the entry"),
        _ if !signing.is_proven => why.push_str("; the entry is not proven yet"),
        _ => {}
    }
    Line::new(Kind::SigningWithoutBundle, why).at(place)
}

fn who(signing: &StoredSigning) -> String {
    let names: Vec<San> = serde_json::from_str(&signing.names).unwrap_or_default();
    let shown: Vec<&str> = names
        .iter()
        .take(NAMES_SHOWN)
        .map(|san| san.value.as_str())
        .collect();
    let more = names.len().saturating_sub(shown.len());
    // Writing to a String cannot fail.
    let mut who = shown.join(" and ");
    if more > 0 {
        let _ = write!(who, " and {more} more names");
    }
    if shown.is_empty() {
        let key = signing.key_sha256.as_deref().unwrap_or("that is not known");
        who = format!("the key {key}");
    }
    if let Some(issuer) = &signing.issuer {
        let _ = write!(who, " ({issuer})");
    }
    who
}

/// A line for each log whose signings are not all known: it was not read and proven to its end, or not matched against a
/// watch.
pub(super) async fn unread(
    store: &dyn Store,
    logs: &[LogStatus],
    followed: &Followed<'_>,
    watches: &WatchSet,
    now: Timestamp,
) -> Result<Vec<Line>, ReconcileError> {
    let mut lines = Vec::new();
    for log in logs {
        let kind = if log.is_guided() {
            Kind::Guided
        } else {
            Kind::Unread
        };
        if let Some(why) = why_unread(log, now) {
            lines.push(Line::new(kind, format!("{}: {why}", log.name)));
        }
    }
    for log in followed.logs() {
        let id = log.id();
        let mut origins = followed.trees_of(&id).map(|(origin, _)| origin);
        if origins.any(|origin| followed.is_faulty(origin)) {
            let why = format!(
                "{}: the log broke a promise, and that finding is open: what it shows is no evidence",
                log.name()
            );
            lines.push(Line::new(Kind::Unread, why));
        }
    }
    for tree in store.tree_coverage(watches, None).await? {
        if followed.tree(tree.tree.as_str()).is_none() {
            continue;
        }
        for uneven in tree.uneven.iter().filter(|uneven| !uneven.gaps.is_empty()) {
            let entries: u64 = uneven.gaps.iter().map(|gap| gap.end - gap.start).sum();
            let why = format!(
                "{}: {entries} entries were never matched against the watch {}: `modelwatch rescan` does it",
                tree.log, uneven.watch.name
            );
            lines.push(Line::new(Kind::Unread, why));
        }
    }
    Ok(lines)
}

fn why_unread(log: &LogStatus, now: Timestamp) -> Option<String> {
    if let Some(error) = &log.error {
        return Some(format!("the last pass did not finish: {}", error.message));
    }
    if !log.is_guided() {
        match (log.proven, log.head) {
            (Some(proven), Some(head)) if proven >= head => {}
            (Some(proven), Some(head)) => {
                return Some(format!("it is proven up to {proven} of {head} entries"));
            }
            _ => return Some("it was not read yet".to_owned()),
        }
    }
    if let Some(lookups) = log.lookups.as_ref().filter(|lookups| lookups.due > 0) {
        return Some(format!(
            "{} names wait to be looked up in its search index",
            lookups.due
        ));
    }
    match log.last_success {
        None => Some("no pass over it has proven everything yet".to_owned()),
        Some(last) if now.duration_since(last) > MAX_AGE => Some(format!(
            "the last pass that proved everything ended {}, and signings since then are not known: `modelwatch monitor --once` \
             reads on",
            crate::report::time(last)
        )),
        Some(_) => None,
    }
}
