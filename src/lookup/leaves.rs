//! Compares the leaves of a bundle with a question.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;
use tlog::{Hash, leaf_hash};

use super::held::{Held, LeafBytes, Place};
use super::line::{Matched, Signing, Source};
use super::matcher::Matcher;
use crate::entry::{self, EntryError};
use crate::identity::Certificate;
use crate::judge::Rules;
use crate::log::{LeafFormat, Shard};
use crate::source::Leaves;

/// What the leaves of one bundle hold.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) hashes: Vec<Hash>,
    pub(super) hits: Vec<Hit>,
    pub(super) suspects: Vec<Suspect>,
}

/// A signing that is asked for. Its entry is not proven yet.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    /// The index of its entry within the tree.
    pub(super) local: u64,
    /// As it is shown once it is proven; without findings.
    pub(super) signing: Signing,
    /// The hash of its signature, hex.
    pub(super) signature_sha256: Option<String>,
    /// Of a certificate in a CT log, the hash by which it is registered, hex.
    pub(super) logged_sha256: Option<String>,
}

/// An entry of which not everything can be read, and that may hold what is asked for.
#[derive(Debug, Clone)]
pub(super) struct Suspect {
    /// The index of the entry within the tree.
    pub(super) local: u64,
    pub(super) why: String,
}

/// Compares the leaves of a bundle with a question.
pub(super) fn compare(
    leaves: &Leaves,
    shard: &Shard,
    matcher: &Matcher,
    rules: &Rules,
) -> Compared {
    let mut compared = Compared {
        hashes: Vec::with_capacity(leaves.len()),
        ..Compared::default()
    };
    for (local, leaf) in leaves.iter() {
        let hash = leaf_hash(leaf);
        compared.hashes.push(hash);
        let hex = hash.to_hex();
        let place = Place {
            log: &shard.name,
            origin: shard.origin.as_str(),
            // It does not overflow: trees have at most 2^63 leaves.
            index: shard.base.saturating_add(local),
            leaf_hash: &hex,
        };
        let bytes = LeafBytes {
            leaf,
            beside: leaves.beside(local),
            format: shard.protocol.leaf_format(),
            promise: leaves.promise(local),
            promise_keys: &shard.promise_keys,
        };
        if !matcher.is_place(&place) {
            continue;
        }
        // A leaf that makes the parser panic is one that cannot be read.
        let read = catch_unwind(AssertUnwindSafe(|| {
            of_leaf(local, place, bytes, matcher, rules, &mut compared.hits)
        }));
        let unread = match read {
            Ok(Ok(unread)) => unread,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => {
                Some("reading it failed in a way that this program did not foresee".to_owned())
            }
        };
        if let Some(why) = unread
            && matcher.may_be_in(leaf, &hex)
        {
            compared.suspects.push(Suspect { local, why });
        }
    }
    compared
}

/// Adds what a leaf holds of what is asked for. Returns why not everything in it was read, if nothing was found.
fn of_leaf(
    local: u64,
    place: Place<'_>,
    bytes: LeafBytes<'_>,
    matcher: &Matcher,
    rules: &Rules,
    hits: &mut Vec<Hit>,
) -> Result<Option<String>, EntryError> {
    let entry = match bytes.format {
        LeafFormat::RekorEntry => entry::parse(bytes.leaf)?,
        LeafFormat::Certificate => entry::parse_certificate(bytes.leaf, bytes.beside)?,
    };
    let before = hits.len();
    for signing in &entry.signings {
        if !matcher.is_signer(&signing.signer) {
            continue;
        }
        let held = Held::Read {
            place,
            bytes,
            entry: &entry,
            signing,
        };
        if let Some(matched) = matcher.holds(&held) {
            hits.extend(hit(local, &held, matched, matcher, rules));
        }
    }
    if hits.len() > before {
        return Ok(None);
    }
    Ok(match entry.unreadable.first() {
        Some(first) => Some(first.to_string()),
        None if entry.has_more => {
            Some("it contains more than an entry of its kind does".to_owned())
        }
        None => None,
    })
}

/// A signing as it is shown, if it was logged in the time that is asked for. One without a trusted time is.
fn hit(local: u64, held: &Held<'_>, why: Matched, matcher: &Matcher, rules: &Rules) -> Option<Hit> {
    let Held::Read {
        place,
        entry,
        signing,
        ..
    } = held
    else {
        return None;
    };
    let chain = signing.signer.judge(rules.authorities()).chain;
    let time = held.time(chain);
    if !is_in_time(matcher, time) {
        return None;
    }
    let certificate = signing.signer.certificate();
    Some(Hit {
        local,
        signature_sha256: held.signature_sha256(),
        logged_sha256: held.logged_sha256(),
        signing: Signing {
            line_type: "signing",
            source: Source::Scan,
            log: place.log.to_owned(),
            origin: place.origin.to_owned(),
            index: place.index,
            leaf_hash: place.leaf_hash.to_owned(),
            kind: entry.kind.to_string(),
            digest: held.digest(),
            san: signing.signer.names().to_vec(),
            issuer: certificate.and_then(Certificate::issuer).map(str::to_owned),
            extensions: certificate
                .map(crate::judge::extensions)
                .unwrap_or_default(),
            certificate_sha256: certificate.and_then(Certificate::sha256).map(hex::encode),
            key_sha256: Some(hex::encode(signing.signer.key_sha256())),
            chain: Some(chain),
            not_before: certificate.map(Certificate::not_before),
            time,
            proven: true,
            matched: why,
            findings: Vec::new(),
            registered: None,
        },
    })
}

/// Whether this time is in the one that is asked for.
pub(super) fn is_in_time(matcher: &Matcher, time: Option<Timestamp>) -> bool {
    let question = &matcher.question;
    time.is_none_or(|time| {
        question.since.is_none_or(|since| time >= since)
            && question.until.is_none_or(|until| time < until)
    })
}
