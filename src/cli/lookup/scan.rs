//! `lookup --scan`: an estimate, a bar, and a signal that ends it.

use std::io::Write as _;

use indicatif::HumanBytes;

use super::ask::{answered, world};
use crate::cli::logging::Screen;
use crate::cli::progress::show_progress;
use crate::escape;
use crate::lookup::{self, Answer, Estimate, Question, Scan};
use crate::monitor::{Progress, Stop};
use crate::service::{Setup, stop_on_signals};
use crate::store::Store;

/// Reads the followed logs again.
pub(super) async fn run(
    question: &Question,
    setup: &Setup,
    store: &dyn Store,
    screen: &Screen,
) -> anyhow::Result<Answer> {
    setup.require_trust()?;
    let world = world(setup, store)?;
    let (progress, stop) = (Progress::default(), Stop::default());
    stop_on_signals(stop.clone());
    let witnessed = setup.witnessed();
    let mut announced = |estimates: &[Estimate]| announce(estimates);
    let run = Scan {
        database: &setup.config().database,
        witnessed: &witnessed,
        progress: &progress,
        stop: &stop,
        estimate: &mut announced,
    };
    let bar = tokio::spawn(show_progress(progress.clone(), screen.clone()));
    let answer = lookup::scan(question, &world, run).await;
    bar.abort();
    screen.show(None);
    answered(answer, setup)
}

/// Prints what will be read, before it is.
fn announce(estimates: &[Estimate]) {
    let mut text = String::new();
    for estimate in estimates {
        text.push_str(&sentence(estimate));
        text.push('\n');
    }
    // There is no other place to report that stderr cannot be written.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn sentence(estimate: &Estimate) -> String {
    let log = escape::terminal(&estimate.log);
    let bytes = estimate.bytes.map_or_else(String::new, |bytes| {
        format!(", about {} of entries", HumanBytes(bytes))
    });
    let time = match estimate.seconds {
        _ if estimate.entries == 0 => String::new(),
        Some(seconds) => format!(
            ", about {} at the pace of the last passes",
            duration(seconds)
        ),
        None => ", for how long is not known: no pass over it was measured".to_owned(),
    };
    format!("reading {} entries of {log}{bytes}{time}", estimate.entries)
}

/// Seconds, or hours and minutes.
fn duration(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_names_entries_bytes_and_time_as_far_as_they_are_known() {
        let known = Estimate {
            log: "main".to_owned(),
            entries: 2_400,
            bytes: Some(5 * 1024 * 1024),
            seconds: Some(7_500),
        };
        assert_eq!(
            sentence(&known),
            "reading 2400 entries of main, about 5.00 MiB of entries, about 2 h 5 min at the pace of the last passes"
        );
        let unknown = Estimate {
            seconds: None,
            bytes: None,
            ..known.clone()
        };
        assert!(
            sentence(&unknown).ends_with("for how long is not known: no pass over it was measured")
        );
        let nothing = Estimate {
            entries: 0,
            bytes: None,
            ..known
        };
        assert_eq!(sentence(&nothing), "reading 0 entries of main");
        assert_eq!(
            (duration(119), duration(121)),
            ("119 s".to_owned(), "3 min".to_owned())
        );
    }
}
