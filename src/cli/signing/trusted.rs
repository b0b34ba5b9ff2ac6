//! What keyless signatures are verified with: a file, or the trusted root of an instance.
//!
//! A trusted root of each instance is part of the program. Newer versions from its TUF repository are stored in the
//! user's cache directory. The repository is read once a day, or if a verification fails that a newer version may
//! explain. Without a network the stored version is used: a failure is recorded for an hour, so that not every
//! verification waits.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use model_signing::sigstore::{Instance, MAX_TRUST_BYTES, SigningConfig, Trust};
use model_signing::timestamp::Authorities;

use super::files::{path, read};
use super::stamps;
use crate::clock;
use crate::http;
use crate::trust::{Published, Publisher, RepositorySettings};

/// How long a version is used before the repository is read again.
const REFRESH: SignedDuration = SignedDuration::from_hours(24);
/// How long a failure is recorded.
const RETRY: SignedDuration = SignedDuration::from_hours(1);
/// How long a verification waits for the repository.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// A failure's time in RFC 3339.
const MAX_FAILURE_BYTES: usize = 64;

/// Whose trust.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct TrustArgs {
    /// Trust Sigstore's staging instance instead of the public one
    #[arg(long)]
    use_staging: bool,

    /// Use this file: a Sigstore client trust configuration (JSON)
    #[arg(long, value_name = "FILE", value_parser = path(), conflicts_with = "trusted_root")]
    trust_config: Option<PathBuf>,

    /// Use this file: a Sigstore trusted root (JSON)
    #[arg(long, value_name = "FILE", value_parser = path())]
    trusted_root: Option<PathBuf>,

    /// Do not ask the network for a newer trusted root
    #[arg(long)]
    offline: bool,
}

/// The trusted root, and whether a newer one can be fetched.
pub(super) struct Trusted {
    trust: Trust,
    repository: Option<Repository>,
}

/// The TUF repository of an instance, and what is kept of it.
struct Repository {
    settings: RepositorySettings,
    cache: PathBuf,
}

impl TrustArgs {
    /// The authorities for timestamps of the file that is named, and of these certificates in PEM.
    pub(super) fn stamping(&self, chains: &[PathBuf]) -> anyhow::Result<Authorities> {
        let (root, config) = (self.trusted_root.as_deref(), self.trust_config.as_deref());
        stamps::authorities(chains, root, config)
    }

    pub(super) fn load(&self) -> anyhow::Result<Trusted> {
        let file = |path: &Path, option: &str, parse: Parse| {
            let json = read(path, MAX_TRUST_BYTES)?;
            let trust = parse(&json).with_context(|| format!("{option} {}", path.display()))?;
            for remark in trust.remarks() {
                tracing::warn!("{option} {}: {remark}", path.display());
            }
            Ok(Trusted::of(trust))
        };
        // The reference's order when it verifies: the file before --use-staging.
        match (&self.trust_config, &self.trusted_root) {
            (Some(path), _) => file(path, "--trust-config", Trust::from_client_trust_config),
            (None, Some(path)) => file(path, "--trusted-root", Trust::from_trusted_root),
            (None, None) => Ok(of_instance(self.use_staging, self.offline)?.0),
        }
    }
}

/// Where to sign, and what is trusted then.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct InstanceArgs {
    /// Sign with Sigstore's staging instance instead of the public one
    #[arg(long)]
    use_staging: bool,

    /// Sign with the services of this file, and trust its keys: a Sigstore client trust
    /// configuration (JSON)
    #[arg(long, value_name = "FILE", value_parser = path())]
    trust_config: Option<PathBuf>,
}

impl InstanceArgs {
    /// The file that is read, if there is one.
    pub(super) fn input(&self) -> Option<&PathBuf> {
        self.trust_config.as_ref()
    }

    /// The trusted root, and where to sign. What the repository of an instance published since is asked for as when a
    /// signature is verified.
    pub(super) fn load(&self) -> anyhow::Result<(Trusted, SigningConfig)> {
        // The reference's order when it signs: --use-staging before the file.
        let loaded = match &self.trust_config {
            Some(path) if !self.use_staging => {
                let json = read(path, MAX_TRUST_BYTES)?;
                let named = || format!("--trust-config {}", path.display());
                let trust = Trust::from_client_trust_config(&json).with_context(named)?;
                let config = SigningConfig::from_client_trust_config(&json).with_context(named)?;
                for remark in trust.remarks().iter().chain(config.remarks()) {
                    tracing::warn!("{}: {remark}", named());
                }
                (Trusted::of(trust), config)
            }
            _ => {
                let (instance, _) = instance(self.use_staging);
                let (trusted, published) = of_instance(self.use_staging, false)?;
                let config = match published.and_then(|published| published.signing_config) {
                    Some(json) => SigningConfig::from_json(&json)
                        .context("the signing configuration of the TUF repository")?,
                    None => SigningConfig::embedded(instance)?,
                };
                (trusted, config)
            }
        };
        Ok(loaded)
    }
}

fn instance(is_staging: bool) -> (Instance, RepositorySettings) {
    if is_staging {
        (Instance::Staging, RepositorySettings::Staging)
    } else {
        (Instance::PublicGood, RepositorySettings::PublicGood)
    }
}

/// What an instance's repository has published, as far as it is kept or can be asked; else the embedded trusted root.
fn of_instance(is_staging: bool, is_offline: bool) -> anyhow::Result<(Trusted, Option<Published>)> {
    let (instance, settings) = instance(is_staging);
    let name = if is_staging { "staging" } else { "public-good" };
    let cache = cache_directory().map(|folder| folder.join(format!("tuf-{name}.json")));
    let Some(cache) = cache else {
        return Ok((Trusted::of(Trust::embedded(instance)?), None));
    };
    let repository = Repository { settings, cache };
    let kept = repository.kept();
    let is_old = kept
        .as_ref()
        .is_none_or(|kept| is_past(kept.refreshed, REFRESH));
    let newer = (is_old && !is_offline)
        .then(|| repository.refresh())
        .flatten();
    let published = newer.or(kept);
    let trust = match &published {
        Some(published) => Trust::from_trusted_root(&published.trusted_root)
            .context("the trusted root of the TUF repository")?,
        None => Trust::embedded(instance)?,
    };
    let trusted = Trusted {
        trust,
        repository: (!is_offline).then_some(repository),
    };
    Ok((trusted, published))
}

type Parse = fn(&[u8]) -> Result<Trust, model_signing::sigstore::TrustError>;

impl Trusted {
    /// What is trusted by a file or by the program itself: nothing newer can be asked for.
    fn of(trust: Trust) -> Self {
        Self {
            trust,
            repository: None,
        }
    }

    pub(super) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Updates the trusted root, once, and returns whether there is a newer one.
    pub(super) fn refresh_for_a_failure(&mut self) -> bool {
        let Some(repository) = self.repository.take() else {
            return false;
        };
        let before = repository.kept();
        // It was updated a moment ago, or a failure is recorded.
        let is_new = before
            .as_ref()
            .is_some_and(|kept| !is_past(kept.refreshed, RETRY));
        if is_new {
            return false;
        }
        let published = repository.refresh();
        let Some(published) = published.filter(|published| {
            before.is_none_or(|before| before.trusted_root != published.trusted_root)
        }) else {
            return false;
        };
        match Trust::from_trusted_root(&published.trusted_root) {
            Ok(trust) => {
                self.trust = trust;
                true
            }
            Err(error) => {
                tracing::warn!("the trusted root of the TUF repository: {error}");
                false
            }
        }
    }
}

impl Repository {
    fn kept(&self) -> Option<Published> {
        if !self.cache.exists() {
            return None;
        }
        let opened = Publisher::open(&self.settings, self.cache.clone());
        opened.ok()?.kept().cloned()
    }

    /// Reads the repository, unless that failed recently; `None` without a result.
    fn refresh(&self) -> Option<Published> {
        let failed = self.cache.with_extension("failed");
        if read(&failed, MAX_FAILURE_BYTES)
            .ok()
            .and_then(|text| {
                String::from_utf8(text)
                    .ok()?
                    .trim()
                    .parse::<Timestamp>()
                    .ok()
            })
            .is_some_and(|failed| !is_past(failed, RETRY))
        {
            return None;
        }
        // Before the request: if the user ends the program while it waits, the next run does not wait again. Where nothing
        // can be kept, no request is made.
        let folder = self.cache.parent()?;
        std::fs::create_dir_all(folder).ok()?;
        std::fs::write(&failed, clock::now().to_string()).ok()?;
        match self.ask() {
            Ok(published) => {
                let _ = std::fs::remove_file(&failed);
                published
            }
            Err(why) => {
                tracing::info!(
                    "the TUF repository {} could not be read for a newer trusted root: {why:#}",
                    self.settings.server()
                );
                None
            }
        }
    }

    fn ask(&self) -> anyhow::Result<Option<Published>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the system gives no threads or timers")?;
        let mut publisher = Publisher::open(&self.settings, self.cache.clone())?;
        let answer = runtime.block_on(async {
            let http = http::Client::default();
            let asked = publisher.refresh(&http, clock::now());
            tokio::time::timeout(TIME_LIMIT, asked).await
        });
        // A name that is still being looked up must not keep the program.
        runtime.shutdown_background();
        answer.context("no answer in time")??;
        Ok(publisher.kept().cloned())
    }
}

/// Whether a time is that long ago. A time in the future was written by another clock.
fn is_past(moment: Timestamp, span: SignedDuration) -> bool {
    let age = clock::now().duration_since(moment);
    age >= span || age < SignedDuration::ZERO
}

/// `$XDG_CACHE_HOME/modelwatch`, or `~/.cache/modelwatch`, on Windows `%LOCALAPPDATA%\modelwatch`; `None` if neither variable is
/// set.
fn cache_directory() -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let usual = || {
        if cfg!(windows) {
            absolute("LOCALAPPDATA")
        } else {
            Some(absolute("HOME")?.join(".cache"))
        }
    };
    let base = absolute("XDG_CACHE_HOME").or_else(usual)?;
    Some(base.join("modelwatch"))
}
