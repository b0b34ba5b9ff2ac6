//! What a lookup answers: a line for each signing, and one about how far it looked.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::expect::Authority;
use crate::finding::{FindingId, Severity, State, Verdict};
use crate::identity::{Chain, San};
use crate::report::log::ReadingMode;

/// Where a signing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "web", schema(as = LookupSource))]
pub enum Source {
    /// In the database.
    Finding,
    /// In a log that was read again.
    Scan,
    /// By the search index of a log.
    Remote,
}

/// What shows that a signing is of the digest that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub enum Matched {
    /// The entry itself.
    Entry,
    /// A statement that is known to be what was signed.
    Payload,
    /// The search index of the log alone: the entry does not show it.
    Hint,
}

/// A finding about a signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct FindingRef {
    /// Its id.
    pub id: FindingId,
    /// The watch.
    pub watch: Option<String>,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its severity.
    pub severity: Severity,
    /// Its state.
    pub state: State,
}

/// A signing that meets all conditions, in an entry that is proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct Signing {
    /// `signing`.
    #[serde(rename = "type")]
    pub line_type: &'static str,
    /// Where it was found.
    pub source: Source,
    /// The log's name.
    pub log: String,
    /// The tree.
    pub origin: String,
    /// The index of the entry, over all trees of the log.
    pub index: u64,
    /// RFC 6962 leaf hash, hex.
    pub leaf_hash: String,
    /// Kind and version of the entry.
    pub kind: String,
    /// The digest in the entry.
    pub digest: Option<String>,
    /// The names of the signer.
    pub san: Vec<San>,
    /// The OpenID issuer.
    pub issuer: Option<String>,
    /// Fulcio's other extensions, by name.
    pub extensions: BTreeMap<String, String>,
    /// SHA-256 of the certificate, hex.
    pub certificate_sha256: Option<String>,
    /// SHA-256 of the key, hex.
    pub key_sha256: Option<String>,
    /// Whether a trusted authority issued the certificate.
    pub chain: Option<Chain>,
    /// When the certificate was issued, by the certificate itself.
    pub not_before: Option<Timestamp>,
    /// When it was logged or signed, as far as something that is trusted shows it.
    pub time: Option<Timestamp>,
    /// Always `true`: what is not proven is another line.
    pub proven: bool,
    /// What shows that it is of the digest that was asked for.
    pub matched: Matched,
    /// The findings about it; empty: no watch selects it.
    pub findings: Vec<FindingRef>,
    /// The strongest authority that registered it.
    pub registered: Option<Authority>,
}

/// An entry that may be what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct Unproven {
    /// `unproven`.
    #[serde(rename = "type")]
    pub line_type: &'static str,
    /// Where it was found.
    pub source: Source,
    /// The log's name.
    pub log: String,
    /// The tree; empty: it is not known.
    pub origin: String,
    /// The index of the entry; `None`: it is not known.
    pub index: Option<u64>,
    /// One sentence for a person. May hold text from a log: escape it where it is shown.
    pub why: String,
}

/// What was looked at of one tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "web", schema(as = LookupLogCoverage))]
pub struct LogCoverage {
    /// The log's name.
    pub log: String,
    /// The tree.
    pub origin: String,
    /// How the log is read.
    pub mode: ReadingMode,
    /// The first entry that the answer is about, over all trees of the log.
    pub from: Option<u64>,
    /// The end of what the answer is about.
    pub to: Option<u64>,
    /// The end of the log, as far as it is known.
    pub head: Option<u64>,
    /// The end of what is proven.
    pub proven: Option<u64>,
    /// What was read and not compared with what is asked for, as `[first, end)`.
    pub gaps: Vec<(u64, u64)>,
    /// What was read for this question.
    pub scanned: Option<(u64, u64)>,
    /// Entries that were logged since then are after `from`; `None`: `from` is the first entry, or the time is not known.
    pub from_time: Option<Timestamp>,
    /// Entries that were logged until then are before `to`.
    pub to_time: Option<Timestamp>,
}
