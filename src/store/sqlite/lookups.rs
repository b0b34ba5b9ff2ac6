//! The queue of look-ups of a log that is not read in full, and what they found.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};

use super::fail::Fail;
use super::insert::{self, Incoming, insert_values};
use super::{positions, value};
use crate::finding::Routes;
use crate::store::{
    Answered, Enlisting, FoundEntries, Guide, KnownEntry, Lookup, LookupTally, OpenCertificate,
    SettledCertificate, Sighting, SoughtCertificate, SoughtEnd,
};

/// How long after the end of its validity a certificate's entry must be there: queues of signers and
/// the index itself may lag by minutes.
const LAG: SignedDuration = SignedDuration::from_mins(10);

/// Answers older than this say nothing about how the index does today.
const LATELY: SignedDuration = SignedDuration::from_hours(24);

/// What is known of a guided log.
pub(super) async fn guide(db: &mut SqliteConnection, log: &str) -> Result<Option<Guide>, Fail> {
    let row = sqlx::query("SELECT * FROM guided WHERE log = $1")
        .bind(log)
        .fetch_optional(&mut *db)
        .await?;
    row.map(|row| {
        Ok(Guide {
            log: row.try_get("log")?,
            start: value::natural(row.try_get("start")?)?,
            cursor: row.try_get("cursor")?,
            rules: value::bytes32(row.try_get("rules")?)?,
            spent: value::moment(row.try_get("spent")?)?,
            mail_only: value::moment_if(row.try_get("mail_only")?)?,
        })
    })
    .transpose()
}

/// The beginning of a guided log.
pub(super) async fn begin(db: &mut SqliteConnection, guide: &Guide) -> Result<(), Fail> {
    let done = sqlx::query(
        "INSERT INTO guided (log, start, cursor, rules, spent, mail_only) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (log) DO NOTHING",
    )
    .bind(&guide.log)
    .bind(value::integer(guide.start)?)
    .bind(guide.cursor)
    .bind(guide.rules.as_slice())
    .bind(value::micros(guide.spent))
    .bind(guide.mail_only.map(value::micros))
    .execute(&mut *db)
    .await?;
    moved_unless(done.rows_affected() == 1, &guide.log)
}

/// Which names are asked for whatever CT logs show, and which watches their entries are matched
/// against.
pub(super) async fn spell_out(
    db: &mut SqliteConnection,
    log: &str,
    rules: &[u8; 32],
    subjects: &[String],
    now: Timestamp,
) -> Result<(), Fail> {
    let changed = sqlx::query("UPDATE guided SET rules = $2 WHERE log = $1 AND rules <> $2")
        .bind(log)
        .bind(rules.as_slice())
        .execute(&mut *db)
        .await?;
    if changed.rows_affected() > 0 {
        // What was fetched was never matched against the watches of today.
        sqlx::query("DELETE FROM known_entry WHERE log = $1 AND own = 1")
            .bind(log)
            .execute(&mut *db)
            .await?;
        sqlx::query("UPDATE lookup SET due = $2 WHERE log = $1 AND entries > 0")
            .bind(log)
            .bind(value::micros(now))
            .execute(&mut *db)
            .await?;
    }
    let known: Vec<String> =
        sqlx::query_scalar("SELECT subject FROM lookup WHERE log = $1 AND direct = 1")
            .bind(log)
            .fetch_all(&mut *db)
            .await?;
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
            "INSERT INTO lookup (log, subject, direct, due) VALUES ($1, $2, 1, $3)
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

/// Whether `spell_out` would change nothing.
pub(super) async fn is_spelled_out(
    db: &mut SqliteConnection,
    log: &str,
    rules: &[u8; 32],
    subjects: &[String],
) -> Result<bool, Fail> {
    let stored: Option<Vec<u8>> = sqlx::query_scalar("SELECT rules FROM guided WHERE log = $1")
        .bind(log)
        .fetch_optional(&mut *db)
        .await?;
    let known: Vec<String> =
        sqlx::query_scalar("SELECT subject FROM lookup WHERE log = $1 AND direct = 1")
            .bind(log)
            .fetch_all(&mut *db)
            .await?;
    let known: HashSet<&str> = known.iter().map(String::as_str).collect();
    let wanted: HashSet<&str> = subjects.iter().map(String::as_str).collect();
    Ok(stored.as_deref() == Some(rules.as_slice()) && known == wanted)
}

/// Findings of signers after a number, oldest first.
pub(super) async fn sightings(
    db: &mut SqliteConnection,
    after: i64,
    limit: u32,
) -> Result<Vec<Sighting>, Fail> {
    let rows = sqlx::query(
        "SELECT f.number, f.log, f.origin, f.entry_index, f.leaf_hash, s.san, s.key_sha256, s.not_before, s.certificate
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
        log: row.try_get("log")?,
        origin: row.try_get("origin")?,
        index: value::natural(row.try_get("entry_index")?)?,
        leaf_hash: row.try_get("leaf_hash")?,
        san,
        key: row.try_get("key_sha256")?,
        not_before: value::moment_if(row.try_get("not_before")?)?,
        certificate: row.try_get("certificate")?,
    })
}

/// Takes up certificates, and moves the cursor past them.
pub(super) async fn enlist(db: &mut SqliteConnection, enlisting: &Enlisting) -> Result<(), Fail> {
    let Enlisting {
        log,
        expected,
        cursor,
        certificates,
        elsewhere,
        now,
    } = enlisting;
    let done = sqlx::query("UPDATE guided SET cursor = $3 WHERE log = $1 AND cursor = $2")
        .bind(log)
        .bind(expected)
        .bind(cursor)
        .execute(&mut *db)
        .await?;
    moved_unless(done.rows_affected() == 1, log)?;
    for certificate in certificates {
        seek(db, log, certificate, *now).await?;
    }
    add_entries(db, log, elsewhere, false).await
}

async fn seek(
    db: &mut SqliteConnection,
    log: &str,
    certificate: &SoughtCertificate,
    now: Timestamp,
) -> Result<(), Fail> {
    let SoughtCertificate {
        key,
        subjects,
        not_after,
        finding,
    } = certificate;
    // Another certificate of the same key begins the search anew; the same one, seen by another
    // watch or in another log, does not.
    let news = sqlx::query(
        "INSERT INTO sought (log, key, not_after) VALUES ($1, $2, $3)
         ON CONFLICT (log, key) DO UPDATE SET not_after = excluded.not_after, state = 'open'
           WHERE excluded.not_after > sought.not_after",
    )
    .bind(log)
    .bind(key)
    .bind(value::micros(*not_after))
    .execute(&mut *db)
    .await?
    .rows_affected()
        > 0;
    sqlx::query(
        "INSERT INTO sought_finding (log, key, finding) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(log)
    .bind(key)
    .bind(finding)
    .execute(&mut *db)
    .await?;
    if !news {
        return Ok(());
    }
    for subject in subjects {
        sqlx::query("INSERT INTO sought_name (log, subject, key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(log)
            .bind(subject)
            .bind(key)
            .execute(&mut *db)
            .await?;
        // One that waits already keeps its place in the queue.
        sqlx::query(
            "INSERT INTO lookup (log, subject, direct, due) VALUES ($1, $2, 0, $3)
             ON CONFLICT (log, subject) DO UPDATE SET tries = 0, due = min(ifnull(due, excluded.due), excluded.due)",
        )
        .bind(log)
        .bind(subject)
        .bind(value::micros(now))
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// What is due, the longest first.
pub(super) async fn due(
    db: &mut SqliteConnection,
    log: &str,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Lookup>, Fail> {
    let rows = sqlx::query(
        "SELECT subject, direct, tries FROM lookup WHERE log = $1 AND due <= $2 ORDER BY due, subject LIMIT $3",
    )
    .bind(log)
    .bind(value::micros(now))
    .bind(limit)
    .fetch_all(&mut *db)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Lookup {
                subject: row.try_get("subject")?,
                direct: row.try_get("direct")?,
                tries: value::small(row.try_get("tries")?)?,
            })
        })
        .collect()
}

/// The certificates of a name that are still looked for, those that end first before the others.
pub(super) async fn open_certificates(
    db: &mut SqliteConnection,
    log: &str,
    subject: &str,
) -> Result<Vec<OpenCertificate>, Fail> {
    let rows = sqlx::query(
        "SELECT s.key, s.not_after FROM sought_name n JOIN sought s ON s.log = n.log AND s.key = n.key
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
        open.push(OpenCertificate {
            not_after: value::moment(row.try_get("not_after")?)?,
            entries: entries.iter().map(known_entry).collect::<Result<_, _>>()?,
            key,
        });
    }
    Ok(open)
}

fn known_entry(row: &SqliteRow) -> Result<(KnownEntry, bool), Fail> {
    let entry = KnownEntry {
        origin: row.try_get("origin")?,
        name: row.try_get("name")?,
        index: value::natural(row.try_get("entry_index")?)?,
        leaf_hash: row.try_get("leaf_hash")?,
        key: row.try_get("key")?,
    };
    Ok((entry, row.try_get("own")?))
}

/// Which of these leaves of a guided log, as (tree, leaf hash), are recorded.
pub(super) async fn known(
    db: &mut SqliteConnection,
    log: &str,
    leaves: &[(String, String)],
) -> Result<HashSet<(String, String)>, Fail> {
    const AT_ONCE: usize = 200;
    let mut known = HashSet::new();
    for chunk in leaves.chunks(AT_ONCE) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT DISTINCT origin, leaf_hash FROM known_entry WHERE own = 1 AND log = ",
        );
        query.push_bind(log).push(" AND (leaf_hash, origin) IN (");
        query.push_values(chunk, |mut row, (origin, leaf_hash)| {
            row.push_bind(leaf_hash.as_str()).push_bind(origin.as_str());
        });
        query.push(")");
        let rows: Vec<(String, String)> = query.build_query_as().fetch_all(&mut *db).await?;
        known.extend(rows);
    }
    Ok(known)
}

/// Entries with their findings.
pub(super) async fn found(
    db: &mut SqliteConnection,
    routes: &Routes,
    found: &FoundEntries,
) -> Result<u64, Fail> {
    let incoming: Vec<Incoming<'_>> = found.findings.iter().map(Incoming::of).collect();
    let inserted = insert::insert(db, routes, &incoming, found.now).await?;
    // The log may have been read in full before: what was not proven then is now.
    positions::prove_again(db, &inserted.known, found.now).await?;
    add_entries(db, &found.log, &found.entries, true).await?;
    Ok(inserted.new)
}

async fn add_entries(
    db: &mut SqliteConnection,
    log: &str,
    entries: &[KnownEntry],
    own: bool,
) -> Result<(), Fail> {
    for entry in entries {
        value::integer(entry.index)?;
    }
    insert_values(
        db,
        "INSERT INTO known_entry (log, origin, leaf_hash, key, entry_index, name, own) ",
        " ON CONFLICT DO NOTHING",
        entries,
        |mut row, entry| {
            row.push_bind(log)
                .push_bind(entry.origin.as_str())
                .push_bind(entry.leaf_hash.as_str())
                .push_bind(entry.key.as_str())
                .push_bind(i64::try_from(entry.index).unwrap_or(i64::MAX))
                .push_bind(entry.name.as_str())
                .push_bind(own);
        },
    )
    .await?;
    Ok(())
}

/// An answer: what it settles, and when the name is asked for again.
pub(super) async fn answered(db: &mut SqliteConnection, answered: &Answered) -> Result<(), Fail> {
    let Answered {
        log,
        subject,
        entries,
        due,
        settled,
        now,
    } = answered;
    for settled in settled {
        settle(db, log, settled).await?;
    }
    sqlx::query(
        "UPDATE lookup SET tries = tries + 1, due = $3, asked = $4, entries = $5 WHERE log = $1 AND subject = $2",
    )
    .bind(log)
    .bind(subject)
    .bind(due.map(value::micros))
    .bind(value::micros(*now))
    .bind(value::integer(*entries)?)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Ends the search for a certificate's entries and says in its findings how: once, for only an open
/// search can be ended.
async fn settle(
    db: &mut SqliteConnection,
    log: &str,
    settled: &SettledCertificate,
) -> Result<(), Fail> {
    let state = match settled.end {
        SoughtEnd::Here => "here",
        SoughtEnd::Elsewhere => "elsewhere",
        SoughtEnd::Nowhere => "nowhere",
    };
    let done =
        sqlx::query("UPDATE sought SET state = $3 WHERE log = $1 AND key = $2 AND state = 'open'")
            .bind(log)
            .bind(&settled.key)
            .bind(state)
            .execute(&mut *db)
            .await?;
    if done.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query(
        "UPDATE finding SET summary = summary || $3
         WHERE number IN (SELECT finding FROM sought_finding WHERE log = $1 AND key = $2)",
    )
    .bind(log)
    .bind(&settled.key)
    .bind(&settled.said)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// What the requests so far amount to, and whether the server takes other names than mail addresses.
pub(super) async fn spend(
    db: &mut SqliteConnection,
    log: &str,
    spent: Timestamp,
    mail_only: Option<Timestamp>,
) -> Result<(), Fail> {
    sqlx::query("UPDATE guided SET spent = $2, mail_only = $3 WHERE log = $1")
        .bind(log)
        .bind(value::micros(spent))
        .bind(mail_only.map(value::micros))
        .execute(&mut *db)
        .await?;
    Ok(())
}

/// How the queue stands.
pub(super) async fn tally(
    db: &mut SqliteConnection,
    log: &str,
    now: Timestamp,
) -> Result<LookupTally, Fail> {
    let (due, oldest): (i64, Option<i64>) =
        sqlx::query_as("SELECT count(*), min(due) FROM lookup WHERE log = $1 AND due <= $2")
            .bind(log)
            .bind(value::micros(now))
            .fetch_one(&mut *db)
            .await?;
    // A certificate that was used with another log says nothing about this one's index.
    let (answered, known): (i64, i64) = sqlx::query_as(
        "SELECT count(*), ifnull(sum(l.entries > 0), 0) FROM lookup l
         WHERE l.log = $1 AND l.asked > $2
           AND EXISTS (SELECT 1 FROM sought_name n JOIN sought s ON s.log = n.log AND s.key = n.key
                       WHERE n.log = l.log AND n.subject = l.subject
                         AND s.state <> 'elsewhere' AND s.not_after + $3 <= l.asked)",
    )
    .bind(log)
    .bind(value::micros(
        now.saturating_sub(LATELY).unwrap_or(Timestamp::MIN),
    ))
    .bind(i64::try_from(LAG.as_micros()).unwrap_or(i64::MAX))
    .fetch_one(&mut *db)
    .await?;
    Ok(LookupTally {
        due: value::natural(due)?,
        oldest_due: value::moment_if(oldest)?,
        answered: value::natural(answered)?,
        known: value::natural(known)?,
    })
}

fn moved_unless(done: bool, log: &str) -> Result<(), Fail> {
    if done {
        Ok(())
    } else {
        Err(Fail::Moved(log.to_owned()))
    }
}
