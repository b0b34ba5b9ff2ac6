//! Copies of the recorded logs that a test may change.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::recording::{published, recording, scratch, tampered};

/// Leaves of a full bundle, and hashes of a full tile (C2SP tlog-tiles).
const TILE_WIDTH: u64 = 256;

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A log in its own directory, at an address that stays while its content changes.
pub struct LogFolder {
    folder: TempDir,
}

impl LogFolder {
    /// An address without content.
    pub fn new() -> Self {
        Self { folder: scratch() }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Publishes a recorded log as it ended.
    pub fn publish(&self, log: &str) {
        if self.path().exists() {
            fs::remove_dir_all(self.path()).unwrap();
        }
        copy_tree(&published(log), &self.path());
    }

    /// Publishes v2b as this case of tampering shows it.
    pub fn tamper(&self, case: &str) {
        self.publish("v2b");
        let changed = recording().join("tampered").join(case);
        if changed.is_dir() {
            copy_tree(&changed, &self.path());
        }
        for gone in &tampered()[case].remove {
            fs::remove_file(self.path().join(gone)).unwrap();
        }
    }

    /// Publishes a recorded log as it was at one of its recorded checkpoints, with the partial
    /// bundle and the partial tiles of that size, cut from later ones.
    pub fn publish_at(&self, log: &str, size: u64) {
        self.publish(log);
        let checkpoint = recording().join(format!("rekor-{log}/checkpoints/{size}"));
        fs::copy(checkpoint, self.path().join("checkpoint")).unwrap();
        self.cut("entries", size, |bundle, width| {
            (0..width).fold(0, |at, _| {
                at + 2 + usize::from(u16::from_be_bytes([bundle[at], bundle[at + 1]]))
            })
        });
        let mut hashes = size;
        for level in 0.. {
            if hashes == 0 {
                break;
            }
            self.cut(&level.to_string(), hashes, |_, width| width * 32);
            hashes /= TILE_WIDTH;
        }
    }

    /// Removes the partial bundle of this size, as a log may once the full one is there.
    pub fn forget_partial_bundle(&self, size: u64) {
        let partial = self.tile("entries", size / TILE_WIDTH, ".p");
        fs::remove_dir_all(partial).unwrap();
    }

    fn tile(&self, level: &str, number: u64, suffix: &str) -> PathBuf {
        self.path()
            .join(format!("tile/{level}/{number:03}{suffix}"))
    }

    /// Writes the partial tile that a level of `count` items ends with, if it ends with one.
    fn cut(&self, level: &str, count: u64, length: impl Fn(&[u8], usize) -> usize) {
        let (number, width) = (count / TILE_WIDTH, count % TILE_WIDTH);
        if width == 0 {
            return;
        }
        let full = self.tile(level, number, "");
        let partial = self.tile(level, number, ".p");
        let source = if full.is_file() {
            full
        } else {
            let widths = fs::read_dir(&partial).unwrap().map(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                name.parse::<u64>().unwrap()
            });
            partial.join(widths.max().unwrap().to_string())
        };
        let bytes = fs::read(source).unwrap();
        let end = length(&bytes, usize::try_from(width).unwrap());
        fs::create_dir_all(&partial).unwrap();
        fs::write(partial.join(width.to_string()), &bytes[..end]).unwrap();
    }
}
