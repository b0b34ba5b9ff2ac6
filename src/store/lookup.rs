//! The state of logs that are not read in full, but covered by CT logs and their search index.

use jiff::{SignedDuration, Timestamp};
use tlog::Head;

use super::kept::Kept;
use super::pass_error::PassError;
use crate::finding::NewFinding;
use crate::identity::{Chain, San};
use crate::log::{LogId, Protocol, TreeId};

/// The state of a guided log as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guide {
    /// The log.
    pub log: LogId,
    /// Index over all trees: entries below it are older than the watch, and are not reported.
    pub start: u64,
    /// The last finding whose certificate is in the queue.
    pub cursor: i64,
    /// Hash of the watches that entries were matched against.
    pub rules: [u8; 32],
    /// The time at which the requests so far would have ended if they had been evenly spread.
    pub spent: Timestamp,
    /// When the server last refused a question about a name that is not a mail address.
    pub mail_only: Option<Timestamp>,
}

/// The part of a finding about a signing or a certificate that look-ups use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The finding's number: later ones are larger.
    pub number: i64,
    /// The log's name at the time.
    pub name: String,
    /// The tree.
    pub tree: TreeId,
    /// The log of the tree; `None` if no pass over it has ended.
    pub log: Option<LogId>,
    /// The entry.
    pub index: u64,
    /// RFC 6962 leaf hash of the entry, hex.
    pub leaf_hash: String,
    /// What kind of entry it is.
    pub kind: Option<String>,
    /// Every name of the certificate.
    pub san: Vec<San>,
    /// SHA-256 of the DER SubjectPublicKeyInfo, hex.
    pub key: String,
    /// The result of verifying the signer's certificate.
    pub chain: Option<Chain>,
    /// SHA-256 of the TBSCertificate as CT logs contain it, hex; only of a trusted certificate that was found in one.
    pub logged: Option<String>,
    /// Start of the certificate's validity; `None` for a bare key.
    pub not_before: Option<Timestamp>,
    /// The certificate itself, if it is stored.
    pub certificate: Option<Vec<u8>>,
}

/// Additions to the queue of look-ups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLookups {
    /// The guided log.
    pub log: LogId,
    /// The cursor that this continues from.
    pub expected: i64,
    /// The cursor after it.
    pub cursor: i64,
    /// Certificates whose entries are to be found.
    pub certificates: Vec<PendingCertificate>,
    /// Entries of other logs that a certificate may have been used for.
    pub elsewhere: Vec<KnownEntry>,
    /// The time.
    pub now: Timestamp,
}

/// A certificate whose entries modelwatch looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingCertificate {
    /// What distinguishes it from all others: the SHA-256 of its TBSCertificate as CT logs contain it, hex.
    pub key: String,
    /// Its key and the start of its validity. Another certificate may have the same.
    pub key_and_start: String,
    /// Its names in ASCII lower case, as they are sent to the index. Without a name there is no look-up.
    pub subjects: Vec<String>,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// The number of the finding about it.
    pub finding: i64,
    /// The text that its finding gets if there is no look-up.
    pub no_lookup_note: Option<String>,
}

impl PendingCertificate {
    /// How long after the end of its validity it may still appear in new entries that verifiers accept: the queues of
    /// signers, of the log and of its index. An answer before that proves nothing about the index.
    pub const LAG: SignedDuration = SignedDuration::from_mins(10);
}

/// An entry and one of its signers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KnownEntry {
    /// The tree that holds it.
    pub tree: TreeId,
    /// The log's name.
    pub name: String,
    /// Its index, as in findings.
    pub index: u64,
    /// RFC 6962 leaf hash, hex.
    pub leaf_hash: String,
    /// The signer's certificate, as [`PendingCertificate::key`], or bare key; empty if no watch selects one.
    pub key: String,
    /// The signer, as [`PendingCertificate::key_and_start`].
    pub key_and_start: String,
}

/// A name to look up in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The name, in ASCII lower case.
    pub subject: String,
    /// Whether a watch contains exactly this name.
    pub direct: bool,
    /// Answers since the newest certificate of this name.
    pub tries: u32,
    /// Failures in a row.
    pub failures: u32,
    /// The position in the answer, among the entries that are not read yet.
    pub position: u64,
}

impl Lookup {
    /// The longest time until a name is due: a certificate that ends in a year is looked up daily until then.
    pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

    /// The longest delay after a failure.
    pub const LONGEST_RETRY: SignedDuration = SignedDuration::from_hours(2);
}

/// A certificate that modelwatch still looks for, under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCertificate {
    /// The certificate, as [`PendingCertificate::key`].
    pub key: String,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// The known entries with this certificate, first those of the guided log; at most [`Self::MAX_ENTRIES`].
    pub entries: Vec<(KnownEntry, bool)>,
    /// Entries with another certificate of the same key and start. They do not end the search. At most
    /// [`Self::MAX_ENTRIES`].
    pub other_certificates: Vec<KnownEntry>,
}

impl OpenCertificate {
    /// Number of entries that are listed for one certificate, in a sentence for a person.
    pub const MAX_ENTRIES: u32 = 4;

    /// Certificates of one name that are judged at once. The others follow in the next look-up.
    pub const MAX_AT_ONCE: usize = 256;
}

/// Entries that were fetched, proven and matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntries {
    /// The guided log.
    pub log: LogId,
    /// One for each signer of each entry, at least one for each entry.
    pub entries: Vec<KnownEntry>,
    /// The findings, all proven.
    pub findings: Vec<NewFinding>,
    /// What proves their entries, by tree.
    pub kept: Vec<(TreeId, Kept)>,
    /// The time.
    pub now: Timestamp,
}

/// The answer of the index to a look-up. All of its entries are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The guided log.
    pub log: LogId,
    /// The name that was looked up.
    pub subject: String,
    /// Number of entries in the answer.
    pub entries: u64,
    /// The time of the next look-up; `None`: only after another certificate.
    pub due: Option<Timestamp>,
    /// Certificates whose search has ended.
    pub settled: Vec<SettledCertificate>,
    /// The time.
    pub now: Timestamp,
}

/// A look-up that failed, or whose answer takes more than one turn. It stays due, after the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postponed {
    /// The guided log.
    pub log: LogId,
    /// The name.
    pub subject: String,
    /// The time of the next attempt.
    pub retry: Timestamp,
    /// Why there is no answer; `None`: there is one, and more of it is to be fetched.
    pub error: Option<PassError>,
    /// Entries of the answer that are not read; `None`: there is no answer.
    pub unread: Option<u64>,
    /// The position in the answer at which the next turn continues.
    pub position: u64,
}

/// A certificate whose search has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledCertificate {
    /// The certificate, as [`PendingCertificate::key`].
    pub key: String,
    /// The result.
    pub end: PendingCertificateEnd,
    /// Text that is appended to the summaries of the certificate's findings.
    pub summary: String,
}

/// The result of the search for a certificate's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingCertificateEnd {
    /// An entry was found in the guided log.
    InThisLog,
    /// An entry was found in another log.
    InOtherLog,
    /// The time for the search is over.
    NotFound,
}

/// The state of the queue of look-ups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookupCounts {
    /// The number of due look-ups.
    pub due: u64,
    /// Those of them that were not looked up since their newest certificate.
    pub fresh: u64,
    /// Entries in the answers to due look-ups that are not read yet.
    pub unread: u64,
    /// The CT logs that became guides later than others, and whose earlier certificates are not looked up yet.
    pub pending_guides: Vec<String>,
    /// The time since which the oldest of them is due.
    pub oldest_due: Option<Timestamp>,
    /// The error of one of them, if one failed.
    pub failed: Option<PassError>,
    /// Names of certificates whose validity had ended when the index answered, within the last day.
    pub answered: u64,
    /// Those of them for which the index had an entry.
    pub known: u64,
    /// The last certificates that ended and were looked up after that: at most [`Self::LAST`].
    pub ended: u64,
    /// Those of them with an entry.
    pub found: u64,
}

impl LookupCounts {
    /// How many of the last certificates are counted in `ended` and `found`.
    pub const LAST: u64 = 5;
}

/// A verified checkpoint of a tree that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedHead {
    /// The tree.
    pub tree: TreeId,
    /// The log of the tree.
    pub log: LogId,
    /// The log's name in the configuration.
    pub name: String,
    /// The log's type.
    pub protocol: Protocol,
    /// The entries of its log before its first one.
    pub base: u64,
    /// The size that this continues from; `None`: none was recorded.
    pub expected: Option<u64>,
    /// The checkpoint, consistent with the one before.
    pub head: Head,
    /// The time.
    pub now: Timestamp,
}

/// A fault of a log that does not change a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The fault, with the signed notes as evidence.
    pub fault: NewFinding,
    /// What distinguishes two occurrences of one fault: the hash of the contradicting root.
    pub occurrence: [u8; 32],
    /// The time.
    pub now: Timestamp,
}
