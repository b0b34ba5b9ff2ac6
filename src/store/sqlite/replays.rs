//! Registered signings in other entries than the registered ones: they were logged again.
//!
//! Certificate, digest and signature decide, byte for byte. Of the certificate, only the part counts that the CA
//! signed, because anyone can change the rest. But then the changed certificate must have the same chain as the
//! registered one, which is known from a finding with the registered one.
//!
//! An entry may contain the bare key of the certificate in its place. Then the logged key decides: it is the same
//! signature of the same key over the same digest, and it proves nothing new either.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::batch::push_list;
use super::fail::Fail;
use super::hash_end::same_hash;
use super::incoming::Incoming;
use super::registered::{self, Registered, can_be_expected, reason_of_replay};
use super::same_signing::same_signing;
use super::{finding_changes, standing};
use crate::expect::{Expectation, Part, SignedAs};
use crate::finding::{Finding, Routes};

/// Adds the findings of a registration's signing to the scratch set, in any entry.
pub(super) const ADD_FINDINGS: &str = concat!(
    "INSERT INTO temp.finding_changes (finding)
     SELECT f.number FROM expected_signing e JOIN finding f ON ",
    same_hash!("f.signature_sha256", "f.signature_end", "e.signature_sha256"),
    " LEFT JOIN signer s ON s.key = f.signer
     WHERE e.expectation = $1
       AND f.judged_verdict IN ('model-unexpected', 'identity-unexpected', 'other-predicate', 'untrusted-chain') AND ",
    same_signing!(),
    " ON CONFLICT DO NOTHING"
);

/// Records the parts that every entry of a registered signing contains.
pub(super) async fn register(
    db: &mut SqliteConnection,
    expectation: &Expectation,
    number: i64,
) -> Result<(), Fail> {
    let Some(signing) = &expectation.signing else {
        return Ok(());
    };
    for part in Part::ALL {
        let Some(digest) = signing.digest(part) else {
            continue;
        };
        let known = Known {
            signature: &signing.signature_sha256,
            part,
            digest,
            certificate: &expectation.certificate_sha256,
            tbs: &signing.tbs_sha256,
        };
        known.insert(db, number).await?;
    }
    Ok(())
}

/// A row of `expected_signing`.
struct Known<'a> {
    signature: &'a str,
    part: Part,
    digest: &'a str,
    certificate: &'a str,
    tbs: &'a str,
}

impl Known<'_> {
    async fn insert(&self, db: &mut SqliteConnection, number: i64) -> Result<(), Fail> {
        sqlx::query(
            "INSERT INTO expected_signing (signature_sha256, part, digest, certificate_sha256, tbs_sha256, expectation)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(self.signature)
        .bind(self.part.as_str())
        .bind(self.digest)
        .bind(self.certificate)
        .bind(self.tbs)
        .bind(number)
        .execute(&mut *db)
        .await?;
        Ok(())
    }
}

/// A finding whose signing may be a registered one.
struct Candidate<'a> {
    finding: &'a Finding,
    signed_as: &'a SignedAs,
    signature: String,
    part: Part,
    digest: &'a str,
    signer: By<'a>,
}

/// Its signer, hashes in hex.
enum By<'a> {
    /// With a certificate: its hash, and that of its TBSCertificate.
    Certificate { sha256: &'a str, tbs: String },
    /// With a bare key: its hash.
    Key(&'a str),
}

impl<'a> Candidate<'a> {
    fn of(incoming: &Incoming<'a>) -> Option<Self> {
        let finding = &incoming.new.finding;
        let signed_as = incoming.new.evidence.signed_as.as_ref()?;
        can_be_expected(finding.verdict).then_some(())?;
        Some(Self {
            finding,
            signed_as,
            signature: hex::encode(signed_as.signature),
            part: Part::of_kind(finding.kind.as_deref()?)?,
            digest: finding.digest.as_deref()?,
            signer: match signed_as.tbs {
                Some(tbs) => By::Certificate {
                    sha256: finding.certificate_sha256.as_deref()?,
                    tbs: hex::encode(tbs),
                },
                None => By::Key(finding.key_sha256.as_deref()?),
            },
        })
    }
}

/// Of a row of `expected_signing` and its registration: signature, part, digest, certificate, TBSCertificate, key, number, file,
/// authority, watches.
type Row = (
    String,
    String,
    String,
    String,
    String,
    String,
    i64,
    String,
    String,
    Option<String>,
);

/// The registrations of those of these findings that are of a registered signing, by their place, oldest first.
pub(super) async fn of(
    db: &mut SqliteConnection,
    chunk: &[Incoming<'_>],
) -> Result<HashMap<usize, Vec<Registered>>, Fail> {
    let candidates: Vec<(usize, Candidate<'_>)> = chunk
        .iter()
        .enumerate()
        .filter_map(|(place, incoming)| Some((place, Candidate::of(incoming)?)))
        .collect();
    if candidates.is_empty() || !registered::any(db).await? {
        return Ok(HashMap::new());
    }
    learn(db, &candidates).await?;
    // At most one for each row of an insert: far below SQLite's limit of parameters.
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT e.signature_sha256, e.part, e.digest, e.certificate_sha256, e.tbs_sha256,
                ifnull(json_extract(x.body, '$.key_sha256'), ''), x.number, x.file, x.authority, x.watches
         FROM expected_signing e JOIN expectation x ON x.number = e.expectation WHERE e.signature_sha256 IN (",
    );
    let signatures = candidates
        .iter()
        .map(|(_, candidate)| candidate.signature.as_str());
    push_list(&mut query, signatures);
    query.push(" ORDER BY x.number");
    let rows: Vec<Row> = query
        .build_query_as()
        .persistent(false)
        .fetch_all(&mut *db)
        .await?;
    let mut known: BTreeMap<(&str, &str, &str), Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        known.entry((&row.0, &row.1, &row.2)).or_default().push(row);
    }
    let mut registered: HashMap<usize, Vec<Registered>> = HashMap::new();
    for (place, candidate) in &candidates {
        let key = (
            candidate.signature.as_str(),
            candidate.part.as_str(),
            candidate.digest,
        );
        for row in known.get(&key).into_iter().flatten() {
            let (_, _, _, certificate, tbs, key, number, file, authority, watches) = row;
            let same = match &candidate.signer {
                By::Key(found) => key == found,
                By::Certificate { sha256, tbs: found } => {
                    certificate == sha256
                        || (tbs == found
                            && is_registered_with(db, candidate, *number, certificate).await?)
                }
            };
            if same {
                registered.entry(*place).or_default().push(Registered {
                    number: *number,
                    file: file.clone(),
                    authority: registered::authority(authority)?,
                    watches: registered::watches(watches.as_deref())?,
                    again: true,
                });
            }
        }
    }
    Ok(registered)
}

/// Whether the registered certificate has the same chain as the one of this finding. The part that the CA signed is the
/// same in both. (The same as the last part of `same_signing!`.)
async fn is_registered_with(
    db: &mut SqliteConnection,
    candidate: &Candidate<'_>,
    number: i64,
    certificate: &str,
) -> Result<bool, Fail> {
    let chain = candidate.finding.chain.map_or("", |chain| chain.as_str());
    Ok(sqlx::query_scalar(concat!(
        "SELECT $2 IN ('trusted', 'unknown')
           AND (EXISTS (SELECT 1 FROM finding o JOIN signer t ON t.key = o.signer
                        WHERE ",
        same_hash!("o.signature_sha256", "o.signature_end", "$1"),
        "                 AND o.chain = $2 AND t.certificate_sha256 = $3)
                OR EXISTS (SELECT 1 FROM expected_leaf l JOIN finding o ON ",
        same_hash!("o.registered_as", "o.registered_end", "l.leaf_hash"),
        "                  JOIN signer t ON t.key = o.signer
                           WHERE l.expectation = $4
                             AND o.chain = $2 AND t.certificate_sha256 = $3))"
    ))
    .bind(&candidate.signature)
    .bind(chain)
    .bind(certificate)
    .bind(number)
    .fetch_one(&mut *db)
    .await?)
}

/// A registration of an earlier version contains only the hashes of leaves. An entry with such a leaf, or whose parts
/// are such a leaf in another form, shows the parts of the signing. They are stored from then on.
async fn learn(
    db: &mut SqliteConnection,
    candidates: &[(usize, Candidate<'_>)],
) -> Result<(), Fail> {
    let mut by_leaf: HashMap<String, Vec<&Candidate<'_>>> = HashMap::new();
    for (_, candidate) in candidates {
        let leaves = candidate.signed_as.leaves.iter().map(hex::encode);
        for leaf in leaves.chain(candidate.finding.leaf_hash.clone()) {
            by_leaf.entry(leaf).or_default().push(candidate);
        }
    }
    // Three names for each row of an insert.
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT leaf_hash, expectation FROM expected_leaf WHERE leaf_hash IN (",
    );
    push_list(&mut query, by_leaf.keys());
    let rows: Vec<(String, i64)> = query
        .build_query_as()
        .persistent(false)
        .fetch_all(&mut *db)
        .await?;
    for (leaf, number) in rows {
        for candidate in by_leaf.get(&leaf).into_iter().flatten() {
            // The signing of a bundle has a certificate, and so has each of its leaves.
            let By::Certificate { sha256, tbs } = &candidate.signer else {
                continue;
            };
            let known = Known {
                signature: &candidate.signature,
                part: candidate.part,
                digest: candidate.digest,
                certificate: sha256,
                tbs,
            };
            known.insert(db, number).await?;
            if candidate.finding.leaf_hash.as_deref() == Some(leaf.as_str()) {
                name(db, &leaf, number, candidate).await?;
            }
        }
    }
    Ok(())
}

/// For a leaf that an earlier version registered, it is unknown whether the bundle names it as an entry. Once the entry
/// is read, its kind decides: a bundle names entries by their kinds.
async fn name(
    db: &mut SqliteConnection,
    leaf: &str,
    number: i64,
    candidate: &Candidate<'_>,
) -> Result<(), Fail> {
    sqlx::query(
        "UPDATE expected_leaf SET named = 0
         WHERE leaf_hash = $1 AND expectation = $2 AND named = 1
           AND EXISTS (SELECT 1 FROM expectation x
                       WHERE x.number = $2 AND json_array_length(x.body, '$.entries') > 0
                         AND NOT EXISTS (SELECT 1 FROM json_each(x.body, '$.entries') n
                                         WHERE json_extract(n.value, '$.kind') = $3))",
    )
    .bind(leaf)
    .bind(number)
    .bind(candidate.finding.kind.as_deref())
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Settles the findings of the signings of these registrations, by what has been seen since they were recorded.
pub(super) async fn settle_again(
    db: &mut SqliteConnection,
    routes: &Routes,
    registered: &BTreeMap<i64, String>,
    now: Timestamp,
) -> Result<(), Fail> {
    for (number, registration) in registered {
        finding_changes::clear(db).await?;
        sqlx::query(ADD_FINDINGS)
            .bind(number)
            .execute(&mut *db)
            .await?;
        standing::settle(db, routes, &reason_of_replay(registration), now).await?;
    }
    Ok(())
}

/// Adds to a finding that an earlier version recorded what its entry shows, and settles it by its registrations.
pub(super) async fn complete(
    db: &mut SqliteConnection,
    routes: &Routes,
    incoming: &Incoming<'_>,
    now: Timestamp,
) -> Result<(), Fail> {
    let Some(signed_as) = &incoming.new.evidence.signed_as else {
        return Ok(());
    };
    let number: Option<i64> = sqlx::query_scalar(
        "UPDATE finding SET signature_sha256 = $2, signature_end = substr($2, -8), tbs_sha256 = $3
         WHERE id = $1 AND signature_sha256 IS NULL RETURNING number",
    )
    .bind(incoming.new.finding.id.as_bytes().as_slice())
    .bind(hex::encode(signed_as.signature))
    .bind(signed_as.tbs.map(hex::encode))
    .fetch_optional(&mut *db)
    .await?;
    match number {
        Some(number) => judge_one(db, routes, number, now).await,
        None => Ok(()),
    }
}

/// Settles one finding by its registrations.
pub(super) async fn judge_one(
    db: &mut SqliteConnection,
    routes: &Routes,
    number: i64,
    now: Timestamp,
) -> Result<(), Fail> {
    let found: Option<(String, String)> = sqlx::query_as(concat!(
        "SELECT x.authority, x.file FROM finding f JOIN expected_signing e ON e.signature_sha256 = f.signature_sha256
         JOIN expectation x ON x.number = e.expectation LEFT JOIN signer s ON s.key = f.signer
         WHERE f.number = $1
           AND f.judged_verdict IN ('model-unexpected', 'identity-unexpected', 'other-predicate', 'untrusted-chain') AND ",
        same_signing!(),
        " ORDER BY x.authority = 'signer', x.number LIMIT 1"
    ))
    .bind(number)
    .fetch_optional(&mut *db)
    .await?;
    let reason = match found {
        Some((authority, file)) => reason_of_replay(&registered::reason(
            registered::authority(&authority)?,
            &file,
        )),
        // Its shape or what is odd about it has changed, or a statement is known.
        None => "judged again".to_owned(),
    };
    finding_changes::only(db, number).await?;
    standing::settle(db, routes, &reason, now).await?;
    Ok(())
}
