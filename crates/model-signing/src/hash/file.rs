//! Hashing what is in an open file, as fast as the machine can, in memory that does not grow with the file.
//!
//! Nothing is mapped into memory: a mapped file that another program shortens kills this one (SIGBUS).

use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use blake3::hazmat::{
    ChainingValue, HasherExt as _, Mode, left_subtree_len, merge_subtrees_non_root,
    merge_subtrees_root,
};

use super::{Algorithm, Digest, Hasher};
use crate::positioned::FileExt as _;

/// How much is read at once by the thread that also hashes: what is read into should still be in its core's second cache,
/// with whatever else the core does between two blocks. With four times as much, copying out of the page cache took three
/// times as long.
/// For [`tree`] it has to be a power of two of at least 1024, BLAKE3's chunk.
const BLOCK_BYTES: usize = 64 << 10;

/// How much the reading thread of a [`Ring`](ringed) reads at once.
const RING_BLOCK_BYTES: usize = 2 << 20;

/// Blocks of one ring: one is hashed while the other is read. Few and large: the two threads seldom wait for each other, and
/// more of them would only take memory.
const RING_BLOCKS: usize = 2;

/// From here on a second thread pays for its start.
const LEAST_RINGED_BYTES: u64 = 8 << 20;

/// What hashing a file needs from around it.
pub(crate) struct Work<'w> {
    /// Blocks that were used before: a new one costs a page fault for each 4 KiB.
    blocks: Mutex<Vec<Vec<u8>>>,
    /// Gets the number of bytes that were hashed since it was last called, from any thread.
    progress: &'w (dyn Fn(u64) + Sync),
}

impl<'w> Work<'w> {
    pub(crate) fn new(progress: &'w (dyn Fn(u64) + Sync)) -> Self {
        Self {
            blocks: Mutex::default(),
            progress,
        }
    }

    /// Calls `then` with `len` bytes, at most [`BLOCK_BYTES`], from `offset`.
    fn block<T>(
        &self,
        file: &File,
        offset: u64,
        len: usize,
        then: impl FnOnce(&[u8]) -> T,
    ) -> io::Result<T> {
        let kept = self
            .blocks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut block = kept.unwrap_or_else(|| vec![0; BLOCK_BYTES]);
        let done = match block.get_mut(..len) {
            Some(part) => file.read_exact_at(part, offset).map(|()| then(part)),
            None => Err(io::ErrorKind::InvalidInput.into()),
        };
        self.blocks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(block);
        (self.progress)(len as u64);
        done
    }
}

/// The digest of the bytes from `start` to `end`, by one thread, or by two while `has_idle_core` is true: then a second
/// one reads ahead.
///
/// # Errors
///
/// The file cannot be read, or ends before `end` ([`io::ErrorKind::UnexpectedEof`]).
pub(crate) fn range(
    file: &File,
    (start, end): (u64, u64),
    algorithm: Algorithm,
    work: &Work<'_>,
    has_idle_core: impl Fn() -> bool,
) -> io::Result<Digest> {
    let mut hasher = Hasher::new(algorithm);
    let mut at = start;
    while at < end {
        // Checked again with each block: other files that kept the cores busy may be done by now.
        if end - at >= LEAST_RINGED_BYTES && has_idle_core() {
            ringed(file, (at, end), &mut hasher, work)?;
            break;
        }
        let len = clamp(end - at, BLOCK_BYTES);
        work.block(file, at, len, |block| hasher.update(block))?;
        at += len as u64;
    }
    Ok(hasher.finish())
}

/// Hashes while another thread reads ahead, through blocks that go round between the two.
fn ringed(
    file: &File,
    (start, end): (u64, u64),
    hasher: &mut Hasher,
    work: &Work<'_>,
) -> io::Result<()> {
    let (send_full, full) = mpsc::channel::<io::Result<(Vec<u8>, usize)>>();
    let (send_empty, empty) = mpsc::channel::<Vec<u8>>();
    for _ in 0..RING_BLOCKS {
        // This frame owns the receiver.
        let _ = send_empty.send(vec![0; RING_BLOCK_BYTES]);
    }
    thread::scope(|scope| {
        thread::Builder::new()
            .name("read-ahead".to_owned())
            .spawn_scoped(scope, move || {
                let mut at = start;
                while at < end {
                    // Ends when the hashing side is gone.
                    let Ok(mut block) = empty.recv() else {
                        return;
                    };
                    let len = clamp(end - at, RING_BLOCK_BYTES);
                    let read = match block.get_mut(..len) {
                        Some(part) => file.read_exact_at(part, at),
                        None => Err(io::ErrorKind::InvalidInput.into()),
                    };
                    at += len as u64;
                    let failed = read.is_err();
                    if send_full.send(read.map(|()| (block, len))).is_err() || failed {
                        return;
                    }
                }
            })?;
        for read in full {
            let (block, len) = read?;
            hasher.update(block.get(..len).unwrap_or_default());
            (work.progress)(len as u64);
            // The reader may be done already, and need no more blocks.
            let _ = send_empty.send(block);
        }
        Ok(())
    })
}

/// The BLAKE3 digest of the first `len` bytes, by all threads of the current rayon pool: each reads and hashes parts of
/// its own, and BLAKE3's tree joins them.
pub(crate) fn tree(file: &File, len: u64, work: &Work<'_>) -> io::Result<Digest> {
    let hash = if len <= BLOCK_BYTES as u64 {
        work.block(file, 0, clamp(len, BLOCK_BYTES), blake3::hash)?
    } else {
        let left = left_subtree_len(len);
        let (left, right) = rayon::join(
            || subtree(file, 0, left, work),
            || subtree(file, left, len - left, work),
        );
        merge_subtrees_root(&left?, &right?, Mode::Hash)
    };
    Ok(Digest::new(Algorithm::Blake3, hash.as_bytes()).expect("a BLAKE3 hash has 32 bytes"))
}

/// The chaining value of a part of the file that is a subtree of its hash tree and not the whole.
fn subtree(file: &File, offset: u64, len: u64, work: &Work<'_>) -> io::Result<ChainingValue> {
    if len <= BLOCK_BYTES as u64 {
        return work.block(file, offset, clamp(len, BLOCK_BYTES), |block| {
            let mut hasher = blake3::Hasher::new();
            hasher.set_input_offset(offset).update(block);
            hasher.finalize_non_root()
        });
    }
    let half = left_subtree_len(len);
    let (left, right) = rayon::join(
        || subtree(file, offset, half, work),
        || subtree(file, offset + half, len - half, work),
    );
    Ok(merge_subtrees_non_root(&left?, &right?, Mode::Hash))
}

fn clamp(len: u64, most: usize) -> usize {
    usize::try_from(len).unwrap_or(most).min(most)
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a temporary file that cannot be written is a failed test"
    )]

    use std::io::Write as _;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn filled(len: usize) -> (File, Vec<u8>) {
        let bytes: Vec<u8> = (0..len)
            .map(|i| u8::try_from(i.wrapping_mul(2_654_435_761) >> 13 & 0xff).unwrap())
            .collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        (file, bytes)
    }

    #[test]
    fn a_file_has_the_digest_of_its_bytes_however_it_is_read() {
        for len in [
            0,
            1,
            1023,
            1024,
            BLOCK_BYTES - 1,
            BLOCK_BYTES,
            BLOCK_BYTES + 1,
            3 * BLOCK_BYTES,
            (9 << 20) + 77,
        ] {
            let (file, bytes) = filled(len);
            let read = AtomicU64::new(0);
            let progress = |bytes| {
                read.fetch_add(bytes, Ordering::Relaxed);
            };
            let work = Work::new(&progress);
            let whole = (0, len as u64);
            for algorithm in Algorithm::ALL {
                let digest = algorithm.digest(&bytes);
                for idle in [false, true] {
                    read.store(0, Ordering::Relaxed);
                    let found = range(&file, whole, algorithm, &work, || idle).unwrap();
                    assert_eq!(found, digest, "{len} bytes, idle core: {idle}");
                    assert_eq!(read.load(Ordering::Relaxed), len as u64);
                }
            }
            let digest = Algorithm::Blake3.digest(&bytes);
            assert_eq!(tree(&file, len as u64, &work).unwrap(), digest, "{len}");
        }
    }

    #[test]
    fn a_part_of_a_file_has_the_digest_of_that_part() {
        let (file, bytes) = filled(10 << 20);
        let work = Work::new(&|_| ());
        for (start, end) in [(0, 0), (5, 6), (1000, 700_000), (77, (10 << 20) - 1)] {
            for idle in [false, true] {
                let found = range(
                    &file,
                    (start as u64, end as u64),
                    Algorithm::Sha256,
                    &work,
                    || idle,
                );
                assert_eq!(
                    found.unwrap(),
                    Algorithm::Sha256.digest(&bytes[start..end]),
                    "{start}..{end}"
                );
            }
        }
    }

    #[test]
    fn a_file_that_ends_early_is_an_error_and_not_another_digest() {
        let (file, bytes) = filled(10 << 20);
        let work = Work::new(&|_| ());
        let len = bytes.len() as u64 + 1;
        for idle in [false, true] {
            let error = range(&file, (0, len), Algorithm::Sha256, &work, || idle).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        let error = tree(&file, len, &work).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
