//! The look-ups for logs that are not read in full, and their results; `lookup_queue` has their order.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};

use super::batch::insert_values;
use super::fail::Fail;
use super::incoming::Incoming;
use super::insert;
use super::{kept, logs, positions, value};
use crate::finding::Routes;
use crate::log::{LogId, TreeId};
use crate::store::{
    FoundEntries, Guide, KnownEntry, NewLookups, OpenCertificate, PendingCertificate, Sighting,
};

/// The state of a guided log.
pub(super) async fn guide(db: &mut SqliteConnection, log: &LogId) -> Result<Option<Guide>, Fail> {
    let row =
        sqlx::query("SELECT g.* FROM guided g JOIN log l ON l.number = g.log WHERE l.id = $1")
            .bind(log.as_str())
            .fetch_optional(&mut *db)
            .await?;
    row.map(|row| {
        Ok(Guide {
            log: log.clone(),
            start: value::natural(row.try_get("start")?)?,
            cursor: row.try_get("cursor")?,
            rules: value::bytes32(row.try_get("rules")?)?,
            spent: value::moment(row.try_get("spent")?)?,
            mail_only: value::moment_if(row.try_get("mail_only")?)?,
        })
    })
    .transpose()
}

/// Records the first state of a guided log.
pub(super) async fn begin(db: &mut SqliteConnection, guide: &Guide) -> Result<(), Fail> {
    let Some(log) = logs::number(db, &guide.log).await? else {
        // Its trees are recorded first.
        return Err(Fail::Moved(guide.log.to_string()));
    };
    // Findings about its look-ups use the name in the origins of its trees: two logs with one name would be
    // indistinguishable.
    let is_taken: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM guided g JOIN log l ON l.number = g.log
                        WHERE l.number <> $1 AND l.signed_name = (SELECT signed_name FROM log WHERE number = $1))",
    )
    .bind(log)
    .fetch_one(&mut *db)
    .await?;
    moved_unless(!is_taken, &guide.log)?;
    let done = sqlx::query(
        "INSERT INTO guided (log, start, cursor, rules, spent, mail_only) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (log) DO NOTHING",
    )
    .bind(log)
    .bind(value::integer(guide.start)?)
    .bind(guide.cursor)
    .bind(guide.rules.as_slice())
    .bind(value::micros(guide.spent))
    .bind(guide.mail_only.map(value::micros))
    .execute(&mut *db)
    .await?;
    moved_unless(done.rows_affected() == 1, &guide.log)
}

/// Sets the names that are always looked up, and the watches that their entries are matched against.
pub(super) async fn set_exact_names(
    db: &mut SqliteConnection,
    log: &LogId,
    rules: &[u8; 32],
    subjects: &[String],
    now: Timestamp,
) -> Result<(), Fail> {
    let log = logs::number_or_zero(db, log).await?;
    let changed = sqlx::query("UPDATE guided SET rules = $2 WHERE log = $1 AND rules <> $2")
        .bind(log)
        .bind(rules.as_slice())
        .execute(&mut *db)
        .await?;
    if changed.rows_affected() > 0 {
        // Entries that were fetched before were not matched against the present watches.
        sqlx::query("DELETE FROM known_entry WHERE log = $1 AND own = 1")
            .bind(log)
            .execute(&mut *db)
            .await?;
        sqlx::query("UPDATE lookup SET due = $2, position = 0 WHERE log = $1 AND entries > 0")
            .bind(log)
            .bind(value::micros(now))
            .execute(&mut *db)
            .await?;
    }
    let known = spelled_out(db, log).await?;
    let known: HashSet<&str> = known.iter().map(String::as_str).collect();
    let wanted: HashSet<&str> = subjects.iter().map(String::as_str).collect();
    for gone in known.difference(&wanted) {
        sqlx::query("UPDATE lookup SET direct = 0 WHERE log = $1 AND subject = $2")
            .bind(log)
            .bind(gone)
            .execute(&mut *db)
            .await?;
    }
    for new in wanted.difference(&known) {
        sqlx::query(
            "INSERT INTO lookup (log, subject, direct, due, news) VALUES ($1, $2, 1, $3, (SELECT turns FROM guided WHERE log = $1))
             ON CONFLICT (log, subject) DO UPDATE SET direct = 1, due = excluded.due",
        )
        .bind(log)
        .bind(new)
        .bind(value::micros(now))
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// The names that are always looked up, because watches contain exactly them.
async fn spelled_out(db: &mut SqliteConnection, log: i64) -> Result<Vec<String>, Fail> {
    Ok(
        sqlx::query_scalar("SELECT subject FROM lookup WHERE log = $1 AND direct = 1")
            .bind(log)
            .fetch_all(db)
            .await?,
    )
}

/// Whether `set_exact_names` would change nothing.
pub(super) async fn is_spelled_out(
    db: &mut SqliteConnection,
    log: &LogId,
    rules: &[u8; 32],
    subjects: &[String],
) -> Result<bool, Fail> {
    let log = logs::number_or_zero(db, log).await?;
    let stored: Option<Vec<u8>> = sqlx::query_scalar("SELECT rules FROM guided WHERE log = $1")
        .bind(log)
        .fetch_optional(&mut *db)
        .await?;
    let known = spelled_out(db, log).await?;
    let known: HashSet<&str> = known.iter().map(String::as_str).collect();
    let wanted: HashSet<&str> = subjects.iter().map(String::as_str).collect();
    Ok(stored.as_deref() == Some(rules.as_slice()) && known == wanted)
}

/// Sets the CT logs that guide it. If one is new, all findings are taken up again.
pub(super) async fn set_guides(
    db: &mut SqliteConnection,
    log: &LogId,
    guides: &[LogId],
) -> Result<(), Fail> {
    let log = logs::number_or_zero(db, log).await?;
    let known = guides_of(db, log).await?;
    for gone in known.iter().filter(|known| !guides.contains(known)) {
        sqlx::query("DELETE FROM guided_by WHERE log = $1 AND guide = $2")
            .bind(log)
            .bind(gone.as_str())
            .execute(&mut *db)
            .await?;
    }
    let mut grew = false;
    for new in guides.iter().filter(|guide| !known.contains(guide)) {
        grew = true;
        sqlx::query("INSERT INTO guided_by (log, guide, pending) VALUES ($1, $2, $3)")
            .bind(log)
            .bind(new.as_str())
            // The guides of the first pass are complete from the beginning.
            .bind(!known.is_empty())
            .execute(&mut *db)
            .await?;
    }
    if grew {
        sqlx::query("UPDATE guided SET cursor = 0 WHERE log = $1")
            .bind(log)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn guides_of(db: &mut SqliteConnection, log: i64) -> Result<Vec<LogId>, Fail> {
    let guides: Vec<String> =
        sqlx::query_scalar("SELECT guide FROM guided_by WHERE log = $1 ORDER BY guide")
            .bind(log)
            .fetch_all(db)
            .await?;
    Ok(guides.into_iter().map(LogId::new).collect())
}

/// Whether `set_guides` would change nothing.
pub(super) async fn has_guides(
    db: &mut SqliteConnection,
    log: &LogId,
    guides: &[LogId],
) -> Result<bool, Fail> {
    let log = logs::number_or_zero(db, log).await?;
    let known = guides_of(db, log).await?;
    Ok(known.len() == guides.len() && known.iter().all(|known| guides.contains(known)))
}

/// Records that the earlier certificates of the guides are looked up.
pub(super) async fn guides_done(db: &mut SqliteConnection, log: &LogId) -> Result<(), Fail> {
    let log = logs::number_or_zero(db, log).await?;
    sqlx::query("UPDATE guided_by SET pending = 0 WHERE log = $1")
        .bind(log)
        .execute(db)
        .await?;
    Ok(())
}

/// Findings of signers after a number, oldest first.
pub(super) async fn sightings(
    db: &mut SqliteConnection,
    after: i64,
    limit: u32,
) -> Result<Vec<Sighting>, Fail> {
    let rows = sqlx::query(
        "SELECT f.number, f.log, f.origin, f.entry_index, f.leaf_hash, f.kind, f.chain, f.logged_sha256,
                s.san, s.key_sha256, s.not_before, s.certificate,
                (SELECT l.id FROM tree t JOIN log l ON l.number = t.log WHERE t.origin = f.origin) AS log_id
         FROM finding f JOIN signer s ON s.key = f.signer
         WHERE f.number > $1 AND f.watch IS NOT NULL AND f.log IS NOT NULL AND f.origin IS NOT NULL
           AND f.entry_index IS NOT NULL AND f.leaf_hash IS NOT NULL AND s.key_sha256 IS NOT NULL
         ORDER BY f.number LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(&mut *db)
    .await?;
    rows.iter().map(sighting).collect()
}

fn sighting(row: &SqliteRow) -> Result<Sighting, Fail> {
    let san = serde_json::from_str(row.try_get("san")?)
        .map_err(|error| Fail::corrupt(format!("names of a signer: {error}")))?;
    Ok(Sighting {
        number: row.try_get("number")?,
        name: row.try_get("log")?,
        tree: TreeId::new(row.try_get::<String, _>("origin")?),
        log: row.try_get::<Option<String>, _>("log_id")?.map(LogId::new),
        index: value::natural(row.try_get("entry_index")?)?,
        leaf_hash: row.try_get("leaf_hash")?,
        kind: row.try_get("kind")?,
        san,
        key: row.try_get("key_sha256")?,
        chain: row
            .try_get::<Option<&str>, _>("chain")?
            .map(value::word)
            .transpose()?,
        logged: row.try_get("logged_sha256")?,
        not_before: value::moment_if(row.try_get("not_before")?)?,
        certificate: row.try_get("certificate")?,
    })
}

/// Adds certificates to the queue, and moves the cursor past them.
pub(super) async fn enqueue(
    db: &mut SqliteConnection,
    new_lookups: &NewLookups,
) -> Result<(), Fail> {
    let NewLookups {
        log,
        expected,
        cursor,
        certificates,
        elsewhere,
        now,
    } = new_lookups;
    let number = logs::number_or_zero(db, log).await?;
    let done = sqlx::query("UPDATE guided SET cursor = $3 WHERE log = $1 AND cursor = $2")
        .bind(number)
        .bind(expected)
        .bind(cursor)
        .execute(&mut *db)
        .await?;
    moved_unless(done.rows_affected() == 1, log)?;
    for certificate in certificates {
        seek(db, number, certificate, *now).await?;
    }
    add_entries(db, number, elsewhere, false).await
}

async fn seek(
    db: &mut SqliteConnection,
    log: i64,
    certificate: &PendingCertificate,
    now: Timestamp,
) -> Result<(), Fail> {
    let PendingCertificate {
        key,
        key_and_start,
        subjects,
        not_after,
        finding,
        no_lookup_note,
    } = certificate;
    let is_known: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sought_finding WHERE log = $1 AND finding = $2)",
    )
    .bind(log)
    .bind(finding)
    .fetch_one(&mut *db)
    .await?;
    if is_known {
        // All findings are taken up again for another guide.
        return Ok(());
    }
    let state = if subjects.is_empty() {
        "nowhere"
    } else {
        "open"
    };
    // The same certificate in another finding (of another watch or another log) does not begin a new search.
    let news = sqlx::query(
        "INSERT INTO sought (log, key, not_after, state, said, alike) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (log, key) DO UPDATE SET not_after = excluded.not_after, state = excluded.state, said = excluded.said
           WHERE excluded.not_after > sought.not_after",
    )
    .bind(log)
    .bind(key)
    .bind(value::micros(*not_after))
    .bind(state)
    .bind(no_lookup_note.as_deref().filter(|_| subjects.is_empty()))
    .bind(key_and_start)
    .execute(&mut *db)
    .await?
    .rows_affected()
        > 0;
    for subject in subjects {
        let new_name = sqlx::query("INSERT INTO sought_name (log, subject, key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(log)
            .bind(subject)
            .bind(key)
            .execute(&mut *db)
            .await?
            .rows_affected()
            > 0;
        if !news && !new_name {
            continue;
        }
        if new_name {
            // Two certificates may differ only in their names: entries that were found under one name prove nothing
            // about the other.
            sqlx::query(
                "UPDATE sought SET state = 'open', said = NULL WHERE log = $1 AND key = $2",
            )
            .bind(log)
            .bind(key)
            .execute(&mut *db)
            .await?;
        }
        // Failures before the certificate was issued prove nothing about its entries.
        sqlx::query(
            "INSERT INTO lookup (log, subject, direct, due, news) VALUES ($1, $2, 0, $3, (SELECT turns FROM guided WHERE log = $1))
             ON CONFLICT (log, subject) DO UPDATE SET tries = 0, due = min(ifnull(due, excluded.due), excluded.due),
               news = excluded.news, retry = NULL, failures = 0, error_kind = NULL, error_message = NULL",
        )
        .bind(log)
        .bind(subject)
        .bind(value::micros(now))
        .execute(&mut *db)
        .await?;
    }
    let is_new = sqlx::query(
        "INSERT INTO sought_finding (log, key, finding) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(log)
    .bind(key)
    .bind(finding)
    .execute(&mut *db)
    .await?
    .rows_affected()
        > 0;
    if is_new {
        // A finding that is recorded after the search ended gets the result too.
        sqlx::query(
            "UPDATE finding SET summary = summary || (SELECT said FROM sought WHERE log = $1 AND key = $2)
             WHERE number = $3 AND (SELECT said FROM sought WHERE log = $1 AND key = $2) IS NOT NULL",
        )
        .bind(log)
        .bind(key)
        .bind(finding)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// The certificates of a name whose search has not ended, ordered by the end of their validity.
pub(super) async fn open_certificates(
    db: &mut SqliteConnection,
    log: &LogId,
    subject: &str,
) -> Result<Vec<OpenCertificate>, Fail> {
    let log = logs::number_or_zero(db, log).await?;
    let rows = sqlx::query(
        "SELECT s.key, s.alike, s.not_after FROM sought_name n JOIN sought s ON s.log = n.log AND s.key = n.key
         WHERE n.log = $1 AND n.subject = $2 AND s.state = 'open' ORDER BY s.not_after, s.key LIMIT $3",
    )
    .bind(log)
    .bind(subject)
    .bind(i64::try_from(OpenCertificate::MAX_AT_ONCE).unwrap_or(i64::MAX))
    .fetch_all(&mut *db)
    .await?;
    let mut open = Vec::with_capacity(rows.len());
    for row in &rows {
        let key: String = row.try_get("key")?;
        let entries = sqlx::query(
            "SELECT * FROM known_entry WHERE log = $1 AND key = $2 ORDER BY own DESC, entry_index, origin LIMIT $3",
        )
        .bind(log)
        .bind(&key)
        .bind(OpenCertificate::MAX_ENTRIES)
        .fetch_all(&mut *db)
        .await?;
        let others = sqlx::query(
            "SELECT * FROM known_entry WHERE log = $1 AND alike = $2 AND alike <> '' AND key <> $3
             ORDER BY own DESC, entry_index, origin LIMIT $4",
        )
        .bind(log)
        .bind(row.try_get::<&str, _>("alike")?)
        .bind(&key)
        .bind(OpenCertificate::MAX_ENTRIES)
        .fetch_all(&mut *db)
        .await?;
        open.push(OpenCertificate {
            other_certificates: others
                .iter()
                .map(|row| known_entry(row).map(|(entry, _)| entry))
                .collect::<Result<_, _>>()?,
            not_after: value::moment(row.try_get("not_after")?)?,
            entries: entries.iter().map(known_entry).collect::<Result<_, _>>()?,
            key,
        });
    }
    Ok(open)
}

fn known_entry(row: &SqliteRow) -> Result<(KnownEntry, bool), Fail> {
    let entry = KnownEntry {
        tree: TreeId::new(row.try_get::<String, _>("origin")?),
        name: row.try_get("name")?,
        index: value::natural(row.try_get("entry_index")?)?,
        leaf_hash: row.try_get("leaf_hash")?,
        key: row.try_get("key")?,
        key_and_start: row.try_get("alike")?,
    };
    Ok((entry, row.try_get("own")?))
}

/// Those of these leaves of a guided log, as (tree, leaf hash), that are recorded.
pub(super) async fn known(
    db: &mut SqliteConnection,
    log: &LogId,
    leaves: &[(TreeId, String)],
) -> Result<HashSet<(TreeId, String)>, Fail> {
    const AT_ONCE: usize = 200;
    let log = logs::number_or_zero(db, log).await?;
    let mut known = HashSet::new();
    for chunk in leaves.chunks(AT_ONCE) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT DISTINCT origin, leaf_hash FROM known_entry WHERE own = 1 AND log = ",
        );
        query.push_bind(log).push(" AND (leaf_hash, origin) IN (");
        query.push_values(chunk, |mut row, (tree, leaf_hash)| {
            row.push_bind(leaf_hash.as_str()).push_bind(tree.as_str());
        });
        query.push(")");
        let rows: Vec<(String, String)> = query.build_query_as().fetch_all(&mut *db).await?;
        let of_tree = |(tree, leaf_hash): (String, String)| (TreeId::new(tree), leaf_hash);
        known.extend(rows.into_iter().map(of_tree));
    }
    Ok(known)
}

/// Records entries with their findings.
pub(super) async fn found(
    db: &mut SqliteConnection,
    routes: &Routes,
    found: &FoundEntries,
) -> Result<u64, Fail> {
    let incoming: Vec<Incoming<'_>> = found.findings.iter().map(Incoming::of).collect();
    let inserted = insert::insert(db, routes, &incoming, found.now).await?;
    // The log may have been read in full before. Findings that were unproven then are proven now.
    positions::prove_again(db, &inserted.known, found.now).await?;
    for (tree, proofs) in &found.kept {
        kept::keep(db, tree, proofs).await?;
        kept::keep_paths(db, proofs).await?;
    }
    let log = logs::number_or_zero(db, &found.log).await?;
    add_entries(db, log, &found.entries, true).await?;
    Ok(inserted.new)
}

async fn add_entries(
    db: &mut SqliteConnection,
    log: i64,
    entries: &[KnownEntry],
    own: bool,
) -> Result<(), Fail> {
    for entry in entries {
        value::integer(entry.index)?;
    }
    insert_values(
        db,
        "INSERT INTO known_entry (log, origin, leaf_hash, key, alike, entry_index, name, own) ",
        " ON CONFLICT DO NOTHING",
        entries,
        |mut row, entry| {
            row.push_bind(log)
                .push_bind(entry.tree.as_str())
                .push_bind(entry.leaf_hash.as_str())
                .push_bind(entry.key.as_str())
                .push_bind(entry.key_and_start.as_str())
                .push_bind(i64::try_from(entry.index).unwrap_or(i64::MAX))
                .push_bind(entry.name.as_str())
                .push_bind(own);
        },
    )
    .await?;
    Ok(())
}

/// Records the state of the request budget, and whether the server takes names other than mail addresses.
pub(super) async fn spend(
    db: &mut SqliteConnection,
    log: &LogId,
    spent: Timestamp,
    mail_only: Option<Timestamp>,
) -> Result<(), Fail> {
    let log = logs::number_or_zero(db, log).await?;
    sqlx::query("UPDATE guided SET spent = $2, mail_only = $3 WHERE log = $1")
        .bind(log)
        .bind(value::micros(spent))
        .bind(mail_only.map(value::micros))
        .execute(&mut *db)
        .await?;
    Ok(())
}

fn moved_unless(done: bool, log: &LogId) -> Result<(), Fail> {
    if done {
        Ok(())
    } else {
        Err(Fail::Moved(log.to_string()))
    }
}
