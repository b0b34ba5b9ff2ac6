//! From trust to the logs that are followed, and to what is to be said about those that are not.

use jiff::{SignedDuration, Timestamp};
use tlog::Origin;

use super::output::Mistake;
use crate::config::{Config, LogSettings, Mode};
use crate::moment;
use crate::monitor::{TrustReport, Unfollowed};
use crate::shard::{Protocol, Start};
use crate::source::Location;
use crate::trust::{FollowedLog, ListedKind, ListedLog, Problem, Refreshed, Settings, Trust};

/// Trust that was not renewed for so long may miss a log, or an authority.
const STALE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The configured logs, and those that trust names and that need no more to be followed.
///
/// `begun`: some log has a position already. What is found then is new, so it is read from its first entry: a
/// start at its end would skip what was signed before anybody noticed. The same holds if only a configured log is read
/// from somewhere before its end: whoever wants the past of one log wants that of all.
pub(super) fn logs(
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
        if listed.ends.is_some_and(|end| end <= now) {
            // Nobody signs into it any more: standing still is what it should do.
            log.silence_after = None;
        }
        logs.push(log);
    }
    Ok(logs)
}

/// A configured log where it is read: without a URL of its own, where trust says. `None` as long as nothing is trusted.
fn located(log: &LogSettings, trust: Option<&Trust>) -> Result<Option<LogSettings>, Mistake> {
    if log.location.is_some() {
        return Ok(Some(log.clone()));
    }
    let Some(trust) = trust else { return Ok(None) };
    let listed = trust.logs().iter().find(|listed| {
        matches!(&listed.kind, ListedKind::RekorV2(origin) if Some(origin) == log.origin.as_ref())
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

/// What trust names and nobody reads.
pub(super) struct NotFollowed<'a> {
    pub(super) log: &'a ListedLog,
    /// The operator said so.
    pub(super) ignored: bool,
}

/// The logs that trust names and that are not among these.
pub(super) fn not_followed<'a>(
    settings: &Settings,
    trust: &'a Trust,
    logs: &[LogSettings],
) -> Vec<NotFollowed<'a>> {
    let followed: Vec<FollowedLog<'_>> = logs
        .iter()
        .map(|log| FollowedLog {
            protocol: log.protocol,
            origin: log.origin.as_ref().map(Origin::as_str),
            url: match &log.location {
                Some(Location::Server(url)) => Some(url),
                Some(Location::Directory(_)) | None => None,
            },
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

/// In words: which log, and what kind of log it is or why it cannot be followed.
pub(super) fn named(log: &ListedLog) -> String {
    let what = match &log.kind {
        ListedKind::RekorV2(_) => Protocol::RekorV2.as_str(),
        ListedKind::RekorV1 => Protocol::RekorV1.as_str(),
        ListedKind::Ct => "certificate transparency",
        ListedKind::Unusable(why) => why,
    };
    format!("{} ({what})", log.name)
}

/// What is to be said after a pass.
pub(super) fn report(
    settings: Option<&Settings>,
    known: &Refreshed,
    logs: &[LogSettings],
    now: Timestamp,
) -> TrustReport {
    let mut report = TrustReport::default();
    let Some(settings) = settings else {
        return report;
    };
    report.discovers = settings.source.discovers();
    match &known.problem {
        None => {}
        Some(Problem::Unreachable(_)) => report.unanswered = true,
        Some(refused @ Problem::Refused { .. }) => {
            report.refused = Some(if known.trust.is_some() {
                format!(
                    "a newer trusted root is refused, {} goes on with the one before: {refused}",
                    settings.source
                )
            } else {
                format!(
                    "the trusted root of {} is refused, and there is none from before: nothing is read: {refused}",
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
    report.unfollowed = not_followed(settings, trust, logs)
        .into_iter()
        // The certificates of a CT log are found again in Rekor; a log of theirs that nobody reads hides none. But of a
        // guided log only what they lead to is seen.
        .filter(|not| {
            let matters = not.log.kind != ListedKind::Ct
                || is_guided && not.log.ends.is_none_or(|end| end > now);
            matters && !not.ignored
        })
        .map(|not| Unfollowed {
            log: not.log.name.clone(),
            summary: unfollowed(not.log, trust),
        })
        .collect();
    report
}

/// Why trust has to be renewed, if it has to.
fn stale(
    settings: &Settings,
    known: &Refreshed,
    refreshed: Timestamp,
    now: Timestamp,
) -> Option<String> {
    let age = now.duration_since(refreshed);
    // An answer from the future would never grow old, and nobody would be told.
    let is_ahead = moment::is_ahead(refreshed, now);
    if !is_ahead && age <= STALE {
        return None;
    }
    let ahead = if is_ahead {
        ", which is still to come by the clock of this machine: it was wrong then, or is now"
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
        refreshed.strftime("%Y-%m-%dT%H:%M:%SZ")
    ))
}

/// That a log is not followed, and what would follow it.
fn unfollowed(log: &ListedLog, trust: &Trust) -> String {
    let said = format!("trust names a log that is not followed: {}", named(log));
    if log.kind == ListedKind::Ct {
        return format!(
            "{said}. What is signed with a certificate that only it holds is not looked up in a guided log: add a [[log]] for it, and its name to guided_by"
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
    use crate::trust::{Keeper, SourceSettings, Update};

    const HARBOR: &str = include_str!("../../tests/data/trust/harbor.json");

    /// The trusted root of the recorded world, which names two Rekor v2 logs.
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
        let keeper = Keeper::open(Settings {
            source: SourceSettings::ClientTrustConfig(path),
            refresh: Duration::from_hours(6),
            ignore: Vec::new(),
        });
        keeper.unwrap().known().trust.unwrap()
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
            refresh: Duration::from_hours(6),
            ignore: Vec::new(),
        };
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (hours, expected) in [
            (0, None),
            (7 * 24, None),
            (7 * 24 + 1, Some("at 2026-11-14T11:00:00Z")),
            (-2, Some("at 2026-11-21T14:00:00Z, which is still to come")),
        ] {
            let refreshed = now - SignedDuration::from_hours(hours);
            let known = Refreshed {
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
