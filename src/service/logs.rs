//! Logs that can be read, from `[[log]]`: source, keys, and the rate limit of the server.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use tlog::{KeyName, Origin};
use url::Url;

use super::ct;
use super::error::Mistake;
use super::key_files;
use crate::config::{LogSettings, Mode};
use crate::http::{self, RateLimit};
use crate::log::{LogId, Protocol, Shard};
use crate::monitor::{CtGuide, Guided, Log, MonitoredLog, RekorV1Log};
use crate::source::rekor_v1::Client;
use crate::source::{self, Files, Location, Transport};
use crate::trust::TrustedRoot;

/// The logs, ready to be read. No request is sent yet.
///
/// # Errors
///
/// A key that cannot be used, or no key.
pub fn followed(
    logs: &[LogSettings],
    trusted_root: Option<&TrustedRoot>,
    http: &http::Client,
) -> Result<Vec<MonitoredLog>, Mistake> {
    let rate_limits = rate_limits(logs);
    let files = Files::default();
    let monitored: Result<Vec<MonitoredLog>, Mistake> = logs
        .iter()
        .map(|log| {
            let http = match host(log).and_then(|host| rate_limits.get(host)) {
                Some(rate_limit) => http.rate_limited(rate_limit.clone()),
                None => http.clone(),
            };
            let Some(location) = &log.location else {
                return Err(Mistake(format!(
                    "log[{}]: its location is unknown",
                    log.name
                )));
            };
            match location {
                Location::Directory(_) if !log.protocol.is_files() => Err(Mistake(format!(
                    "log[{}]: {} is read from its server, not from a directory",
                    log.name,
                    log.protocol.title()
                ))),
                Location::Server(url) if log.protocol.has_several_trees() => {
                    rekor_v1(log, url, trusted_root, http)
                }
                location => {
                    let transport = Transport::new(location.clone(), http, &files);
                    one_tree(log, location, trusted_root, transport).map(MonitoredLog::Tree)
                }
            }
        })
        .collect();
    let mut monitored = monitored?;
    set_guides(&mut monitored, logs);
    Ok(monitored)
}

/// Sets the CT logs that guide each guided log.
fn set_guides(monitored: &mut [MonitoredLog], logs: &[LogSettings]) {
    let ids: HashMap<String, LogId> = monitored
        .iter()
        .map(|log| (log.name().to_owned(), log.id()))
        .collect();
    for (log, settings) in monitored.iter_mut().zip(logs) {
        if let (MonitoredLog::Guided(guided), Mode::Guided { by }) = (log, &settings.mode) {
            let guides = by.iter().map(|name| CtGuide {
                id: ids.get(name).cloned(),
                name: name.clone(),
            });
            guided.guides = guides.collect();
        }
    }
}

/// A log with one tree.
fn one_tree(
    log: &LogSettings,
    location: &Location,
    trusted_root: Option<&TrustedRoot>,
    transport: Transport,
) -> Result<Log, Mistake> {
    let mistake = |why: &str| Mistake(format!("log[{}]: {why}", log.name));
    if log.protocol.is_ct() {
        let public_keys = key_files::of_log(log)?;
        return ct::log(log, location, &public_keys, trusted_root, transport);
    }
    let origin = log.origin.as_ref();
    let origin = origin.ok_or_else(|| mistake("it has no origin"))?;
    let shard = shard(log, location, origin, trusted_root)?;
    let source = source::of_one_tree(log.protocol, transport, [0; 32]);
    Ok(Log {
        shard: Arc::new(shard),
        source: source.ok_or_else(|| mistake("its type has several trees"))?,
    })
}

/// The rate limits by host: the logs of one server share a limit, and the strictest one applies.
fn rate_limits(logs: &[LogSettings]) -> HashMap<&str, RateLimit> {
    let mut limits: HashMap<&str, NonZeroU32> = HashMap::new();
    for log in logs {
        let usual = match (&log.location, log.protocol) {
            // Tiles come from a storage bucket without a limit; a Rekor v1 server computes every response.
            (Some(Location::Server(url)), Protocol::RekorV1) => Client::usual_interval(url),
            _ => None,
        };
        if let (Some(host), Some(limit)) = (host(log), log.requests_per_minute.or(usual)) {
            let strictest = limits.entry(host).or_insert(limit);
            *strictest = limit.min(*strictest);
        }
    }
    limits
        .into_iter()
        .map(|(host, limit)| (host, RateLimit::per_minute(limit)))
        .collect()
}

fn host(log: &LogSettings) -> Option<&str> {
    log.location.as_ref().and_then(Location::host)
}

fn rekor_v1(
    log: &LogSettings,
    url: &Url,
    trusted_root: Option<&TrustedRoot>,
    http: http::Client,
) -> Result<MonitoredLog, Mistake> {
    let keys = if log.public_keys.is_empty() {
        trusted_root.map_or_else(Vec::new, |root| root.rekor_v1_keys(url))
    } else {
        let keys = key_files::of_log(log)?.into_iter();
        keys.map(|key| key.spki_der().to_vec()).collect()
    };
    if keys.is_empty() {
        return Err(Mistake(format!(
            "log[{}]: the trusted root has no key of a Rekor v1 log: give public_key",
            log.name
        )));
    }
    let followed = RekorV1Log {
        name: log.name.clone(),
        server: Client::new(http, url.clone()),
        keys,
        start: log.start,
        silence_after: log.silence_after,
        rollback_after: log.rollback_after,
    };
    Ok(match &log.mode {
        Mode::Tail => MonitoredLog::RekorV1(followed),
        // Its guides are set when all logs are made.
        Mode::Guided { .. } => MonitoredLog::Guided(Guided {
            log: followed,
            guides: Vec::new(),
        }),
    })
}

fn shard(
    log: &LogSettings,
    location: &Location,
    origin: &Origin,
    trusted_root: Option<&TrustedRoot>,
) -> Result<Shard, Mistake> {
    let name = &log.name;
    let key_name = KeyName::new(origin.as_str())
        .map_err(|error| Mistake(format!("log[{name}].origin: {error}")))?;
    let verifiers = match trusted_root {
        // A listed key that cannot be used stays among them: then the log is not read, and that is a finding. An error
        // would end the monitoring of all other logs.
        Some(root) if log.public_keys.is_empty() => root.log_keys(origin, server(location)),
        _ => {
            let keys = key_files::of_log(log)?.into_iter();
            keys.map(|key| key.verifier(key_name.clone())).collect()
        }
    };
    if verifiers.is_empty() {
        return Err(Mistake(format!(
            "log[{name}]: the trusted root has no key for the origin {}: give public_key, or correct the origin",
            origin.as_str()
        )));
    }
    Ok(ct::only_shard(log, origin.clone(), verifiers))
}

fn server(location: &Location) -> Option<&Url> {
    match location {
        Location::Server(url) => Some(url),
        Location::Directory(_) => None,
    }
}
