//! Files that are only pointers of Git LFS.

use std::io;
use std::os::unix::fs::FileExt as _;

use rayon::prelude::*;

use super::listing::{Listed, Listing};
use super::{Model, WalkError};

/// The beginning of a pointer file of Git LFS (its specification, version 1), which replaces the real file.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// Longest pointer file of Git LFS, by its specification.
const MAX_LFS_POINTER_BYTES: u64 = 1024;

impl Listing {
    /// Files that are only pointers of Git LFS: the files themselves were not downloaded. Sorted.
    ///
    /// # Errors
    ///
    /// A file that could be one cannot be read.
    pub fn lfs_pointers(&self, model: &Model) -> Result<Vec<String>, WalkError> {
        let least = LFS_POINTER.len() as u64;
        let mut pointers = self
            .files
            .par_iter()
            .filter(|file| (least..=MAX_LFS_POINTER_BYTES).contains(&file.size))
            .filter_map(|file| is_lfs_pointer(model, file).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        pointers.sort_unstable();
        Ok(pointers)
    }
}

fn is_lfs_pointer(model: &Model, file: &Listed) -> Result<Option<String>, WalkError> {
    let opened = model.open_file(&file.name)?;
    let mut begin = [0; LFS_POINTER.len()];
    match opened.file.read_exact_at(&mut begin, 0) {
        Ok(()) => Ok((begin == *LFS_POINTER).then(|| file.name.to_string())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(source) => Err(WalkError::Unreadable {
            path: model.path_of(&file.name),
            source,
        }),
    }
}
