//! Files that are only pointers of Git LFS.

use std::io;

use rayon::prelude::*;

use super::listing::{Listed, Listing};
use super::{Model, WalkError};
use crate::positioned::FileExt as _;

/// The beginning of a pointer file of Git LFS (its specification, version 1), which replaces the real file.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// Up to here one thread reads them: to start others takes as long.
const ALONE_FILES: usize = 64;

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
        let files = self.files.iter();
        let possible: Vec<&Listed> = files
            .filter(|file| (least..=MAX_LFS_POINTER_BYTES).contains(&file.size))
            .collect();
        let read = |file: &&Listed| is_lfs_pointer(model, file).transpose();
        let mut pointers: Vec<String> = if possible.len() <= ALONE_FILES {
            possible.iter().filter_map(read).collect::<Result<_, _>>()?
        } else {
            let parallel = possible.par_iter().filter_map(read);
            parallel.collect::<Result<_, _>>()?
        };
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
