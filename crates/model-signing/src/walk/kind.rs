//! What the system says of a file, in words that are the same for every system.

/// What something in a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    /// On Windows also a junction, and every other reparse point.
    Symlink,
    /// What else it is.
    Special(&'static str),
}

/// What an error of the system says about a name.
pub(super) trait Failure {
    /// Nothing has this name.
    fn is_missing(&self) -> bool;

    /// It is a symlink, and was not to be followed.
    fn is_link(&self) -> bool;

    /// A file or a symlink is where the name has a directory.
    fn is_blocked(&self) -> bool;
}

/// How a file changed while it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// The time of its last change (ctime) is another one, and nothing else. It becomes so with the permissions, the owner
    /// or another link, and when another file is renamed over this one; also when the content was changed and the time of
    /// the last modification set back, for which its owner has the right.
    #[cfg_attr(
        windows,
        expect(dead_code, reason = "nothing stable tells this time there")
    )]
    Attributes,
    /// Its length or the time of its last modification.
    Content,
}
