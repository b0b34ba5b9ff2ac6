//! `quiet_hours` of a channel.

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::keys;
use super::problems::Problems;
use super::reader::Section;
use crate::finding::QuietHours;
use crate::watch::Severity;

pub(super) fn read(section: &Section<'_>, problems: &mut Problems) -> Option<QuietHours> {
    section.only("quiet_hours", &keys::QUIET_HOURS, problems);
    let from = time(section, "from", problems);
    let to = time(section, "to", problems);
    let zone = if section.has("zone") {
        zone(section, problems)
    } else {
        Some(TimeZone::UTC)
    };
    let except = section.severity("except", problems);
    if section.has("except") && except.is_none() {
        return None;
    }
    let (from, to) = (from?, to?);
    if from == to {
        problems.error(
            section.place(),
            "from and to are the same time: always or never would be quiet",
            "use min_severity for a channel that never gets less severe findings".to_owned(),
        );
        return None;
    }
    Some(QuietHours {
        from,
        to,
        zone: zone?,
        except: except.unwrap_or(Severity::High),
    })
}

fn time(section: &Section<'_>, key: &str, problems: &mut Problems) -> Option<Time> {
    let written = section.required(key, problems)?;
    let time = parsed(written.value);
    if time.is_none() {
        problems.error(
            &written.place,
            format!("{:?} is not a time of day", written.value),
            "write 22:00, with hours from 00 to 23".to_owned(),
        );
    }
    time
}

/// `HH:MM`
fn parsed(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| {
        let is_plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        is_plain.then(|| digits.parse().ok())?
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

fn zone(section: &Section<'_>, problems: &mut Problems) -> Option<TimeZone> {
    let written = section.string("zone", problems)?;
    if let Ok(zone) = TimeZone::get(written.value) {
        Some(zone)
    } else {
        problems.error(
            &written.place,
            format!("{:?} is not a time zone", written.value),
            "write a name of the IANA database, such as Europe/Berlin or UTC".to_owned(),
        );
        None
    }
}
