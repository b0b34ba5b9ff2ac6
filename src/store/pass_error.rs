//! Why a pass failed.

use std::fmt;

use serde::Serialize;

/// Why a pass failed: the `error` of a log in `status --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct PassError {
    /// The kind, for programs.
    pub kind: PassErrorKind,
    /// One sentence. It may contain text from the log.
    pub message: String,
}

/// The kind of a [`PassError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "web", schema(rename_all = "kebab-case"))]
pub enum PassErrorKind {
    /// The newest checkpoint could not be verified.
    UnverifiableCheckpoint,
    /// The log showed a smaller checkpoint than before.
    Behind,
    /// Something could not be fetched.
    Unavailable,
    /// The answer is not one that a log serves.
    Malformed,
    /// The log left entries out of its replies.
    EntriesMissing,
    /// The log contradicted what it signed; a finding has the evidence.
    LogFault,
    /// The stored position cannot be used.
    PositionLost,
}

impl PassErrorKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::UnverifiableCheckpoint,
        Self::Behind,
        Self::Unavailable,
        Self::Malformed,
        Self::EntriesMissing,
        Self::LogFault,
        Self::PositionLost,
    ];

    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnverifiableCheckpoint => "unverifiable-checkpoint",
            Self::Behind => "behind",
            Self::Unavailable => "unavailable",
            Self::Malformed => "malformed",
            Self::EntriesMissing => "entries-missing",
            Self::LogFault => "log-fault",
            Self::PositionLost => "position-lost",
        }
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for PassErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for PassErrorKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Longest message that is stored, in characters: it may quote a server.
const MAX_MESSAGE_CHARS: usize = 1_000;

impl PassError {
    /// An error with this message, cut to 1000 characters.
    pub fn new(kind: PassErrorKind, message: impl AsRef<str>) -> Self {
        Self {
            kind,
            message: crate::escape::truncate(message.as_ref(), MAX_MESSAGE_CHARS).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read_from_its_word_and_no_other_word_is_a_kind() {
        for kind in PassErrorKind::ALL {
            assert_eq!(PassErrorKind::from_word(kind.as_str()), Some(kind));
        }
        for word in ["", "refused", "Behind", "log fault"] {
            assert_eq!(PassErrorKind::from_word(word), None, "{word}");
        }
    }
}
