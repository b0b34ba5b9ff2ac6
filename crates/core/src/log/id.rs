//! The identities of logs and trees.
//!
//! A log has trees. Most logs have one; a Rekor v1 log has several, one after the other. Positions, checkpoints and coverage
//! belong to a tree, look-ups and the list of its trees to a log.

use std::fmt;

use tlog::Origin;
use url::Url;

/// Identifies a tree: the origin of its checkpoints, which their signatures cover (C2SP tlog-checkpoint).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeId(String);

impl TreeId {
    /// The tree whose checkpoints have this origin, as in the database.
    pub fn new(origin: impl Into<String>) -> Self {
        Self(origin.into())
    }

    /// The origin.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Origin> for TreeId {
    fn from(origin: &Origin) -> Self {
        Self(origin.as_str().to_owned())
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Identifies a log: a log with one tree by the origin of that tree, a log with several by the URL of its server,
/// because its trees are not known before a request.
///
/// Its name in the configuration is not part of the identity: a log may be renamed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(String);

impl LogId {
    /// From the form in the database.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// A log with one tree.
    pub fn of_tree(origin: &Origin) -> Self {
        Self(origin.as_str().to_owned())
    }

    /// A log with several trees.
    pub fn of_server(url: &Url) -> Self {
        Self(url.to_string())
    }

    /// The origin, or the URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The part of a log that a pass has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// One tree of a log.
    Tree(TreeId),
    /// A log of several trees as a whole: the list of its trees, or its search index.
    Whole,
}

impl Part {
    /// The key under which it is recorded: the origin of the tree, or the id of its log.
    pub fn key<'a>(&'a self, log: &'a LogId) -> &'a str {
        match self {
            Self::Tree(tree) => tree.as_str(),
            Self::Whole => log.as_str(),
        }
    }
}
