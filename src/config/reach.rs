//! Findings that no channel receives.

use super::problems::Problems;
use super::reader::{At, Section};
use crate::escape;
use crate::finding::{Class, Verdict};
use crate::notify::Channel;
use crate::watch::{Severity, Watch};

/// The verdicts of findings that name a watch.
const OF_A_WATCH: [Verdict; 6] = [
    Verdict::SelfRegistered,
    Verdict::ModelUnexpected,
    Verdict::IdentityUnexpected,
    Verdict::OtherPredicate,
    Verdict::UntrustedChain,
    Verdict::Unreadable,
];

/// Watches that are named in one warning. There may be thousands.
const NAMED: usize = 5;

/// Warns about verdicts that no channel takes: the outbox sends no alert of such findings.
///
/// `min_severity` counts where it keeps an unexpected signing, or the failure of a log or of the monitoring, from every
/// channel. That it keeps away what is always of low severity is its purpose.
pub(super) fn check(
    root: &Section<'_>,
    watches: &[At<Watch>],
    channels: &[Channel],
    problems: &mut Problems,
) {
    if channels.is_empty() {
        // A channel that has an error is not among them, and that there is none has its own warning.
        return;
    }
    let mut silent: Vec<(Vec<Verdict>, Vec<&At<Watch>>)> = Vec::new();
    for watch in watches {
        let verdicts: Vec<Verdict> = OF_A_WATCH
            .into_iter()
            .filter(|verdict| !is_received(&watch.value, *verdict, channels))
            .collect();
        if verdicts.is_empty() {
            continue;
        }
        match silent.iter_mut().find(|(same, _)| *same == verdicts) {
            Some((_, watches)) => watches.push(watch),
            None => silent.push((verdicts, vec![watch])),
        }
    }
    for (verdicts, watches) in silent {
        let names = watches.iter().map(|watch| watch.value.name.as_str());
        problems.warning(
            &watches[0].place,
            format!(
                "no channel receives {} of {}: it is recorded, and no alert is sent",
                words(&verdicts, verdicts.len()),
                escape::few(names, NAMED)
            ),
            "see notify of the watch, and min_severity, verdicts and watches of the channels"
                .to_owned(),
        );
    }
    let general: Vec<Verdict> = Verdict::ALL
        .into_iter()
        .filter(|verdict| {
            let is_general = verdict.class() == Class::Health
                || matches!(verdict, Verdict::LogFault | Verdict::Missing);
            is_general
                && !channels.iter().any(|channel| {
                    channel.selection.min_severity <= severity(*verdict)
                        && channel.selection.takes_kind(None, *verdict)
                })
        })
        .collect();
    if !general.is_empty() {
        problems.warning(
            &root.place_of("channel"),
            format!(
                "no channel receives {}: it is recorded, and no alert is sent",
                words(&general, NAMED)
            ),
            "one channel without verdicts and min_severity receives everything".to_owned(),
        );
    }
}

/// The severity of findings about a log or the monitoring.
const fn severity(verdict: Verdict) -> Severity {
    match verdict {
        Verdict::LogFault => Severity::Critical,
        _ => Severity::High,
    }
}

fn words(verdicts: &[Verdict], most: usize) -> String {
    escape::few(verdicts.iter().map(|verdict| verdict.as_str()), most)
}

fn is_received(watch: &Watch, verdict: Verdict, channels: &[Channel]) -> bool {
    let worst = worst(watch, verdict);
    let named = watch.notify.as_ref();
    channels.iter().any(|channel| {
        named.is_none_or(|names| names.contains(&channel.name))
            && worst.is_none_or(|worst| channel.selection.min_severity <= worst)
            && channel.selection.takes_kind(Some(&watch.name), verdict)
    })
}

/// The highest severity that an ordinary signing with this verdict can have; `None` where the severity is low by design.
fn worst(watch: &Watch, verdict: Verdict) -> Option<Severity> {
    match verdict {
        Verdict::ModelUnexpected | Verdict::IdentityUnexpected | Verdict::OtherPredicate => {
            Some(match watch.shape {
                Some(_) => Severity::Critical,
                None => watch.severity,
            })
        }
        _ => None,
    }
}
