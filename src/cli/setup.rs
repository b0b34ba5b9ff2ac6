//! From the configuration to the rooms: what every command opens.

use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tlog::{KeyName, Origin, Verifier};
use x509_parser::pem::parse_x509_pem;

use super::output::Mistake;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config, LogSettings};
use crate::escape;
use crate::finding::{ChannelRoute, Routes, Severity};
use crate::http;
use crate::identity::{Certificate, Key, Signer};
use crate::monitor::{Log, Rules, Schedule};
use crate::notify::{Heartbeat, Outbox};
use crate::shard::Shard;
use crate::source::{RekorV2, Transport};
use crate::store::sqlite::{SqliteStore, StoreLock};
use crate::store::{Settings, Store, StoreError, WatchKey};
use crate::trust::TrustedRoot;
use crate::watch::Watches;

/// A public key or certificate in PEM is a few kilobytes; a chain of them some tens.
const MAX_PEM_BYTES: usize = 1 << 20;

/// A valid configuration, and the files that it names.
pub(super) struct Setup {
    config: Config,
    trusted_root: Option<TrustedRoot>,
    shards: Vec<Arc<Shard>>,
    http: OnceLock<http::Client>,
}

impl Setup {
    /// Loads the configuration and the trust it names; warnings go to stderr.
    ///
    /// # Errors
    ///
    /// The operator's mistakes: exit 2.
    pub(super) fn load(path: &Path) -> anyhow::Result<Self> {
        let (config, warnings) = config::load(path)?;
        // As one string: stderr has no buffer, and a warning has many parts.
        let warnings = warnings.to_string();
        eprint!("{warnings}");
        Self::of(config)
    }

    /// As [`Self::load`], of a configuration of our own, whose warnings are known.
    pub(super) fn load_ours(path: &Path) -> anyhow::Result<Self> {
        let (config, _) = config::load(path)?;
        Self::of(config)
    }

    fn of(config: Config) -> anyhow::Result<Self> {
        let trusted_root = match &config.trusted_root {
            Some(path) => Some(TrustedRoot::from_file(path).map_err(|error| {
                Mistake(format!("trust.trusted_root: {}: {error}", path.display()))
            })?),
            None => None,
        };
        let shards = config
            .logs
            .iter()
            .map(|log| shard(log, trusted_root.as_ref()).map(Arc::new))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            config,
            trusted_root,
            shards,
            http: OnceLock::new(),
        })
    }

    pub(super) fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }

    /// The logs, ready to be read; nothing is asked of them yet.
    pub(super) fn logs(&self) -> Vec<Log> {
        self.shards
            .iter()
            .zip(&self.config.logs)
            .map(|(shard, settings)| {
                let transport = Transport::new(settings.location.clone(), self.http().clone());
                Log {
                    shard: Arc::clone(shard),
                    source: Arc::new(RekorV2::new(transport)),
                }
            })
            .collect()
    }

    /// The compiled watches and the authorities.
    pub(super) fn rules(&self) -> anyhow::Result<Arc<Rules>> {
        let watches = Watches::compile(self.config.watches.clone())
            .map_err(|error| Mistake(error.to_string()))?;
        let authorities = self
            .trusted_root
            .as_ref()
            .map(|root| root.authorities().clone());
        Ok(Arc::new(Rules::new(watches, authorities)))
    }

    pub(super) fn watch_keys(&self) -> Vec<WatchKey> {
        self.config
            .watches
            .iter()
            .map(|watch| WatchKey {
                name: watch.name.clone(),
                conditions: watch.conditions_hash(),
            })
            .collect()
    }

    /// The names of the watches, to help after a slip.
    pub(super) fn watch_names(&self) -> String {
        let names: Vec<_> = self.config.watches.iter().map(|w| w.name.clone()).collect();
        listed(&names)
    }

    /// The names of the logs, to help after a slip.
    pub(super) fn log_names(&self) -> String {
        let names: Vec<_> = self
            .config
            .logs
            .iter()
            .map(|log| log.name.clone())
            .collect();
        listed(&names)
    }

    pub(super) fn channel_names(&self) -> Vec<String> {
        self.config
            .channels
            .iter()
            .map(|c| c.name.clone())
            .collect()
    }

    pub(super) fn fail_on(&self) -> Severity {
        self.config.fail_on
    }

    pub(super) fn schedule(&self) -> &Schedule {
        &self.config.schedule
    }

    /// Takes the lock that keeps a second monitor off the store.
    pub(super) fn lock(&self) -> Result<StoreLock, StoreError> {
        SqliteStore::lock(&self.settings())
    }

    /// Opens the store, creating it if it is not there.
    pub(super) async fn writer(&self) -> anyhow::Result<Arc<dyn Store>> {
        Ok(Arc::new(SqliteStore::open(self.settings()).await?))
    }

    /// Opens an existing store for reading.
    pub(super) async fn reader(&self) -> anyhow::Result<Arc<dyn Store>> {
        Ok(Arc::new(
            SqliteStore::open_read_only(self.settings()).await?,
        ))
    }

    /// A copy of the store as it stands, in the new file `to`; an empty one if there is no store yet.
    pub(super) async fn copied(&self, to: &Path) -> anyhow::Result<SqliteStore> {
        match SqliteStore::copy(&self.settings(), to).await {
            Ok(()) | Err(StoreError::Absent { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let settings = Settings {
            path: to.to_owned(),
            ..self.settings()
        };
        Ok(SqliteStore::open(settings).await?)
    }

    pub(super) fn has_heartbeat(&self) -> bool {
        self.config.heartbeat.is_some()
    }

    pub(super) fn outbox(&self, store: Arc<dyn Store>) -> Outbox {
        Outbox::new(store, &self.config.channels, self.http())
    }

    pub(super) fn heartbeat(&self, store: Arc<dyn Store>) -> Option<Heartbeat> {
        let settings = self.config.heartbeat.clone()?;
        Some(Heartbeat::new(settings, self.http().clone(), store))
    }

    fn http(&self) -> &http::Client {
        self.http.get_or_init(http::Client::default)
    }

    fn settings(&self) -> Settings {
        Settings {
            path: self.config.database.clone(),
            routes: routes(&self.config),
        }
    }
}

/// Which channels are told of what.
pub(super) fn routes(config: &Config) -> Routes {
    let channels = config.channels.iter().map(|channel| ChannelRoute {
        name: channel.name.clone(),
        min_severity: channel.min_severity,
    });
    let by_watch = config
        .watches
        .iter()
        .filter_map(|watch| Some((watch.name.clone(), watch.notify.clone()?)));
    Routes::new(channels.collect(), by_watch.collect())
}

fn shard(log: &LogSettings, trusted_root: Option<&TrustedRoot>) -> Result<Shard, Mistake> {
    let name = &log.name;
    let verifiers = match (&log.public_key, trusted_root) {
        (Some(path), _) => {
            let verifier = public_key(path, &log.origin).map_err(|why| {
                Mistake(format!("log[{name}].public_key: {}: {why}", path.display()))
            })?;
            vec![verifier]
        }
        (None, Some(root)) => root
            .log_keys(&log.origin)
            .map_err(|error| Mistake(format!("log[{name}]: the trusted root: {error}")))?,
        (None, None) => Vec::new(),
    };
    if verifiers.is_empty() {
        return Err(Mistake(format!(
            "log[{name}]: the trusted root has no key for the origin {}: give public_key, or correct the origin",
            log.origin.as_str()
        )));
    }
    Ok(Shard {
        name: name.clone(),
        origin: log.origin.clone(),
        protocol: log.protocol,
        base: 0,
        verifiers,
        start: log.start,
        silence_after: log.silence_after,
    })
}

fn public_key(path: &Path, origin: &Origin) -> anyhow::Result<Verifier> {
    let bytes = read_bounded(path, MAX_PEM_BYTES)?;
    let (_, pem) = parse_x509_pem(&bytes).map_err(|_| anyhow::anyhow!("not a PEM file"))?;
    if pem.label != "PUBLIC KEY" {
        anyhow::bail!("holds a `{}`, not a `PUBLIC KEY`", pem.label);
    }
    let name = KeyName::new(origin.as_str())?;
    Ok(Verifier::from_spki_der(name, &pem.contents)?)
}

/// The signer of a bundle, or of a certificate or public key in a file.
pub(super) fn signer_of(path: &Path) -> anyhow::Result<Signer> {
    let bytes = read_bounded(path, model_signing::bundle::MAX_BUNDLE_BYTES)?;
    let signer =
        read_signer(&bytes).map_err(|why| Mistake(format!("{}: {why:#}", path.display())))?;
    Ok(signer)
}

fn read_signer(bytes: &[u8]) -> anyhow::Result<Signer> {
    let certificate = |der: Vec<u8>| -> anyhow::Result<Signer> {
        let certificate = Certificate::parse(der).context("a certificate that cannot be read")?;
        Ok(Signer::Certificate(Box::new(certificate)))
    };
    let text = bytes.trim_ascii_start();
    if text.starts_with(b"{") {
        let bundle = model_signing::bundle::Bundle::parse(bytes)?;
        let leaf = bundle.leaf_certificate().context(
            "the bundle holds no certificate, only a hint of a key: give the public key's PEM file instead",
        )?;
        return certificate(leaf.to_vec());
    }
    if let Ok((_, pem)) = parse_x509_pem(bytes) {
        return match pem.label.as_str() {
            "CERTIFICATE" => certificate(pem.contents),
            "PUBLIC KEY" => Ok(Signer::Key(Key::from_spki(pem.contents)?)),
            other => anyhow::bail!("holds a `{other}`, neither a certificate nor a public key"),
        };
    }
    certificate(bytes.to_vec())
        .context("neither a Sigstore bundle, nor a certificate, nor a public key in PEM")
}

/// Reads a file of the operator's, up to a limit.
pub(super) fn read_bounded(path: &Path, limit_bytes: usize) -> anyhow::Result<Vec<u8>> {
    let mistake = |why: String| Mistake(format!("{}: {why}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| mistake(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(limit_bytes as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| mistake(error.to_string()))?;
    if bytes.len() > limit_bytes {
        return Err(mistake(format!("longer than {limit_bytes} bytes")).into());
    }
    Ok(bytes)
}

/// Names in a sentence that helps after a slip.
pub(super) fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "it has none".to_owned();
    }
    let names: Vec<_> = names.iter().map(|name| escape::terminal(name)).collect();
    format!("it has {}", names.join(", "))
}

/// The present moment.
pub(super) fn now() -> Timestamp {
    SystemClock.now()
}

/// A duration on the command line, written as in the configuration.
pub(super) fn duration(written: &str) -> Result<Duration, String> {
    config::parse_duration(written)
        .ok_or_else(|| format!("`{written}` is not a duration such as 45m or 2h"))
}

/// Opens the configured store for reading.
pub(super) async fn reader(config: &Path) -> anyhow::Result<Arc<dyn Store>> {
    Setup::load(config)?.reader().await
}

/// Opens the configured store for writing.
pub(super) async fn writer(config: &Path) -> anyhow::Result<Arc<dyn Store>> {
    Setup::load(config)?.writer().await
}
