//! When the checkpoints of trees were recorded.

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::{SqliteStore, value};
use crate::log::TreeId;
use crate::store::{Reached, RecordedCheckpoint, RecordedCheckpoints, StoreError};

#[async_trait]
impl RecordedCheckpoints for SqliteStore {
    async fn first_checkpoint(
        &self,
        tree: &TreeId,
    ) -> Result<Option<RecordedCheckpoint>, StoreError> {
        reading!(self, "reading a checkpoint", |db| first(db, tree))
    }

    async fn last_checkpoints(
        &self,
        tree: &TreeId,
        limit: u32,
    ) -> Result<Vec<RecordedCheckpoint>, StoreError> {
        reading!(self, "reading checkpoints", |db| last(db, tree, limit))
    }

    async fn reached(&self, tree: &TreeId, size: u64) -> Result<Reached, StoreError> {
        reading!(self, "reading times of checkpoints", |db| reached(
            db, tree, size
        ))
    }
}

/// Size, root, note, time.
type Row = (i64, Vec<u8>, Vec<u8>, i64);

fn recorded((size, root, note, at): Row) -> Result<RecordedCheckpoint, Fail> {
    Ok(RecordedCheckpoint {
        head: value::head(size, &root, &note)?,
        at: value::moment(at)?,
    })
}

async fn first(
    db: &mut SqliteConnection,
    tree: &TreeId,
) -> Result<Option<RecordedCheckpoint>, Fail> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT size, root, note, at FROM checkpoint WHERE origin = $1 ORDER BY size LIMIT 1",
    )
    .bind(tree.as_str())
    .fetch_optional(&mut *db)
    .await?;
    row.map(recorded).transpose()
}

async fn last(
    db: &mut SqliteConnection,
    tree: &TreeId,
    limit: u32,
) -> Result<Vec<RecordedCheckpoint>, Fail> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT size, root, note, at FROM checkpoint WHERE origin = $1 ORDER BY size DESC LIMIT $2",
    )
    .bind(tree.as_str())
    .bind(i64::from(limit))
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter().map(recorded).collect()
}

async fn reached(db: &mut SqliteConnection, tree: &TreeId, size: u64) -> Result<Reached, Fail> {
    let size = value::integer(size)?;
    let after: Option<i64> = sqlx::query_scalar(
        "SELECT at FROM checkpoint WHERE origin = $1 AND size <= $2 ORDER BY size DESC LIMIT 1",
    )
    .bind(tree.as_str())
    .bind(size)
    .fetch_optional(&mut *db)
    .await?;
    let by: Option<i64> = sqlx::query_scalar(
        "SELECT at FROM checkpoint WHERE origin = $1 AND size >= $2 ORDER BY size LIMIT 1",
    )
    .bind(tree.as_str())
    .bind(size)
    .fetch_optional(&mut *db)
    .await?;
    Ok(Reached {
        after: value::moment_if(after)?,
        by: value::moment_if(by)?,
    })
}
