//! Which logs trust names: those of the trusted root and of every signing configuration together.
//!
//! Neither list is enough. The default signing configuration of the public instance has no v2 log,
//! the other one need not have an old one; and a log that only a signing configuration has cannot be
//! verified.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sigstore_trust_root::{ServiceEndpoint, SigningConfig};
use tlog::Origin;
use url::Url;

use super::TrustedRoot;
use crate::shard::Protocol;

/// A log that trust names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedLog {
    /// What is known of it.
    pub kind: ListedKind,
    /// Its host and path, which is the origin of a Rekor v2 log; the beginning of its log id if it has no address.
    pub name: String,
    /// Where it says it is read.
    pub url: Option<Url>,
    /// Since when nothing is signed into it any more, if that time is set.
    pub ends: Option<Timestamp>,
}

/// What kind of log trust names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListedKind {
    /// Rekor v2: its origin and its key are known, so it can be followed without more.
    RekorV2(Origin),
    /// Rekor v1: too large to be followed without being asked to.
    RekorV1,
    /// A certificate transparency log.
    Ct,
    /// A log that cannot be followed, and why.
    Unusable(String),
}

/// A log that is configured, as far as it matters to what trust names.
#[derive(Debug, Clone, Copy)]
pub struct FollowedLog<'a> {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Its origin, where the protocol has one.
    pub origin: Option<&'a str>,
    /// The host that it is read from; `None` for a directory.
    pub host: Option<&'a str>,
}

/// The logs of a trusted root and its signing configurations, each once: Rekor v2 by origin, the others by URL.
pub(super) fn listed(root: &TrustedRoot, configs: &[SigningConfig]) -> Vec<ListedLog> {
    let mut endpoints: BTreeMap<String, (&ServiceEndpoint, Url)> = BTreeMap::new();
    for endpoint in configs.iter().flat_map(|config| &config.rekor_tlog_urls) {
        if let Some(url) = directory(&endpoint.url) {
            endpoints.entry(name_of(&url)).or_insert((endpoint, url));
        }
    }
    let mut logs: BTreeMap<(bool, String), ListedLog> = BTreeMap::new();
    for tlog in &root.document.tlogs {
        let Some(base) = directory(&tlog.base_url) else {
            let log = without_address(&tlog.base_url, tlog.log_id.key_id.as_bytes());
            logs.insert((false, log.name.clone()), log);
            continue;
        };
        let name = name_of(&base);
        let spki = tlog.public_key.raw_bytes.as_bytes();
        let announced = endpoints.remove(&name);
        let known = logs.get(&(false, name.clone()));
        let version = match (&announced, known) {
            (Some((endpoint, _)), _) => endpoint.major_api_version,
            // A log with several keys is one log.
            (None, Some(_)) => continue,
            // The log id of a v1 log is the hash of its key, that of a v2 log the untruncated key id of
            // C2SP signed-note; for an ECDSA key that is the same, and a v2 log would have been announced.
            (None, None) if tlog.log_id.key_id.as_bytes() == Sha256::digest(spki).as_slice() => 1,
            (None, None) => 2,
        };
        let kind = match version {
            1 => ListedKind::RekorV1,
            2 => rekor_v2(root, &name),
            other => ListedKind::Unusable(format!("its API has version {other}")),
        };
        let announced = announced.map(|(endpoint, url)| (endpoint.valid_for.end, url));
        let of_key = tlog.public_key.valid_for.as_ref().and_then(|time| time.end);
        let (ends, url) = announced.map_or((of_key, base), |(end, url)| (end.or(of_key), url));
        logs.insert((false, name.clone()), log(name, kind, url, ends));
    }
    for (name, (endpoint, url)) in endpoints {
        let kind = ListedKind::Unusable("the trusted root has no key for it".to_owned());
        let ends = endpoint.valid_for.end;
        logs.insert((false, name.clone()), log(name, kind, url, ends));
    }
    for ct in &root.document.ctlogs {
        // One without an address serves only to verify what is in certificates.
        if let Some(url) = directory(&ct.base_url) {
            let ends = ct.public_key.valid_for.as_ref().and_then(|time| time.end);
            let name = name_of(&url);
            logs.insert((true, name.clone()), log(name, ListedKind::Ct, url, ends));
        }
    }
    logs.into_values().collect()
}

fn log(name: String, kind: ListedKind, url: Url, ends: Option<Timestamp>) -> ListedLog {
    ListedLog {
        name,
        kind,
        url: Some(url),
        ends,
    }
}

fn without_address(written: &str, log_id: &[u8]) -> ListedLog {
    let written: String = written.chars().take(100).collect();
    ListedLog {
        name: format!("log {}", hex::encode(log_id.get(..4).unwrap_or(log_id))),
        kind: ListedKind::Unusable(format!("{written:?} is no http or https URL")),
        url: None,
        ends: None,
    }
}

fn rekor_v2(root: &TrustedRoot, name: &str) -> ListedKind {
    let origin = match Origin::new(name) {
        Ok(origin) => origin,
        Err(error) => return ListedKind::Unusable(error.to_string()),
    };
    match root.log_keys(&origin) {
        Ok(keys) if !keys.is_empty() => ListedKind::RekorV2(origin),
        Ok(_) => ListedKind::Unusable("the trusted root has no key for it".to_owned()),
        Err(error) => ListedKind::Unusable(error.to_string()),
    }
}

/// The URL of a directory on a server; `None` if it is something else.
fn directory(written: &str) -> Option<Url> {
    let mut url = Url::parse(written).ok()?;
    let is_one = matches!(url.scheme(), "https" | "http")
        && url.query().is_none()
        && url.fragment().is_none();
    if is_one && !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    is_one.then_some(url)
}

/// The name that a log has by its URL: its host and path, which is the origin of a Rekor v2 log.
fn name_of(url: &Url) -> String {
    let path = url.path().trim_end_matches('/');
    format!("{}{path}", url.host_str().unwrap_or_default())
}

impl ListedLog {
    /// Whether the operator said that it need not be followed, by its origin or by any form of its URL.
    pub fn is_ignored(&self, ignore: &[String]) -> bool {
        ignore.iter().any(|written| {
            *written == self.name || Url::parse(written).is_ok_and(|url| name_of(&url) == self.name)
        })
    }

    /// Whether it is among these. `all` is everything that trust names.
    pub fn is_followed(&self, followed: &[FollowedLog<'_>], all: &[Self]) -> bool {
        match &self.kind {
            ListedKind::RekorV2(_) | ListedKind::Unusable(_) => {
                followed.iter().any(|log| log.origin == Some(&*self.name))
            }
            ListedKind::RekorV1 => self.is_read(followed, all, |p| p == Protocol::RekorV1),
            ListedKind::Ct => self.is_read(followed, all, |p| {
                matches!(p, Protocol::CtRfc6962 | Protocol::CtStatic)
            }),
        }
    }

    /// Whether a log of such a protocol is read from its host; or from a host that trust does not name, which is a
    /// mirror of who knows what.
    fn is_read(
        &self,
        followed: &[FollowedLog<'_>],
        all: &[Self],
        protocol: impl Fn(Protocol) -> bool,
    ) -> bool {
        followed
            .iter()
            .filter(|log| protocol(log.protocol))
            .any(|log| self.host() == log.host || !all.iter().any(|other| other.host() == log.host))
    }

    fn host(&self) -> Option<&str> {
        self.url.as_ref()?.host_str()
    }
}
