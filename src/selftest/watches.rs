//! Tests whether each watch selects the signings that it describes.

use jiff::Timestamp;

use super::leaf;
use super::report::{Check, WatchReport};
use crate::entry;
use crate::judge::Rules;
use crate::watch::{Forms, Sample, samples};

/// Matches invented signings against all watches, with the real reader of entries and the real matcher.
pub(super) fn try_all(rules: &Rules, now: Timestamp) -> Vec<WatchReport> {
    let forms = Forms::new();
    rules
        .watches()
        .iter()
        .enumerate()
        .map(|(place, watch)| {
            let made = samples(watch, &forms);
            let (mut selected, mut rejected, mut wrong) = (0, 0, Vec::new());
            for sample in &made.cases {
                match shown(rules, place, sample, now) {
                    Ok(()) if sample.selected => selected += 1,
                    Ok(()) => rejected += 1,
                    Err(why) => wrong.push(format!("{} ({})", why, sample.what)),
                }
            }
            let beyond = made.beyond.first().map(String::as_str);
            let impossible = made.impossible.first().map(String::as_str);
            let check = if let Some(wrong) = wrong.first() {
                Check::failed(wrong.clone())
            } else if let (0, Some(why)) = (selected, impossible) {
                Check::failed(why)
            } else if let (0, Some(why)) = (selected, beyond) {
                Check::skipped(why)
            } else if selected == 0 {
                Check::failed("nothing could be made up")
            } else {
                let unreached = impossible.or(beyond);
                let unreached =
                    unreached.map_or(String::new(), |why| format!("; a part of it not: {why}"));
                Check::ok(format!(
                    "selects {selected} made-up signings, rejects {rejected} near misses{unreached}"
                ))
            };
            WatchReport {
                name: watch.name.clone(),
                selected,
                rejected,
                check,
                gaps: Vec::new(),
            }
        })
        .collect()
}

/// Compares the result for one example with the expected one.
fn shown(rules: &Rules, place: usize, sample: &Sample, now: Timestamp) -> Result<(), &'static str> {
    let entry =
        entry::parse(&leaf::of(sample, now)).map_err(|_| "a made-up entry cannot be read")?;
    let [signing] = entry.signings.as_slice() else {
        return Err("a made-up entry is not read as one signing");
    };
    if !entry.unreadable.is_empty() {
        return Err("a part of a made-up entry cannot be read");
    }
    let mut found = Vec::new();
    rules.watches().matches(&signing.signer, &mut found);
    let found = found.into_iter().find(|found| found.watch == place);
    match (found, sample.selected) {
        (None, true) => Err("does not select a signing that it describes"),
        (Some(_), false) => Err("selects a signing that it does not describe"),
        (Some(found), true) if found.in_shape != sample.in_shape => {
            Err("judges the shape otherwise than it is written")
        }
        _ => Ok(()),
    }
}
