//! The question of `/api/v1/signings`: the conditions of `modelwatch lookup` as parameters.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::parameters::Parameters;
use crate::escape;
use crate::lookup::{
    Coverage, DigestIs, LookupError, Position, Question, Repository, WhyKind, written,
};
use crate::times;
use crate::watch::Glob;
use crate::web::problem::Problem;

/// The list's name in its cursors.
pub(super) const LIST: &str = "signings";

/// The conditions; one of them has to be given.
const CONDITIONS: [&str; 10] = [
    "identity",
    "identity_glob",
    "issuer",
    "repository",
    "commit",
    "digest",
    "certificate",
    "key",
    "index",
    "uuid",
];

/// What only the command does: it reads files or the network.
const ONLY_THE_COMMAND: [(&str, &str); 5] = [
    ("model", "--model PATH"),
    ("bundle", "--bundle FILE"),
    ("scan", "CONDITION --scan"),
    ("remote", "CONDITION --remote"),
    ("evidence", "CONDITION --evidence DIR"),
];

/// What is asked for.
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) limit: usize,
    /// Where the page before ended, and whether there was a signing before.
    pub(super) place: Option<(Position, bool)>,
    /// The options of the command that asks the same, as words of a shell.
    options: String,
}

/// Reads the parameters.
///
/// # Errors
///
/// One of them is wrong, or there is no condition.
pub(super) fn asked(query: Option<&str>, now: Timestamp) -> Result<Asked, Problem> {
    let mut parameters = Parameters::of(query);
    let options = options(&parameters);
    for (name, of_command) in ONLY_THE_COMMAND {
        if parameters.has(name) {
            let detail = format!(
                "{name}: the server answers from its database alone: `modelwatch lookup {of_command}` does this"
            );
            return Err(Problem::parameter(name, detail));
        }
    }
    let has_condition = CONDITIONS.iter().any(|name| parameters.has(name));
    let limit = parameters.limit()?;
    let place = parameters.cursor(LIST)?;
    let moment = |written: &str| times::parse_moment(written, now);
    let question = Question {
        identity: parameters.one("identity", written::text)?,
        identity_glob: parameters
            .one("identity_glob", written::text)?
            .map(|glob| Glob::new(&glob)),
        issuer: parameters.one("issuer", written::text)?,
        repository: parameters.one("repository", Repository::parse)?,
        commit: parameters.one("commit", written::commit)?,
        key: Vec::from_iter(parameters.one("key", written::sha256)?),
        canonical_key: None,
        certificate: parameters.one("certificate", written::certificate)?,
        digests: Vec::from_iter(parameters.one("digest", DigestIs::parse)?),
        bundle: None,
        entry: parameters.one("index", written::entry)?,
        uuid: parameters.one("uuid", written::uuid)?,
        since: parameters.one("since", moment)?,
        until: parameters.one("until", moment)?,
        logs: parameters.all("log", written::text)?,
        limit,
    };
    parameters.end()?;
    if !has_condition {
        return Err(Problem::bad_request(format!(
            "a condition is missing: give at least one of {}",
            CONDITIONS.join(", ")
        )));
    }
    if let (Some(since), Some(until)) = (question.since, question.until)
        && since >= until
    {
        return Err(Problem::parameter("until", "until is not later than since"));
    }
    Ok(Asked {
        question,
        limit,
        place,
        options,
    })
}

/// The parameters as options of the command.
fn options(parameters: &Parameters) -> String {
    let mut options = String::new();
    for (name, value) in parameters.pairs() {
        if name == "limit" || name == "cursor" {
            continue;
        }
        let word = escape::shell_word(value);
        let joint = if value.starts_with('-') { '=' } else { ' ' };
        // Writing to a string cannot fail.
        let _ = write!(options, " --{}{joint}{word}", name.replace('_', "-"));
    }
    options
}

impl Asked {
    /// The commands that answer what the store does not, as text for a shell.
    pub(super) fn commands(&self, coverage: &Coverage) -> Vec<String> {
        let is_named = |kinds: &[WhyKind]| coverage.why.iter().any(|why| kinds.contains(&why.kind));
        let question = &self.question;
        let in_index =
            question.identity.is_some() || !question.digests.is_empty() || question.uuid.is_some();
        let mut commands = Vec::new();
        if is_named(&[WhyKind::Unavailable]) {
            commands.push("modelwatch check".to_owned());
        }
        if is_named(&[WhyKind::Unread, WhyKind::Behind]) {
            commands.push("modelwatch status".to_owned());
        }
        if is_named(&[
            WhyKind::Unread,
            WhyKind::Behind,
            WhyKind::Gap,
            WhyKind::NotScanned,
        ]) {
            commands.push(format!("modelwatch lookup{} --scan", self.options));
        }
        if is_named(&[WhyKind::Guided, WhyKind::NotInLog]) && in_index {
            commands.push(format!("modelwatch lookup{} --remote", self.options));
        }
        commands
    }

    /// The problem of an answer that cannot be given.
    pub(super) fn problem(&self, error: LookupError) -> Problem {
        match error {
            LookupError::Store(error) => error.into(),
            LookupError::UnknownLog(log) => {
                let detail = format!("no log named {log:?} is followed: see /api/v1/logs");
                let is_of_index = !self.question.logs.contains(&log);
                Problem::parameter(if is_of_index { "index" } else { "log" }, detail)
            }
            error @ (LookupError::Conditions(_) | LookupError::NotInIndex) => {
                Problem::bad_request(error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;
    use crate::lookup::Why;

    fn commands(query: &str, kinds: &[WhyKind]) -> Vec<String> {
        let asked = asked(Some(query), Timestamp::UNIX_EPOCH).unwrap();
        let why = kinds.iter().map(|kind| Why {
            log: None,
            kind: *kind,
            message: String::new(),
        });
        asked.commands(&Coverage {
            line_type: "coverage",
            complete: kinds.is_empty(),
            why: why.collect(),
            logs: Vec::new(),
        })
    }

    #[test]
    fn the_commands_ask_the_same() {
        let query = "identity=it%27s%0a&identity_glob=-*&log=a&log=b&since=24h&limit=3";
        let options =
            "--identity $'it\\x27s\\x0a' --identity-glob='-*' --log a --log b --since 24h";
        assert_eq!(commands(query, &[]), [""; 0]);
        assert_eq!(
            commands(query, &[WhyKind::NotScanned, WhyKind::Guided]),
            [
                format!("modelwatch lookup {options} --scan"),
                format!("modelwatch lookup {options} --remote"),
            ]
        );
        assert_eq!(
            commands("issuer=x", &[WhyKind::Guided, WhyKind::Unavailable]),
            ["modelwatch check"]
        );
    }
}
