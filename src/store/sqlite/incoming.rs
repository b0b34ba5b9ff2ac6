//! Findings that are to be recorded.

use crate::finding::NewFinding;

/// A finding that is to be recorded.
#[derive(Clone, Copy)]
pub(super) struct Incoming<'a> {
    /// What was found.
    pub new: &'a NewFinding,
    /// For a health finding: what distinguishes it from others with its verdict.
    pub subject: Option<&'a str>,
    /// For a fault: the hash of the contradicting root.
    pub occurrence: Option<&'a [u8; 32]>,
    /// A channel on which it is not alerted.
    pub except: Option<&'a str>,
}

impl<'a> Incoming<'a> {
    pub(super) const fn of(new: &'a NewFinding) -> Self {
        Self {
            new,
            subject: None,
            occurrence: None,
            except: None,
        }
    }
}
