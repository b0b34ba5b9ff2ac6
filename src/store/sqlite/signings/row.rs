//! What is read of a signing.

use sqlx::Row as _;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteRow};

use crate::finding::State;
use crate::store::sqlite::fail::Fail;
use crate::store::sqlite::findings::one_of;
use crate::store::sqlite::value;
use crate::store::{SigningQuery, StoredSigning};

/// What is read of a finding `f` and its signer `s`.
macro_rules! signing_columns {
    () => {
        "SELECT f.log, f.origin, f.entry_index, f.leaf_hash, f.proven, f.verdict, f.state, f.kind, f.digest,
           f.signature_sha256, f.tbs_sha256, f.logged_sha256, f.chain, s.certificate_sha256, s.key_sha256, s.san, s.issuer,
           f.list_watch, f.id, f.list_log, f.list_index "
    };
}

pub(super) use signing_columns;

/// The condition of the watches of a query.
pub(super) fn push_watches(sql: &mut QueryBuilder<Sqlite>, query: &SigningQuery) {
    if !query.watches.is_empty() {
        one_of(sql, "f.watch", query.watches.iter().map(String::as_str));
    }
}

/// A row of [`signing_columns`].
pub(super) fn signing(row: &SqliteRow) -> Result<StoredSigning, Fail> {
    let state = value::state(row.try_get(6)?)?;
    let chain: Option<&str> = row.try_get(12)?;
    Ok(StoredSigning {
        log: row.try_get::<Option<String>, _>(0)?.unwrap_or_default(),
        origin: row.try_get::<Option<String>, _>(1)?.unwrap_or_default(),
        index: value::natural(row.try_get(2)?)?,
        leaf_hash: row.try_get(3)?,
        is_proven: row.try_get::<Option<bool>, _>(4)? == Some(true) && state != State::Disputed,
        verdict: value::verdict(row.try_get(5)?)?,
        state,
        kind: row.try_get::<Option<String>, _>(7)?.unwrap_or_default(),
        digest: row.try_get(8)?,
        signature_sha256: row.try_get(9)?,
        tbs_sha256: row.try_get(10)?,
        logged_sha256: row.try_get(11)?,
        chain: chain.map(value::word).transpose()?,
        certificate_sha256: row.try_get(13)?,
        key_sha256: row.try_get(14)?,
        names: row.try_get::<Option<String>, _>(15)?.unwrap_or_default(),
        issuer: row.try_get(16)?,
    })
}
