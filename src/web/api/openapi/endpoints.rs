//! The addresses of the API.

use super::parameters::{self, Parameter};

/// What an address answers with 200.
pub(super) enum Answer {
    /// One object with this schema.
    Object(&'static str),
    /// A page of objects with one of these schemas, and its coverage.
    List {
        items: &'static [&'static str],
        coverage: &'static str,
    },
    /// The description itself.
    Anything,
}

/// One method of one address.
pub(super) struct Endpoint {
    /// Below `/api/v1`.
    pub(super) path: &'static str,
    /// What the `{…}` in it is.
    pub(super) of_path: Option<&'static str>,
    /// Unique; programs that are generated name their functions so.
    pub(super) operation: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) answer: Answer,
    /// It changes a finding, with `POST` and a body.
    pub(super) is_action: bool,
}

const FINDING: &str = "The id of the finding: 32 hexadecimal digits.";

/// A page with the coverage of the monitor.
const fn list(items: &'static [&'static str]) -> Answer {
    Answer::List {
        items,
        coverage: "Coverage",
    }
}

fn get(
    path: &'static str,
    operation: &'static str,
    summary: &'static str,
    answer: Answer,
) -> Endpoint {
    let parameters = match answer {
        Answer::List { .. } => parameters::of_lists(),
        Answer::Object(_) | Answer::Anything => Vec::new(),
    };
    Endpoint {
        path,
        of_path: None,
        operation,
        summary,
        parameters,
        answer,
        is_action: false,
    }
}

impl Endpoint {
    fn of(self, of_path: &'static str) -> Self {
        Self {
            of_path: Some(of_path),
            ..self
        }
    }

    fn with(mut self, more: Vec<Parameter>) -> Self {
        self.parameters.extend(more);
        self
    }
}

fn action(path: &'static str, operation: &'static str, summary: &'static str) -> Endpoint {
    Endpoint {
        is_action: true,
        ..get(path, operation, summary, Answer::Object("ActionAnswer")).of(FINDING)
    }
}

/// All of them.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(
            "/findings",
            "listFindings",
            "The findings that a person has to look at, or those of the filters.",
            list(&["Finding"]),
        )
        .with(parameters::of_findings()),
        get(
            "/findings/{id}",
            "getFinding",
            "One finding with its evidence, history and alerts.",
            Answer::Object("FindingRecord"),
        )
        .of(FINDING),
        get(
            "/findings/{id}/history",
            "listFindingHistory",
            "What became of a finding, oldest first.",
            list(&["HistoryRow"]),
        )
        .of(FINDING),
        action(
            "/findings/{id}/ack",
            "acknowledgeFinding",
            "Acknowledges a finding: it no longer makes the exit code 1.",
        ),
        action(
            "/findings/{id}/reopen",
            "reopenFinding",
            "Takes an acknowledgement back: the finding is open again, without a new alert.",
        ),
        action(
            "/findings/{id}/note",
            "noteFinding",
            "Adds a note to the history of a finding.",
        ),
        get(
            "/signings",
            "listSignings",
            "The signings that meet all conditions. At least one condition is required.",
            Answer::List {
                items: &["Signing", "Unproven"],
                coverage: "SigningsCoverage",
            },
        )
        .with(parameters::of_signings()),
        get("/logs", "listLogs", "The logs.", list(&["LogStatus"])),
        get(
            "/logs/{name}",
            "getLog",
            "One log.",
            Answer::Object("LogStatus"),
        )
        .of("The name of the log."),
        get(
            "/watches",
            "listWatches",
            "The watches, and what each covers.",
            list(&["WatchStatus"]),
        ),
        get(
            "/watches/{name}",
            "getWatch",
            "One watch, and what it covers.",
            Answer::Object("WatchStatus"),
        )
        .of("The name of the watch."),
        get(
            "/registrations",
            "listRegistrations",
            "The registrations, oldest first.",
            list(&["Registration"]),
        ),
        get(
            "/status",
            "getStatus",
            "The whole state of the monitor.",
            Answer::Object("Status"),
        ),
        get(
            "/session",
            "getSession",
            "Who asks, and what a browser has to send with an action.",
            Answer::Object("Session"),
        ),
        get(
            "/openapi.json",
            "getDescription",
            "This description.",
            Answer::Anything,
        ),
    ]
}
