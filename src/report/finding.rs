//! One finding: in a message, in a table, in full, and for programs.

use std::borrow::Cow;

use base64::Engine as _;
use jiff::Timestamp;
use serde::Serialize;

use super::{cell, time};
use crate::escape;
use crate::finding::{Class, Finding, State, Verdict};
use crate::identity::Chain;
use crate::store::{Action, FindingRecord, HistoryRow, KnownPayload};

/// Most names of one certificate that are shown; real ones have one.
const SANS_SHOWN: usize = 5;

/// A heading over the facts of a finding.
pub fn heading(finding: &Finding) -> &'static str {
    heading_of(finding.verdict)
}

/// The heading over findings of this kind.
pub fn heading_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Expected => "A registered signing",
        Verdict::SelfRegistered => "A signing that only its signer registered",
        Verdict::ModelUnexpected => "A model signing that is not registered",
        Verdict::IdentityUnexpected => "A signing under a watched identity",
        Verdict::OtherPredicate => "A signing under a watched identity, not of a model",
        Verdict::UntrustedChain => "A watched name without a trusted authority",
        Verdict::Missing => "A registered signing that the log does not contain",
        Verdict::LogFault => "A log broke its promise",
        Verdict::Unreadable => "An entry that cannot be read",
        Verdict::UnverifiableCheckpoint => "A checkpoint that cannot be verified",
        Verdict::Unavailable => "A log that cannot be read",
        Verdict::Silence => "A log that does not grow",
        Verdict::Backlog => "A log that grows faster than it is read",
        Verdict::PositionLost => "A lost position",
        Verdict::CoverageGap => "A part of a log that was not searched",
        Verdict::TrustRootStale => "A trusted root that may be out of date",
        Verdict::WatchIneffective => "A watch that selects nothing",
        Verdict::LogUnfollowed => "A log that is not followed",
        Verdict::LogEnded => "A log that has ended",
        Verdict::EntriesMissing => "Entries that the log leaves out",
        Verdict::UnknownSignature => "A signature that cannot be checked",
        Verdict::WitnessContradiction => "A witness that contradicts the log",
        Verdict::IndexSilent => "A search index that does not answer",
        Verdict::RateLimited => "A log that allows too few requests",
        Verdict::CanaryMissing => "A canary that was not seen",
        Verdict::ClockSkew => "A clock that is wrong",
        Verdict::TrustRootRefused => "A trusted root that was refused",
        Verdict::StoreFailing => "A database that cannot be written",
        Verdict::NotifierFailing => "A channel that does not deliver",
        Verdict::RegistrationsRewritten => "A branch with registrations that was rewritten",
        Verdict::RegistrationsUnread => "Registrations that cannot be read",
    }
}

/// The facts of a finding in a message: label and raw value. `is_over`: the message is its resolution.
pub fn brief(finding: &Finding, is_over: bool) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Summary", finding.summary.clone())];
    let mut fact = |label, value: Option<String>| {
        if let Some(value) = value {
            facts.push((label, value));
        }
    };
    fact("Who", who(finding));
    fact("Issuer", finding.issuer.clone());
    fact("Trust", trust(finding));
    for (label, name) in [
        ("Run", "run_invocation_uri"),
        ("Ref", "source_repository_ref"),
        ("Trigger", "build_trigger"),
    ] {
        fact(label, finding.extensions.get(name).cloned());
    }
    fact("What", finding.digest.clone());
    fact("When", Some(when(finding)));
    fact("Where", place(finding));
    fact("Proven", proven(finding).map(ToOwned::to_owned));
    fact("Watch", finding.watch.clone());
    fact("Shape", finding.in_shape.map(shape));
    let verdict = match &finding.fault {
        Some(fault) => format!("{} ({fault})", finding.verdict),
        None => finding.verdict.to_string(),
    };
    fact("Verdict", Some(format!("{verdict}, {}", finding.severity)));
    fact("Over", is_over.then(|| over(finding).to_owned()));
    fact("Finding", Some(finding.id.to_string()));
    facts
}

fn who(finding: &Finding) -> Option<String> {
    let fingerprint = finding.key_fingerprint.as_ref();
    if finding.san.is_empty() {
        let sha256 = finding.key_sha256.as_ref();
        return fingerprint
            .map(|key| format!("the key with the fingerprint {key}"))
            .or_else(|| sha256.map(|key| format!("the key with the SHA-256 {key}")));
    }
    let names = finding.san.iter().take(SANS_SHOWN);
    let mut who: Vec<_> = names
        .map(|san| format!("{} ({})", san.value, san.kind.as_str()))
        .collect();
    if finding.san.len() > SANS_SHOWN {
        who.push(format!("and {} more names", finding.san.len() - SANS_SHOWN));
    }
    who.extend(fingerprint.map(|key| format!("the name in the key {key}")));
    Some(who.join(", "))
}

fn trust(finding: &Finding) -> Option<String> {
    let text = match finding.chain? {
        Chain::Trusted => "a CA of the trusted root issued the certificate",
        Chain::Untrusted => {
            "NO CA of the trusted root issued the certificate: anyone can make one with any name"
        }
        Chain::Unknown => "unknown: no trusted root is configured",
        Chain::None if finding.san.is_empty() => return None,
        Chain::None => "NO authority confirms the name in a key: anyone can make one with any name",
    };
    Some(text.to_owned())
}

fn when(finding: &Finding) -> String {
    match finding.not_before {
        Some(issued) => format!(
            "certificate issued {issued}, first seen here {}",
            finding.first_seen
        ),
        None => format!("first seen here {}", finding.first_seen),
    }
}

/// `entry 138 of main (log.example), hashedrekord 0.0.2, leaf hash …`
fn place(finding: &Finding) -> Option<String> {
    let origin = finding.origin.as_deref()?;
    let log = match finding.log.as_deref() {
        Some(name) if name != origin => format!("{name} ({origin})"),
        _ => origin.to_owned(),
    };
    let Some(index) = finding.index else {
        return Some(format!("the log {log}"));
    };
    let mut place = format!("entry {index} of {log}");
    for (label, value) in [("", &finding.kind), ("leaf hash ", &finding.leaf_hash)] {
        if let Some(value) = value {
            place.push_str(", ");
            place.push_str(label);
            place.push_str(value);
        }
    }
    Some(place)
}

fn proven(finding: &Finding) -> Option<&'static str> {
    Some(match (finding.state, finding.proven?) {
        (State::Disputed, _) => {
            "no: the entries that the log served do not hash to the root that it signed; kept as evidence"
        }
        (_, true) => "yes: a signed checkpoint of the log covers this entry",
        (_, false) => "not yet: the log served this entry, its proof is pending",
    })
}

fn shape(in_shape: bool) -> String {
    if in_shape {
        "in the shape of the watch"
    } else {
        "outside the shape of the watch"
    }
    .to_owned()
}

fn over(finding: &Finding) -> &'static str {
    match (finding.verdict, finding.verdict.class()) {
        (Verdict::Expected, _) => "it was registered as the owner's signing",
        (_, Class::Health) => "its cause is gone",
        (_, Class::Security) => "it was closed",
    }
}

/// A finding in one raw line.
pub fn line(finding: &Finding) -> String {
    let place = match (&finding.log, finding.index) {
        (Some(log), Some(index)) => format!(" entry {index} of {log}:"),
        _ => ":".to_owned(),
    };
    let Finding { severity, id, .. } = finding;
    format!("{severity}{place} {} [{id}]", finding.summary)
}

/// The headings over [`row`]s.
pub fn heading_row() -> String {
    format!(
        "{:<8}  {:<8}  {:<8}  {:<19}  {:<18}  {:<12}  {:>9}  WHO",
        "ID", "SEVERITY", "STATE", "VERDICT", "WATCH", "LOG", "INDEX"
    )
}

/// A finding in a table on a terminal.
pub fn row(finding: &Finding) -> String {
    let id = finding.id.to_string();
    let who = finding
        .san
        .first()
        .map_or(finding.summary.as_str(), |san| san.value.as_str());
    format!(
        "{}  {:<8}  {:<8}  {:<19}  {}  {}  {:>9}  {}",
        &id[..8],
        finding.severity.as_str(),
        finding.state.as_str(),
        finding.verdict.as_str(),
        cell(finding.watch.as_deref().unwrap_or("-"), 18),
        cell(finding.log.as_deref().unwrap_or("-"), 12),
        finding
            .index
            .map_or("-".to_owned(), |index| index.to_string()),
        escape::terminal(who),
    )
}

/// Everything that is recorded about a finding: label and raw value.
pub fn facts(finding: &Finding) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("id", finding.id.to_string()),
        ("summary", finding.summary.clone()),
        ("verdict", finding.verdict.to_string()),
        ("severity", finding.severity.as_str().to_owned()),
        ("state", finding.state.to_string()),
    ];
    let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    add("watch", finding.watch.clone());
    add("in shape", finding.in_shape.map(yes_no));
    add("log", finding.log.clone());
    add("origin", finding.origin.clone());
    add("index", finding.index.map(|index| index.to_string()));
    add("leaf hash", finding.leaf_hash.clone());
    add("proven", finding.proven.map(yes_no));
    add("kind", finding.kind.clone());
    add("digest", finding.digest.clone());
    for san in &finding.san {
        add(
            "name",
            Some(format!("{} ({})", san.value, san.kind.as_str())),
        );
    }
    add("issuer", finding.issuer.clone());
    for (name, value) in &finding.extensions {
        add("extension", Some(format!("{name} = {value}")));
    }
    add("certificate", finding.certificate_sha256.clone());
    add("key", finding.key_sha256.clone());
    add("fingerprint", finding.key_fingerprint.clone());
    add(
        "chain",
        finding.chain.map(|chain| chain.as_str().to_owned()),
    );
    add("not before", finding.not_before.map(time));
    add("first seen", Some(time(finding.first_seen)));
    add("fault", finding.fault.map(|fault| fault.to_string()));
    facts
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// The same for a terminal: escaped lines.
pub fn record_lines(record: &FindingRecord) -> Vec<String> {
    let mut lines: Vec<String> = facts(&record.finding)
        .into_iter()
        .map(|(name, value)| format!("{name:<14}{}", escape::terminal(&value)))
        .collect();
    if let Some(payload) = &record.payload {
        lines.push(format!(
            "{:<14}{} (from {})",
            "signed",
            escape::terminal(&payload.statement),
            escape::terminal(&payload.file)
        ));
    }
    lines.extend(record.history.iter().map(|row| {
        let line = history_line(row);
        format!("{:<14}{}", "history", escape::terminal(&line))
    }));
    lines.extend(record.alerts.iter().map(|(channel, alert, delivered)| {
        let when = delivered.map_or("not delivered yet".to_owned(), time);
        format!(
            "{:<14}{} ({alert}): {when}",
            "alerted on",
            escape::terminal(channel)
        )
    }));
    for note in &record.evidence.notes {
        lines.push("signed note of the log:".to_owned());
        let text = String::from_utf8_lossy(note);
        lines.extend(
            text.lines()
                .map(|line| format!("    {}", escape::terminal(line))),
        );
    }
    if record.evidence.certificate.is_some() {
        lines.push("(--json contains the certificate)".to_owned());
    }
    lines
}

/// One change of a finding in one raw line: when, what it was from then on, who did what, and why.
pub fn history_line(row: &HistoryRow) -> String {
    let by = match (row.action, &row.author) {
        (Action::Seen | Action::Change, _) => String::new(),
        (action, Some(author)) => format!("{} by {author}: ", action.as_str()),
        (action, None) => format!("{}: ", action.as_str()),
    };
    format!(
        "{}  {}, {}, {}  {by}{}",
        time(row.at),
        row.state,
        row.verdict,
        row.severity.as_str(),
        row.reason
    )
}

/// A finding with its history, as the evidence of it has it.
#[derive(Debug, Serialize)]
pub struct WithHistory<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    history: &'a [HistoryRow],
}

impl<'a> From<&'a FindingRecord> for WithHistory<'a> {
    fn from(record: &'a FindingRecord) -> Self {
        Self {
            finding: &record.finding,
            history: &record.history,
        }
    }
}

/// A finding with its evidence, history and alerts, for programs.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "web", schema(as = FindingRecord))]
pub struct RecordJson<'a> {
    /// The finding.
    finding: &'a Finding,
    /// What became of it, oldest first.
    history: &'a [HistoryRow],
    /// The alerts that it is in.
    alerts: Vec<AlertJson<'a>>,
    /// What it rests on.
    evidence: EvidenceJson<'a>,
}

/// An alert that a finding is in.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "web", schema(as = FindingAlert))]
struct AlertJson<'a> {
    /// The name of the channel.
    channel: &'a str,
    /// The id of the alert.
    id: &'a str,
    /// When it was delivered; null: not yet.
    delivered: Option<Timestamp>,
}

/// What a finding rests on.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "web", schema(as = FindingEvidence))]
struct EvidenceJson<'a> {
    /// The certificate in DER, as base64.
    certificate: Option<String>,
    /// The leaf, as base64.
    leaf: Option<String>,
    /// The signed notes that contradict each other.
    notes: Vec<Cow<'a, str>>,
    /// What was signed, if a bundle showed it.
    payload: Option<&'a KnownPayload>,
}

/// A finding, as `findings show --json` writes it.
pub fn record_json(record: &FindingRecord) -> RecordJson<'_> {
    let encode = |bytes: &Vec<u8>| base64::engine::general_purpose::STANDARD.encode(bytes);
    let alerts = record.alerts.iter();
    let notes = record.evidence.notes.iter();
    RecordJson {
        finding: &record.finding,
        history: &record.history,
        alerts: alerts
            .map(|(channel, id, delivered)| AlertJson {
                channel,
                id,
                delivered: *delivered,
            })
            .collect(),
        evidence: EvidenceJson {
            certificate: record.evidence.certificate.as_ref().map(encode),
            leaf: record.evidence.leaf.as_ref().map(encode),
            notes: notes.map(|note| String::from_utf8_lossy(note)).collect(),
            payload: record.payload.as_ref(),
        },
    }
}
