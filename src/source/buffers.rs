//! Buffers that are used again.
//!
//! A bundle of leaves has half a megabyte. A new buffer for each would come from the kernel, which clears every page of it
//! at its first use: a tenth of what a catch-up from a directory costs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Most bytes of unused buffers that are kept. In a catch-up a buffer is taken as soon as one is returned.
const MAX_SPARE_BYTES: usize = 4 * 1024 * 1024;

/// Longest buffer that is kept, in bytes.
const LONGEST_SPARE_BYTES: usize = 1024 * 1024;

/// Buffers are made in multiples of this, in bytes, so that one fits the next bundle too.
const STEP_BYTES: usize = 128 * 1024;

/// Unused buffers; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// An empty buffer for this many bytes.
    pub(super) fn take(&self, capacity: usize) -> Vec<u8> {
        let mut spare = self.spare();
        let fits = spare.iter().position(|bytes| bytes.capacity() >= capacity);
        let bytes = fits.map(|place| spare.swap_remove(place));
        drop(spare);
        bytes.unwrap_or_else(|| Vec::with_capacity(capacity.next_multiple_of(STEP_BYTES)))
    }

    /// What was written into a buffer. When the last part of it is dropped, the buffer can be taken again.
    pub(super) fn share_bytes(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(SharedBytes {
            bytes,
            buffers: self.clone(),
        })
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer in use, which is returned when it is dropped.
struct SharedBytes {
    bytes: Vec<u8>,
    buffers: Buffers,
}

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for SharedBytes {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut spare = self.buffers.spare();
        let kept: usize = spare.iter().map(Vec::capacity).sum();
        if bytes.capacity() <= LONGEST_SPARE_BYTES && kept + bytes.capacity() <= MAX_SPARE_BYTES {
            bytes.clear();
            spare.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_the_last_part_of_it_is_dropped() {
        let buffers = Buffers::default();
        let mut bytes = buffers.take(3);
        bytes.extend_from_slice(b"abc");
        let place = bytes.as_ptr();
        let all = buffers.share_bytes(bytes);
        let part = all.slice(1..2);
        drop(all);
        assert_eq!((buffers.spare().len(), part.as_ref()), (0, &b"b"[..]));
        drop(part);
        assert_eq!(buffers.spare().len(), 1);
        let again = buffers.take(3);
        assert_eq!((again.len(), again.as_ptr()), (0, place));
        // A buffer that is too small for the next file is kept.
        drop(buffers.share_bytes(again));
        assert!(buffers.take(STEP_BYTES + 1).capacity() > STEP_BYTES);
        assert_eq!(buffers.spare().len(), 1);
    }

    #[test]
    fn few_buffers_and_no_large_ones_are_kept() {
        let buffers = Buffers::default();
        let many = 2 * MAX_SPARE_BYTES / STEP_BYTES;
        let shared = (0..many).map(|_| buffers.share_bytes(buffers.take(1)));
        drop(shared.collect::<Vec<_>>());
        assert_eq!(buffers.spare().len(), MAX_SPARE_BYTES / STEP_BYTES);
        let buffers = Buffers::default();
        drop(buffers.share_bytes(buffers.take(LONGEST_SPARE_BYTES + 1)));
        assert_eq!(buffers.spare().len(), 0);
    }
}
