//! The first position of logs without a stored one: never at a time in the future.

use jiff::Timestamp;

use super::error::Mistake;
use crate::config::Config;
use crate::log::Start;
use crate::report::time;

/// Refuses to begin a log at a time after `now`: every entry until then would be skipped.
///
/// # Errors
///
/// The start of some log is such a time.
pub fn refuse_future(config: &Config, now: Timestamp) -> Result<(), Mistake> {
    let of_logs = config.logs.iter().map(|log| (Some(&log.name), log.start));
    // The section in which it is written: logs without a start have that of [monitor].
    for (log, start) in [(None, config.start)].into_iter().chain(of_logs) {
        let Start::Time(start) = start else { continue };
        if start <= now {
            continue;
        }
        let key = log.map_or_else(
            || "monitor.start".to_owned(),
            |name| format!("log[{name}].start"),
        );
        return Err(Mistake(format!(
            "{key}: {} is in the future by the clock of this machine, {}: no entry would be read until then. Give a time that is over, \"beginning\" or \"end\"",
            time(start),
            time(now)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::path::Path;

    use super::*;
    use crate::config;

    #[test]
    fn a_start_that_is_still_to_come_is_refused_wherever_it_is_written() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (everywhere, of_the_log, refused) in [
            ("end", "", None),
            ("2026-11-21", "", None),
            ("2026-11-21T12:00:00Z", "", None),
            ("2026-11-22", "", Some("monitor.start")),
            (
                "2026-11-21T12:00:01Z",
                "start = \"beginning\"",
                Some("monitor.start"),
            ),
            ("end", "start = \"2026-11-21\"", None),
            ("end", "start = \"2027-01-01\"", Some("log[main].start")),
            ("end", "start = 99999999", None),
        ] {
            let text = format!(
                "[monitor]\nstart = {everywhere:?}\n[[log]]\nname = \"main\"\ntype = \"rekor-v2\"\nurl = \"https://log.example\"\n\
                 origin = \"log.example\"\npublic_key = \"k\"\n{of_the_log}\n"
            );
            let (config, problems) =
                config::validate(&text, Path::new("modelwatch.toml"), &|_| true);
            let config = config.unwrap_or_else(|| panic!("{problems}"));
            let said = refuse_future(&config, now)
                .err()
                .map(|error| error.to_string());
            let key = said.as_ref().and_then(|said| said.split_once(": "));
            assert_eq!(
                key.map(|(key, _)| key),
                refused,
                "{everywhere} {of_the_log}"
            );
        }
    }
}
