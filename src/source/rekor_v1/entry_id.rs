//! The names of trees and entries.

use std::fmt;
use std::str::FromStr;

use tlog::Hash;

/// One tree of a log, by its number in Trillian: decimal in the log's origin, sixteen hex digits in entry ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeNumber(u64);

/// A text that is not a tree's number or an entry's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a tree or an entry")]
pub struct IdError;

/// An entry's name: the hash of its leaf, usually with the number of its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// The tree; old and handwritten ids do not contain it, and the log searches all of them.
    pub tree: Option<TreeNumber>,
    /// The RFC 6962 leaf hash of the entry.
    pub leaf: Hash,
}

impl fmt::Display for TreeNumber {
    /// In decimal, as in the log's origin.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TreeNumber {
    type Err = IdError;

    /// From decimal. Only one form of each number is accepted.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let number = text.parse().map_err(|_| IdError)?;
        let id = Self(number);
        (id.to_string() == text).then_some(id).ok_or(IdError)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(TreeNumber(tree)) = self.tree {
            write!(f, "{tree:016x}")?;
        }
        f.write_str(&self.leaf.to_hex())
    }
}

impl FromStr for EntryId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (tree, leaf) = match text.len() {
            64 => (None, text),
            80 => {
                let (tree, leaf) = text.split_at_checked(16).ok_or(IdError)?;
                if !tree.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(IdError);
                }
                let tree = u64::from_str_radix(tree, 16).map_err(|_| IdError)?;
                (Some(TreeNumber(tree)), leaf)
            }
            _ => return Err(IdError),
        };
        Ok(Self {
            tree,
            leaf: Hash::from_hex(leaf).map_err(|_| IdError)?,
        })
    }
}
