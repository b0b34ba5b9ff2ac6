//! `modelwatch findings`: list, show, acknowledge.

use std::path::Path;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;

use super::output::{Mistake, Outcome, Output};
use super::{setup, values};
use crate::clock;
use crate::config;
use crate::finding::{FindingId, Severity, State, Verdict};
use crate::report::finding;
use crate::store::{AckOutcome, FindingQuery, FindingRecord, Findings};

/// What to do with findings.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List findings, by log, index and watch
    List(ListArgs),
    /// Show one finding with its evidence and history
    Show(ShowArgs),
    /// Acknowledge findings: they stay on record, but no longer make the exit code 1
    Ack(AckArgs),
}

/// Arguments of `findings list`.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// One JSON object per line
    #[arg(long)]
    json: bool,
    /// Those that are held, acknowledged or resolved too
    #[arg(long, conflicts_with = "state")]
    all: bool,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = values::number::<u64>)]
    limit: Option<u64>,
    // The last one: its heading is that of all that follows.
    #[command(flatten)]
    filter: Filter,
}

/// Arguments of `findings show`.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The finding's id, or at least its first 4 digits
    id: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Arguments of `findings ack`.
#[derive(Debug, clap::Args)]
pub(super) struct AckArgs {
    /// Ids of findings, or at least their first 4 digits each
    #[arg(required_unless_present_any = ["all", "Filter"], conflicts_with = "Filter", value_name = "ID")]
    ids: Vec<String>,
    /// Every finding that is open now
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Why this is accepted; kept with the finding
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    filter: Filter,
}

/// Which findings, by what they are about. All that is given must hold.
#[derive(Debug, clap::Args)]
#[group(id = "Filter", multiple = true)]
#[command(next_help_heading = WHICH)]
struct Filter {
    /// Of this watch; may be repeated
    #[arg(long, value_name = "NAME")]
    watch: Vec<String>,
    /// With this verdict, such as identity-unexpected; may be repeated
    #[arg(long, value_name = "VERDICT", hide_possible_values = true,
        value_parser = words(Verdict::ALL.map(Verdict::as_str), Verdict::from_word))]
    verdict: Vec<Verdict>,
    /// At least this severe
    #[arg(long, value_name = "SEVERITY",
        value_parser = words(Severity::ALL.map(Severity::as_str), |word| word.parse::<Severity>().ok()))]
    severity: Option<Severity>,
    /// In this state instead of open; may be repeated
    #[arg(long, value_name = "STATE",
        value_parser = words(State::ALL.map(State::as_str), State::from_word))]
    state: Vec<State>,
    /// First seen since this date or time, or for this long: 2026-01-01, 2026-01-01T08:00:00Z, 24h
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// Of this digest: `sha256:hex`, or the hex alone
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    digest: Option<String>,
    /// With this name, as `san_glob` compares it: a mail address, a workflow's URI, with `*` for any characters
    #[arg(long, value_name = "SAN", value_parser = name)]
    san: Option<String>,
}

/// The heading of these options in `--help`.
const WHICH: &str = "Which findings";

/// Longest name to look for: SQLite compares no longer pattern than 50,000 bytes, and no certificate has such a name.
const MAX_SAN_BYTES: usize = 4096;

/// One of the contract's words.
fn words<T: Clone + Send + Sync + 'static>(
    words: impl IntoIterator<Item = &'static str>,
    value: impl Fn(&str) -> Option<T> + Clone + Send + Sync + 'static,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words)
        .map(move |word| value(&word).expect("each of these words has its value"))
}

fn since(written: &str) -> Result<Timestamp, String> {
    if let Some(time) = config::parse_time(written) {
        return Ok(time);
    }
    config::parse_duration(written)
        .and_then(|age| clock::now().checked_sub(age).ok())
        .ok_or_else(|| {
            "write a date such as 2026-01-01, a time such as 2026-01-01T08:00:00Z, or a duration such as 24h"
                .to_owned()
        })
}

fn digest(written: &str) -> Result<String, String> {
    let hex = written.split_once(':').map_or(written, |(_, hex)| hex);
    if hex.is_empty() || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err("a digest is sha256:HEX, or the hexadecimal digits alone".to_owned());
    }
    Ok(written.to_ascii_lowercase())
}

fn name(written: &str) -> Result<String, String> {
    if written.is_empty() || written.len() > MAX_SAN_BYTES {
        return Err(format!("a name has 1 to {MAX_SAN_BYTES} bytes"));
    }
    Ok(written.to_owned())
}

impl Filter {
    /// The query, in these states unless others are asked for.
    fn query(&self, states: Vec<State>) -> FindingQuery {
        FindingQuery {
            states: if self.state.is_empty() {
                states
            } else {
                self.state.clone()
            },
            watches: self.watch.clone(),
            verdicts: self.verdict.clone(),
            min_severity: self.severity,
            since: self.since,
            digest: self.digest.clone(),
            san: self.san.clone(),
            limit: None,
        }
    }
}

pub(super) async fn run(command: &Command, config: &Path) -> anyhow::Result<Outcome> {
    match command {
        Command::List(args) => list(args, config).await,
        Command::Show(args) => show(args, config).await,
        Command::Ack(args) => ack(args, config).await,
    }
}

async fn list(args: &ListArgs, config: &Path) -> anyhow::Result<Outcome> {
    let store = setup::load(config)?.reader().await?;
    let states = if args.all {
        Vec::new()
    } else {
        FindingQuery::open().states
    };
    let query = FindingQuery {
        limit: args.limit,
        ..args.filter.query(states)
    };
    let mut output = Output::new();
    let mut findings = store.findings(&query);
    let mut listed = 0_u64;
    while let Some(found) = findings.try_next().await? {
        if args.json {
            output.json(&found)?;
        } else {
            if listed == 0 {
                output.line(&finding::heading_row())?;
            }
            output.line(&finding::row(&found))?;
        }
        listed += 1;
    }
    drop(findings);
    if !args.json {
        let is_default = !args.all && args.filter.state.is_empty();
        if listed == 0 {
            output.line(if is_default {
                "no open findings (--all shows those that are held, acknowledged or resolved)"
            } else {
                "no such findings"
            })?;
        }
        let held = FindingQuery {
            states: vec![State::Held],
            ..args.filter.query(Vec::new())
        };
        let held = if is_default {
            store.count(&held).await?
        } else {
            0
        };
        if held > 0 {
            output.line(&format!(
                "held, to be alerted if no bundle is registered in time: {held} (--state held)"
            ))?;
        }
    }
    output.end()?;
    Ok(Outcome::Clean)
}

async fn show(args: &ShowArgs, config: &Path) -> anyhow::Result<Outcome> {
    let store = setup::load(config)?.reader().await?;
    let record = find(&*store, &args.id).await?;
    let mut output = Output::new();
    if args.json {
        output.json(&finding::record_json(&record))?;
    } else {
        for line in finding::record_lines(&record) {
            output.line(&line)?;
        }
    }
    output.end()?;
    Ok(Outcome::Clean)
}

async fn find(store: &dyn Findings, id: &str) -> anyhow::Result<FindingRecord> {
    if id.len() < 4 || id.len() > 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Mistake(format!(
            "`{id}` is not the id of a finding: 32 hexadecimal digits, or at least the first 4 of them"
        ))
        .into());
    }
    match store.finding(&id.to_ascii_lowercase()).await? {
        Some(record) => Ok(record),
        None => Err(Mistake(format!("there is no finding with the id {id}")).into()),
    }
}

async fn ack(args: &AckArgs, config: &Path) -> anyhow::Result<Outcome> {
    if args.reason.trim().is_empty() {
        return Err(Mistake("--reason is empty: say why this is accepted".to_owned()).into());
    }
    let store = setup::load(config)?.writer().await?;
    let now = clock::now();
    if args.ids.is_empty() {
        let query = args.filter.query(Vec::new());
        let acked = store
            .acknowledge_matching(&query, &args.reason, now)
            .await?;
        store.close().await;
        let mut output = Output::new();
        output.line(&format!("{} acknowledged", acked.len()))?;
        output.end()?;
        return Ok(Outcome::Clean);
    }
    let mut ids: Vec<FindingId> = Vec::new();
    for id in &args.ids {
        ids.push(find(&*store, id).await?.finding.id);
    }
    let outcomes = store.acknowledge(&ids, &args.reason, now).await?;
    store.close().await;
    let mut output = Output::new();
    let mut refused = false;
    let mut acked = 0;
    for (id, outcome) in outcomes {
        match outcome {
            AckOutcome::Acked => acked += 1,
            AckOutcome::AlreadyClosed => output.line(&format!("{id} was closed before"))?,
            AckOutcome::Unknown => output.line(&format!("{id} is unknown"))?,
            AckOutcome::Health => {
                refused = true;
                output.line(&format!(
                    "{id} is about the health of the watch: it resolves itself when the cause is gone"
                ))?;
            }
        }
    }
    output.line(&format!("{acked} acknowledged"))?;
    output.end()?;
    Ok(if refused {
        Outcome::Wrong
    } else {
        Outcome::Clean
    })
}
