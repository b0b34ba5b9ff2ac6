//! Findings as rows, read back.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::fail::Fail;
use super::value;
use crate::finding::Finding;

/// `SELECT` of everything that [`finding`] reads, followed by the given clauses. The finding is
/// `f`, its signer `s`.
macro_rules! select_finding {
    ($clauses:literal) => {
        concat!(
            "SELECT f.number, f.id, f.verdict, f.severity, f.watch, f.in_shape, f.log, f.origin, ",
            "f.entry_index, f.leaf_hash, f.proven, f.kind, f.digest, f.chain, f.first_seen, ",
            "f.state, f.fault, f.summary, s.san, s.issuer, s.extensions, s.certificate_sha256, ",
            "s.key_sha256, s.key_fingerprint, s.not_before ",
            "FROM finding f LEFT JOIN signer s ON s.key = f.signer ",
            $clauses
        )
    };
}
pub(super) use select_finding;

/// The finding of a row of `select_finding!`.
pub(super) fn finding(row: &SqliteRow) -> Result<Finding, Fail> {
    let san: Option<&str> = row.try_get("san")?;
    let extensions: Option<&str> = row.try_get("extensions")?;
    let chain: Option<&str> = row.try_get("chain")?;
    let index: Option<i64> = row.try_get("entry_index")?;
    Ok(Finding {
        id: value::finding_id(row.try_get("id")?)?,
        verdict: value::verdict(row.try_get("verdict")?)?,
        severity: value::severity(row.try_get("severity")?)?,
        watch: row.try_get("watch")?,
        in_shape: row.try_get("in_shape")?,
        log: row.try_get("log")?,
        origin: row.try_get("origin")?,
        index: index.map(value::natural).transpose()?,
        leaf_hash: row.try_get("leaf_hash")?,
        proven: row.try_get("proven")?,
        kind: row.try_get("kind")?,
        digest: row.try_get("digest")?,
        san: san.map_or_else(|| Ok(Vec::new()), json)?,
        issuer: row.try_get("issuer")?,
        extensions: extensions.map_or_else(|| Ok(BTreeMap::new()), json)?,
        certificate_sha256: row.try_get("certificate_sha256")?,
        key_sha256: row.try_get("key_sha256")?,
        key_fingerprint: row.try_get("key_fingerprint")?,
        chain: chain.map(value::word).transpose()?,
        not_before: value::moment_if(row.try_get("not_before")?)?,
        first_seen: value::moment(row.try_get("first_seen")?)?,
        state: value::state(row.try_get("state")?)?,
        fault: row.try_get("fault")?,
        summary: row.try_get("summary")?,
    })
}

/// The number and the finding of a row of `select_finding!`.
pub(super) fn numbered(row: &SqliteRow) -> Result<(i64, Finding), Fail> {
    Ok((row.try_get("number")?, finding(row)?))
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Fail> {
    serde_json::from_str(text).map_err(|error| Fail::corrupt(error.to_string()))
}
