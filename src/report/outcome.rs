//! The result of a command, by its exit code.

/// The result of a command. The exit codes are 0 to 3, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Yes, clean, done.
    Clean,
    /// No: a security finding is open, or the answer to the question is no.
    No,
    /// The command or its configuration is wrong.
    Wrong,
    /// The question could not be answered, or the monitor is not healthy.
    Unanswered,
}
