//! The lock that excludes a second monitor from a database, and its holders.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::files;
use crate::store::{Holders, StoreError};

/// The right to be the only monitor of a database.
///
/// The kernel releases it when the process ends in any way, so there is never a stale lock. The file itself stays:
/// removing it would let two processes lock two files with one name.
///
/// It is `flock(2)` on Linux and the BSDs. A file server that does not support it (NFS before Linux 2.6.12, some FUSE
/// file systems) excludes processes of the same machine only. Every process that may open the file can hold it, for
/// reading too: so only the owner may open it.
#[derive(Debug)]
pub struct StoreLock {
    _file: File,
}

/// Takes the lock `<database>.lock`.
pub(super) fn take(database: &Path) -> Result<StoreLock, StoreError> {
    files::require_directory(database)?;
    let lock = files::lock_of(database);
    let unopened = |error: io::Error| match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            StoreError::ReadOnly {
                path: database.to_owned(),
            }
        }
        io::ErrorKind::StorageFull => StoreError::Full {
            path: database.to_owned(),
        },
        _ => StoreError::Open {
            path: lock.clone(),
            source: error.into(),
        },
    };
    files::create_for_owner(&lock).map_err(unopened)?;
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(&lock)
        .map_err(unopened)?;
    let mut holders = None;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {
                let found = super::holder::of(&lock);
                // The holder may have ended meanwhile: a lock without a holder is requested once more.
                if holders.is_none() && found.is_empty() {
                    holders = Some(found);
                    continue;
                }
                return Err(StoreError::Locked {
                    path: database.to_owned(),
                    holders: Holders {
                        processes: found,
                        written: written(&file),
                    },
                    lock,
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(StoreError::Open {
                    path: lock,
                    source: error.into(),
                });
            }
        }
    }
    // For people only: the lock itself excludes others, on a full disk too.
    let _ = file
        .set_len(0)
        .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
    Ok(StoreLock { _file: file })
}

/// The process id that the last holder of the lock wrote.
fn written(lock: &File) -> Option<u32> {
    /// The longest process id, and the newline.
    const LONGEST: u64 = 11;
    let mut text = String::new();
    lock.take(LONGEST).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
