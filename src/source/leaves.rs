//! Consecutive leaves in one buffer.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use super::budget::Share;
use crate::log::Promise;

/// Consecutive leaves of a log, at most one bundle's worth, in the buffer that they were read into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaves {
    start: u64,
    bytes: Bytes,
    /// The position of each leaf in `bytes`; within its bounds, checked on construction.
    spans: Vec<Range<u32>>,
    /// The data that the log serves with some of them, by index.
    beside: BTreeMap<u64, Bytes>,
    /// When a Rekor v1 log accepted some of them, by index.
    promises: BTreeMap<u64, Promise>,
    /// Their part of a budget that logs share.
    share: Share,
}

/// Leaves that cannot exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeavesError {
    /// A leaf would be outside of the buffer.
    #[error("leaf {index} is outside of the {length} bytes that were read")]
    OutOfBounds {
        /// The leaf's index in the log.
        index: u64,
        /// The length of the buffer.
        length: usize,
    },
    /// The last index would exceed 64 bits.
    #[error("{count} leaves from {start} exceed the largest index")]
    PastTheEnd {
        /// The first index.
        start: u64,
        /// The number of leaves.
        count: usize,
    },
}

impl Leaves {
    /// The leaves from index `start` on, at `spans` in `bytes`.
    ///
    /// # Errors
    /// If a span is not within `bytes`, or the indices overflow.
    pub fn new(start: u64, bytes: Bytes, spans: Vec<Range<u32>>) -> Result<Self, LeavesError> {
        if start.checked_add(spans.len() as u64).is_none() {
            return Err(LeavesError::PastTheEnd {
                start,
                count: spans.len(),
            });
        }
        for (index, span) in (start..).zip(&spans) {
            if bytes.get(span.start as usize..span.end as usize).is_none() {
                return Err(LeavesError::OutOfBounds {
                    index,
                    length: bytes.len(),
                });
            }
        }
        Ok(Self {
            start,
            bytes,
            spans,
            beside: BTreeMap::new(),
            promises: BTreeMap::new(),
            share: Share::default(),
        })
    }

    /// Adds the data that the log served beside leaf `index`, which no tree hash covers: an attestation (Rekor v1), or
    /// the chain of a certificate (RFC 6962). Code that uses it must verify it first.
    #[must_use]
    pub fn with(mut self, index: u64, beside: Bytes) -> Self {
        self.beside.insert(index, beside);
        self
    }

    /// Adds what a Rekor v1 log promises about leaf `index`. Code that uses it must verify it first.
    #[must_use]
    pub fn with_promise(mut self, index: u64, promise: Promise) -> Self {
        self.promises.insert(index, promise);
        self
    }

    /// Keeps a part of a shared budget for as long as they are in memory.
    pub(super) fn hold(&mut self, share: Share) {
        self.share = share;
    }

    /// The data that the log served beside leaf `index`.
    pub fn beside(&self, index: u64) -> Option<&[u8]> {
        self.beside.get(&index).map(Bytes::as_ref)
    }

    /// What the log promises about leaf `index`.
    pub fn promise(&self, index: u64) -> Option<&Promise> {
        self.promises.get(&index)
    }

    /// A copy of `leaves` as the leaves from index `start` on, for a source that has them one by
    /// one.
    ///
    /// # Errors
    /// If they are longer than 4 GiB together, or the indices overflow.
    pub fn copied<I>(start: u64, leaves: I) -> Result<Self, LeavesError>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        Self::copied_into(Vec::new(), start, leaves)
    }

    /// As [`copied`](Self::copied), into an empty buffer of sufficient size.
    pub(super) fn copied_into<I>(
        mut bytes: Vec<u8>,
        start: u64,
        leaves: I,
    ) -> Result<Self, LeavesError>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut spans = Vec::new();
        for (index, leaf) in (start..).zip(leaves) {
            let from = u32::try_from(bytes.len());
            bytes.extend_from_slice(leaf.as_ref());
            match (from, u32::try_from(bytes.len())) {
                (Ok(from), Ok(to)) => spans.push(from..to),
                _ => {
                    return Err(LeavesError::OutOfBounds {
                        index,
                        length: bytes.len(),
                    });
                }
            }
        }
        Self::new(start, bytes.into(), spans)
    }

    /// Joins these parts, each of which begins at the end of the one before, in one buffer, with the data beside their
    /// leaves. `None` for no parts.
    ///
    /// # Errors
    /// If they are longer than 4 GiB together, or the indices overflow.
    pub fn joined(parts: Vec<Self>) -> Result<Option<Self>, LeavesError> {
        let mut parts = parts;
        if parts.len() <= 1 {
            return Ok(parts.pop());
        }
        let Some(start) = parts.first().map(Self::start) else {
            return Ok(None);
        };
        let leaves = parts.iter().flat_map(Self::iter).map(|(_, leaf)| leaf);
        let mut all = Self::copied(start, leaves)?;
        for part in parts {
            all.beside.extend(part.beside);
            all.promises.extend(part.promises);
        }
        Ok(Some(all))
    }

    /// The index of the first leaf.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// One past the index of the last leaf.
    pub fn end(&self) -> u64 {
        self.start + self.spans.len() as u64
    }

    /// The number of leaves.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The memory that these leaves use, in bytes.
    pub fn size_bytes(&self) -> usize {
        let beside: usize = self.beside.values().map(Bytes::len).sum();
        let promises = self.promises.values();
        let promises: usize = promises
            .map(|one| size_of::<Promise>() + one.signature.len())
            .sum();
        self.bytes.len() + beside + promises + self.spans.len() * size_of::<Range<u32>>()
    }

    /// Each leaf with its index, in order, without copying.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, &[u8])> {
        self.spans.iter().enumerate().map(|(i, span)| {
            let leaf = self.bytes.get(span.start as usize..span.end as usize);
            (
                self.start + i as u64,
                leaf.expect("spans were checked on construction"),
            )
        })
    }

    /// Only the leaves of `want`. The buffer is not changed.
    #[must_use]
    pub fn within(mut self, want: &Range<u64>) -> Self {
        let count_before = |index: u64| {
            let count = index.saturating_sub(self.start);
            usize::try_from(count).map_or(self.spans.len(), |n| n.min(self.spans.len()))
        };
        let (from, to) = (count_before(want.start), count_before(want.end));
        self.spans.truncate(to);
        self.spans.drain(..from.min(to));
        self.start += from.min(to) as u64;
        self
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    #[test]
    fn leaves_are_found_again_at_their_positions() {
        let leaves = Leaves::copied(7, ["a", "", "bcd"]).unwrap();
        assert_eq!((leaves.start(), leaves.end(), leaves.len()), (7, 10, 3));
        let all: Vec<_> = leaves.iter().collect();
        assert_eq!(all, [(7, &b"a"[..]), (8, b""), (9, b"bcd")]);
    }

    #[test]
    fn a_leaf_outside_of_the_buffer_is_refused() {
        let bytes = Bytes::from_static(b"abc");
        #[expect(clippy::reversed_empty_ranges, reason = "what is wrong with it")]
        for span in [0..4, 4..4, 2..1, u32::MAX..u32::MAX] {
            let leaves = Leaves::new(3, bytes.clone(), vec![0..3, span.clone()]);
            let expected = LeavesError::OutOfBounds {
                index: 4,
                length: 3,
            };
            assert_eq!(leaves, Err(expected), "{span:?}");
        }
        let leaves = Leaves::new(u64::MAX, bytes, vec![0..1, 1..2]);
        assert!(matches!(leaves, Err(LeavesError::PastTheEnd { .. })));
    }

    #[test]
    fn joined_parts_keep_the_data_beside_their_leaves() {
        let part = |start, leaves: &[&str]| Leaves::copied(start, leaves).unwrap();
        let beside = Bytes::from_static(b"x");
        let parts = vec![
            part(7, &["a", "b"]).with(8, beside.clone()),
            part(9, &["c"]).with(9, beside.clone()),
        ];
        let expected = part(7, &["a", "b", "c"])
            .with(8, beside.clone())
            .with(9, beside);
        assert_eq!(Leaves::joined(parts), Ok(Some(expected.clone())));
        assert_eq!(Leaves::joined(vec![expected.clone()]), Ok(Some(expected)));
        assert_eq!(Leaves::joined(vec![]), Ok(None));
    }

    #[test]
    fn any_part_can_be_kept() {
        let leaves = Leaves::copied(10, ["a", "b", "c"]).unwrap();
        for (want, expected) in [
            (0..100, 10..13),
            (10..13, 10..13),
            (11..12, 11..12),
            (12..u64::MAX, 12..13),
            (5..11, 10..11),
            (11..11, 11..11),
            (0..5, 10..10),
            (20..30, 13..13),
        ] {
            let part = leaves.clone().within(&want);
            assert_eq!(part.start()..part.end(), expected, "{want:?}");
            for leaf in part.iter() {
                assert!(leaves.iter().any(|original| original == leaf));
            }
        }
    }
}
