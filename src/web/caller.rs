//! Who asks.

use std::fmt;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// Nothing is known: nothing has to be proven.
    Anyone,
    /// A program that sends the token.
    Bearer,
    /// A browser with a session that was begun with the token; its cookie.
    Session(String),
    /// This user, by the proxy.
    User(String),
}

impl Caller {
    /// Who acts, as the history of a finding names it; `None`: nothing is known, so that nothing may be changed. The token
    /// is shared: who uses it is not known.
    pub(super) fn author(&self) -> Option<&str> {
        match self {
            Self::Anyone => None,
            Self::Bearer => Some("web token"),
            Self::Session(_) => Some("web session"),
            Self::User(name) => Some(name),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anyone => "a client",
            Self::Bearer => "a client with the token",
            Self::Session(_) => "a browser with a session",
            Self::User(name) => name,
        })
    }
}
