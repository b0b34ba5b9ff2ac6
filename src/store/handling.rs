//! What a person does with findings, and what of it stands in their history.

use jiff::Timestamp;

/// What a person does with a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// Accepts it: it no longer makes the exit code 1.
    Ack,
    /// Takes the acceptance back: it is open again, without a new alert.
    Reopen,
    /// Adds a note to its history, and changes nothing else.
    Note,
}

/// What a person does with findings: who, why and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandlingRequest<'a> {
    /// What is done.
    pub handling: Handling,
    /// Who does it, as it is recorded.
    pub author: &'a str,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub at: Timestamp,
}

/// What became of a request about one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandlingOutcome {
    /// Done, and in its history.
    Done,
    /// To acknowledge: it was acknowledged or resolved before. To reopen: it was open before.
    Before,
    /// It is not acknowledged, and not open either: it is held or resolved, which only its registration changes.
    NotAcked,
    /// A finding about health resolves itself.
    Health,
    /// No such finding.
    Unknown,
}

/// What a row of history records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub enum Action {
    /// The finding was seen for the first time.
    Seen,
    /// The program changed it: a registration, a proof, another trusted root.
    Change,
    /// A person acknowledged it.
    Ack,
    /// A person reopened it.
    Reopen,
    /// A person noted something.
    Note,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Seen,
        Self::Change,
        Self::Ack,
        Self::Reopen,
        Self::Note,
    ];

    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Change => "change",
            Self::Ack => "ack",
            Self::Reopen => "reopen",
            Self::Note => "note",
        }
    }

    /// From that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }
}

impl From<Handling> for Action {
    fn from(handling: Handling) -> Self {
        match handling {
            Handling::Ack => Self::Ack,
            Handling::Reopen => Self::Reopen,
            Handling::Note => Self::Note,
        }
    }
}
