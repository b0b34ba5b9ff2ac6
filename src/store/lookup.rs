//! What is kept of a log that is not read in full, but by way of CT logs and its search index.

use jiff::{SignedDuration, Timestamp};
use tlog::Head;

use super::pass_error::PassError;
use crate::finding::NewFinding;
use crate::identity::{Chain, San};
use crate::log::{LogId, Protocol, TreeId};

/// What is known of a guided log as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guide {
    /// The log.
    pub log: LogId,
    /// Index over all trees: entries below were there before the watch began, and are not told.
    pub start: u64,
    /// Up to which finding certificates were taken up.
    pub cursor: i64,
    /// Hash of the watches that entries were matched against.
    pub rules: [u8; 32],
    /// When the requests made so far would have ended, had they been evenly spread.
    pub spent: Timestamp,
    /// When the server last refused to be asked for other names than mail addresses.
    pub mail_only: Option<Timestamp>,
}

/// A signing or a certificate that was found in some log, as far as looking up is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The finding's number: later ones are larger.
    pub number: i64,
    /// The log's name at the time.
    pub name: String,
    /// The tree.
    pub tree: TreeId,
    /// The log that the tree is of; `None` if no pass over that has ended.
    pub log: Option<LogId>,
    /// The entry.
    pub index: u64,
    /// RFC 6962 leaf hash of the entry, hex.
    pub leaf_hash: String,
    /// What kind of entry it is.
    pub kind: Option<String>,
    /// Who: every name of the certificate.
    pub san: Vec<San>,
    /// SHA-256 of the DER SubjectPublicKeyInfo, hex.
    pub key: String,
    /// What vouches for the signer.
    pub chain: Option<Chain>,
    /// SHA-256 of the TBSCertificate as a CT log holds it, hex; of a trusted certificate that was found in one.
    pub logged: Option<String>,
    /// Start of the certificate's validity; `None` for a bare key.
    pub not_before: Option<Timestamp>,
    /// The certificate itself, where it is kept.
    pub certificate: Option<Vec<u8>>,
}

/// What is to be looked up from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLookups {
    /// The guided log.
    pub log: LogId,
    /// The cursor that this goes on from.
    pub expected: i64,
    /// The cursor after it.
    pub cursor: i64,
    /// Certificates whose entries are to be found.
    pub certificates: Vec<PendingCertificate>,
    /// Entries of other logs that a certificate may have been used for.
    pub elsewhere: Vec<KnownEntry>,
    /// When.
    pub now: Timestamp,
}

/// A certificate whose entries are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingCertificate {
    /// What tells it from all others: the SHA-256 of its TBSCertificate as CT logs hold it, hex.
    pub key: String,
    /// Its key and the start of its validity, which another certificate may have too.
    pub key_and_start: String,
    /// Its names, as they are asked for: in ASCII lower case. Without any there is no search.
    pub subjects: Vec<String>,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// The number of the finding that tells of it.
    pub finding: i64,
    /// What that finding says if there is no search.
    pub no_lookup_note: Option<String>,
}

impl PendingCertificate {
    /// How long after the end of its validity it may still turn up in new entries that verifiers believe: the queues of
    /// signers, of the log and of its index. What was answered before that says nothing about the index.
    pub const LAG: SignedDuration = SignedDuration::from_mins(10);
}

/// An entry and one of its signers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KnownEntry {
    /// The tree that holds it.
    pub tree: TreeId,
    /// The log's name.
    pub name: String,
    /// The entry, as findings name it.
    pub index: u64,
    /// RFC 6962 leaf hash, hex.
    pub leaf_hash: String,
    /// The signer's certificate, as [`PendingCertificate::key`], or bare key; empty if no watch selects one.
    pub key: String,
    /// The signer, as [`PendingCertificate::key_and_start`].
    pub key_and_start: String,
}

/// A name to ask the index for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The name, in ASCII lower case.
    pub subject: String,
    /// Whether a watch spells it out.
    pub direct: bool,
    /// Answers since the newest certificate of this name.
    pub tries: u32,
    /// How often in a row it was asked for without an answer.
    pub failures: u32,
    /// Where among the entries of its answer that are not read it goes on.
    pub position: u64,
}

impl Lookup {
    /// A name is never due later: what ends in a year is asked for daily until then.
    pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

    /// The turn of one that was not answered comes again no later.
    pub const LONGEST_RETRY: SignedDuration = SignedDuration::from_hours(2);
}

/// A certificate of a name that is still looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCertificate {
    /// The certificate, as [`PendingCertificate::key`].
    pub key: String,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// The entries with this certificate that are known, first those of the guided log; at most [`Self::MAX_ENTRIES`].
    pub entries: Vec<(KnownEntry, bool)>,
    /// Entries by another certificate of the same key and start: they settle nothing. At most [`Self::MAX_ENTRIES`].
    pub other_certificates: Vec<KnownEntry>,
}

impl OpenCertificate {
    /// Entries that are named for one certificate: a sentence for a person lists a few.
    pub const MAX_ENTRIES: u32 = 4;

    /// Certificates of one name that are judged at once; the others keep their turn.
    pub const MAX_AT_ONCE: usize = 256;
}

/// Entries that were fetched, proven and matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntries {
    /// The guided log.
    pub log: LogId,
    /// What they are: one for each signer of each entry, at least one for each entry.
    pub entries: Vec<KnownEntry>,
    /// What was found in them; all proven.
    pub findings: Vec<NewFinding>,
    /// When.
    pub now: Timestamp,
}

/// The index's answer to a look-up, all of whose entries are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The guided log.
    pub log: LogId,
    /// The name that was asked for.
    pub subject: String,
    /// How many entries the answer named.
    pub entries: u64,
    /// When it is asked for again; `None`: not before there is a reason.
    pub due: Option<Timestamp>,
    /// Certificates that are looked for no longer.
    pub settled: Vec<SettledCertificate>,
    /// When.
    pub now: Timestamp,
}

/// A look-up that was not answered, or whose answer takes more than one turn: it stays due, behind the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postponed {
    /// The guided log.
    pub log: LogId,
    /// The name.
    pub subject: String,
    /// When its turn comes again.
    pub retry: Timestamp,
    /// Why there is no answer; `None`: there is one, and more of it to be fetched.
    pub error: Option<PassError>,
    /// Entries of the answer that are not read; `None`: there is no answer.
    pub unread: Option<u64>,
    /// Where among these its next turn goes on.
    pub position: u64,
}

/// A certificate that is looked for no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledCertificate {
    /// The certificate, as [`PendingCertificate::key`].
    pub key: String,
    /// How it ended.
    pub end: PendingCertificateEnd,
    /// What the certificate's findings say from now on, besides what they said.
    pub summary: String,
}

/// How the search for a certificate's entries ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingCertificateEnd {
    /// An entry was found in the guided log.
    InThisLog,
    /// An entry was found in another log.
    InOtherLog,
    /// Its time is over.
    NotFound,
}

/// How the queue of look-ups stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookupCounts {
    /// How many are due.
    pub due: u64,
    /// Those of them that had no turn since their newest certificate.
    pub fresh: u64,
    /// Entries that the index named under those that are due and that are not read yet.
    pub unread: u64,
    /// The CT logs that were named as guides later than others, and whose earlier certificates are not looked up yet.
    pub pending_guides: Vec<String>,
    /// Since when the longest of them has waited.
    pub oldest_due: Option<Timestamp>,
    /// Why one of them was not answered, if that was tried.
    pub failed: Option<PassError>,
    /// Names of certificates whose validity had ended when the index answered, lately.
    pub answered: u64,
    /// Those of them for which the index knew an entry.
    pub known: u64,
    /// Of the certificates that ended and were looked up after that, the last ones: at most [`Self::LAST`].
    pub ended: u64,
    /// Those of them of which an entry was found.
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
    /// The log that it is of.
    pub log: LogId,
    /// The log's name in the configuration.
    pub name: String,
    /// The log's type.
    pub protocol: Protocol,
    /// The entries of its log before its first one.
    pub base: u64,
    /// The size that this goes on from; `None`: none was recorded.
    pub expected: Option<u64>,
    /// The checkpoint, consistent with the one before.
    pub head: Head,
    /// When.
    pub now: Timestamp,
}

/// A fault of a log that does not touch a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The fault, with the signed notes as evidence.
    pub fault: NewFinding,
    /// What tells two occurrences of one fault apart: hash of the contradicting root.
    pub occurrence: [u8; 32],
    /// When.
    pub now: Timestamp,
}
