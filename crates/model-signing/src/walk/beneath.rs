//! Opens files in a directory, and nothing behind a symlink on the way.
//!
//! A path that is checked first and opened afterwards can be another one by then. So the names are resolved from a
//! directory that is held open, and the kernel refuses symlinks while it resolves them.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, Result};

/// Nothing opened here is inherited by other programs, becomes the controlling terminal, or waits: opening a FIFO
/// without a writer would, for ever.
const SAFE: OFlags = OFlags::CLOEXEC
    .union(OFlags::NOCTTY)
    .union(OFlags::NONBLOCK);

/// How a file is opened for its content.
pub(super) const READ: OFlags = OFlags::RDONLY.union(SAFE).union(OFlags::NOFOLLOW);

/// How a file is opened for its content, wherever a symlink in its place leads.
pub(super) const READ_LINKED: OFlags = OFlags::RDONLY.union(SAFE);

/// How a directory is opened to be listed.
pub(super) const LIST: OFlags = READ.union(OFlags::DIRECTORY);

/// How a directory is opened only to open what is in it, which must not take more than the right to search it.
#[cfg(target_os = "linux")]
pub(super) const SEARCH: OFlags = OFlags::PATH
    .union(OFlags::CLOEXEC)
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW);
#[cfg(not(target_os = "linux"))]
pub(super) const SEARCH: OFlags = LIST;

/// Opens a path relative to the process.
pub(super) fn anywhere(path: &std::path::Path, flags: OFlags) -> Result<OwnedFd> {
    retried(|| openat(CWD, path, flags, Mode::empty()))
}

/// Opens what is called `name` in `root`: components joined by `/`, none of them `.` or `..`. Empty is `root` itself.
///
/// A symlink anywhere in it is [`Errno::LOOP`] or [`Errno::NOTDIR`].
pub(super) fn beneath(root: impl AsFd, name: &[u8], flags: OFlags) -> Result<OwnedFd> {
    let name = if name.is_empty() {
        b".".as_slice()
    } else {
        name
    };
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{ResolveFlags, openat2};
        const HERE: ResolveFlags = ResolveFlags::BENEATH
            .union(ResolveFlags::NO_SYMLINKS)
            .union(ResolveFlags::NO_MAGICLINKS);
        match retried(|| openat2(&root, name, flags, Mode::empty(), HERE)) {
            // Linux before 5.6, or a sandbox that refuses the call (some with EPERM), or a rename at this moment.
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => {}
            opened => return opened,
        }
    }
    step_by_step(root, name, flags)
}

/// The same, one component after the other: slower, and for every Unix.
fn step_by_step(root: impl AsFd, name: &[u8], flags: OFlags) -> Result<OwnedFd> {
    let mut components = name.split(|&byte| byte == b'/').peekable();
    let mut directory: Option<OwnedFd> = None;
    while let Some(component) = components.next() {
        if component.is_empty() || component == b".." || (component == b"." && name != b".") {
            return Err(Errno::INVAL);
        }
        let flags = if components.peek().is_some() {
            SEARCH
        } else {
            flags | OFlags::NOFOLLOW
        };
        let from = directory.as_ref().map_or(root.as_fd(), AsFd::as_fd);
        directory = Some(retried(|| openat(from, component, flags, Mode::empty()))?);
    }
    directory.ok_or(Errno::INVAL)
}

fn retried<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a temporary directory that cannot be written is a failed test"
    )]

    use std::fs::{self, File};
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    use super::*;

    type Open = fn(&OwnedFd, &[u8], OFlags) -> Result<OwnedFd>;

    #[test]
    fn both_ways_open_what_is_there_and_follow_no_symlink() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("f"), "outside").unwrap();
        let inside = tempfile::tempdir().unwrap();
        let at = |name: &str| inside.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/f"), "inside").unwrap();
        symlink(outside.path(), at("linked")).unwrap();
        symlink(at("a/b/f"), at("link")).unwrap();
        symlink("b", at("a/c")).unwrap();
        let root = anywhere(inside.path(), LIST).unwrap();
        let ways: [Open; 2] = [
            |root, name, flags| beneath(root, name, flags),
            |root, name, flags| step_by_step(root, name, flags),
        ];
        for open in ways {
            let mut text = String::new();
            let file = open(&root, b"a/b/f", READ).unwrap();
            File::from(file).read_to_string(&mut text).unwrap();
            assert_eq!(text, "inside");
            assert!(open(&root, b".", LIST).is_ok());
            for name in ["linked/f", "link", "a/c/f", "linked", "a/c"] {
                let error = open(&root, name.as_bytes(), READ).unwrap_err();
                assert!(matches!(error, Errno::LOOP | Errno::NOTDIR), "{name}");
            }
            assert_eq!(open(&root, b"a/x", READ).unwrap_err(), Errno::NOENT);
            for name in ["../f", "a/../../f", "/etc/passwd"] {
                assert!(open(&root, name.as_bytes(), READ).is_err(), "{name}");
            }
        }
    }
}
