//! `modelwatch findings ack`, `reopen`, `note` and `history`: what people do with findings, and who did it.

use std::path::Path;

use super::finding_filter::{self, Filter};
use super::output::{Mistake, Outcome, Output};
use super::setup;
use crate::clock;
use crate::escape;
use crate::finding::FindingId;
use crate::report::finding;
use crate::store::{Findings, Handling, HandlingOutcome, HandlingRequest};

/// Longest name of an author, in bytes.
const MAX_AUTHOR_BYTES: usize = 256;

/// Arguments of `findings ack`, `reopen` and `note`.
#[derive(Debug, clap::Args)]
pub(super) struct HandlingArgs {
    /// Ids of findings, or at least their first 4 digits each
    #[arg(required_unless_present_any = ["all", "Filter"], conflicts_with = "Filter", value_name = "ID")]
    ids: Vec<String>,
    /// All findings: `ack` takes those that are open, `reopen` those that are acknowledged
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Why; kept with the finding
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who does it; kept with the finding. Without it `$SUDO_USER`, `$USER`, or the number of the user
    #[arg(long, value_name = "NAME", value_parser = author)]
    author: Option<String>,
    #[command(flatten)]
    filter: Filter,
}

/// Arguments of `findings history`.
#[derive(Debug, clap::Args)]
pub(super) struct HistoryArgs {
    /// The finding's id, or at least its first 4 digits
    id: String,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

fn author(written: &str) -> Result<String, String> {
    let written = written.trim();
    if written.is_empty() || written.len() > MAX_AUTHOR_BYTES {
        return Err(format!("a name has 1 to {MAX_AUTHOR_BYTES} bytes"));
    }
    Ok(written.to_owned())
}

/// Who runs this command, as far as the environment shows it.
fn user(variable: impl Fn(&str) -> Option<String>) -> String {
    ["SUDO_USER", "USER"]
        .into_iter()
        .find_map(|name| author(&variable(name)?).ok())
        .unwrap_or_else(|| format!("uid:{}", rustix::process::getuid().as_raw()))
}

/// Who runs this command: its user, or who called `sudo`.
pub(super) fn this_user() -> String {
    user(|name| std::env::var(name).ok())
}

pub(super) async fn run(
    handling: Handling,
    args: &HandlingArgs,
    config: &Path,
) -> anyhow::Result<Outcome> {
    if args.reason.trim().is_empty() {
        return Err(Mistake("--reason is empty: write why".to_owned()).into());
    }
    let author = args.author.clone().unwrap_or_else(this_user);
    let request = HandlingRequest {
        handling,
        author: &author,
        reason: &args.reason,
        at: clock::now(),
    };
    let store = setup::load(config)?.writer().await?;
    if args.ids.is_empty() {
        let query = args.filter.query(Vec::new());
        let handled = store.handle_matching(&query, &request).await?;
        store.close().await;
        let mut output = Output::new();
        output.line(&counted(handling, handled))?;
        output.end()?;
        return Ok(Outcome::Clean);
    }
    let handled = by_id(&*store, &args.ids, &request).await;
    store.close().await;
    let mut output = Output::new();
    let (mut is_refused, mut done) = (false, 0);
    for (id, outcome) in handled? {
        let why = match outcome {
            HandlingOutcome::Done => {
                done += 1;
                continue;
            }
            HandlingOutcome::Before if handling == Handling::Ack => "was closed before",
            HandlingOutcome::Before => "was open before",
            HandlingOutcome::Unknown => "is unknown",
            HandlingOutcome::NotAcked => {
                is_refused = true;
                "is not acknowledged: only its registration or its hold changes it (`modelwatch expect remove`)"
            }
            HandlingOutcome::Health => {
                is_refused = true;
                "is about the health of the watch: it resolves itself when the cause is gone"
            }
        };
        output.line(&format!("{id} {why}"))?;
    }
    output.line(&counted(handling, done))?;
    output.end()?;
    Ok(if is_refused {
        Outcome::Wrong
    } else {
        Outcome::Clean
    })
}

async fn by_id(
    store: &dyn Findings,
    ids: &[String],
    request: &HandlingRequest<'_>,
) -> anyhow::Result<Vec<(FindingId, HandlingOutcome)>> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.push(finding_filter::find(store, id).await?.finding.id);
    }
    Ok(store.handle(&found, request).await?)
}

fn counted(handling: Handling, count: u64) -> String {
    match handling {
        Handling::Ack => format!("{count} acknowledged"),
        Handling::Reopen => format!("{count} reopened"),
        Handling::Note => format!("{count} noted"),
    }
}

/// Shows the history of one finding, oldest first.
pub(super) async fn history(args: &HistoryArgs, config: &Path) -> anyhow::Result<Outcome> {
    let store = setup::load(config)?.reader().await?;
    let record = finding_filter::find(&*store, &args.id).await?;
    let mut output = Output::new();
    for row in &record.history {
        if args.json {
            output.json(row)?;
        } else {
            output.line(&escape::terminal(&finding::history_line(row)))?;
        }
    }
    output.end()?;
    Ok(Outcome::Clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_author_is_who_called_sudo_else_the_user_else_the_number() {
        let with = |values: &'static [(&str, &str)]| {
            user(|name| {
                let found = values.iter().find(|(of, _)| *of == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(with(&[("SUDO_USER", "jane"), ("USER", "root")]), "jane");
        assert_eq!(with(&[("SUDO_USER", ""), ("USER", "bob")]), "bob");
        assert_eq!(with(&[("USER", " bob ")]), "bob");
        let number = format!("uid:{}", rustix::process::getuid().as_raw());
        assert_eq!(with(&[]), number);
        assert_eq!(with(&[("USER", "  ")]), number);
    }
}
