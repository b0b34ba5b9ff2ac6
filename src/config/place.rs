//! A place in the text of a configuration.

/// The place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The key path.
    pub(super) path: String,
    /// In bytes from the start of the file.
    pub(super) offset: usize,
}

impl Place {
    pub(super) fn syntax(offset: usize) -> Self {
        Self {
            path: String::new(),
            offset,
        }
    }
}
