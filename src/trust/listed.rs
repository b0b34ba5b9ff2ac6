//! The logs of a trusted root, with their descriptions in signing configurations and MonitorConfigs.
//!
//! Verifiers accept a log if the trusted root contains its key. So the trusted root is the list of logs, and the other
//! documents contain their addresses and protocols. Origin and key id connect them: an address may belong to a load
//! balancer that accepts signings for several logs, and a log without a known key could not be verified.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tlog::Origin;
use url::Url;

use super::document::{Address, LogInstance};
use super::place::{directory, name_of, place_of};
use super::root::TrustedRoot;
use crate::log::Protocol;

/// At most this much of an invalid address is repeated in messages.
const MAX_QUOTED_CHARS: usize = 100;

/// A log in the trusted root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedLog {
    /// Its kind.
    pub kind: ListedKind,
    /// Its origin if it is a Rekor v2 log with a known origin, else its host and path, or the beginning of its log id
    /// if it has no address.
    pub name: String,
    /// Where it is read.
    pub url: Option<Url>,
    /// Since when no key of it is valid any more, if that time is set for all of them.
    pub ends: Option<Timestamp>,
    /// The time from which nothing is signed into it any more, if that is set.
    pub idle: Option<Timestamp>,
    /// Its keys.
    pub keys: Vec<ListedKey>,
    /// Its host and path, where it has another name.
    address: Option<String>,
}

/// A key of a log in the trusted root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// The SubjectPublicKeyInfo in DER, usable or not.
    pub spki_der: Vec<u8>,
    /// The listed log id.
    pub id: Vec<u8>,
}

/// The kind of a log in the trusted root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListedKind {
    /// Rekor v2 with known origin and key, so it can be followed automatically.
    RekorV2(Origin),
    /// Rekor v2 with an origin that differs from its address, and that no document contains.
    RekorV2Unnamed,
    /// Rekor v1: too large to be followed without a configuration.
    RekorV1,
    /// A certificate transparency log.
    Ct,
    /// A log that cannot be followed, and why.
    Unusable(String),
    /// An address for which the trusted root has no key: verifiers accept nothing from there.
    NoKey,
}

/// The properties of a configured log that matter for the comparison.
#[derive(Debug, Clone)]
pub struct FollowedLog<'a> {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its origin, where the protocol has one.
    pub origin: Option<&'a str>,
    /// The server that it is read from; `None` for a directory.
    pub url: Option<&'a Url>,
    /// The hashes whose first bytes are the ids of its keys, as far as they certainly belong to it.
    pub key_ids: Vec<[u8; 32]>,
}

impl TrustedRoot {
    /// Its logs, as far as they can be distinguished without a signing configuration.
    pub fn logs(&self) -> Vec<ListedLog> {
        listed(self, &[], &[])
    }
}

/// The logs of a trusted root, each once: Rekor v2 by origin, the others by address. And the addresses without a key.
pub(super) fn listed(root: &TrustedRoot, rekor: &[Address], ct: &[Address]) -> Vec<ListedLog> {
    let mut groups: BTreeMap<String, Vec<&LogInstance>> = BTreeMap::new();
    for log in &root.tlogs {
        let place = match directory(&log.base_url) {
            Some(base) => place_of(&base),
            None => format!("log {} {}", hex::encode(&log.id), log.item),
        };
        groups.entry(place).or_default().push(log);
    }
    let mut is_joined = vec![false; rekor.len()];
    let mut logs: Vec<ListedLog> = Vec::new();
    for (place, group) in &groups {
        let others = groups.keys().map(String::as_str);
        let others: Vec<&str> = others.filter(|other| *other != place.as_str()).collect();
        let log = of_rekor(group, place, &others, rekor, &mut is_joined);
        let same = |known: &&mut ListedLog| {
            matches!(log.kind, ListedKind::RekorV2(_)) && known.kind == log.kind
        };
        match logs.iter_mut().find(same) {
            Some(known) => known.add(log),
            None => logs.push(log),
        }
    }
    let mut ct_logs = of_ct(root, ct);
    let keyless = rekor.iter().zip(is_joined).filter(|(_, joined)| !joined);
    for (address, _) in keyless {
        let log = without_key(address);
        if !logs.iter().any(|known| known.is_called(&log.name)) {
            logs.push(log);
        }
    }
    for address in ct {
        let log = without_key(address);
        if !ct_logs.iter().any(|known| known.is_called(&log.name)) {
            ct_logs.push(log);
        }
    }
    logs.sort_by(|a, b| a.name.cmp(&b.name));
    ct_logs.sort_by(|a, b| a.name.cmp(&b.name));
    logs.append(&mut ct_logs);
    logs
}

/// The log of these keys, which have one address, at `place`. The other logs are at the places of `others`.
fn of_rekor(
    group: &[&LogInstance],
    place: &str,
    others: &[&str],
    addresses: &[Address],
    is_joined: &mut [bool],
) -> ListedLog {
    let base = group.iter().find_map(|log| directory(&log.base_url));
    let name = base.as_ref().map(name_of);
    let fits = |origin: &Origin, at: Option<&Url>| {
        let mut keys = group.iter().filter_map(|log| log.fit(origin, at));
        keys.any(|key| key.why_unusable().is_none())
    };
    let mut origin = name
        .as_deref()
        .and_then(|name| Origin::new(name).ok())
        .filter(|origin| fits(origin, None));
    let mut of_it: Vec<(&Address, Option<Url>)> = Vec::new();
    for (address, joined) in addresses.iter().zip(is_joined) {
        let url = directory(&address.url);
        // Another log of the same host is at another port.
        let is_others = |url: &&Url| others.contains(&place_of(url).as_str());
        let own_url = url.as_ref().filter(|url| !is_others(url));
        let called = own_url.map(name_of);
        let named = address.origin.as_deref().or(called.as_deref());
        let named = named.and_then(|named| Origin::new(named).ok());
        let named = named.filter(|named| fits(named, own_url));
        if named.is_some() || called.is_some() && called == name {
            *joined = true;
            of_it.push((address, url));
        }
        // The log's origin in a document has priority over its address.
        if address.origin.is_some() || origin.is_none() {
            origin = named.or(origin);
        }
    }
    let version = of_it.iter().map(|(address, _)| address.version);
    let version = match version.clone().find(|version| *version != 0) {
        Some(version) => version,
        // A v2 log with an ECDSA key looks the same; it would have been announced.
        None if group.iter().any(|log| log.has_id_of_its_key()) => 1,
        None => 2,
    };
    let to_read = of_it.iter().find(|(address, _)| address.is_to_read);
    let is_its = |url: &&Url| {
        let called = name_of(url);
        Some(&called) == name.as_ref() || origin.as_ref().is_some_and(|o| o.as_str() == called)
    };
    let to_sign = || {
        of_it
            .iter()
            .filter_map(|(_, url)| url.as_ref())
            .find(is_its)
    };
    let url = to_read
        .and_then(|(_, url)| url.as_ref())
        .or_else(to_sign)
        .cloned()
        .or(base);
    let ends = ends(group);
    let retired = of_it.iter().find_map(|(address, _)| address.ends);
    let unusable = || {
        let mut why = group.iter().filter_map(|log| log.key.as_ref().err());
        let first = why.next()?;
        group
            .iter()
            .all(|log| log.key.is_err())
            .then(|| format!("its key cannot be used: {first}"))
    };
    let kind = match (version, origin, unusable()) {
        (_, _, Some(why)) => ListedKind::Unusable(why),
        (1, ..) if url.is_some() => ListedKind::RekorV1,
        (2, Some(origin), _) if url.is_some() => ListedKind::RekorV2(origin),
        (2, None, _) if url.is_some() => ListedKind::RekorV2Unnamed,
        (1 | 2, ..) => ListedKind::Unusable(no_address(group)),
        (other, ..) => ListedKind::Unusable(format!("its API has version {other}")),
    };
    let called = match &kind {
        ListedKind::RekorV2(origin) => Some(origin.as_str().to_owned()),
        _ => name.clone(),
    };
    // Without its port it would have the name of another log.
    let is_ambiguous = |name: &String| {
        let mut rests = others
            .iter()
            .filter_map(|other| other.strip_prefix(name.as_str()));
        rests.any(|rest| rest.is_empty() || rest.starts_with(':'))
    };
    let called = called.map(|called| match &kind {
        ListedKind::RekorV2(_) => called,
        _ if is_ambiguous(&called) => place.to_owned(),
        _ => called,
    });
    ListedLog {
        name: called.unwrap_or_else(|| nameless(group)),
        kind,
        url,
        ends,
        idle: ends.or(retired),
        keys: group.iter().map(|log| log.listed_key()).collect(),
        address: name,
    }
}

fn of_ct(root: &TrustedRoot, addresses: &[Address]) -> Vec<ListedLog> {
    let mut groups: BTreeMap<String, (Url, Vec<&LogInstance>)> = BTreeMap::new();
    for log in &root.ctlogs {
        // A log without an address serves only to verify SCTs in certificates.
        if let Some(url) = directory(&log.base_url) {
            let group = groups.entry(name_of(&url)).or_insert((url, Vec::new()));
            group.1.push(log);
        }
    }
    let logs = groups.into_iter().map(|(name, (base, group))| {
        let read = addresses
            .iter()
            .filter_map(|address| directory(&address.url));
        let url = read.into_iter().find(|url| name_of(url) == name);
        let ends = ends(&group);
        ListedLog {
            kind: ListedKind::Ct,
            url: Some(url.unwrap_or(base)),
            ends,
            idle: ends,
            keys: group.iter().map(|log| log.listed_key()).collect(),
            address: None,
            name,
        }
    });
    logs.collect()
}

fn without_key(address: &Address) -> ListedLog {
    let url = directory(&address.url);
    let written = || address.url.chars().take(MAX_QUOTED_CHARS).collect();
    let name = address.origin.clone().or_else(|| url.as_ref().map(name_of));
    ListedLog {
        kind: ListedKind::NoKey,
        name: name.unwrap_or_else(written),
        url,
        ends: None,
        idle: address.ends,
        keys: Vec::new(),
        address: None,
    }
}

/// When the last of these keys ends; `None` while one has no end.
fn ends(group: &[&LogInstance]) -> Option<Timestamp> {
    let ends = group.iter().map(|log| log.valid_for.1);
    ends.collect::<Option<Vec<_>>>()?.into_iter().max()
}

fn nameless(group: &[&LogInstance]) -> String {
    let of = |log: &LogInstance| match log.id.get(..4) {
        Some(id) => format!("log {}", hex::encode(id)),
        None => log.item.clone(),
    };
    group.first().map(|log| of(log)).unwrap_or_default()
}

fn no_address(group: &[&LogInstance]) -> String {
    let written = group.first().map_or("", |log| log.base_url.as_str());
    if written.is_empty() {
        return "the trusted root contains no address for it".to_owned();
    }
    let written: String = written.chars().take(MAX_QUOTED_CHARS).collect();
    format!("{written:?} is not an http or https URL")
}

impl LogInstance {
    fn listed_key(&self) -> ListedKey {
        ListedKey {
            spki_der: self.spki_der.clone(),
            id: self.id.clone(),
        }
    }
}

impl ListedLog {
    /// Adds the keys of another address of the same log.
    fn add(&mut self, other: Self) {
        self.ends = self.ends.zip(other.ends).map(|(one, two)| one.max(two));
        self.idle = self.idle.zip(other.idle).map(|(one, two)| one.max(two));
        self.keys.extend(other.keys);
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.address.as_deref() == Some(name)
    }

    /// Whether the operator listed it as ignored: by its origin, by any form of its URL, or by its log id in hex.
    pub fn is_ignored(&self, ignore: &[String]) -> bool {
        ignore.iter().any(|written| {
            self.is_called(written)
                || directory(written).is_some_and(|url| self.is_called(&name_of(&url)))
                || hex::decode(written)
                    .is_ok_and(|id| !id.is_empty() && self.keys.iter().any(|key| key.id == id))
        })
    }

    /// Whether it is among these. `all` are all logs of the trusted root.
    pub fn is_followed(&self, followed: &[FollowedLog<'_>], all: &[Self]) -> bool {
        let is_its = |id: &[u8; 32]| self.keys.iter().any(|key| key.id == id);
        let is_ct = |log: &&FollowedLog<'_>| log.protocol.is_ct();
        // A Rekor log and a CT log that share a key are two logs.
        let mut of_its_kind = followed
            .iter()
            .filter(|log| is_ct(log) == (self.kind == ListedKind::Ct));
        if of_its_kind.any(|log| log.key_ids.iter().any(is_its)) {
            return true;
        }
        match &self.kind {
            ListedKind::RekorV2(_) | ListedKind::RekorV2Unnamed | ListedKind::Unusable(_) => {
                followed.iter().any(|log| log.origin == Some(&*self.name))
            }
            // The key may be configured elsewhere.
            ListedKind::NoKey => followed.iter().any(|log| {
                log.origin == Some(&*self.name)
                    || log.url.is_some_and(|url| name_of(url) == self.name)
            }),
            // It has one address, and trees that it lists itself.
            ListedKind::RekorV1 => is_read(
                followed
                    .iter()
                    .filter(|log| log.protocol == Protocol::RekorV1),
                |url| url.host() == self.url.as_ref().and_then(Url::host),
                all,
            ),
            // One server may have many.
            ListedKind::Ct => is_read(
                followed.iter().filter(is_ct),
                |url| name_of(url) == self.name,
                all,
            ),
        }
    }
}

/// Whether one of these is read from its address, or from a host that the trusted root does not contain, which may be a
/// mirror of any log.
fn is_read<'a>(
    mut followed: impl Iterator<Item = &'a FollowedLog<'a>>,
    is_its: impl Fn(&Url) -> bool,
    all: &[ListedLog],
) -> bool {
    let is_named = |url: &Url| {
        let mut named = all.iter().filter_map(|log| log.url.as_ref());
        named.any(|named| named.host() == url.host())
    };
    followed.any(|log| match log.url {
        Some(url) => is_its(url) || !is_named(url),
        None => true,
    })
}

#[cfg(test)]
mod tests;
