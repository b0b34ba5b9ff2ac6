//! A response that is not what was requested.

/// Why an answer is invalid: in words, for people.
#[derive(Debug)]
pub struct NotAnAnswer(pub(super) String);

impl From<serde_json::Error> for NotAnAnswer {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}
