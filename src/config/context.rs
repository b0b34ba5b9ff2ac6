//! What is around the text of a configuration.

use std::path::{Path, PathBuf};

/// The surroundings of the text.
pub(super) struct Context<'a> {
    pub(super) directory: &'a Path,
    pub(super) is_file: &'a dyn Fn(&Path) -> bool,
}

impl Context<'_> {
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.directory.join(written)
    }
}
