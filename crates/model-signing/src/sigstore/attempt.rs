//! Verifying a bundle, in the order of the Sigstore client specification.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sigstore_verify::VerificationPolicy;
use sigstore_verify::trust_root::TransparencyLog;
use sigstore_verify::types::Sha256Hash;
use x509_parser::prelude::X509Certificate;

use super::body::check_envelope_hash;
use super::convert;
use super::direct;
use super::entries;
use super::identity::Identity;
use super::library::{Library, first_subject, require, restrict_authorities};
use super::trust::Trust;
use super::verified::{Artifact, LogEntry, Signer, TimeSource, Verified, VerifiedTime};
use super::verifiers::Part;
use crate::bundle::{Bundle, Content, InclusionProof, TlogEntry};
use crate::certificate;
use crate::keyless_error::{Check, KeylessError};
use crate::timestamp::Token;

/// How far a verified time may lie ahead of the verifier's clock, in seconds: authorities and verifiers are synchronised
/// to within minutes. A log's own time may not lie ahead at all: `sigstore-verify` refuses it.
pub(super) const CLOCK_SKEW_SECONDS: i64 = 300;

/// The longest checkpoint that is verified, in bytes: as long as the monitor reads one of a log.
const MAX_CHECKPOINT_BYTES: usize = 128 * 1024;

/// Reads a bundle of any signer and verifies it. `now` is the present, in seconds of Unix time.
///
/// # Errors
///
/// [`KeylessError`], which names the check that failed.
pub fn verify(
    bundle: &[u8],
    artifact: &Artifact<'_>,
    signer: &Signer<'_>,
    trust: &Trust,
    now: i64,
) -> Result<Verified, KeylessError> {
    let bundle = Bundle::parse(bundle)
        .map_err(|error| KeylessError::new(Check::Bundle, error.to_string()))?;
    verify_bundle(&bundle, artifact, signer, trust, now)
}

/// As [`verify`], of a bundle that was read from a file of any form.
///
/// # Errors
///
/// As there.
pub fn verify_bundle(
    bundle: &Bundle,
    artifact: &Artifact<'_>,
    signer: &Signer<'_>,
    trust: &Trust,
    now: i64,
) -> Result<Verified, KeylessError> {
    let signature = check_shape(bundle)?;
    let stamped = countable_timestamps(bundle, signature, trust)?;
    let ignored_timestamps = bundle.timestamps().len() - stamped.len();
    let direct = match (signer, artifact) {
        (Signer::Identity(_) | Signer::AnyIdentity, Artifact::Statement) => {
            direct::verify(bundle, &stamped, trust, now)
        }
        _ => None,
    };
    let by_library = || Library::verify(bundle, signature, artifact, signer, &stamped, trust);
    let (proven, library) = if let Some(proven) = direct {
        debug_assert_eq!(
            by_library().and_then(|mut library| {
                library.finish(trust)?;
                Ok(library.seconds())
            }),
            Ok(proven.clone()),
            "what is verified directly must be what sigstore-verify verifies"
        );
        (proven, None)
    } else {
        let mut library = by_library()?;
        if !matches!(signer, Signer::Key(_)) && bundle.leaf_certificate().is_some() {
            library.finish(trust)?;
        }
        (library.seconds(), Some(library))
    };
    let certificate = match (signer, bundle.leaf_certificate()) {
        (Signer::Identity(_) | Signer::AnyIdentity, Some(der)) => {
            let identity = Identity::of(&check_usage(der)?)?;
            if let Signer::Identity(policy) = signer {
                policy.check(&identity)?;
            }
            Some((der.to_vec(), identity))
        }
        _ => None,
    };
    if let Some(library) = &library {
        library.verify_each(bundle, signature, trust)?;
    }
    let times = times(proven, &stamped);
    if let Some(late) = times
        .iter()
        .find(|time| time.seconds > now.saturating_add(CLOCK_SKEW_SECONDS))
    {
        return Err(KeylessError::new(
            Check::Time,
            format!(
                "the verified time {} is after the present, {now} (seconds of Unix time)",
                late.seconds
            ),
        ));
    }
    for entry in bundle.tlog_entries() {
        if let (Content::Dsse(envelope), "dsse") = (bundle.content(), entry.kind.as_str()) {
            check_envelope_hash(entry, envelope)?;
        }
    }
    let entries = bundle.tlog_entries().iter();
    Ok(Verified {
        certificate,
        entries: entries
            .map(|entry| described(entry, trust, &times))
            .collect(),
        times,
        ignored_timestamps,
    })
}

/// That verifiers will accept the certificate of a bundle that has no log entry yet: every check of [`verify_bundle`] that
/// needs neither an entry nor a timestamp, at the time `at` in seconds of Unix time. The signature of the bundle must be by the
/// certificate's key.
pub(super) fn verify_certificate(
    bundle: &Bundle,
    trust: &Trust,
    at: i64,
) -> Result<(), KeylessError> {
    let bad = |reason: &str| KeylessError::new(Check::Bundle, reason);
    let Content::Dsse(envelope) = bundle.content() else {
        return Err(bad("the bundle has no envelope"));
    };
    let (Some(signature), Some(der)) = (envelope.signatures.first(), bundle.leaf_certificate())
    else {
        return Err(bad("the bundle has no signature by a certificate"));
    };
    let stamp = trust.verifiers.bridge()?.stamp(&signature.sig, at)?;
    let converted = convert::bundle(bundle, bundle.tlog_entries(), &[stamp])?;
    let mut part = Part {
        logs: (0..trust.root.tlogs.len()).collect(),
        authorities: (0..trust.root.certificate_authorities.len()).collect(),
        has_bridge: true,
    };
    let digest = Sha256Hash::new(first_subject(bundle)?);
    let policy = VerificationPolicy::any_identity().skip_tlog_unsafe();
    let run = |part: &Part| {
        let verifier = trust.verifiers.of(&trust.root, part)?;
        let outcome = verifier.verify(digest, &converted, &policy);
        outcome.map_err(|error| KeylessError::of_library(&error))
    };
    let mut result = run(&part)?;
    if restrict_authorities(&mut part, trust, &result) {
        result = run(&part)?;
    }
    require(result.certificate_verified(), Check::CertificatePath)?;
    require(result.sct_verified(), Check::CertificateTransparency)?;
    check_usage(der).map(|_| ())
}

/// What is asked of every bundle before any cryptography. Answers the signature.
fn check_shape(bundle: &Bundle) -> Result<&[u8], KeylessError> {
    let bad = |check, reason: &str| Err(KeylessError::new(check, reason));
    if bundle.tlog_entries().is_empty() {
        return bad(Check::LogEntry, "the bundle has no entry of a log");
    }
    if entries::has_duplicate(bundle.tlog_entries()) {
        return bad(Check::LogEntry, "the bundle has an entry of a log twice");
    }
    for entry in bundle.tlog_entries() {
        match &entry.inclusion_proof {
            None => return bad(Check::Inclusion, "the log entry has no inclusion proof"),
            Some(proof) if proof.checkpoint.as_deref().unwrap_or_default().is_empty() => {
                return bad(Check::Checkpoint, "the inclusion proof has no checkpoint");
            }
            Some(proof)
                if proof.checkpoint.as_deref().unwrap_or_default().len() > MAX_CHECKPOINT_BYTES =>
            {
                return bad(Check::Checkpoint, "the checkpoint is longer than 128 KiB");
            }
            // With another size, the same hashes prove the entry at another index.
            Some(proof) if size_of(proof) != Some(proof.tree_size) => {
                let reason =
                    "the tree of the inclusion proof has another size than that of the checkpoint";
                return bad(Check::Inclusion, reason);
            }
            // The library proves an entry of Rekor v2 by the checkpoint and by the entry's own index. Other clients read these
            // copies of them: they must not read another index or another root.
            Some(proof) if is_v2(entry) && proof.log_index != entry.log_index => {
                return bad(
                    Check::Inclusion,
                    "the inclusion proof has another index than the log entry",
                );
            }
            Some(proof) if is_v2(entry) && root_of(proof) != Some(proof.root_hash) => {
                return bad(
                    Check::Inclusion,
                    "the inclusion proof has another root hash than the checkpoint",
                );
            }
            // As sigstore-python selects the signature of the log.
            Some(proof) if !is_signed_by(proof, &entry.log_id) => {
                return bad(
                    Check::Checkpoint,
                    "the checkpoint has no signature by the log that the entry names",
                );
            }
            Some(_) => {}
        }
    }
    match bundle.content() {
        Content::Message { signature, .. } => Ok(signature),
        Content::Dsse(envelope) => match envelope.signatures.as_slice() {
            [signature] => Ok(&signature.sig),
            others => bad(
                Check::Bundle,
                &format!("the envelope has {} signatures, not one", others.len()),
            ),
        },
    }
}

/// Of a Rekor v2 log, which has no index over several trees.
fn is_v2(entry: &TlogEntry) -> bool {
    entry.kind == "hashedrekord" && entry.version == "0.0.2"
}

/// The size in the checkpoint of a proof.
fn size_of(proof: &InclusionProof) -> Option<u64> {
    proof.checkpoint.as_deref()?.lines().nth(1)?.parse().ok()
}

/// The root hash in the checkpoint of a proof.
fn root_of(proof: &InclusionProof) -> Option<[u8; 32]> {
    let root = proof.checkpoint.as_deref()?.lines().nth(2)?;
    STANDARD.decode(root).ok()?.try_into().ok()
}

/// Whether a line of the checkpoint claims to be the signature of this log: its first four bytes are those of the log's id
/// (C2SP signed-note).
fn is_signed_by(proof: &InclusionProof, log_id: &[u8]) -> bool {
    let checkpoint = proof.checkpoint.as_deref().unwrap_or_default();
    let mut lines = checkpoint
        .lines()
        .filter(|line| line.starts_with("\u{2014} "));
    lines.any(|line| {
        let signature = line.rsplit(' ').next().map(|text| STANDARD.decode(text));
        matches!((signature, log_id.get(..4)), (Some(Ok(signature)), Some(hint)) if signature.starts_with(hint))
    })
}

/// The times of the timestamps by trusted authorities, each of which must verify. Anyone can add one by an authority of their
/// own to a bundle; such a one neither proves anything nor takes anything from the others.
fn countable_timestamps(
    bundle: &Bundle,
    signature: &[u8],
    trust: &Trust,
) -> Result<Vec<i64>, KeylessError> {
    let bad = |reason: String| KeylessError::new(Check::Time, reason);
    let mut seen = HashSet::new();
    let mut times = Vec::new();
    let authorities = trust.timestamp_authorities();
    for der in bundle.timestamps() {
        if !seen.insert(der) {
            return Err(bad("the bundle has a timestamp twice".to_owned()));
        }
        let token = Token::parse(der).map_err(|error| bad(error.to_string()))?;
        let stamped = authorities
            .verify_own(&token, signature)
            .map_err(|error| bad(format!("invalid timestamp: {error}")))?;
        times.extend(stamped.map(|stamped| stamped.time));
    }
    Ok(times)
}

/// Reads the signer's certificate, and checks its key usage; the library checks the extended one.
fn check_usage(der: &[u8]) -> Result<X509Certificate<'_>, KeylessError> {
    let bad = |reason: &str| Err(KeylessError::new(Check::KeyUsage, reason));
    let Ok(certificate) = certificate::read(der) else {
        return bad("the certificate is not an X.509 certificate in DER");
    };
    match certificate.key_usage() {
        Ok(Some(usage)) if usage.value.digital_signature() => {}
        _ => return bad("the certificate does not have the key usage digitalSignature"),
    }
    match certificate.extended_key_usage() {
        Ok(Some(usage)) if usage.value.code_signing => Ok(certificate),
        _ => bad("the certificate does not have the extended key usage codeSigning"),
    }
}

/// The verified times, in seconds of Unix time: those of `stamped` are by authorities, the others by logs.
fn times(mut by_logs: Vec<i64>, stamped: &[i64]) -> Vec<VerifiedTime> {
    for time in stamped {
        if let Some(at) = by_logs.iter().position(|other| other == time) {
            by_logs.remove(at);
        }
    }
    let of = |source| {
        move |seconds: &i64| VerifiedTime {
            seconds: *seconds,
            source,
        }
    };
    let by_authorities = stamped.iter().map(of(TimeSource::Authority));
    by_authorities
        .chain(by_logs.iter().map(of(TimeSource::Log)))
        .collect()
}

fn described(entry: &TlogEntry, trust: &Trust, times: &[VerifiedTime]) -> LogEntry {
    let logs = &trust.root.tlogs;
    let mut named = logs.iter().filter(|log| entries::is_named(log, entry));
    let is_in_period = |log: &TransparencyLog| {
        let Some(period) = log.public_key.valid_for else {
            return true;
        };
        let mut times = times.iter();
        times.all(|time| {
            Timestamp::from_second(time.seconds).is_ok_and(|time| period.contains(time))
        })
    };
    let in_key_period = named.clone().any(is_in_period);
    let is_v2 = is_v2(entry);
    let proof = entry.inclusion_proof.as_ref();
    let checkpoint = proof.and_then(|proof| proof.checkpoint.as_deref());
    let origin = checkpoint.and_then(|note| note.lines().next());
    LogEntry {
        log: named.next().map(|log| log.base_url.clone()),
        origin: origin.unwrap_or_default().to_owned(),
        tree_index: match proof {
            Some(proof) if !is_v2 => proof.log_index,
            _ => entry.log_index,
        },
        log_index: (is_v2 || entry.inclusion_promise.is_some()).then_some(entry.log_index),
        time: entry
            .integrated_time
            .filter(|_| entry.inclusion_promise.is_some()),
        kind: (entry.kind.clone(), entry.version.clone()),
        in_key_period,
    }
}
