//! What a walk needs of Windows.
//!
//! Every path below the model is opened in its verbatim form (`\\?\`). Otherwise Windows takes `CON` for a device, leaves out
//! dots and spaces at the end of a name, and has no name for what is longer than 260 characters.
//!
//! A path that is checked first and opened afterwards can be another one by then. So each directory on the way is held open
//! while what is in it is opened, without the right for others to rename or to delete it; none may be a reparse point.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf, Prefix};

use winapi_util::file::{Information, information};

use super::kind::{Change, Failure, Kind};

// Constants of the Windows API: "File Access Rights Constants", "File Attribute Constants", CreateFileW.
const FILE_ATTRIBUTE_DIRECTORY: u64 = 0x10;
const FILE_ATTRIBUTE_DEVICE: u64 = 0x40;
const FILE_ATTRIBUTE_REPARSE_POINT: u64 = 0x400;
const FILE_SHARE_READ: u32 = 1;
const FILE_SHARE_WRITE: u32 = 2;
const FILE_SHARE_DELETE: u32 = 4;
/// Without it no directory can be opened.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
/// Opens a symlink, a junction, or another reparse point itself and not what it leads to.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// What no name of a file has on Windows. `\` and `/` separate directories, and `:` separates the name of a stream.
const NEVER_IN_NAMES: &str = "<>:\"/\\|?*";

#[derive(Debug)]
pub(super) enum Error {
    System(io::Error),
    /// A reparse point that was not to be followed.
    Link,
    /// Something else where the name has a directory.
    NotADirectory,
    /// No file of Windows has this name.
    Name,
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::System(error) => error,
            Error::Link => Self::other("a directory on the way is a reparse point"),
            Error::NotADirectory => ErrorKind::NotADirectory.into(),
            Error::Name => Self::new(
                ErrorKind::InvalidFilename,
                "no file of Windows can be opened by this name",
            ),
        }
    }
}

type Result<T> = std::result::Result<T, Error>;

impl Failure for Error {
    fn is_missing(&self) -> bool {
        match self {
            Self::System(error) => matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::InvalidFilename
            ),
            Self::Name => true,
            Self::Link | Self::NotADirectory => false,
        }
    }

    fn is_link(&self) -> bool {
        matches!(self, Self::Link)
    }

    fn is_blocked(&self) -> bool {
        match self {
            Self::System(error) => error.kind() == ErrorKind::NotADirectory,
            Self::Link | Self::NotADirectory => true,
            Self::Name => false,
        }
    }
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stat {
    kind: Kind,
    size: u64,
    modified: Option<u64>,
    id: (u64, u64),
}

impl Stat {
    /// Of what is open. `followed`: the handle is that of what a path leads to. Some files are reparse points then, too: those
    /// that a service keeps elsewhere, or without what other files have in common with them.
    fn of(file: &File, followed: bool) -> io::Result<Self> {
        let found = information(file)?;
        Ok(Self {
            kind: kind(found.file_attributes(), followed),
            size: found.file_size(),
            modified: found.last_write_time(),
            id: id(&found),
        })
    }

    /// Of a file that was opened for its content: if a reparse point was to be followed, it was.
    pub(super) fn of_opened(file: &File) -> io::Result<Self> {
        Self::of(file, true)
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// How an open file changed since this was read. While it is open it cannot be written, except through a mapping that was
    /// made before; Windows then sets the time of the modification late.
    pub(super) fn change(&self, file: &File) -> io::Result<Change> {
        let after = information(file)?;
        let is_unchanged =
            (self.size, self.modified) == (after.file_size(), after.last_write_time());
        Ok(if is_unchanged {
            Change::None
        } else {
            Change::Content
        })
    }

    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

fn kind(attributes: u64, followed: bool) -> Kind {
    let has = |attribute| attributes & attribute != 0;
    if has(FILE_ATTRIBUTE_REPARSE_POINT) && !followed {
        Kind::Symlink
    } else if has(FILE_ATTRIBUTE_DIRECTORY) {
        Kind::Directory
    } else if has(FILE_ATTRIBUTE_DEVICE) {
        Kind::Special("a device")
    } else {
        Kind::File
    }
}

fn id(found: &Information) -> (u64, u64) {
    (found.volume_serial_number(), found.file_index())
}

/// The flags that open a file or a directory.
fn flags(follows: bool) -> u32 {
    if follows {
        FILE_FLAG_BACKUP_SEMANTICS
    } else {
        FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT
    }
}

/// Opens for the content. Others can read it meanwhile, and can neither write, rename nor delete it. Whoever writes it now, or
/// shares it with nobody, is a sharing violation.
fn open_content(path: &Path, follows: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .share_mode(FILE_SHARE_READ)
        .custom_flags(flags(follows))
        .open(path)
}

/// Opens a directory so that others can neither rename nor delete it.
fn open_directory(path: &Path, follows: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
        .custom_flags(flags(follows))
        .open(path)
}

fn stat_located(path: &Path, follows: bool) -> io::Result<Stat> {
    // For the attributes alone: this needs no right to read the file, and disturbs nobody.
    let opened = OpenOptions::new()
        .access_mode(0)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
        .custom_flags(flags(follows))
        .open(path)?;
    Stat::of(&opened, follows)
}

/// What is at a path, or what it leads to.
pub(super) fn stat_path(path: &Path, follows: bool) -> Result<Stat> {
    Ok(stat_located(&verbatim(path)?, follows)?)
}

/// Whether both are on the same volume, so that a file can be renamed from one into the other.
pub(crate) fn is_same_volume(one: &Path, other: &Path) -> bool {
    let volume = |path| Some(stat_located(&verbatim(path).ok()?, true).ok()?.id.0);
    volume(one).is_some_and(|one| Some(one) == volume(other))
}

/// The path of a name in a model, for messages.
pub(super) fn relative(name: &[u8]) -> PathBuf {
    String::from_utf8_lossy(name).replace('/', "\\").into()
}

/// The verbatim form of a path, which Windows takes as it is.
pub(super) fn verbatim(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut components = path.components();
    let Some(Component::Prefix(prefix)) = components.next() else {
        return Ok(path);
    };
    let mut verbatim = OsString::from(r"\\?\");
    match prefix.kind() {
        Prefix::Disk(_) => verbatim.push(prefix.as_os_str()),
        Prefix::UNC(server, share) => {
            verbatim.push(r"UNC\");
            verbatim.push(server);
            verbatim.push(r"\");
            verbatim.push(share);
        }
        // It is verbatim, or a device.
        _ => return Ok(path),
    }
    verbatim.push(components.as_path());
    Ok(verbatim.into())
}

/// The directory or the file that is the model. It is held open, so that it stays at its path.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    opened: File,
    follows: bool,
}

impl Root {
    pub(super) fn open(path: &Path, follows: bool) -> Result<Self> {
        // A symlink is resolved once, and not again with each file.
        let path = if follows {
            fs::canonicalize(path)?
        } else {
            verbatim(path)?
        };
        let opened = match stat_located(&path, follows)?.kind {
            Kind::File => open_content(&path, follows)?,
            _ => open_directory(&path, follows)?,
        };
        Ok(Self {
            path,
            opened,
            follows,
        })
    }

    pub(super) fn stat(&self) -> Result<Stat> {
        Ok(Stat::of(&self.opened, self.follows)?)
    }

    /// The path of a name, as the system takes it.
    pub(super) fn locate(&self, _: &Path, name: &[u8]) -> PathBuf {
        if name.is_empty() {
            return self.path.clone();
        }
        self.path.join(relative(name))
    }

    /// The model itself, which is a file.
    pub(super) fn file(&self) -> io::Result<File> {
        self.opened.try_clone()
    }

    /// Opens a file. Only the file itself may be a reparse point: the content of a linked directory is not in a manifest.
    pub(super) fn open_file(&self, name: &[u8], follows: bool) -> Result<File> {
        let (directory, last) = self.above(name)?;
        let path = directory.path.join(last);
        let opened = open_content(&path, false)?;
        if Stat::of(&opened, false)?.kind != Kind::Symlink {
            return Ok(opened);
        }
        if !follows {
            return Err(Error::Link);
        }
        Ok(open_content(&path, true)?)
    }

    /// What is at a name; through a reparse point only if it is the last component and is to be followed.
    pub(super) fn stat_of(&self, name: &[u8], follows: bool) -> Result<Stat> {
        let (directory, last) = self.above(name)?;
        Ok(stat_located(&directory.path.join(last), follows)?)
    }

    /// The directory of a file, and its last component.
    fn above<'n>(&self, name: &'n [u8]) -> Result<(Directory, &'n str)> {
        let name = std::str::from_utf8(name).map_err(|_| Error::Name)?;
        let (above, last) = name.rsplit_once('/').unwrap_or(("", name));
        check(last)?;
        Ok((self.directory(above.as_bytes())?, last))
    }

    pub(super) fn directory(&self, name: &[u8]) -> Result<Directory> {
        let name = std::str::from_utf8(name).map_err(|_| Error::Name)?;
        let mut directory = Directory {
            path: self.path.clone(),
            held: Vec::new(),
        };
        for component in name.split('/').filter(|_| !name.is_empty()) {
            check(component)?;
            directory.path.push(component);
            let opened = open_directory(&directory.path, false)?;
            match Stat::of(&opened, false)?.kind {
                Kind::Directory => directory.held.push(opened),
                Kind::Symlink => return Err(Error::Link),
                Kind::File | Kind::Special(_) => return Err(Error::NotADirectory),
            }
        }
        Ok(directory)
    }
}

/// Refuses a component that leads to something else than a file or a directory of this name.
fn check(component: &str) -> Result<()> {
    let is_never = |character: char| NEVER_IN_NAMES.contains(character) || character < ' ';
    if matches!(component, "" | "." | "..") || component.contains(is_never) {
        return Err(Error::Name);
    }
    Ok(())
}

/// A directory of the model. It and those on the way to it stay where they are as long as this value lives.
pub(super) struct Directory {
    path: PathBuf,
    held: Vec<File>,
}

impl Directory {
    /// Everything in it.
    pub(super) fn entries(&self) -> Result<impl Iterator<Item = Result<Entry>> + use<>> {
        let entries = fs::read_dir(&self.path)?;
        Ok(entries.map(|entry| {
            let entry = entry?;
            Ok(Entry {
                name: entry.file_name(),
                attributes: entry.metadata()?.file_attributes().into(),
            })
        }))
    }

    /// What an entry is, or what it leads to. Its directory may have an old size for it, so the file itself is asked.
    pub(super) fn stat(&self, entry: &Entry, follows: bool) -> Result<Stat> {
        check(entry.name.to_str().ok_or(Error::Name)?)?;
        let mut found = stat_located(&self.path.join(&entry.name), follows)?;
        if !follows && kind(entry.attributes, false) == Kind::Symlink {
            found.kind = Kind::Symlink;
        }
        Ok(found)
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    name: OsString,
    attributes: u64,
}

impl Entry {
    /// Without directories. What is no Unicode is not UTF-8 either.
    pub(super) fn name(&self) -> &[u8] {
        self.name.as_encoded_bytes()
    }
}

/// Whether names are what the files themselves have for a name: Windows also opens a file by a name with other cases, and by a
/// short one.
#[derive(Debug)]
pub(super) struct Spelling {
    /// What is in each directory that was read.
    directories: HashMap<Vec<u8>, BTreeSet<OsString>>,
}

impl Spelling {
    pub(super) fn new() -> Self {
        Self {
            directories: HashMap::new(),
        }
    }

    /// Whether each component is spelled so. Of what cannot be listed nothing is known, so it is not refused here.
    pub(super) fn is_exact(&mut self, root: &Root, name: &[u8]) -> bool {
        let mut begin = 0;
        for component in name.split(|byte| *byte == b'/') {
            let above = name.get(..begin.max(1) - 1).unwrap_or_default();
            begin += component.len() + 1;
            let Ok(component) = std::str::from_utf8(component) else {
                return false;
            };
            if !self.directories.contains_key(above) {
                let entries = root.directory(above).and_then(|directory| {
                    let entries = directory.entries()?;
                    entries.map(|entry| Ok(entry?.name)).collect()
                });
                let Ok(entries) = entries else {
                    return true;
                };
                self.directories.insert(above.to_vec(), entries);
            }
            let entries = self.directories.get(above);
            if !entries.is_some_and(|entries| entries.contains(std::ffi::OsStr::new(component))) {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
