//! What a valid signature states.

/// A valid signature, and what it contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Log,
    Cosigned {
        time: u64,
    },
    /// By a certificate transparency log; milliseconds.
    Head {
        timestamp: u64,
    },
}
