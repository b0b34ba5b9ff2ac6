//! The entries of certificate transparency logs, converted to leaves: the leaf is the `MerkleTreeLeaf` of RFC 6962
//! §3.4, and the other data of an entry is kept beside it.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use bytes::Bytes;
use serde::Deserialize;

use super::at_most::AtMost;
use super::{Leaves, LeavesError};
use crate::codec::STANDARD;

/// Most entries in one request to `get-entries`, and in its response: the limit of Sigstore's servers.
pub(super) const MAX_ENTRIES: usize = 1000;

/// Why bytes are not entries of a certificate transparency log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CtError {
    /// A part of an entry that ends beyond the tile.
    #[error("entry {index}: no {part} before the tile ends")]
    Cut {
        /// The entry's index.
        index: u64,
        /// Which part.
        part: &'static str,
    },
    /// An entry that is neither a certificate nor a precertificate: its length is unknown.
    #[error("entry {index}: of the unknown type {kind}")]
    Type {
        /// The entry's index.
        index: u64,
        /// The number that it gives.
        kind: u16,
    },
    /// Bytes after the last entry.
    #[error("{0} bytes after the last entry")]
    Trailing(usize),
    /// Not the JSON of an answer.
    #[error("not a list of entries: {0}")]
    Json(String),
    /// A field that is not base64.
    #[error("entry {index}: {field} is not base64")]
    Base64 {
        /// The entry's index.
        index: u64,
        /// Which field.
        field: &'static str,
    },
    /// No entries, or more than requested.
    #[error("{found} entries, requested were 1 to {wanted}")]
    Count {
        /// How many came.
        found: usize,
        /// How many at most.
        wanted: usize,
    },
    /// Longer than memory is addressed here.
    #[error(transparent)]
    Leaves(#[from] LeavesError),
}

/// Parses a data tile of a static-ct log (C2SP static-ct-api, "Log entries"): `width` entries from index `start` on,
/// and nothing else.
///
/// # Errors
/// See [`CtError`].
pub fn data_tile(tile: &Bytes, start: u64, width: u16) -> Result<Leaves, CtError> {
    let mut cursor = Cursor { tile, at: 0, start };
    // Two bytes more an entry than in the tile.
    let mut bytes = Vec::with_capacity(tile.len() + 2 * usize::from(width));
    let mut spans = Vec::with_capacity(width.into());
    let mut beside = Vec::with_capacity(width.into());
    for index in start..start.saturating_add(width.into()) {
        cursor.start = index;
        let (timestamped, extra) = cursor.entry()?;
        let from = bytes.len();
        // MerkleTreeLeaf: version v1(0) and timestamped_entry(0), which the tile leaves out.
        bytes.extend([0, 0]);
        bytes.extend_from_slice(tile.get(timestamped).unwrap_or_default());
        spans.push(span(from..bytes.len(), index, bytes.len())?);
        beside.push((index, tile.slice(extra)));
    }
    match tile.len() - cursor.at {
        0 => Ok(with_beside(
            Leaves::new(start, bytes.into(), spans)?,
            beside,
        )),
        trailing => Err(CtError::Trailing(trailing)),
    }
}

/// Parses the response of `get-entries` (RFC 6962 §4.6): at least one entry and at most `wanted`, from index `start`
/// on; never more than a thousand.
///
/// # Errors
/// See [`CtError`].
pub fn entries(json: &[u8], start: u64, wanted: usize) -> Result<Leaves, CtError> {
    let answer: Answer<'_> =
        serde_json::from_slice(json).map_err(|error| CtError::Json(error.to_string()))?;
    let AtMost(listed) = answer.entries;
    let found = listed.len();
    if found == 0 || found > wanted {
        return Err(CtError::Count { found, wanted });
    }
    let mut bytes = Vec::with_capacity(json.len() / 4 * 3);
    let (mut spans, mut extras) = (Vec::with_capacity(found), Vec::with_capacity(found));
    for (index, entry) in (start..).zip(&listed) {
        let from = bytes.len();
        let mut decode = |text: &str, field| {
            STANDARD
                .decode_vec(text, &mut bytes)
                .map_err(|_| CtError::Base64 { index, field })?;
            Ok::<_, CtError>(bytes.len())
        };
        let middle = decode(&entry.leaf_input, "leaf_input")?;
        let to = decode(&entry.extra_data, "extra_data")?;
        spans.push(span(from..middle, index, to)?);
        extras.push((index, middle..to));
    }
    let bytes = Bytes::from(bytes);
    let beside = extras
        .into_iter()
        .map(|(index, extra)| (index, bytes.slice(extra)))
        .collect();
    Ok(with_beside(
        Leaves::new(start, bytes.clone(), spans)?,
        beside,
    ))
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    entries: AtMost<AnsweredEntry<'a>, MAX_ENTRIES>,
}

#[derive(Deserialize)]
struct AnsweredEntry<'a> {
    #[serde(borrow)]
    leaf_input: Cow<'a, str>,
    #[serde(borrow, default)]
    extra_data: Cow<'a, str>,
}

fn span(span: Range<usize>, index: u64, length: usize) -> Result<Range<u32>, CtError> {
    match (u32::try_from(span.start), u32::try_from(span.end)) {
        (Ok(start), Ok(end)) => Ok(start..end),
        _ => Err(LeavesError::OutOfBounds { index, length }.into()),
    }
}

fn with_beside(leaves: Leaves, beside: Vec<(u64, Bytes)>) -> Leaves {
    beside
        .into_iter()
        .filter(|(_, extra)| !extra.is_empty())
        .fold(leaves, |leaves, (index, extra)| leaves.with(index, extra))
}

/// Reads a data tile from the front.
struct Cursor<'a> {
    tile: &'a [u8],
    at: usize,
    /// The index of the current entry, for errors.
    start: u64,
}

impl Cursor<'_> {
    /// The position of the next entry's TimestampedEntry, and the data after it: a precertificate, if it is one, then
    /// the fingerprints of the chain.
    fn entry(&mut self) -> Result<(Range<usize>, Range<usize>), CtError> {
        const X509_ENTRY: u16 = 0;
        const PRECERT_ENTRY: u16 = 1;
        let from = self.at;
        self.skip(8, "timestamp")?;
        let kind = u16::try_from(self.number(2, "entry type")?).unwrap_or(u16::MAX);
        match kind {
            X509_ENTRY => {}
            PRECERT_ENTRY => self.skip(32, "issuer key hash")?,
            kind => {
                let index = self.start;
                return Err(CtError::Type { index, kind });
            }
        }
        self.vector(3, "certificate")?;
        self.vector(2, "extensions")?;
        let middle = self.at;
        if kind == PRECERT_ENTRY {
            self.vector(3, "precertificate")?;
        }
        self.vector(2, "fingerprints")?;
        Ok((from..middle, middle..self.at))
    }

    fn vector(&mut self, length_bytes: usize, part: &'static str) -> Result<(), CtError> {
        let length = self.number(length_bytes, part)?;
        self.skip(length, part)
    }

    /// An unsigned number of at most three bytes, most significant first.
    fn number(&mut self, length_bytes: usize, part: &'static str) -> Result<usize, CtError> {
        let from = self.at;
        self.skip(length_bytes, part)?;
        let bytes = self.tile.get(from..self.at).unwrap_or_default();
        Ok(bytes
            .iter()
            .fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn skip(&mut self, count: usize, part: &'static str) -> Result<(), CtError> {
        if count > self.tile.len() - self.at {
            let index = self.start;
            return Err(CtError::Cut { index, part });
        }
        self.at += count;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    /// A partial data tile of a recorded log: 186 entries.
    const TILE: &[u8] = include_bytes!("../../tests/data/ct-small/static/tile/data/007.p/186");
    const ANSWER: &str = include_str!("../../tests/data/ct-small/get-entries.jsonl");

    fn answer(count: usize) -> String {
        let entries: Vec<&str> = ANSWER.lines().take(count).collect();
        format!("{{\"entries\":[{}]}}", entries.join(","))
    }

    #[test]
    fn the_leaves_of_a_data_tile_hash_to_the_log_s_hash_tile() {
        let hashes: &[u8] = include_bytes!("../../tests/data/ct-small/static/tile/0/007.p/186");
        let leaves = data_tile(&Bytes::from_static(TILE), 1792, 186).unwrap();
        assert_eq!((leaves.start(), leaves.end()), (1792, 1978));
        for ((index, leaf), hash) in leaves.iter().zip(hashes.chunks(32)) {
            assert_eq!(tlog::leaf_hash(leaf).as_bytes(), hash, "{index}");
            // A precertificate with its length in front, as in the answers of RFC 6962.
            let beside = leaves.beside(index).unwrap();
            assert_eq!(beside[0], 0);
            assert_eq!(beside[3..5], [0x30, 0x82]);
        }
    }

    #[test]
    fn a_data_tile_of_another_width_or_with_another_byte_is_refused() {
        let tile = Bytes::from_static(TILE);
        assert!(matches!(
            data_tile(&tile, 0, 185),
            Err(CtError::Trailing(_))
        ));
        assert_eq!(
            data_tile(&tile, 0, 187),
            Err(CtError::Cut {
                index: 186,
                part: "timestamp"
            })
        );
        assert_eq!(
            data_tile(&tile.slice(..tile.len() - 1), 0, 186),
            Err(CtError::Cut {
                index: 185,
                part: "fingerprints"
            })
        );
        let mut other = TILE.to_vec();
        other[9] = 7;
        assert_eq!(
            data_tile(&other.into(), 5, 186),
            Err(CtError::Type { index: 5, kind: 7 })
        );
        let mut longer = TILE.to_vec();
        longer[42] = 0xff;
        assert_eq!(
            data_tile(&longer.into(), 5, 186),
            Err(CtError::Cut {
                index: 5,
                part: "certificate"
            })
        );
        assert_eq!(data_tile(&Bytes::new(), 0, 0).unwrap().len(), 0);
    }

    #[test]
    fn an_answer_may_contain_fewer_entries_than_requested_but_neither_none_nor_more() {
        let leaves = entries(answer(5).as_bytes(), 100, 12).unwrap();
        assert_eq!((leaves.start(), leaves.end()), (100, 105));
        for (index, leaf) in leaves.iter() {
            assert_eq!(leaf[..2], [0, 0]);
            assert!(leaves.beside(index).is_some_and(|b| b.len() > leaf.len()));
        }
        for (count, wanted) in [(0, 5), (6, 5)] {
            assert_eq!(
                entries(answer(count).as_bytes(), 0, wanted),
                Err(CtError::Count {
                    found: count,
                    wanted
                })
            );
        }
    }

    #[test]
    fn the_error_for_a_malformed_answer_names_the_reason() {
        for (json, message) in [
            ("", "not a list of entries: "),
            ("[]", "not a list of entries: "),
            (r#"{"entries":[{}]}"#, "not a list of entries: "),
            (
                r#"{"entries":[{"leaf_input":"AAA","extra_data":""}]}"#,
                "entry 7: leaf_input is not base64",
            ),
            (
                r#"{"entries":[{"leaf_input":"AAAA","extra_data":"?"}]}"#,
                "entry 7: extra_data is not base64",
            ),
        ] {
            let error = entries(json.as_bytes(), 7, 1).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
        }
        let many = format!(
            r#"{{"entries":[{}]}}"#,
            [r#"{"leaf_input":""}"#; 1001].join(",")
        );
        let error = entries(many.as_bytes(), 7, usize::MAX).unwrap_err();
        assert!(error.to_string().contains("more than 1000"), "{error}");
        let bare = entries(br#"{"entries":[{"leaf_input":"AA\/A"}]}"#, 7, 1).unwrap();
        assert_eq!(bare.iter().next(), Some((7, &[0, 15, 192][..])));
        assert_eq!(bare.beside(7), None);
    }
}
