//! New findings: each with its signer, its evidence and its alerts, in one transaction.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnection;

use super::batch::{ROWS, insert_values};
use super::fail::Fail;
use super::hash_end::end;
use super::incoming::Incoming;
use super::registered::{self, Registered};
use super::signer_terms::{self, Term};
use super::value;
use super::{kept, outbox, payloads, replays, standing};
use crate::finding::{
    Class, FaultKind, Finding, FindingId, NewFinding, Routes, Severity, State, Verdict,
};

/// The result of recording findings.
pub(super) struct Inserted {
    /// The number of new ones.
    pub new: u64,
    /// The others: they were recorded before and are unchanged.
    pub known: Vec<FindingId>,
}

/// Records the new findings, `expected` where their leaf is registered, and queues their alerts.
pub(super) async fn insert(
    db: &mut SqliteConnection,
    routes: &Routes,
    incoming: &[Incoming<'_>],
    now: Timestamp,
) -> Result<Inserted, Fail> {
    let mut inserted = Inserted {
        new: 0,
        known: Vec::new(),
    };
    let mut signers = Signers::new();
    for chunk in incoming.chunks(ROWS) {
        insert_chunk(db, routes, chunk, now, &mut signers, &mut inserted).await?;
    }
    Ok(inserted)
}

/// The signers of a batch that are recorded, by the hash of their certificate or key: each with a finding of theirs.
type Signers<'a> = HashMap<&'a str, (SignerKey, &'a NewFinding)>;

/// A finding with the verdict and state that registrations give it.
struct Standing<'a> {
    incoming: Incoming<'a>,
    signer: Option<SignerKey>,
    /// The registration that its verdict follows from.
    registered: Option<&'a Registered>,
    /// Its verdict without registrations.
    judged: Verdict,
    verdict: Verdict,
    severity: Severity,
    state: State,
}

async fn insert_chunk<'a>(
    db: &mut SqliteConnection,
    routes: &Routes,
    chunk: &[Incoming<'a>],
    now: Timestamp,
    signers: &mut Signers<'a>,
    inserted: &mut Inserted,
) -> Result<(), Fail> {
    let signers = insert_signers(db, chunk, signers).await?;
    let names: Vec<Option<String>> = chunk
        .iter()
        .map(|incoming| registered::registered_as(incoming.new))
        .collect();
    let leaves = names.iter().filter_map(Option::as_deref);
    // First: it completes registrations of earlier versions.
    let replays = replays::of(db, chunk).await?;
    let registered = registered::of(db, leaves).await?;
    let payloads = payloads::of(db, chunk).await?;

    let standing: Vec<Standing<'_>> = chunk
        .iter()
        .zip(signers)
        .zip(&names)
        .enumerate()
        .map(|(place, ((&incoming, signer), name))| {
            let finding = &incoming.new.finding;
            let judged = payloads.get(&place).copied().unwrap_or(finding.verdict);
            let by_leaf = name.as_ref().and_then(|name| registered.get(name));
            let all = by_leaf.into_iter().chain(replays.get(&place)).flatten();
            let strongest = registered::strongest(all, finding.watch.as_deref());
            let stands = strongest.and_then(|registered| {
                let stands = standing::of_new(finding, registered.authority)?;
                Some((registered, stands))
            });
            let (registered, (verdict, severity, state)) = match stands {
                Some((registered, stands)) => (Some(registered), stands),
                None => (None, (judged, finding.severity, finding.state)),
            };
            Standing {
                incoming,
                signer,
                registered,
                judged,
                verdict,
                severity,
                state,
            }
        })
        .collect();
    let numbers = insert_rows(db, &standing).await?;

    let mut new = Vec::with_capacity(numbers.len());
    for standing in &standing {
        let id = standing.incoming.new.finding.id;
        if let Some(&number) = numbers.get(&id) {
            new.push((number, standing));
        } else {
            inserted.known.push(id);
            replays::complete(db, routes, &standing.incoming, now).await?;
        }
    }
    // The same id twice in a batch is one row, and is alerted once.
    let mut once = HashSet::new();
    new.retain(|(number, _)| once.insert(*number));
    inserted.new += new.len() as u64;

    for (number, standing) in &new {
        insert_evidence(db, *number, &standing.incoming.new.evidence.notes, 0).await?;
        if let Some(leaf) = &standing.incoming.new.evidence.leaf {
            sqlx::query(
                "INSERT INTO evidence (finding, ordinal, kind, body) VALUES ($1, 0, 'leaf', $2)",
            )
            .bind(number)
            .bind(leaf.as_slice())
            .execute(&mut *db)
            .await?;
        }
        if let Some(registered) = standing.registered {
            sqlx::query(
                "INSERT INTO history (finding, at, verdict, severity, state, reason)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(number)
            .bind(value::micros(now))
            .bind(standing.verdict.as_str())
            .bind(value::rank(standing.severity))
            .bind(standing.state.as_str())
            .bind(registered.reason())
            .execute(&mut *db)
            .await?;
        }
    }
    let leaves: Vec<(i64, &NewFinding)> = new
        .iter()
        .map(|(number, standing)| (*number, standing.incoming.new))
        .collect();
    kept::keep_leaves(db, &leaves).await?;
    let standing: Vec<(i64, Cow<'_, Finding>, Option<&str>)> = new
        .iter()
        .filter(|(_, standing)| standing.verdict != Verdict::Expected)
        .map(|(number, standing)| {
            let mut finding = Cow::Borrowed(&standing.incoming.new.finding);
            // A copy costs as much as a row: only where a registration or a statement has changed it.
            if (finding.verdict, finding.severity) != (standing.verdict, standing.severity) {
                let changed = finding.to_mut();
                changed.verdict = standing.verdict;
                changed.severity = standing.severity;
            }
            (*number, finding, standing.incoming.except)
        })
        .collect();
    let requests: Vec<outbox::AlertRequest<'_>> = standing
        .iter()
        .map(|(number, finding, except)| outbox::AlertRequest {
            number: *number,
            finding,
            except: *except,
        })
        .collect();
    outbox::queue_alerts(db, routes, &requests, now).await?;
    // The chain of a registered certificate is known now. That may decide about others of its findings.
    let seen: BTreeMap<i64, String> = new
        .iter()
        .filter_map(|(_, standing)| standing.registered)
        .map(|registered| {
            let reason = registered::reason(registered.authority, &registered.file);
            (registered.number, reason)
        })
        .collect();
    replays::settle_again(db, routes, &seen, now).await
}

/// Adds signed notes to the evidence of a finding.
pub(super) async fn insert_evidence(
    db: &mut SqliteConnection,
    number: i64,
    notes: &[Vec<u8>],
    first: i64,
) -> Result<(), Fail> {
    for (ordinal, note) in (first..).zip(notes) {
        sqlx::query(
            "INSERT INTO evidence (finding, ordinal, kind, body) VALUES ($1, $2, 'note', $3)",
        )
        .bind(number)
        .bind(ordinal)
        .bind(note.as_slice())
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// The numbers of the rows that are new.
///
/// `OR FAIL`, here and for signers: SQLite keeps no copy of the pages that the statement changes. If a row is refused, those before
/// it stay, but every error ends the whole transaction.
async fn insert_rows(
    db: &mut SqliteConnection,
    standing: &[Standing<'_>],
) -> Result<HashMap<FindingId, i64>, Fail> {
    let columns = "INSERT OR FAIL INTO finding (id, verdict, severity, judged_verdict, judged_severity, health, state, watch, rule,
        in_shape, log, origin, entry_index, leaf_hash, proven, kind, digest, signer, chain, first_seen, fault,
        occurrence, subject, summary, logged_sha256, signature_sha256, tbs_sha256, anomalies, logged_at,
        registered_end, signature_end, digest_end) ";
    for standing in standing {
        // Checked here, where an error can be returned: the closure that binds the values below cannot return one.
        standing
            .incoming
            .new
            .finding
            .index
            .map(value::integer)
            .transpose()?;
    }
    let rows = insert_values(
        db,
        columns,
        " ON CONFLICT (id) DO NOTHING RETURNING number, id",
        standing,
        |mut row, standing| {
            let Standing {
                incoming,
                signer,
                judged,
                verdict,
                severity,
                state,
                ..
            } = standing;
            let new = incoming.new;
            let NewFinding { finding, rule, .. } = new;
            let signed_as = new.evidence.signed_as.as_ref();
            let logged = new.evidence.logged_sha256.map(hex::encode);
            let signature = signed_as.map(|signed| hex::encode(signed.signature));
            let end_of = |hash: Option<&str>| hash.map(|hash| end(hash).to_owned());
            let registered_end = end_of(logged.as_deref().or(finding.leaf_hash.as_deref()));
            let signature_end = end_of(signature.as_deref());
            row.push_bind(finding.id.as_bytes().as_slice())
                .push_bind(verdict.as_str())
                .push_bind(value::rank(*severity))
                .push_bind(judged.as_str())
                .push_bind(value::rank(finding.severity))
                .push_bind(finding.verdict.class() == Class::Health)
                .push_bind(state.as_str())
                .push_bind(finding.watch.as_deref())
                .push_bind(rule.as_ref().map(<[u8; 32]>::as_slice))
                .push_bind(finding.in_shape)
                .push_bind(finding.log.as_deref())
                .push_bind(finding.origin.as_deref())
                .push_bind(finding.index.and_then(|index| i64::try_from(index).ok()))
                .push_bind(finding.leaf_hash.as_deref())
                .push_bind(finding.proven)
                .push_bind(finding.kind.as_deref())
                .push_bind(finding.digest.as_deref())
                .push_bind(signer.as_ref().map(|key| key.0.as_slice()))
                .push_bind(chain_word(finding))
                .push_bind(value::micros(finding.first_seen))
                .push_bind(finding.fault.map(FaultKind::as_str))
                .push_bind(incoming.occurrence.map(<[u8; 32]>::as_slice))
                .push_bind(incoming.subject)
                .push_bind(finding.summary.as_str())
                .push_bind(logged)
                .push_bind(signature)
                .push_bind(signed_as.and_then(|signed| signed.tbs).map(hex::encode))
                .push_bind(json!(finding.anomalies).to_string())
                .push_bind(new.evidence.logged_at.map(value::micros))
                .push_bind(registered_end)
                .push_bind(signature_end)
                .push_bind(finding.digest.as_deref().map(end));
        },
    )
    .await?;
    rows.iter()
        .map(|row| {
            use sqlx::Row as _;
            Ok((
                value::finding_id(row.try_get("id")?)?,
                row.try_get("number")?,
            ))
        })
        .collect()
}

fn chain_word(finding: &Finding) -> Option<&'static str> {
    finding.chain.map(crate::identity::Chain::as_str)
}

/// Identifies a row of `signer`: equal signers share one row.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct SignerKey([u8; 16]);

/// Records the signers that are not among `recorded`, and adds them. Returns the key of each finding's signer, in order.
async fn insert_signers<'a>(
    db: &mut SqliteConnection,
    chunk: &[Incoming<'a>],
    recorded: &mut Signers<'a>,
) -> Result<Vec<Option<SignerKey>>, Fail> {
    let mut keys = Vec::with_capacity(chunk.len());
    // In the order of the findings: look-ups answer them in this order.
    let mut signers: Vec<(SignerKey, Signer<'_>)> = Vec::new();
    let mut listed = HashSet::new();
    for Incoming { new, .. } in chunk {
        let finding = &new.finding;
        let hash = finding.certificate_sha256.as_deref();
        let hash = hash.or(finding.key_sha256.as_deref());
        if let Some((key, other)) = hash.and_then(|hash| recorded.get(hash))
            && is_same_signer(new, other)
        {
            keys.push(Some(*key));
            continue;
        }
        let Some(signer) = Signer::of(new)? else {
            keys.push(None);
            continue;
        };
        let key = signer.key();
        keys.push(Some(key));
        if listed.insert(key) {
            signers.push((key, signer));
        }
        if let Some(hash) = hash {
            recorded.insert(hash, (key, new));
        }
    }
    let inserted = insert_values(
        db,
        "INSERT OR FAIL INTO signer (key, san, issuer, extensions, certificate_sha256, key_sha256, key_fingerprint, not_before, certificate) ",
        " ON CONFLICT (key) DO NOTHING RETURNING key, rowid",
        &signers,
        |mut row, (key, signer)| {
            row.push_bind(key.0.as_slice())
                .push_bind(signer.san.as_str())
                .push_bind(signer.finding.issuer.as_deref())
                .push_bind(signer.extensions.as_str())
                .push_bind(signer.finding.certificate_sha256.as_deref())
                .push_bind(signer.finding.key_sha256.as_deref())
                .push_bind(signer.finding.key_fingerprint.as_deref())
                .push_bind(signer.finding.not_before.map(value::micros))
                .push_bind(signer.certificate);
        },
    )
    .await?;
    let mut new: HashMap<Vec<u8>, i64> = HashMap::new();
    for row in &inserted {
        use sqlx::Row as _;
        new.insert(row.try_get("key")?, row.try_get("rowid")?);
    }
    let mut terms: Vec<(SignerKey, i64, Term)> = Vec::new();
    for (key, signer) in &signers {
        if let Some(&recorded) = new.get(key.0.as_slice()) {
            let of_signer = signer_terms::of(signer.finding, signer.certificate, signer.key_hashes);
            terms.extend(of_signer.into_iter().map(|term| (*key, recorded, term)));
        }
    }
    insert_values(
        db,
        "INSERT OR FAIL INTO signer_term (kind, value, recorded, signer) ",
        " ON CONFLICT DO NOTHING",
        &terms,
        |mut row, (key, recorded, term)| {
            row.push_bind(term.kind.as_str())
                .push_bind(term.value.as_str())
                .push_bind(*recorded)
                .push_bind(key.0.as_slice());
        },
    )
    .await?;
    Ok(keys)
}

/// Whether the signers of two findings have the same [`Signer::key`].
fn is_same_signer(one: &NewFinding, other: &NewFinding) -> bool {
    let (a, b) = (&one.finding, &other.finding);
    a.certificate_sha256 == b.certificate_sha256
        && a.key_sha256 == b.key_sha256
        && a.not_before == b.not_before
        && a.issuer == b.issuer
        && a.san == b.san
        && a.extensions == b.extensions
        && one.evidence.certificate == other.evidence.certificate
}

/// A signer as it is stored.
struct Signer<'a> {
    finding: &'a Finding,
    san: String,
    extensions: String,
    certificate: Option<&'a [u8]>,
    key_hashes: &'a [[u8; 32]],
}

impl<'a> Signer<'a> {
    /// `None` if the finding has no signer.
    fn of(new: &'a NewFinding) -> Result<Option<Self>, Fail> {
        let Finding {
            san,
            issuer,
            extensions,
            certificate_sha256,
            key_sha256,
            not_before,
            ..
        } = &new.finding;
        let certificate = new.evidence.certificate.as_deref();
        let silent = san.is_empty()
            && issuer.is_none()
            && extensions.is_empty()
            && certificate_sha256.is_none()
            && key_sha256.is_none()
            && not_before.is_none()
            && certificate.is_none();
        if silent {
            return Ok(None);
        }
        let json = |error: serde_json::Error| Fail::Sql(sqlx::Error::Encode(error.into()));
        Ok(Some(Self {
            finding: &new.finding,
            san: serde_json::to_string(san).map_err(json)?,
            extensions: serde_json::to_string(extensions).map_err(json)?,
            certificate,
            key_hashes: &new.evidence.key_hashes,
        }))
    }

    fn key(&self) -> SignerKey {
        let not_before = self
            .finding
            .not_before
            .map(|time| value::micros(time).to_be_bytes());
        let parts = [
            Some(self.san.as_bytes()),
            self.finding.issuer.as_deref().map(str::as_bytes),
            Some(self.extensions.as_bytes()),
            self.finding
                .certificate_sha256
                .as_deref()
                .map(str::as_bytes),
            self.finding.key_sha256.as_deref().map(str::as_bytes),
            not_before.as_ref().map(<[u8; 8]>::as_slice),
            self.certificate,
        ];
        let mut hash = Sha256::new();
        for part in parts {
            // The length separates the parts, and distinguishes absent from empty. The fingerprint is of the key that
            // `key_sha256` names.
            hash.update(
                part.map_or(u64::MAX, |part| part.len() as u64)
                    .to_be_bytes(),
            );
            hash.update(part.unwrap_or_default());
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        SignerKey(key)
    }
}
