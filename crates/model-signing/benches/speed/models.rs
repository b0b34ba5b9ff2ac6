//! Models to hash.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Name of the file in a model that has only one.
pub const LARGE: &str = "weights.bin";

/// Models that are removed in the end.
pub struct Models(TempDir);

impl Models {
    pub fn below(directory: &Path) -> io::Result<Self> {
        tempfile::tempdir_in(directory).map(Self)
    }

    /// One file.
    pub fn large(&self, bytes: u64) -> io::Result<PathBuf> {
        self.made(|model| write(&model.join(LARGE), bytes, 0))
    }

    /// Files of one size, a thousand in each directory.
    pub fn equal(&self, files: u64, bytes: u64) -> io::Result<PathBuf> {
        self.made(|model| {
            for number in 0..files {
                let directory = model.join(format!("{:03}", number / 1000));
                fs::create_dir_all(&directory)?;
                write(&directory.join(format!("{number:06}.bin")), bytes, number)?;
            }
            Ok(())
        })
    }

    /// One at a time: there is not enough space for all of them.
    fn made(&self, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
        let place = self.0.path().join("place");
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        let model = place.join("model");
        fs::create_dir_all(&model)?;
        make(&model)?;
        // Or the system would write it to the disk while something is measured.
        Command::new("sync").status()?;
        Ok(model)
    }
}

/// A file with other content for another `seed`, none of it zeros: holes are read faster than data.
fn write(path: &Path, bytes: u64, seed: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut state = seed.wrapping_mul(2) | 1;
    let mut block = Vec::with_capacity(1 << 20);
    let mut left = bytes;
    while left > 0 {
        block.clear();
        let len = left.min(1 << 20);
        while (block.len() as u64) < len {
            // Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend_from_slice(&state.to_le_bytes());
        }
        let len = usize::try_from(len).map_err(io::Error::other)?;
        file.write_all(&block[..len])?;
        left -= len as u64;
    }
    Ok(())
}
