//! On Windows.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use winapi_util::file::information;

// Constants of the Windows API: "File Attribute Constants", CreateFileW.
const FILE_ATTRIBUTE_DIRECTORY: u32 = 0x10;
const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x400;
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// The bytes of a value of the environment, in UTF-8.
pub(in super::super) fn bytes(value: OsString) -> Option<Vec<u8>> {
    value.into_string().ok().map(String::into_bytes)
}

/// Whether both paths lead to one file that is there.
pub(in super::super) fn is_same_file(one: &Path, other: &Path) -> bool {
    let id = |path| {
        let opened = OpenOptions::new()
            // For the attributes alone, whatever it is.
            .access_mode(0)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
            .open(path)
            .ok()?;
        let found = information(&opened).ok()?;
        Some((found.volume_serial_number(), found.file_index()))
    };
    id(one).is_some_and(|one| Some(one) == id(other))
}

/// Opens a file to write it. What is no regular file is not written to: a symlink could lead to a file of another use, and a
/// second name is one. Who may read it, its directory decides.
pub(in super::super) fn open_own(place: &Path) -> io::Result<File> {
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(place)?;
    let attributes = opened.metadata()?.file_attributes();
    if attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT) != 0 {
        return Err(io::Error::other("it is no regular file"));
    }
    if information(&opened)?.number_of_links() > 1 {
        return Err(io::Error::other("the file there has another name too"));
    }
    Ok(opened)
}
