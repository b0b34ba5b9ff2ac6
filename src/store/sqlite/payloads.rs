//! Statements that bundles showed: what was signed, where an entry holds only its digest.
//!
//! The digest is computed from the statement, so the one who shows the bundle cannot lie about it.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::batch::{insert_values, push_list};
use super::fail::Fail;
use super::hash_end::same_hash;
use super::incoming::Incoming;
use super::{finding_changes, standing};
use crate::expect::{Expectation, Part};
use crate::finding::{FindingId, Routes, Verdict};
use crate::store::KnownPayload;

/// What `part` of a digest the entry of the finding `f` holds, as in `Part::of_kind`.
macro_rules! part_of_finding {
    () => {
        "CASE WHEN f.kind GLOB 'hashedrekord *' OR f.kind GLOB 'rekord *' THEN 'message'
              WHEN f.kind GLOB 'dsse *' OR f.kind GLOB 'intoto *' THEN 'payload' END"
    };
}

/// Keeps the statement of a bundle; findings of its digest are judged by it from now on. Answers those whose verdict changed.
pub(super) async fn learn(
    db: &mut SqliteConnection,
    routes: &Routes,
    expectation: &Expectation,
    file: &str,
    now: Timestamp,
) -> Result<Vec<FindingId>, Fail> {
    let (Some(statement), Some(signing)) = (&expectation.statement, &expectation.signing) else {
        return Ok(Vec::new());
    };
    finding_changes::clear(db).await?;
    for part in Part::ALL {
        let Some(digest) = signing.digest(part) else {
            continue;
        };
        sqlx::query(
            "INSERT INTO known_payload (part, digest, model, statement, file) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
        )
        .bind(part.as_str())
        .bind(digest)
        .bind(statement.model)
        .bind(&statement.text)
        .bind(file)
        .execute(&mut *db)
        .await?;
        insert_values(
            db,
            "INSERT INTO known_digest (digest, part, payload) ",
            " ON CONFLICT DO NOTHING",
            &statement.digests,
            |mut row, about| {
                row.push_bind(about.as_str())
                    .push_bind(part.as_str())
                    .push_bind(digest);
            },
        )
        .await?;
        sqlx::query(concat!(
            "INSERT INTO temp.finding_changes (finding) SELECT f.number FROM finding f WHERE ",
            same_hash!("f.digest", "f.digest_end", "$1"),
            " AND f.judged_verdict = 'identity-unexpected' AND $2 = ",
            part_of_finding!(),
            " ON CONFLICT DO NOTHING"
        ))
        .bind(digest)
        .bind(part.as_str())
        .execute(&mut *db)
        .await?;
    }
    sqlx::query(
        "UPDATE finding SET judged_verdict = $1 WHERE number IN (SELECT finding FROM temp.finding_changes)",
    )
    .bind(verdict(statement.model).as_str())
    .execute(&mut *db)
    .await?;
    let reason = format!("what was signed is known from {file}: {}", statement.text);
    standing::settle(db, routes, &reason, now).await
}

/// The verdict of a signing whose statement is known, and that is not registered.
const fn verdict(model: bool) -> Verdict {
    if model {
        Verdict::ModelUnexpected
    } else {
        Verdict::OtherPredicate
    }
}

/// The verdicts of those of these findings whose statement is known, by their place.
pub(super) async fn of(
    db: &mut SqliteConnection,
    chunk: &[Incoming<'_>],
) -> Result<HashMap<usize, Verdict>, Fail> {
    let unknown: Vec<(usize, Part, &str)> = chunk
        .iter()
        .enumerate()
        .filter_map(|(place, incoming)| {
            let finding = &incoming.new.finding;
            if finding.verdict != Verdict::IdentityUnexpected {
                return None;
            }
            let part = Part::of_kind(finding.kind.as_deref()?)?;
            Some((place, part, finding.digest.as_deref()?))
        })
        .collect();
    if unknown.is_empty() || !any(db).await? {
        return Ok(HashMap::new());
    }
    // At most one for each row of an insert: far below SQLite's limit of parameters.
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT part, digest, model FROM known_payload WHERE part IN ('message', 'payload') AND digest IN (",
    );
    push_list(&mut query, unknown.iter().map(|(_, _, digest)| *digest));
    let rows: Vec<(String, String, bool)> = query
        .build_query_as()
        .persistent(false)
        .fetch_all(&mut *db)
        .await?;
    let known: HashMap<(&str, &str), bool> = rows
        .iter()
        .map(|(part, digest, model)| ((part.as_str(), digest.as_str()), *model))
        .collect();
    Ok(unknown
        .into_iter()
        .filter_map(|(place, part, digest)| {
            let model = known.get(&(part.as_str(), digest))?;
            Some((place, verdict(*model)))
        })
        .collect())
}

/// Whether any statement is known.
async fn any(db: &mut SqliteConnection) -> Result<bool, Fail> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM known_payload)")
            .fetch_one(&mut *db)
            .await?,
    )
}

/// The statement that is known of a finding.
pub(super) async fn shown(
    db: &mut SqliteConnection,
    number: i64,
) -> Result<Option<KnownPayload>, Fail> {
    let row: Option<(String, String)> = sqlx::query_as(concat!(
        "SELECT k.statement, k.file FROM finding f CROSS JOIN known_payload k ON k.digest = f.digest AND k.part = ",
        part_of_finding!(),
        " WHERE f.number = $1"
    ))
    .bind(number)
    .fetch_optional(&mut *db)
    .await?;
    Ok(row.map(|(statement, file)| KnownPayload { statement, file }))
}

/// Judges an `identity-unexpected` finding again by the statement that is known of it.
pub(super) async fn judge_one(db: &mut SqliteConnection, number: i64) -> Result<(), Fail> {
    sqlx::query(concat!(
        "UPDATE finding AS f SET judged_verdict = iif(k.model, 'model-unexpected', 'other-predicate') FROM known_payload k
         WHERE f.number = $1 AND f.judged_verdict = 'identity-unexpected' AND k.digest = f.digest AND k.part = ",
        part_of_finding!()
    ))
    .bind(number)
    .execute(&mut *db)
    .await?;
    Ok(())
}
