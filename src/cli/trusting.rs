//! From trust to the logs that are followed, and to what is to be said about those that are not.

use jiff::{SignedDuration, Timestamp};
use tlog::Origin;

use super::output::Mistake;
use crate::config::{Config, LogSettings};
use crate::monitor::{TrustReport, Unfollowed};
use crate::shard::{Protocol, Start};
use crate::source::Location;
use crate::trust::{FollowedLog, ListedKind, ListedLog, Problem, Refreshed, Settings, Trust};

/// Trust that was not renewed for so long may miss a log, or an authority.
const STALE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The configured logs, and those that trust names and that need no more to be followed.
///
/// `begun`: some log has a position already. What is found then is new, so it is read from its first entry: a
/// start at its end would skip what was signed before anybody noticed. The same holds if a configured log is read
/// from somewhere before its end: whoever wants the past of one log wants that of all.
pub(super) fn logs(
    config: &Config,
    trust: Option<&Trust>,
    begun: bool,
    now: Timestamp,
) -> Result<Vec<LogSettings>, Mistake> {
    let mut logs = config.logs.clone();
    let from_the_first = begun || logs.iter().any(|log| log.start != Start::End);
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
        let start = if from_the_first {
            Start::Beginning
        } else {
            config.start
        };
        let mut log = LogSettings::found(origin.clone(), Location::Server(url.clone()), start);
        if listed.ends.is_some_and(|end| end <= now) {
            // Nobody signs into it any more: standing still is what it should do.
            log.silence_after = None;
        }
        logs.push(log);
    }
    Ok(logs)
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
            host: match &log.location {
                Location::Server(url) => url.host_str(),
                Location::Directory(_) => None,
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
    let (Some(settings), Some(trust)) = (settings, &known.trust) else {
        return report;
    };
    report.discovers = settings.source.discovers();
    match &known.problem {
        None => {}
        Some(Problem::Unreachable(_)) => report.unanswered = true,
        Some(refused @ Problem::Refused { .. }) => {
            report.refused = Some(format!(
                "a newer trusted root is refused, {} goes on with the one before: {refused}",
                settings.source
            ));
        }
    }
    if let Some(update) = &known.update
        && now.duration_since(update.refreshed) > STALE
    {
        let why = known
            .problem
            .as_ref()
            .map_or_else(String::new, |problem| format!(": it {problem}"));
        report.stale = Some(format!(
            "the trusted root was last renewed from {} at {}{why}",
            settings.source,
            update.refreshed.strftime("%Y-%m-%dT%H:%M:%SZ")
        ));
    }
    report.unfollowed = not_followed(settings, trust, logs)
        .into_iter()
        // The certificates of a CT log are found again in Rekor; a log of theirs that nobody reads hides none.
        .filter(|not| !not.ignored && not.log.kind != ListedKind::Ct)
        .map(|not| Unfollowed {
            log: not.log.name.clone(),
            summary: format!("trust names a log that is not followed: {}", named(not.log)),
        })
        .collect();
    report
}
