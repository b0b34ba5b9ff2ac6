//! A registration, for programs.

use jiff::Timestamp;
use serde::Serialize;

use crate::expect::{Authority, Expectation};
use crate::store::Registration;

/// A registration.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "web", schema(as = Registration))]
pub struct RegistrationJson<'a> {
    /// Its number, for `expect remove`.
    number: i64,
    /// Who registered it.
    authority: Authority,
    /// The name of the source that its file was found in; null: a command registered it.
    source: Option<&'a str>,
    /// The file with the bundle.
    file: &'a str,
    /// Of a git repository: the commit that gave the file its present content, hex.
    commit: Option<&'a str>,
    /// Who made that commit, or gave the command.
    author: Option<&'a str>,
    /// The watches whose findings it counts for; null: every watch.
    watches: Option<&'a [String]>,
    /// When it was registered.
    registered: Timestamp,
    /// How many findings are of it.
    findings: u64,
    /// What was registered.
    expectation: &'a Expectation,
}

/// A registration, as `expect list --json` writes it.
pub fn registration_json(registration: &Registration) -> RegistrationJson<'_> {
    let by = &registration.by;
    RegistrationJson {
        number: registration.number,
        authority: by.authority,
        source: by.source.as_deref(),
        file: &registration.file,
        commit: by.commit.as_deref(),
        author: by.author.as_deref(),
        watches: by.watches.as_deref(),
        registered: registration.at,
        findings: registration.findings,
        expectation: &registration.expectation,
    }
}
