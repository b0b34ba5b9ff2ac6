//! Where the parts of a certificate are.

use std::ops::Range;

use jiff::Timestamp;

/// The positions of its parts in the DER: whole elements, but the content of the serial number and the signature. And
/// its validity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) tbs: Range<usize>,
    pub(super) serial: Range<usize>,
    pub(super) issuer_name: Range<usize>,
    pub(super) subject_name: Range<usize>,
    pub(super) spki: Range<usize>,
    pub(super) signature_algorithm: Range<usize>,
    pub(super) signature: Range<usize>,
    pub(super) signature_unused_bits: u8,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}
