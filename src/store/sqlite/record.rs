//! Rows of findings.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::fail::Fail;
use super::value;
use crate::finding::{Finding, LOGGED_AGAIN, Verdict};

/// `SELECT` of everything that [`finding`] reads, followed by the given clauses. The finding is
/// `f`, its signer `s`.
macro_rules! select_finding {
    ($clauses:literal) => {
        concat!(
            "SELECT f.number, f.id, f.verdict, f.severity, f.watch, f.in_shape, f.log, f.origin, ",
            "f.entry_index, f.leaf_hash, f.proven, f.kind, f.digest, f.chain, f.first_seen, ",
            "f.state, f.fault, f.summary, s.san, s.issuer, s.extensions, s.certificate_sha256, ",
            "s.key_sha256, s.key_fingerprint, s.not_before, f.anomalies, ",
            "(f.verdict = 'expected' AND f.logged_sha256 IS NULL AND (NOT EXISTS (SELECT 1 FROM expected_leaf l ",
            "WHERE l.leaf_hash = f.registered_as AND l.named = 1) OR EXISTS (SELECT 1 FROM finding g ",
            "WHERE g.registered_end = f.registered_end AND g.registered_as = f.registered_as AND g.watch = f.watch ",
            "AND g.number < f.number))) AS logged_again ",
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
    let fault: Option<&str> = row.try_get("fault")?;
    let index: Option<i64> = row.try_get("entry_index")?;
    let index = index.map(value::natural).transpose()?;
    let (log, mut summary) = (
        row.try_get::<Option<String>, _>("log")?,
        row.try_get::<String, _>("summary")?,
    );
    let anomalies: Option<&str> = row.try_get("anomalies")?;
    let mut anomalies = match anomalies {
        Some(anomalies) => json(anomalies)?,
        None => anomalies_in(&summary, index, log.as_deref()),
    };
    if row.try_get("logged_again")? {
        anomalies.push(LOGGED_AGAIN.to_owned());
        summary.push_str("; ");
        summary.push_str(LOGGED_AGAIN);
    }
    let verdict = value::verdict(row.try_get("verdict")?)?;
    if verdict == Verdict::SelfRegistered {
        summary.push_str("; only its signer registered it");
    }
    Ok(Finding {
        id: value::finding_id(row.try_get("id")?)?,
        verdict,
        severity: value::severity(row.try_get("severity")?)?,
        watch: row.try_get("watch")?,
        in_shape: row.try_get("in_shape")?,
        log,
        origin: row.try_get("origin")?,
        index,
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
        fault: fault.map(value::fault).transpose()?,
        summary,
        anomalies,
    })
}

/// The number and the finding of a row of `select_finding!`.
pub(super) fn numbered(row: &SqliteRow) -> Result<(i64, Finding), Fail> {
    Ok((row.try_get("number")?, finding(row)?))
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Fail> {
    serde_json::from_str(text).map_err(|error| Fail::corrupt(error.to_string()))
}

/// The anomalies of a signing that an earlier version recorded. It stored them only in the summary, after the entry's
/// place.
pub(super) fn anomalies_in(summary: &str, index: Option<u64>, log: Option<&str>) -> Vec<String> {
    /// Other phrases after the place: about the watch, and about the look-up of a certificate's entries.
    const OTHERS: [&str; 5] = [
        "it is out of shape",
        "its signing is entry ",
        "its signings are entries ",
        "no entry of it was found in ",
        "what was signed with it cannot be looked up in ",
    ];
    let (Some(index), Some(log)) = (index, log) else {
        return Vec::new();
    };
    // The last one: names that the subject of a certificate chose come before it.
    let place = format!(": entry {index} of {log}");
    let Some((_, behind)) = summary.rsplit_once(&place) else {
        return Vec::new();
    };
    let Some(behind) = behind.strip_prefix("; ") else {
        return Vec::new();
    };
    let is_other = |phrase: &&str| OTHERS.iter().any(|other| phrase.starts_with(other));
    behind
        .split("; ")
        .filter(|phrase| !is_other(phrase))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anomalies_of_an_earlier_version_are_read_from_the_summary() {
        // The subject of a certificate may choose a name that looks like a place.
        let claimed = "a; b: entry 7 of main; c signed sha256:00, which is not registered";
        for (behind, anomalies) in [
            (": entry 7 of main", &[][..]),
            (": entry 7 of main; it is out of shape", &[]),
            (
                ": entry 7 of main; the certificate contains no SCT",
                &["the certificate contains no SCT"],
            ),
            (
                ": entry 7 of main; it is out of shape; it has 2 names; valid for 3 days",
                &["it has 2 names", "valid for 3 days"],
            ),
            (": entry 7 of main; its signing is entry 9 of v1", &[]),
            (
                ": entry 7 of main; no entry of it was found in v1 within a day after its end: it may have been used",
                &[],
            ),
        ] {
            let read = anomalies_in(&format!("{claimed}{behind}"), Some(7), Some("main"));
            assert_eq!(read, anomalies, "{behind}");
        }
        for elsewhere in [
            "a signed b: entry 70 of main; the certificate contains no SCT",
            "a signed b: entry 7 of mainland; the certificate contains no SCT",
            "nothing",
        ] {
            assert_eq!(
                anomalies_in(elsewhere, Some(7), Some("main")),
                [""; 0],
                "{elsewhere}"
            );
        }
        assert_eq!(
            anomalies_in("the log is silent", None, Some("main")),
            [""; 0]
        );
    }
}
