//! What a path leads to.

use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use {std::collections::VecDeque, std::ffi::OsString, std::fs, std::path::Component};

/// Most symlinks that are followed to find what a path means: Linux's own limit.
#[cfg(unix)]
const MAX_LINKS: usize = 40;

/// What a path leads to, absolute and without symlinks, `.` or `..`. What does not exist is taken as it is written:
/// Python's `Path.resolve()`.
#[cfg(unix)]
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let absolute = if path.as_os_str().is_empty() {
        std::env::current_dir()?
    } else {
        std::path::absolute(path)?
    };
    let mut left: VecDeque<OsString> = parts(&absolute);
    let mut found = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        if part == ".." {
            found.pop();
            continue;
        }
        found.push(&part);
        match fs::read_link(&found) {
            Ok(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(io::Error::other(format!(
                        "{} leads through more than {MAX_LINKS} symlinks",
                        path.display()
                    )));
                }
                found.pop();
                if target.is_absolute() {
                    found = PathBuf::from("/");
                }
                for part in parts(&target).into_iter().rev() {
                    left.push_front(part);
                }
            }
            // Not a symlink, or nothing at all.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput
                        | io::ErrorKind::NotFound
                        | io::ErrorKind::NotADirectory
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

#[cfg(unix)]
fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(part) => Some(part.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        })
        .collect()
}

/// What a path leads to, absolute and without symlinks, in the verbatim form. Of what exists, the system gives the names as
/// they are spelled there; the rest is taken as it is written.
#[cfg(windows)]
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let absolute = super::windows::verbatim(path)?;
    for existing in absolute.ancestors() {
        match std::fs::canonicalize(existing) {
            Ok(found) => {
                let rest = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
                // Joining nothing would add a separator.
                return Ok(rest.iter().fold(found, |found, part| found.join(part)));
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::NotADirectory
                        | io::ErrorKind::InvalidFilename
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(absolute)
}
