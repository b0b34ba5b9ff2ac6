//! The sizes of trees.

/// Largest tree that this crate accepts, in leaves: 2^63 - 1.
///
/// Other programs store sizes in signed 64-bit integers (Go's checksum database, an SQL `BIGINT`), so a log that signs
/// a larger size is broken or hostile. The limit also prevents overflow in sums of positions.
pub const MAX_TREE_SIZE: u64 = i64::MAX as u64;

/// Parses a decimal number in canonical form, so that each size has exactly one signed text.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let canonical =
        text.bytes().all(|digit| digit.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let size = text.parse().ok()?;
    (canonical && size <= MAX_TREE_SIZE).then_some(size)
}
