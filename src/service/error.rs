//! What goes wrong before a monitor runs.

/// The operator's mistake: exit 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(pub String);


/// An error with all its causes, not escaped yet.
pub fn causes(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Many errors repeat their cause in their own message.
        if said.ends_with(&cause) {
            continue;
        }
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&cause);
    }
    said
}
