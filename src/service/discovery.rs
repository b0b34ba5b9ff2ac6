//! The logs to follow according to the trusted root, and findings about logs that are not followed.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tlog::{Origin, Verifier};

use super::error::Mistake;
use crate::config::{Config, LogSettings, Mode};
use crate::log::{Protocol, Start};
use crate::moment;
use crate::monitor::{MonitoredLog, TrustReport, Unfollowed};
use crate::source::Location;
use crate::trust::{FollowedLog, ListedKind, ListedLog, Problem, Settings, Trust, TrustState};

/// A trusted root that was not renewed for this long may lack a log, or an authority.
const STALE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The configured logs, and those of the trusted root that need no configuration.
///
/// `begun`: some log has a position already. A log that appears then is new, so it is read from its first entry: a
/// start at its end would skip earlier signings. The same holds if only a configured log is read from somewhere before
/// its end: an operator who needs the past of one log needs that of all.
pub fn logs(
    config: &Config,
    trust: Option<&Trust>,
    begun: bool,
    now: Timestamp,
) -> Result<Vec<LogSettings>, Mistake> {
    let mut logs = config
        .logs
        .iter()
        .filter_map(|log| located(log, trust).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    let start = match config.start {
        _ if begun => Start::Beginning,
        Start::End if logs.iter().any(|log| log.start != Start::End) => Start::Beginning,
        start => start,
    };
    let ignore = config.trust.as_ref().map(|trust| &trust.ignore);
    for listed in trust.map(Trust::logs).unwrap_or_default() {
        let (ListedKind::RekorV2(origin), Some(url)) = (&listed.kind, &listed.url) else {
            continue;
        };
        let known = config
            .logs
            .iter()
            .any(|log| log.origin.as_ref() == Some(origin));
        if known || ignore.is_some_and(|ignore| listed.is_ignored(ignore)) {
            continue;
        }
        if config.logs.iter().any(|log| log.name == origin.as_str()) {
            return Err(Mistake(format!(
                "log[{}]: trust names a log of that origin, which would have the same name: give yours another",
                origin.as_str()
            )));
        }
        let mut log = LogSettings::found(origin.clone(), url.clone(), start);
        if listed.idle.is_some_and(|end| end <= now) {
            // It takes no more entries: it should not grow.
            log.silence_after = None;
        }
        logs.push(log);
    }
    Ok(logs)
}

/// A configured log with its location. If it has no URL, that of the trusted root is used. `None` without a trusted
/// root.
fn located(log: &LogSettings, trust: Option<&Trust>) -> Result<Option<LogSettings>, Mistake> {
    if log.location.is_some() {
        return Ok(Some(log.clone()));
    }
    let Some(trust) = trust else { return Ok(None) };
    let listed = trust
        .logs()
        .iter()
        .find(|listed| match (&listed.kind, &log.origin) {
            (ListedKind::RekorV2(listed), Some(origin)) => listed == origin,
            (ListedKind::RekorV2Unnamed, Some(origin)) => {
                let keys = trust.root().log_keys(origin, listed.url.as_ref());
                let is_its = |key: &Verifier| listed.keys.iter().any(|own| own.id == key.id_hash());
                keys.iter().any(is_its)
            }
            _ => false,
        });
    match listed.and_then(|listed| listed.url.clone()) {
        Some(url) => Ok(Some(LogSettings {
            location: Some(Location::Server(url)),
            ..log.clone()
        })),
        None => Err(Mistake(format!(
            "log[{}]: it has no url, and trust names no Rekor v2 log of that origin",
            log.name
        ))),
    }
}

/// A log of the trusted root that is not read.
pub struct NotFollowed<'a> {
    pub log: &'a ListedLog,
    /// The configuration ignores it.
    pub ignored: bool,
}

/// The logs of the trusted root that are not among these, which are given as configured or found, and as they are read.
pub fn not_followed<'a>(
    settings: &Settings,
    trust: &'a Trust,
    logs: &[LogSettings],
    followed: &[MonitoredLog],
) -> Vec<NotFollowed<'a>> {
    let followed: Vec<FollowedLog<'_>> = logs
        .iter()
        .zip(followed)
        .map(|(log, followed)| FollowedLog {
            protocol: log.protocol,
            origin: log.origin.as_ref().map(Origin::as_str),
            url: match &log.location {
                Some(Location::Server(url)) => Some(url),
                Some(Location::Directory(_)) | None => None,
            },
            key_ids: key_ids(followed),
        })
        .collect();
    trust
        .logs()
        .iter()
        .filter(|log| !log.is_followed(&followed, trust.logs()))
        .map(|log| NotFollowed {
            log,
            ignored: log.is_ignored(&settings.ignore),
        })
        .collect()
}

/// The log ids of its keys in a trusted root. A CT log at another address may have any key of the trusted root until
/// its head is read, so its keys do not identify it.
fn key_ids(log: &MonitoredLog) -> Vec<[u8; 32]> {
    let of_keys = |keys: &[Vec<u8>]| keys.iter().map(|key| Sha256::digest(key).into()).collect();
    match log {
        MonitoredLog::Tree(log) if log.shard.protocol == Protocol::RekorV2 => {
            let keys = log.shard.verifiers.iter();
            keys.map(Verifier::id_hash).copied().collect()
        }
        MonitoredLog::Tree(_) => Vec::new(),
        MonitoredLog::RekorV1(log) => of_keys(&log.keys),
        MonitoredLog::Guided(guided) => of_keys(&guided.log.keys),
    }
}

/// The name of a log, and its kind or why it cannot be followed.
pub fn named(log: &ListedLog) -> String {
    let what = match &log.kind {
        ListedKind::RekorV2(_) => Protocol::RekorV2.as_str(),
        ListedKind::RekorV2Unnamed => "rekor-v2, whose origin is not its address",
        ListedKind::NoKey => "an address for which the trusted root has no key",
        ListedKind::RekorV1 => Protocol::RekorV1.as_str(),
        ListedKind::Ct => "certificate transparency",
        ListedKind::Unusable(why) => why,
    };
    format!("{} ({what})", log.name)
}

/// The problems of the trusted root after a pass.
pub fn report(
    settings: Option<&Settings>,
    known: &TrustState,
    logs: &[LogSettings],
    followed: &[MonitoredLog],
    now: Timestamp,
) -> TrustReport {
    let mut report = TrustReport::default();
    let Some(settings) = settings else {
        return report;
    };
    report.discovers = settings.discovers();
    match &known.problem {
        None => {}
        Some(Problem::Unreachable(_)) => report.unanswered = true,
        Some(refused @ Problem::Refused { .. }) => {
            report.refused = Some(if known.trust.is_some() {
                format!(
                    "a newer trusted root is refused, and the one before of {} stays in use: {refused}",
                    settings.source
                )
            } else {
                format!(
                    "the trusted root of {} is refused, and there is no earlier one: nothing is read: {refused}",
                    settings.source
                )
            });
        }
    }
    let Some(trust) = &known.trust else {
        report.nothing_known = true;
        return report;
    };
    report.stale = known
        .update
        .and_then(|update| stale(settings, known, update.refreshed, now));
    let is_guided = |log: &LogSettings| matches!(log.mode, Mode::Guided { .. });
    let is_guided = logs.iter().any(is_guided);
    report.unfollowed = not_followed(settings, trust, logs, followed)
        .into_iter()
        .filter(|not| {
            let goes_on = not.log.ends.is_none_or(|end| end > now);
            let matters = match not.log.kind {
                // Verifiers accept nothing from this log.
                ListedKind::NoKey => false,
                // Its certificates occur again in Rekor, so a CT log that is not read hides none. But for a guided log,
                // only the entries of certificates in CT logs are found.
                ListedKind::Ct => is_guided,
                _ => true,
            };
            matters && goes_on && !not.ignored
        })
        .map(|not| Unfollowed {
            log: not.log.name.clone(),
            summary: unfollowed(not.log, trust),
        })
        .collect();
    report
}

/// Why the trusted root has to be renewed; `None` if it is new enough.
fn stale(
    settings: &Settings,
    known: &TrustState,
    refreshed: Timestamp,
    now: Timestamp,
) -> Option<String> {
    let age = now.duration_since(refreshed);
    // A time in the future would never become too old, and no finding would be raised.
    let is_ahead = moment::is_ahead(refreshed, now);
    if !is_ahead && age <= STALE {
        return None;
    }
    let ahead = if is_ahead {
        ", which is in the future by the clock of this machine: it was wrong then, or is now"
    } else {
        ""
    };
    let why = known
        .problem
        .as_ref()
        .map_or_else(String::new, |problem| format!(": it {problem}"));
    Some(format!(
        "the trusted root was last renewed from {} at {}{ahead}{why}",
        settings.source,
        moment::shown(refreshed)
    ))
}

/// The sentence that a log is not followed, with the configuration that would follow it.
fn unfollowed(log: &ListedLog, trust: &Trust) -> String {
    let said = format!("trust names a log that is not followed: {}", named(log));
    if log.kind == ListedKind::Ct {
        return format!(
            "{said}. A signing whose certificate is only in this log is not looked up in a guided log: add a [[log]] for it, and its name to guided_by"
        );
    }
    if let (ListedKind::RekorV2Unnamed, Some(url)) = (&log.kind, &log.url) {
        return format!(
            "{said}. A [[log]] with url = {:?} and as origin the first line of its checkpoint follows it",
            url.as_str()
        );
    }
    let (ListedKind::RekorV1, Some(url)) = (&log.kind, &log.url) else {
        return said;
    };
    let guides: Vec<_> = trust
        .logs()
        .iter()
        .filter(|log| log.kind == ListedKind::Ct)
        .filter_map(|log| log.url.as_ref().map(ToString::to_string))
        .collect();
    let or_else = if guides.is_empty() {
        String::new()
    } else {
        format!(
            "; one that is too fast to be read in full, with mode = \"guided\" and by way of the CT logs {}",
            guides.join(" and ")
        )
    };
    format!(
        "{said}. A [[log]] with type = \"rekor-v1\" and url = {:?} follows it{or_else}",
        url.as_str()
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::time::Duration;

    use super::*;
    use crate::config;
    use crate::trust::{SourceSettings, TrustUpdater, Update};

    const HARBOR: &str = include_str!("../../tests/data/trust/harbor.json");

    /// The trusted root of the recorded world, which contains two Rekor v2 logs.
    fn harbor() -> std::sync::Arc<Trust> {
        let root: serde_json::Value = serde_json::from_str(HARBOR).unwrap();
        let both = serde_json::json!({
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": root,
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "rekorTlogUrls": [],
            },
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trust_config.json");
        std::fs::write(&path, both.to_string()).unwrap();
        let updater = TrustUpdater::open(Settings {
            source: SourceSettings::ClientTrustConfig(path),
            monitor_config: None,
            refresh: Duration::from_hours(6),
            ignore: Vec::new(),
        });
        updater.unwrap().known().trust.unwrap()
    }

    #[test]
    fn a_log_that_trust_names_begins_where_the_first_pass_does_and_later_at_its_first_entry() {
        let trust = harbor();
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let date = Start::Time("2026-01-01T00:00:00Z".parse().unwrap());
        for (monitor, log, begun, expected) in [
            ("end", "", false, Start::End),
            ("end", "", true, Start::Beginning),
            ("end", "start = \"beginning\"", false, Start::Beginning),
            ("beginning", "", false, Start::Beginning),
            ("2026-01-01", "", false, date),
            ("2026-01-01", "start = \"end\"", false, date),
            ("2026-01-01", "", true, Start::Beginning),
        ] {
            let text = format!(
                "[trust]\ntuf = \"public-good\"\n[monitor]\nstart = {monitor:?}\n\
                 [[log]]\nname = \"v1\"\ntype = \"rekor-v1\"\nurl = \"http://127.0.0.1:9\"\n{log}\n"
            );
            let (config, problems) =
                config::validate(&text, std::path::Path::new("modelwatch.toml"), &|_| true);
            let config = config.unwrap_or_else(|| panic!("{problems}"));
            let logs = logs(&config, Some(&trust), begun, now).unwrap();
            let found = logs.iter().filter(|log| log.protocol == Protocol::RekorV2);
            let starts: Vec<Start> = found.map(|log| log.start).collect();
            assert_eq!(starts, [expected; 2], "{monitor} {log} {begun}");
        }
    }

    #[test]
    fn trust_is_stale_after_a_week_and_when_its_time_is_still_to_come() {
        let settings = Settings {
            source: SourceSettings::TrustedRoot("root.json".into()),
            monitor_config: None,
            refresh: Duration::from_hours(6),
            ignore: Vec::new(),
        };
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (hours, expected) in [
            (0, None),
            (7 * 24, None),
            (7 * 24 + 1, Some("at 2026-11-14T11:00:00Z")),
            (-2, Some("at 2026-11-21T14:00:00Z, which is in the future")),
        ] {
            let refreshed = now - SignedDuration::from_hours(hours);
            let known = TrustState {
                trust: None,
                update: Some(Update {
                    root_version: 1,
                    version: 1,
                    expires: Timestamp::MAX,
                    refreshed,
                }),
                problem: None,
            };
            let said = stale(&settings, &known, refreshed, now);
            let has = |part: &str| said.as_ref().is_some_and(|said| said.contains(part));
            assert!(expected.map_or(said.is_none(), has), "{hours}: {said:?}");
        }
    }
}
