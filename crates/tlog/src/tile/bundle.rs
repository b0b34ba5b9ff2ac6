//! Entry bundles: up to 256 leaves, each behind its length as a big-endian u16.

use super::{FULL_WIDTH, MAX_BUNDLE_BYTES, TileError, check_width};

/// A decoded entry bundle: leaves borrowed from the bytes that were fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle<'a> {
    /// Whole entries only: [`scan`] has walked over every length.
    bytes: &'a [u8],
    width: u16,
}

impl<'a> Bundle<'a> {
    /// Parses a bundle of exactly `width` leaves, with nothing after them.
    ///
    /// # Errors
    /// [`TileError`], which names the incomplete entry, or the number of extra bytes.
    pub fn decode(bytes: &'a [u8], width: u16) -> Result<Self, TileError> {
        check_width(width)?;
        let rest = scan(bytes, 0, width)?;
        if rest.is_empty() {
            Ok(Self { bytes, width })
        } else {
            Err(TileError::Trailing {
                width,
                bytes: rest.len(),
            })
        }
    }

    /// Parses the first `width` leaves of a full bundle: a log may replace a partial bundle by the full one at any
    /// time.
    ///
    /// The whole bundle must be well formed, so that another document is not parsed as leaves.
    ///
    /// # Errors
    /// [`TileError`], as for [`decode`](Self::decode) of a full bundle.
    pub fn decode_prefix(bytes: &'a [u8], width: u16) -> Result<Self, TileError> {
        check_width(width)?;
        let after = scan(bytes, 0, width)?;
        let rest = scan(after, width, FULL_WIDTH)?;
        if !rest.is_empty() {
            return Err(TileError::Trailing {
                width: FULL_WIDTH,
                bytes: rest.len(),
            });
        }
        let (bytes, _) = bytes.split_at(bytes.len() - after.len());
        Ok(Self { bytes, width })
    }

    /// Number of leaves, 1 to 256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// The leaves in order.
    pub const fn leaves(&self) -> Leaves<'a> {
        Leaves { rest: self.bytes }
    }
}

/// Iterator over the leaves of a [`Bundle`].
#[derive(Clone, Debug)]
pub struct Leaves<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Leaves<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (leaf, rest) = split_entry(self.rest)?;
        self.rest = rest;
        Some(leaf)
    }
}

/// Skips entries `first..width` and returns the bytes after them.
fn scan(bytes: &[u8], first: u16, width: u16) -> Result<&[u8], TileError> {
    if bytes.len() > MAX_BUNDLE_BYTES {
        return Err(TileError::BundleLength(bytes.len()));
    }
    (first..width).try_fold(bytes, |rest, entry| {
        split_entry(rest)
            .map(|(_, rest)| rest)
            .ok_or(TileError::Truncated { entry, width })
    })
}

fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*len).into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn encode(leaves: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for leaf in leaves {
            bytes.extend(u16::try_from(leaf.len()).unwrap().to_be_bytes());
            bytes.extend(leaf);
        }
        bytes
    }

    #[test]
    fn the_error_names_the_entry_that_is_not_whole() {
        let bytes = encode(&[b"one".to_vec(), b"".to_vec(), b"three".to_vec()]);
        let truncated = |entry, width| Err(TileError::Truncated { entry, width });
        assert_eq!(
            Bundle::decode(&bytes[..bytes.len() - 1], 3),
            truncated(2, 3)
        );
        assert_eq!(Bundle::decode(&bytes[..6], 3), truncated(1, 3));
        assert_eq!(Bundle::decode(&bytes, 4), truncated(3, 4));
        assert_eq!(
            Bundle::decode(&bytes, 2),
            Err(TileError::Trailing { width: 2, bytes: 7 })
        );
        assert_eq!(Bundle::decode(b"", 1), truncated(0, 1));
        assert!(Bundle::decode(b"", 0).is_err());
        assert!(Bundle::decode(&bytes, 257).is_err());
        assert!(Bundle::decode(b"<!DOCTYPE html><html><body>404</body></html>", 1).is_err());
        assert!(Bundle::decode(&vec![0; MAX_BUNDLE_BYTES + 1], 1).is_err());
    }

    #[test]
    fn the_largest_bundle_is_read() {
        let bytes = encode(&vec![vec![7; 65_535]; 256]);
        assert_eq!(bytes.len(), MAX_BUNDLE_BYTES);
        assert_eq!(Bundle::decode(&bytes, 256).unwrap().leaves().count(), 256);
    }

    #[test]
    fn a_full_bundle_replaces_a_partial_one_and_nothing_else_does() {
        let leaves: Vec<Vec<u8>> = (0..=255).map(|n| vec![n; n.into()]).collect();
        let bytes = encode(&leaves);
        for width in [1, 2, 255, 256] {
            let bundle = Bundle::decode_prefix(&bytes, width).unwrap();
            assert_eq!(bundle.width(), width);
            assert!(
                bundle
                    .leaves()
                    .eq(leaves.iter().take(width.into()).map(Vec::as_slice))
            );
        }
        assert!(Bundle::decode_prefix(&encode(&leaves[..9]), 8).is_err());
        assert!(Bundle::decode_prefix(&[bytes, vec![0]].concat(), 8).is_err());
    }

    proptest! {
        #[test]
        fn a_bundle_gives_back_its_leaves(leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..=256)) {
            let bytes = encode(&leaves);
            let width = u16::try_from(leaves.len()).unwrap();
            let bundle = Bundle::decode(&bytes, width).unwrap();
            prop_assert!(bundle.leaves().eq(leaves.iter().map(Vec::as_slice)));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(0_u8..4, 0..200), width in 0_u16..300) {
            if let Ok(bundle) = Bundle::decode(&bytes, width) {
                prop_assert_eq!(bundle.leaves().count(), usize::from(width));
            }
        }
    }
}
