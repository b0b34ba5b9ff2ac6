//! A registered signing, who registered it, and the sources that registrations are read from.

use jiff::Timestamp;

use crate::expect::{Authority, Expectation};
use crate::finding::FindingId;

/// A registered signing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its number, for `expect remove`.
    pub number: i64,
    /// What was registered.
    pub expectation: Expectation,
    /// From which file.
    pub file: String,
    /// Who registered it.
    pub by: Registrar,
    /// What its file contained, as its source names contents; `None` of a registration by a command.
    pub content: Option<String>,
    /// When.
    pub at: Timestamp,
    /// How many findings are of it.
    pub findings: u64,
}

/// Who registers a signing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registrar {
    /// How much it counts.
    pub authority: Authority,
    /// The name of the source that its file was found in; `None`: a command registers it.
    pub source: Option<String>,
    /// Of a git repository: the commit that gave the file its present content, hex.
    pub commit: Option<String>,
    /// Who made that commit, or gave the command.
    pub author: Option<String>,
    /// The watches whose findings it counts for; `None`: every watch.
    pub watches: Option<Vec<String>>,
}

impl Registrar {
    /// A command with this authority.
    pub const fn command(authority: Authority, author: Option<String>) -> Self {
        Self {
            authority,
            source: None,
            commit: None,
            author,
            watches: None,
        }
    }
}

/// A signing that is to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRegistration {
    /// What.
    pub expectation: Expectation,
    /// From which file.
    pub file: String,
    /// By whom.
    pub by: Registrar,
    /// What its file contains, as its source names contents.
    pub content: Option<String>,
}

impl NewRegistration {
    /// By the operator's command: it counts for every watch, and makes the signing expected.
    pub const fn by_operator(file: String, expectation: Expectation) -> Self {
        Self {
            expectation,
            file,
            by: Registrar::command(Authority::Operator, None),
            content: None,
        }
    }
}

/// What is kept of a source of registrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// Its name in the configuration.
    pub name: String,
    /// What is read: its type, address and branch.
    pub location: String,
    /// When it was last tried.
    pub at: Timestamp,
    /// How often in a row it could not be read.
    pub failures: u32,
    /// Why the last time; `None`: it was read.
    pub error: Option<String>,
    /// Files that were there and do not count, at the last time: a sentence each.
    pub problems: Vec<String>,
    /// Git: the newest commit whose files were taken, hex.
    pub commit: Option<String>,
    /// Git: the commit of a branch that no longer contains `commit`, hex. Nothing is taken from it until it is confirmed.
    pub rewritten: Option<String>,
}

/// A source that was read: what it registers now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceContent {
    /// Its name.
    pub name: String,
    /// What was read.
    pub location: String,
    /// What is new in it.
    pub new: Vec<NewRegistration>,
    /// The numbers of its registrations that it holds no longer.
    pub withdrawn: Vec<i64>,
    /// Files that are there and do not count: a sentence each.
    pub problems: Vec<String>,
    /// Git: the commit that was read, hex.
    pub commit: Option<String>,
    /// When.
    pub now: Timestamp,
}

/// A source that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFailure {
    /// Its name.
    pub name: String,
    /// What was to be read.
    pub location: String,
    /// Why it could not.
    pub error: String,
    /// Git: the commit of a branch that no longer contains the one that was read last.
    pub rewritten: Option<String>,
    /// When.
    pub now: Timestamp,
}

/// What reading a source changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceChange {
    /// How many registrations are new.
    pub registered: u64,
    /// How many were withdrawn.
    pub withdrawn: u64,
    /// The findings that changed.
    pub findings: Vec<FindingId>,
}
