//! By whom an attestation must be signed: an identity of Sigstore, a key, or a certificate that leads to a trusted root.

use std::path::PathBuf;

use model_signing::bundle::Bundle;
use model_signing::certificate::ValidAt;
use model_signing::sigstore::{Verified, verify_attestation};
use model_signing::timestamp::Authorities;
use model_signing::verify::{Options, SignatureFile, Verifier};
use serde_json::{Value, json};

use super::files::path;
use super::keyless::{self, Keyless, KeylessArgs};
use super::messages::Warnings;
use super::report::{SignerReport, certificate_report};
use super::signer::{ChainArgs, at_times, public_key};
use super::stamps::proven_times;
use crate::clock;

/// The options of an identity.
const IDENTITY: [&str; 4] = [
    "identity",
    "identity_glob",
    "identity_regex",
    "identity_provider",
];
/// Options that only an identity has a use for.
const ONLY_WITH_IDENTITY: [&str; 3] = ["require", "use_staging", "offline"];
/// The options that name a signer without an identity.
const OTHERS: [&str; 2] = ["public_key", "certificate_chain"];

/// By whom.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(
    mut_arg("identity", |it| it.required_unless_present_any(OTHERS)),
    mut_arg("identity_provider", |it| it.required(false).required_unless_present_any(OTHERS)),
    mut_arg("certificate_chain", |it| it
        .help("Instead of an identity: trusted roots, and certificates that lead to them: PEM (repeatable)")
        .conflicts_with_all(IDENTITY)
        .conflicts_with_all(ONLY_WITH_IDENTITY)),
    mut_arg("at", |it| it.requires("certificate_chain").conflicts_with("public_key").conflicts_with_all(IDENTITY)),
    mut_arg("allow_expired", |it| it.requires("certificate_chain").conflicts_with("public_key").conflicts_with_all(IDENTITY)),
)]
pub(super) struct SignerArgs {
    #[command(flatten)]
    keyless: KeylessArgs,

    /// Instead of an identity: the public key of the signer: PEM
    #[arg(long, value_name = "FILE", value_parser = path(), conflicts_with = "certificate_chain", conflicts_with_all = IDENTITY, conflicts_with_all = ONLY_WITH_IDENTITY)]
    public_key: Option<PathBuf>,

    #[command(flatten)]
    chain: ChainArgs,

    /// With a key or certificates: roots of the timestamp authorities that you trust, and
    /// certificates that lead to them: PEM (repeatable)
    #[arg(long, value_name = "FILE", value_parser = path(), conflicts_with_all = IDENTITY)]
    tsa_certificate_chain: Vec<PathBuf>,
}

/// By whom, with everything that the options name read.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one, for the time of a run"
)]
pub(super) enum Signer {
    Identity(Keyless),
    /// By a key or a certificate.
    Other {
        verifier: Verifier,
        valid_at: ValidAt,
        /// Whose timestamps count.
        authorities: Authorities,
    },
}

/// Who signed an attestation that was verified.
pub(super) enum SignedBy {
    Identity(Verified),
    /// A key or a certificate.
    Other(SignerReport),
}

impl SignerArgs {
    /// Reads the options, and the files that they name.
    pub(super) fn prepare(&self) -> anyhow::Result<Signer> {
        let verifier = match &self.public_key {
            Some(path) => Verifier::Key(public_key(path)?),
            None if self.chain.certificate_chain.is_empty() => {
                return Ok(Signer::Identity(self.keyless.prepare()?));
            }
            None => Verifier::Certificates(self.chain.trusted()?),
        };
        Ok(Signer::Other {
            verifier,
            valid_at: self.chain.valid_at(),
            authorities: self.keyless.trust.stamping(&self.tsa_certificate_chain)?,
        })
    }
}

impl Signer {
    /// The payload of an attestation by the signer, as it was signed, and who signed it.
    pub(super) fn verify(
        &mut self,
        bundle: Bundle,
        warnings: &mut Warnings,
    ) -> anyhow::Result<(Vec<u8>, SignedBy)> {
        match self {
            Self::Identity(keyless) => {
                let opened = keyless.verify(
                    |policy, trust, now| verify_attestation(&bundle, policy, trust, now),
                    warnings,
                )?;
                Ok((opened.payload, SignedBy::Identity(opened.verified)))
            }
            Self::Other {
                verifier,
                valid_at,
                authorities,
            } => {
                let now = clock::now().as_second();
                let file = SignatureFile::from_attestation(bundle)?;
                let leaf = file.certificates().first().cloned();
                let stamped = proven_times(authorities, &file, now, warnings)?;
                let options = Options {
                    now,
                    valid_at: at_times(valid_at.clone(), &stamped),
                    strict: warnings.strict,
                };
                let opened = file.verify(verifier, &options)?;
                for warning in &opened.warnings {
                    warnings.warn(warning.to_string())?;
                }
                let report = SignerReport::new(&opened.key, leaf.as_deref(), &stamped);
                Ok((opened.payload, SignedBy::Other(report)))
            }
        }
    }
}

impl SignedBy {
    /// Who, in words; foreign text, not escaped.
    pub(super) fn name(&self) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match self {
            Self::Identity(verified) => match &verified.certificate {
                Some((_, identity)) => {
                    let name = identity.names.first().map_or("", |name| &name.text);
                    format!("{name}, by {}", identity.issuer)
                }
                None => String::new(),
            },
            Self::Other(SignerReport {
                certificate: Some(certificate),
                ..
            }) => format!(
                "{}, certified by {}",
                text(&certificate["subject"]),
                text(&certificate["issuer"])
            ),
            Self::Other(report) => {
                let key = report.key.as_ref();
                format!(
                    "the {} key {}",
                    key.map(|key| text(&key["algorithm"])).unwrap_or_default(),
                    key.map(|key| text(&key["hint"])).unwrap_or_default()
                )
            }
        }
    }

    /// Adds to a report who signed, when, and where it is logged.
    pub(super) fn describe(&self, report: &mut Value) {
        report["identity"] = Value::Null;
        report["key"] = Value::Null;
        report["certificate"] = Value::Null;
        report["log_index"] = Value::Null;
        match self {
            Self::Identity(verified) => {
                keyless::describe(verified, report);
                let der = verified.certificate.as_ref().map(|(der, _)| &**der);
                report["certificate"] = der.and_then(certificate_report).into();
            }
            Self::Other(signer) => {
                report["method"] = signer.method.into();
                report["key"] = signer.key.clone().into();
                report["certificate"] = signer.certificate.clone().into();
                report["timestamps"] = json!(signer.timestamps);
            }
        }
    }
}
