//! Registered signings: what makes a finding `expected`.
//!
//! The leaf hash decides, and for a certificate in a CT log the hash of the logged certificate; never names, tags or
//! dates. `replays` finds the same signing in other entries.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::registered::{expect_changed, ids, reason, reason_of_replay};
use super::{finding_changes, pass_history, replays, value};
use crate::expect::Expectation;
use crate::finding::{FindingId, Routes};
use crate::store::Registration;

/// Adds the findings of a registration's leaves to the scratch set: of those that its bundle names, or of the others.
const ADD_FINDINGS: &str = "INSERT INTO temp.finding_changes (finding)
     SELECT f.number FROM expected_leaf e JOIN finding f ON f.registered_as = e.leaf_hash
     WHERE e.expectation = $1 AND e.named = $2 AND f.registered_as IS NOT NULL
       AND f.judged_verdict IN ('model-unexpected', 'identity-unexpected', 'other-predicate', 'untrusted-chain')
     ON CONFLICT DO NOTHING";

/// Registrations in one transaction. The monitor cannot write during it.
pub(super) const GROUP: usize = 100;

/// Registers signings. Their findings become expected.
pub(super) async fn register_all(
    db: &mut SqliteConnection,
    signings: &[(String, Expectation)],
    now: Timestamp,
) -> Result<Vec<(bool, Vec<FindingId>)>, Fail> {
    let mut registered = Vec::new();
    for (file, expectation) in signings {
        registered.push(register(db, expectation, file, now).await?);
    }
    Ok(registered)
}

/// Registers a signing. Its findings become expected. If an earlier version registered it with less data, the rest is
/// added.
async fn register(
    db: &mut SqliteConnection,
    expectation: &Expectation,
    file: &str,
    now: Timestamp,
) -> Result<(bool, Vec<FindingId>), Fail> {
    let encode = |error: serde_json::Error| Fail::Sql(sqlx::Error::Encode(error.into()));
    let mut leaves = expectation.leaf_hashes.clone();
    leaves.sort_unstable();
    leaves.dedup();
    let key = Sha256::digest(leaves.as_flattened());
    let body = serde_json::to_string(expectation).map_err(encode)?;
    let new: Option<i64> = sqlx::query_scalar(
        "INSERT INTO expectation (leaves, body, file, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (leaves) DO NOTHING RETURNING number",
    )
    .bind(key.as_slice())
    .bind(&body)
    .bind(file)
    .bind(value::micros(now))
    .fetch_optional(&mut *db)
    .await?;
    // Also of one that was registered before: the bundle may contain a newer proof.
    pass_history::add_bundle_checkpoints(db, expectation, file).await?;
    let (number, file) = match new {
        Some(number) => (number, file.to_owned()),
        None => {
            sqlx::query_as("SELECT number, file FROM expectation WHERE leaves = $1")
                .bind(key.as_slice())
                .fetch_one(&mut *db)
                .await?
        }
    };
    if new.is_none() && expectation.signing.is_some() {
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
    finding_changes::clear(db).await?;
    add_findings(db, number, true).await?;
    let mut changed = expect_changed(db, &reason(&file), now).await?;
    finding_changes::clear(db).await?;
    add_findings(db, number, false).await?;
    changed.extend(expect_changed(db, &reason_of_replay(&file), now).await?);
    Ok((new.is_some(), changed))
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

/// All registrations, oldest first.
pub(super) async fn registrations(db: &mut SqliteConnection) -> Result<Vec<Registration>, Fail> {
    let rows = sqlx::query(concat!(
        "SELECT x.number, x.body, x.file, x.at,
                (SELECT count(*) FROM (
                   SELECT f.number FROM expected_leaf e JOIN finding f ON f.registered_as = e.leaf_hash
                   WHERE e.expectation = x.number AND f.registered_as IS NOT NULL AND f.verdict = 'expected'
                   UNION
                   SELECT f.number FROM expected_signing e JOIN finding f ON f.signature_sha256 = e.signature_sha256
                   LEFT JOIN signer s ON s.key = f.signer
                   WHERE e.expectation = x.number AND f.signature_sha256 IS NOT NULL AND f.verdict = 'expected' AND ",
        replays::same_signing!(),
        ")) AS findings
         FROM expectation x ORDER BY x.number"
    ))
    .fetch_all(&mut *db)
    .await?;
    rows.iter()
        .map(|row| {
            let body: &str = row.try_get("body")?;
            Ok(Registration {
                number: row.try_get("number")?,
                expectation: serde_json::from_str(body)
                    .map_err(|error| Fail::corrupt(format!("a registration: {error}")))?,
                file: row.try_get("file")?,
                at: value::moment(row.try_get("at")?)?,
                findings: value::natural(row.try_get("findings")?)?,
            })
        })
        .collect()
}

/// Removes a registration. Findings without another registration are reopened and alerted.
pub(super) async fn unregister(
    db: &mut SqliteConnection,
    routes: &Routes,
    number: i64,
    now: Timestamp,
) -> Result<Option<Vec<FindingId>>, Fail> {
    let file: Option<String> = sqlx::query_scalar("SELECT file FROM expectation WHERE number = $1")
        .bind(number)
        .fetch_optional(&mut *db)
        .await?;
    let Some(file) = file else { return Ok(None) };
    finding_changes::clear(db).await?;
    for named in [true, false] {
        add_findings(db, number, named).await?;
    }
    for statement in [
        "DELETE FROM expected_leaf WHERE expectation = $1",
        "DELETE FROM expected_signing WHERE expectation = $1",
        "DELETE FROM expectation WHERE number = $1",
    ] {
        sqlx::query(statement)
            .bind(number)
            .execute(&mut *db)
            .await?;
    }
    sqlx::query(concat!(
        "DELETE FROM temp.finding_changes WHERE EXISTS (
           SELECT 1 FROM finding f LEFT JOIN signer s ON s.key = f.signer
           WHERE f.number = finding_changes.finding AND (f.verdict <> 'expected' OR EXISTS (SELECT 1 FROM expected_leaf e WHERE e.leaf_hash = f.registered_as)
             OR EXISTS (SELECT 1 FROM expected_signing e WHERE e.signature_sha256 = f.signature_sha256 AND ",
        replays::same_signing!(),
        ")))"
    ))
    .execute(&mut *db)
    .await?;
    finding_changes::begin_history(db).await?;
    // A finding of a false batch becomes disputed again; it becomes open when its leaf is read again.
    sqlx::query(
        "UPDATE finding SET verdict = judged_verdict, severity = judged_severity,
           state = iif(prior_state IS NULL, 'open', 'disputed'), prior_state = iif(prior_state IS NULL, NULL, 'open')
         WHERE number IN (SELECT finding FROM temp.finding_changes)",
    )
    .execute(&mut *db)
    .await?;
    finding_changes::write_history(db, &format!("no longer registered: {file}"), now).await?;
    finding_changes::queue_alerts(db, routes, None, now).await?;
    Ok(Some(ids(db).await?))
}
