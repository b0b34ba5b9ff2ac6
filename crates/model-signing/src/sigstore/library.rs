//! The verification of `sigstore-verify`, and what it takes to ask for it.

use jiff::Timestamp;
use sigstore_verify::types::{self as library, DerPublicKey, Sha256Hash};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, VerificationResult};

use super::convert;
use super::entries;
use super::trust::Trust;
use super::verified::{Artifact, Signer};
use super::verifiers::Part;
use crate::bundle::{Bundle, Content};
use crate::keyless_error::{Check, KeylessError};

/// A bundle that `sigstore-verify` has verified.
pub(super) struct Library<'a> {
    signer: Signer<'a>,
    artifact: Wanted<'a>,
    converted: library::Bundle,
    part: Part,
    result: VerificationResult,
}

impl<'a> Library<'a> {
    /// Verifies a bundle by all authorities of the trusted root and the logs that it names. `stamped` are the times of its
    /// timestamps, each of which was verified.
    pub(super) fn verify(
        bundle: &Bundle,
        signature: &[u8],
        artifact: &Artifact<'a>,
        signer: &Signer<'a>,
        stamped: &[i64],
        trust: &Trust,
    ) -> Result<Self, KeylessError> {
        let mut timestamps = Vec::new();
        for time in stamped {
            timestamps.push(trust.verifiers.bridge()?.stamp(signature, *time)?);
        }
        let converted = convert::bundle(bundle, bundle.tlog_entries(), &timestamps)?;
        let artifact = Wanted::of(artifact, bundle)?;
        let part = Part {
            logs: entries::logs_of(bundle.tlog_entries(), &trust.root.tlogs),
            authorities: (0..trust.root.certificate_authorities.len()).collect(),
            has_bridge: !stamped.is_empty(),
        };
        let result = run(signer, artifact, &converted, &part, trust)?;
        Ok(Self {
            signer: *signer,
            artifact,
            converted,
            part,
            result,
        })
    }

    /// Of a bundle with a certificate: that it verifies without the authorities that were not valid at a verified time, and
    /// that everything was checked.
    pub(super) fn finish(&mut self, trust: &Trust) -> Result<(), KeylessError> {
        if restrict_authorities(&mut self.part, trust, &self.result) {
            self.result = run(
                &self.signer,
                self.artifact,
                &self.converted,
                &self.part,
                trust,
            )?;
        }
        require_everything(&self.result)
    }

    /// Each of several entries alone.
    pub(super) fn verify_each(
        &self,
        bundle: &Bundle,
        signature: &[u8],
        trust: &Trust,
    ) -> Result<(), KeylessError> {
        for (one, part) in entries::each(bundle, signature, trust, &self.part, &self.seconds())? {
            run(&self.signer, self.artifact, &one, &part, trust)?;
        }
        Ok(())
    }

    /// The verified times, in seconds of Unix time.
    pub(super) fn seconds(&self) -> Vec<i64> {
        let times = self.result.verified_timestamps().iter();
        times.copied().map(Timestamp::as_second).collect()
    }
}

fn run(
    signer: &Signer<'_>,
    artifact: Wanted<'_>,
    converted: &library::Bundle,
    part: &Part,
    trust: &Trust,
) -> Result<VerificationResult, KeylessError> {
    let verifier = trust.verifiers.of(&trust.root, part)?;
    let outcome = match (signer, artifact) {
        (Signer::Identity(_) | Signer::AnyIdentity, Wanted::Bytes(bytes)) => {
            verifier.verify(bytes, converted, &VerificationPolicy::any_identity())
        }
        (Signer::Identity(_) | Signer::AnyIdentity, Wanted::Digest(digest)) => {
            verifier.verify(digest, converted, &VerificationPolicy::any_identity())
        }
        (Signer::Key(spki), Wanted::Bytes(bytes)) => {
            let key = DerPublicKey::from_bytes(spki);
            verifier.verify(bytes, converted, &PublicKeyVerificationPolicy::new(key))
        }
        (Signer::Key(spki), Wanted::Digest(digest)) => {
            let key = DerPublicKey::from_bytes(spki);
            verifier.verify(digest, converted, &PublicKeyVerificationPolicy::new(key))
        }
    };
    outcome.map_err(|error| KeylessError::of_library(&error))
}

/// What the library is asked about.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Bytes(&'a [u8]),
    Digest(Sha256Hash),
}

impl<'a> Wanted<'a> {
    fn of(artifact: &Artifact<'a>, bundle: &Bundle) -> Result<Self, KeylessError> {
        Ok(match artifact {
            Artifact::Bytes(bytes) => Self::Bytes(bytes),
            Artifact::Sha256(digest) => Self::Digest(Sha256Hash::new(*digest)),
            Artifact::Statement => Self::Digest(Sha256Hash::new(first_subject(bundle)?)),
        })
    }
}

/// The SHA-256 digest of the first subject that has one. The library wants a digest of some subject; which subjects count is
/// for the caller, who gets the payload that was verified.
pub(super) fn first_subject(bundle: &Bundle) -> Result<[u8; 32], KeylessError> {
    #[derive(serde::Deserialize)]
    struct Statement {
        subject: Vec<Subject>,
    }
    #[derive(serde::Deserialize)]
    struct Subject {
        digest: std::collections::BTreeMap<String, String>,
    }
    let bad = |reason: &str| KeylessError::new(Check::Bundle, reason);
    let Content::Dsse(envelope) = bundle.content() else {
        return Err(bad(
            "the signature is over the digest of a file, not over a statement",
        ));
    };
    let statement: Statement = serde_json::from_slice(&envelope.payload)
        .map_err(|_| bad("the payload is not an in-toto statement with subjects"))?;
    let digests = statement.subject.iter();
    let mut digests = digests.filter_map(|subject| subject.digest.get("sha256"));
    let digest = digests
        .next()
        .ok_or_else(|| bad("no subject has a SHA-256 digest"))?;
    Sha256Hash::from_hex(digest)
        .map(|digest| *digest.as_bytes())
        .map_err(|_| bad("the SHA-256 digest of a subject is not 64 hexadecimal digits"))
}

/// Leaves out the authorities of which a certificate was not valid at a verified time: the library trusts every certificate of
/// an authority's chain, and checks the validity of none. Returns whether it left any out.
pub(super) fn restrict_authorities(
    part: &mut Part,
    trust: &Trust,
    result: &VerificationResult,
) -> bool {
    let before = part.authorities.len();
    let times = result.verified_timestamps();
    part.authorities.retain(|place| {
        let period = trust.periods.get(*place).and_then(Option::as_ref);
        period.is_some_and(|period| times.iter().all(|time| period.contains(&time.as_second())))
    });
    part.authorities.len() != before
}

/// That the library made every check. Today it returns an error otherwise; this holds if a later version does not.
fn require_everything(result: &VerificationResult) -> Result<(), KeylessError> {
    for (done, check) in [
        (result.certificate_verified(), Check::CertificatePath),
        (result.sct_verified(), Check::CertificateTransparency),
        (result.tlog_verified(), Check::Inclusion),
        (!result.verified_timestamps().is_empty(), Check::Time),
    ] {
        require(done, check)?;
    }
    Ok(())
}

pub(super) fn require(done: bool, check: Check) -> Result<(), KeylessError> {
    if done {
        return Ok(());
    }
    Err(KeylessError::new(check, "it was not checked"))
}
