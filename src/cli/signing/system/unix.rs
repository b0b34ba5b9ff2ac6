//! On Unix.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// The bytes of a value of the environment. Here every value has some.
#[expect(
    clippy::unnecessary_wraps,
    reason = "on other systems a value may be no text"
)]
pub(in super::super) fn bytes(value: OsString) -> Option<Vec<u8>> {
    Some(value.into_vec())
}

/// Whether both paths lead to one file that is there.
pub(in super::super) fn is_same_file(one: &Path, other: &Path) -> bool {
    let (Ok(one), Ok(other)) = (fs::metadata(one), fs::metadata(other)) else {
        return false;
    };
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Opens a file to write it, which is the owner's alone: it is not yet what its owner wanted to publish. What is no regular
/// file is not written to: a symlink could lead to a file of another use, and a second name is one.
pub(in super::super) fn open_own(place: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let opened = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
        .open(place)?;
    let there = opened.metadata()?;
    if !there.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if there.nlink() > 1 {
        return Err(io::Error::other("the file there has another name too"));
    }
    // One that was there before may have had other permissions.
    opened.set_permissions(fs::Permissions::from_mode(0o600))?;
    Ok(opened)
}
