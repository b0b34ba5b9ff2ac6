//! `lookup --evidence DIR`: what proves each signing that is shown, in a directory of its own.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::cli::evidence;
use crate::cli::output::{self, Mistake};
use crate::escape;
use crate::lookup::{Answer, Signing};
use crate::service::Setup;
use crate::store::Store;

/// Most signings whose evidence is written: each may have to be fetched from its log.
const MAX_WRITTEN: usize = 100;

/// Refuses a directory that has content, before anything is read for the answer.
pub(super) fn check(directory: &Path) -> anyhow::Result<()> {
    let shown = directory.display();
    match fs::read_dir(directory).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Mistake(format!(
            "--evidence {shown}: it is not empty: evidence is written into a new or an empty directory"
        ))
        .into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Mistake(format!("--evidence {shown}: {error}")).into()),
    }
}

/// Writes the evidence of the signings, and reports on stderr. Answers whether that of all of them is written.
pub(super) async fn write(
    answer: &Answer,
    directory: &Path,
    setup: &Setup,
    store: &dyn Store,
) -> anyhow::Result<bool> {
    let mut taken = HashSet::new();
    let (mut written, mut is_whole) = (0_usize, true);
    for signing in answer.signings.iter().take(MAX_WRITTEN) {
        let below = directory.join(name(signing, &mut taken));
        match evidence::write_signing(setup, store, signing, &below).await {
            Ok(_) => written += 1,
            Err(error) => {
                is_whole = false;
                report(&format!(
                    "no evidence of entry {} of {} is written: {}",
                    signing.index,
                    signing.log,
                    output::causes(&error)
                ));
            }
        }
    }
    let shown = directory.display();
    report(&format!(
        "{shown}: the evidence of {}; `modelwatch verify-evidence` checks each directory in it",
        counted(written, "signing"),
    ));
    let left_out = answer.signings.len().saturating_sub(MAX_WRITTEN);
    if left_out > 0 {
        report(&format!(
            "the evidence of {} is not written: at most {MAX_WRITTEN} are; more conditions make the answer shorter",
            counted(left_out, "more signing"),
        ));
    }
    Ok(is_whole && left_out == 0)
}

/// A number with its noun.
fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A name for the directory of a signing that no other one has: the log and the index.
fn name(signing: &Signing, taken: &mut HashSet<String>) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() || "-_.".contains(character) {
            character
        } else {
            '_'
        }
    };
    let log: String = signing.log.chars().map(plain).collect();
    let first = format!("{log}-{}", signing.index);
    let mut name = first.clone();
    // An entry may hold several signings.
    for number in 2.. {
        if taken.insert(name.clone()) {
            break;
        }
        name = format!("{first}-{number}");
    }
    name
}

fn report(text: &str) {
    // There is no other place to report that stderr cannot be written.
    let _ = writeln!(io::stderr(), "{}", escape::terminal(text));
}
