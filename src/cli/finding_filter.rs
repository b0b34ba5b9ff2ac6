//! Which findings a command is about: by their ids, or by what they are about.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;

use super::output::Mistake;
use super::values;
use crate::finding::{Severity, State, Verdict};
use crate::store::{FindingQuery, FindingRecord, Findings};

/// Which findings, by what they are about. All that is given must hold.
#[derive(Debug, clap::Args)]
#[group(id = "Filter", multiple = true)]
#[command(next_help_heading = WHICH)]
pub(super) struct Filter {
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
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    since: Option<Timestamp>,
    /// Of this digest: `sha256:hex`, or only the hex
    #[arg(long, value_name = "DIGEST", value_parser = FindingQuery::digest_of)]
    digest: Option<String>,
    /// With this name, as `san_glob` compares it: a mail address, a workflow's URI, with `*` for any characters
    #[arg(long, visible_alias = "identity", value_name = "SAN", value_parser = FindingQuery::san_of)]
    san: Option<String>,
}

/// The heading of these options in `--help`.
const WHICH: &str = "Which findings";

/// One of the contract's words.
fn words<T: Clone + Send + Sync + 'static>(
    words: impl IntoIterator<Item = &'static str>,
    value: impl Fn(&str) -> Option<T> + Clone + Send + Sync + 'static,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words)
        .map(move |word| value(&word).expect("each of these words has its value"))
}

impl Filter {
    /// Whether findings in other states than the usual ones are requested.
    pub(super) fn has_states(&self) -> bool {
        !self.state.is_empty()
    }

    /// The query, in these states unless others are requested.
    pub(super) fn query(&self, states: Vec<State>) -> FindingQuery {
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
            ..FindingQuery::default()
        }
    }
}

/// The finding with this id, or of which these are the first digits.
pub(super) async fn find(store: &dyn Findings, id: &str) -> anyhow::Result<FindingRecord> {
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
