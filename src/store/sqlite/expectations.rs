//! Registered signings: what makes a finding `expected` or `self-registered`.
//!
//! The leaf hash decides, and of a certificate in a CT log the hash of what was logged: names, tags and dates never do. The
//! same signing in another entry is in `replays`. What verdict follows is in `standing`.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::fail::Fail;
use super::hash_end::same_hash;
use super::registered::{authority, reason, reason_of_replay, watches};
use super::same_signing::same_signing;
use super::{
    finding_changes, pass_history, payloads, registered_entries, replays, standing, value,
};
use crate::expect::Authority;
use crate::finding::{FindingId, Routes};
use crate::store::{NewRegistration, Registrar, Registration};

/// Adds the findings of a registration's leaves to the scratch set: of those that its bundle names, or of the others.
const ADD_FINDINGS: &str = concat!(
    "INSERT INTO temp.finding_changes (finding)
     SELECT f.number FROM expected_leaf e JOIN finding f ON ",
    same_hash!("f.registered_as", "f.registered_end", "e.leaf_hash"),
    " WHERE e.expectation = $1 AND e.named = $2
       AND f.judged_verdict IN ('model-unexpected', 'identity-unexpected', 'other-predicate', 'untrusted-chain')
     ON CONFLICT DO NOTHING"
);

/// Registrations in one transaction. The monitor cannot write during it.
pub(super) const GROUP: usize = 100;

/// No limit of rows, in SQLite's terms.
pub(super) const ALL: i64 = -1;

/// Registers signings; their findings change.
pub(super) async fn register_all(
    db: &mut SqliteConnection,
    routes: &Routes,
    signings: &[NewRegistration],
    now: Timestamp,
) -> Result<Vec<(bool, Vec<FindingId>)>, Fail> {
    let mut registered = Vec::new();
    for new in signings {
        registered.push(register(db, routes, new, now).await?);
    }
    Ok(registered)
}

/// Names a registration: see `expectation.leaves`.
fn key(leaves: &[[u8; 32]], file: &str, by: &Registrar) -> Vec<u8> {
    let leaves = Sha256::digest(leaves.as_flattened());
    if by.authority == Authority::Operator && by.source.is_none() {
        return leaves.to_vec();
    }
    // A command registers a signing once, from any file.
    let file = by.source.as_ref().map_or("", |_| file);
    let source = by.source.as_deref().unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [
        leaves.as_slice(),
        by.authority.as_str().as_bytes(),
        source.as_bytes(),
        file.as_bytes(),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// Registers a signing; its findings change. One that was registered before, by a version that kept less of it, is completed.
async fn register(
    db: &mut SqliteConnection,
    routes: &Routes,
    new: &NewRegistration,
    now: Timestamp,
) -> Result<(bool, Vec<FindingId>), Fail> {
    let NewRegistration {
        expectation,
        file,
        by,
        content,
    } = new;
    let encode = |error: serde_json::Error| Fail::Sql(sqlx::Error::Encode(error.into()));
    let mut leaves = expectation.leaf_hashes.clone();
    leaves.sort_unstable();
    leaves.dedup();
    let key = key(&leaves, file, by);
    let body = serde_json::to_string(expectation).map_err(encode)?;
    let watches = by
        .watches
        .as_ref()
        .map(serde_json::to_string)
        .transpose()
        .map_err(encode)?;
    let number: Option<i64> = sqlx::query_scalar(
        "INSERT INTO expectation (leaves, body, file, at, authority, source, commit_id, author, watches, content)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (leaves) DO NOTHING RETURNING number",
    )
    .bind(&key)
    .bind(&body)
    .bind(file)
    .bind(value::micros(now))
    .bind(by.authority.as_str())
    .bind(&by.source)
    .bind(&by.commit)
    .bind(&by.author)
    .bind(&watches)
    .bind(content)
    .fetch_optional(&mut *db)
    .await?;
    // Also of one that was registered before: the bundle may hold a newer proof.
    pass_history::add_bundle_checkpoints(db, expectation, file).await?;
    let is_new = number.is_some();
    let (number, file) = match number {
        Some(number) => (number, file.clone()),
        None => {
            sqlx::query_as("SELECT number, file FROM expectation WHERE leaves = $1")
                .bind(&key)
                .fetch_one(&mut *db)
                .await?
        }
    };
    if !is_new && by.source.is_some() {
        // The file was changed, or counts for other watches.
        sqlx::query(
            "UPDATE expectation SET body = $2, commit_id = $3, author = $4, watches = $5, content = $6 WHERE number = $1",
        )
        .bind(number)
        .bind(&body)
        .bind(&by.commit)
        .bind(&by.author)
        .bind(&watches)
        .bind(content)
        .execute(&mut *db)
        .await?;
    } else if !is_new && expectation.signing.is_some() {
        sqlx::query("UPDATE expectation SET body = $2 WHERE number = $1 AND json_extract(body, '$.signing') IS NULL")
            .bind(number)
            .bind(&body)
            .execute(&mut *db)
            .await?;
    }
    // The certificate in any entry of a CT log is the owner's too.
    for leaf in leaves.iter().chain(&expectation.logged_sha256) {
        let hash = hex::encode(leaf);
        let is_certificate = expectation.logged_sha256.as_ref() == Some(leaf);
        let signing = expectation.signing.as_ref();
        let named = is_certificate || signing.is_none_or(|signing| signing.names(&hash));
        sqlx::query(
            "INSERT INTO expected_leaf (leaf_hash, expectation, named) VALUES ($1, $2, $3)
             ON CONFLICT (leaf_hash, expectation) DO UPDATE SET named = min(named, excluded.named)",
        )
        .bind(hash)
        .bind(number)
        .bind(named)
        .execute(&mut *db)
        .await?;
    }
    replays::register(db, expectation, number).await?;
    registered_entries::add(db, expectation, number).await?;
    let reason = reason(by.authority, &file);
    finding_changes::clear(db).await?;
    add_findings(db, number, true).await?;
    let mut changed = standing::settle(db, routes, &reason, now).await?;
    finding_changes::clear(db).await?;
    add_findings(db, number, false).await?;
    changed.extend(standing::settle(db, routes, &reason_of_replay(&reason), now).await?);
    changed.extend(payloads::learn(db, routes, expectation, &file, now).await?);
    Ok((is_new, changed))
}

/// Adds the findings of a registration to the scratch set: of the entries that its bundle names, or all others.
async fn add_findings(db: &mut SqliteConnection, number: i64, named: bool) -> Result<(), Fail> {
    sqlx::query(ADD_FINDINGS)
        .bind(number)
        .bind(named)
        .execute(&mut *db)
        .await?;
    if !named {
        sqlx::query(replays::ADD_FINDINGS)
            .bind(number)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// The registrations after a number, oldest first.
pub(super) async fn registrations(
    db: &mut SqliteConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<Registration>, Fail> {
    let rows = sqlx::query(concat!(
        "SELECT x.number, x.body, x.file, x.at, x.authority, x.source, x.commit_id, x.author, x.watches, x.content,
                (SELECT count(*) FROM (
                   SELECT f.number FROM expected_leaf e JOIN finding f ON ",
        same_hash!("f.registered_as", "f.registered_end", "e.leaf_hash"),
        "          WHERE e.expectation = x.number
                     AND f.verdict IN ('expected', 'self-registered') AND ",
        standing::in_scope!(),
        "          UNION
                   SELECT f.number FROM expected_signing e JOIN finding f ON ",
        same_hash!("f.signature_sha256", "f.signature_end", "e.signature_sha256"),
        "          LEFT JOIN signer s ON s.key = f.signer
                   WHERE e.expectation = x.number
                     AND f.verdict IN ('expected', 'self-registered') AND ",
        standing::in_scope!(),
        " AND ",
        same_signing!(),
        ")) AS findings
         FROM expectation x WHERE x.number > $1 ORDER BY x.number LIMIT $2"
    ))
    .bind(after)
    .bind(limit)
    .fetch_all(&mut *db)
    .await?;
    rows.iter().map(registration).collect()
}

/// A registration of a row that has all columns and `findings`.
pub(super) fn registration(row: &SqliteRow) -> Result<Registration, Fail> {
    let body: &str = row.try_get("body")?;
    Ok(Registration {
        number: row.try_get("number")?,
        expectation: serde_json::from_str(body)
            .map_err(|error| Fail::corrupt(format!("a registration: {error}")))?,
        file: row.try_get("file")?,
        by: Registrar {
            authority: authority(row.try_get("authority")?)?,
            source: row.try_get("source")?,
            commit: row.try_get("commit_id")?,
            author: row.try_get("author")?,
            watches: watches(row.try_get("watches")?)?,
        },
        content: row.try_get("content")?,
        at: value::moment(row.try_get("at")?)?,
        findings: value::natural(row.try_get("findings")?)?,
    })
}

/// Registers the signing of a registration as the operator.
pub(super) async fn confirm(
    db: &mut SqliteConnection,
    routes: &Routes,
    number: i64,
    author: Option<&str>,
    now: Timestamp,
) -> Result<Option<Vec<FindingId>>, Fail> {
    let row: Option<(String, String)> =
        sqlx::query_as("SELECT body, file FROM expectation WHERE number = $1")
            .bind(number)
            .fetch_optional(&mut *db)
            .await?;
    let Some((body, file)) = row else {
        return Ok(None);
    };
    let new = NewRegistration {
        by: Registrar::command(Authority::Operator, author.map(str::to_owned)),
        ..NewRegistration::by_operator(
            file,
            serde_json::from_str(&body)
                .map_err(|error| Fail::corrupt(format!("a registration: {error}")))?,
        )
    };
    let (_, changed) = register(db, routes, &new, now).await?;
    Ok(Some(changed))
}

/// Removes a registration; findings that no other one covers are open and alerted again.
pub(super) async fn unregister(
    db: &mut SqliteConnection,
    routes: &Routes,
    number: i64,
    now: Timestamp,
) -> Result<Option<Vec<FindingId>>, Fail> {
    let row: Option<(String, Option<String>)> =
        sqlx::query_as("SELECT file, source FROM expectation WHERE number = $1")
            .bind(number)
            .fetch_optional(&mut *db)
            .await?;
    let Some((file, source)) = row else {
        return Ok(None);
    };
    finding_changes::clear(db).await?;
    for named in [true, false] {
        add_findings(db, number, named).await?;
    }
    let reason = match source {
        Some(source) => format!("no longer registered: {file}, withdrawn from {source}"),
        None => format!("no longer registered: {file}"),
    };
    for statement in [
        "DELETE FROM registered_entry WHERE expectation = $1",
        "DELETE FROM expected_leaf WHERE expectation = $1",
        "DELETE FROM expected_signing WHERE expectation = $1",
        "DELETE FROM expectation WHERE number = $1",
    ] {
        sqlx::query(statement)
            .bind(number)
            .execute(&mut *db)
            .await?;
    }
    let changed = standing::settle(db, routes, &reason, now).await?;
    registered_entries::resolve(db, number, &reason, now).await?;
    Ok(Some(changed))
}
