//! By whom something must be signed with a key or a certificate.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use model_signing::MAX_PEM_BYTES;
use model_signing::certificate::{TrustStore, ValidAt};
use model_signing::key::PublicKey;

use super::files::{path, read};
use crate::times;

/// Which certificates are trusted, and when they must be valid.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct ChainArgs {
    /// Trusted roots, and certificates that lead to them: PEM (repeatable, required)
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(super) certificate_chain: Vec<PathBuf>,

    /// Judge the certificates at this time instead of today: 2026-01-01, 2026-01-01T08:00:00Z.
    /// Nothing proves that the signature was made then
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,

    /// Accept certificates that have expired. Nothing proves that the signature was made before
    #[arg(long, conflicts_with = "at")]
    allow_expired: bool,
}

fn time(written: &str) -> Result<Timestamp, &'static str> {
    times::parse_time(written)
        .ok_or("write a date such as 2026-01-01, or a time such as 2026-01-01T08:00:00Z")
}

impl ChainArgs {
    /// When the certificates must be valid, as far as the options say it.
    pub(super) fn valid_at(&self) -> ValidAt {
        match self.at {
            Some(at) => ValidAt::Given(at.as_second()),
            None if self.allow_expired => ValidAt::AllowExpired,
            None => ValidAt::Present,
        }
    }

    pub(super) fn trusted(&self) -> anyhow::Result<TrustStore> {
        if self.certificate_chain.is_empty() {
            anyhow::bail!(
                "verify certificate needs --certificate-chain: the roots that you trust. There is no default: \
                 with the certificate authorities of the web, anyone who has the certificate of any web site \
                 could sign as anyone"
            );
        }
        let mut certificates = Vec::new();
        for path in &self.certificate_chain {
            let pem = read(path, MAX_PEM_BYTES)?;
            let store = TrustStore::from_pem(&[pem])
                .with_context(|| format!("--certificate-chain {}", path.display()))?;
            certificates.extend_from_slice(store.certificates());
        }
        TrustStore::from_der(certificates).context("--certificate-chain")
    }
}

/// Reads a public key in PEM.
pub(super) fn public_key(path: &Path) -> anyhow::Result<PublicKey> {
    let pem = read(path, MAX_PEM_BYTES)?;
    PublicKey::from_pem(&pem).with_context(|| format!("the public key {}", path.display()))
}

/// When the certificates must be valid, if trusted authorities saw the signature at these times (seconds of Unix time). What
/// the options say comes before.
pub(super) fn at_times(valid_at: ValidAt, stamped: &[i64]) -> ValidAt {
    if stamped.is_empty() || valid_at != ValidAt::Present {
        valid_at
    } else {
        ValidAt::Proven(stamped.to_vec())
    }
}
