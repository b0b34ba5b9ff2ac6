//! Timestamps over a signature by key or certificate: which authorities count, and what their times are.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model_signing::MAX_PEM_BYTES;
use model_signing::sigstore::{MAX_TRUST_BYTES, Trust};
use model_signing::timestamp::Authorities;
use model_signing::verify::SignatureFile;

use super::files::{path, read};
use super::messages::Warnings;

/// Whose timestamps count.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct StampArgs {
    /// Roots of the timestamp authorities that you trust, and certificates that lead to them: PEM
    /// (repeatable). A chain that has expired is then judged at the time of the timestamp
    #[arg(long, value_name = "FILE", value_parser = path())]
    tsa_certificate_chain: Vec<PathBuf>,

    /// Trust the timestamp authorities of this Sigstore trusted root (JSON)
    #[arg(long, value_name = "FILE", value_parser = path())]
    trusted_root: Option<PathBuf>,

    /// Trust the timestamp authorities of this Sigstore client trust configuration (JSON)
    #[arg(long, value_name = "FILE", value_parser = path())]
    trust_config: Option<PathBuf>,
}

impl StampArgs {
    /// The authorities; none if none was given.
    pub(super) fn authorities(&self) -> anyhow::Result<Authorities> {
        authorities(
            &self.tsa_certificate_chain,
            self.trusted_root.as_deref(),
            self.trust_config.as_deref(),
        )
    }
}

/// The authorities that these files name: certificates in PEM, a trusted root, and a client trust configuration.
pub(super) fn authorities(
    chains: &[PathBuf],
    trusted_root: Option<&Path>,
    trust_config: Option<&Path>,
) -> anyhow::Result<Authorities> {
    let mut authorities = Authorities::default();
    for path in chains {
        let pem = read(path, MAX_PEM_BYTES)?;
        let found = Authorities::from_pem(&[pem])
            .with_context(|| format!("--tsa-certificate-chain {}", path.display()))?;
        authorities.extend(found);
    }
    if let Some(path) = trusted_root {
        let trust = Trust::from_trusted_root(&read(path, MAX_TRUST_BYTES)?)
            .with_context(|| format!("--trusted-root {}", path.display()))?;
        authorities.extend(trust.timestamp_authorities().clone());
    }
    if let Some(path) = trust_config {
        let trust = Trust::from_client_trust_config(&read(path, MAX_TRUST_BYTES)?)
            .with_context(|| format!("--trust-config {}", path.display()))?;
        authorities.extend(trust.timestamp_authorities().clone());
    }
    Ok(authorities)
}

/// The times of the timestamps that count, in seconds of Unix time; none if there are no authorities. The timestamps that do
/// not count are warned of: they may be by authorities that the signer trusts.
pub(super) fn proven_times(
    authorities: &Authorities,
    file: &SignatureFile,
    now: i64,
    warnings: &mut Warnings,
) -> anyhow::Result<Vec<i64>> {
    if authorities.is_empty() {
        return Ok(Vec::new());
    }
    let proven = file.proven_times(authorities, now);
    for why in proven.uncounted {
        warnings.warn(why)?;
    }
    if file.timestamps().is_empty() {
        warnings.warn("the signature has no timestamp".to_owned())?;
    }
    Ok(proven.times)
}
