//! Timestamps over a signature by key or certificate: which authorities count, and what their times are.

use std::path::PathBuf;

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
        let mut authorities = Authorities::default();
        for path in &self.tsa_certificate_chain {
            let pem = read(path, MAX_PEM_BYTES)?;
            let found = Authorities::from_pem(&[pem])
                .with_context(|| format!("--tsa-certificate-chain {}", path.display()))?;
            authorities.extend(found);
        }
        if let Some(path) = &self.trusted_root {
            let trust = Trust::from_trusted_root(&read(path, MAX_TRUST_BYTES)?)
                .with_context(|| format!("--trusted-root {}", path.display()))?;
            authorities.extend(trust.timestamp_authorities().clone());
        }
        if let Some(path) = &self.trust_config {
            let trust = Trust::from_client_trust_config(&read(path, MAX_TRUST_BYTES)?)
                .with_context(|| format!("--trust-config {}", path.display()))?;
            authorities.extend(trust.timestamp_authorities().clone());
        }
        Ok(authorities)
    }

    /// The times of the timestamps that count, in seconds of Unix time. Those that do not are warned of: they may be by
    /// authorities that the signer trusts.
    pub(super) fn verify(
        &self,
        file: &SignatureFile,
        now: i64,
        warnings: &mut Warnings,
    ) -> anyhow::Result<Vec<i64>> {
        let authorities = self.authorities()?;
        if authorities.is_empty() {
            return Ok(Vec::new());
        }
        let proven = file.proven_times(&authorities, now);
        for why in proven.uncounted {
            warnings.warn(why)?;
        }
        if file.timestamps().is_empty() {
            warnings.warn("the signature has no timestamp".to_owned())?;
        }
        Ok(proven.times)
    }
}
