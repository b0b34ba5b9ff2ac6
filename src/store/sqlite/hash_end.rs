//! Comparisons of hashes through the indexes of their ends.
//!
//! The columns `registered_end`, `signature_end` and `digest_end` of `finding` hold the last characters of a hash, and only these
//! have an index: a flood changes fewer pages of it. A query compares the end, by which SQLite finds the rows, and the whole value,
//! which decides. Whoever logs many hashes with one end makes them cost what as many equal hashes do.

use std::collections::BTreeSet;

use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::Sqlite;

use super::batch::push_list;

/// Characters of a hash in its index: 32 bits of hex. Among ten million other hashes, one in 400 has the same end.
const CHARS: usize = 8;

/// Whether a hash of a finding equals a value: SQL of the column, of the column with its end, and of the value.
macro_rules! same_hash {
    ($column:literal, $end:literal, $value:literal) => {
        concat!(
            $end,
            " = substr(",
            $value,
            ", -8) AND ",
            $column,
            " = ",
            $value
        )
    };
}
pub(super) use same_hash;

/// The last characters of a hash, as its index has them. The same as `substr(hash, -8)` in SQL.
pub(super) fn end(hash: &str) -> &str {
    match hash.char_indices().rev().nth(CHARS - 1) {
        Some((at, _)) => hash.get(at..).unwrap_or(hash),
        None => hash,
    }
}

/// Adds `end IN (…) AND column IN (…)`. The caller bounds the number of values.
pub(super) fn one_of(
    query: &mut QueryBuilder<Sqlite>,
    column: &'static str,
    column_of_end: &'static str,
    values: &[String],
) {
    let ends: BTreeSet<&str> = values.iter().map(|value| end(value)).collect();
    query.push(column_of_end).push(" IN (");
    push_list(query, ends);
    query.push(" AND ").push(column).push(" IN (");
    push_list(query, values);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_hash_has_eight_characters_or_all_of_them() {
        for (hash, expected) in [
            ("sha256:00112233445566778899aabb", "8899aabb"),
            ("8899aabb", "8899aabb"),
            ("899aabb", "899aabb"),
            ("éä899aabü", "ä899aabü"),
            ("", ""),
        ] {
            assert_eq!(end(hash), expected, "{hash}");
        }
    }
}
