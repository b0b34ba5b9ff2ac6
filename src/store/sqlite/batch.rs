//! Statements with many values.

use sqlx::query_builder::{QueryBuilder, Separated};
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{Encode, Type};

use super::fail::Fail;

/// Rows of one statement. A hundred are three times as fast as one (fewer calls to SQLite's thread); more are no faster, and until
/// a statement ends, SQLite keeps a copy of each page that it changes. 30 values of each stay far below SQLite's limit of 32,766
/// parameters.
pub(super) const ROWS: usize = 128;

/// `head VALUES (…), (…) tail`, in statements of at most [`ROWS`] rows.
pub(super) async fn insert_values<T>(
    db: &mut SqliteConnection,
    head: &str,
    tail: &str,
    items: &[T],
    push: impl Fn(Separated<'_, Sqlite, &'static str>, &T),
) -> Result<Vec<SqliteRow>, Fail> {
    let mut rows = Vec::new();
    for chunk in items.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(head);
        query.push_values(chunk, &push).push(tail);
        // Only the full size repeats. A prepared statement for each size would fill memory.
        let query = query.build().persistent(chunk.len() == ROWS);
        rows.extend(query.fetch_all(&mut *db).await?);
    }
    Ok(rows)
}

/// The values of `IN (`, and the parenthesis that closes it. The caller bounds their number.
pub(super) fn push_list<'q, T>(
    query: &mut QueryBuilder<Sqlite>,
    values: impl IntoIterator<Item = T>,
) where
    T: Encode<'q, Sqlite> + Type<Sqlite>,
{
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    query.push(")");
}
