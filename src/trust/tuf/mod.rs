//! The Update Framework: the present or the last content of a repository.
//!
//! `sigstore-tuf` verifies; this module fetches and stores its files, and interprets its results. An update counts as a
//! whole or not at all: the cache is replaced only if every signature, version and date was valid and the result is a
//! usable trusted root.

mod cache;
mod mirror;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use sigstore_trust_root::{SIGNING_CONFIG_TARGET, TRUSTED_ROOT_TARGET};
use sigstore_tuf::cache::StoreRepository;
use sigstore_tuf::{Error, Repository, TrustedMetadataSet, Updater, UpdaterConfig};
use tokio::time::timeout;
use url::Url;

use super::error::MAX_BYTES;
use super::material::Directories;
use super::settings::RepositorySettings;
use super::{Problem, RefreshReason, Refusal, Trust, TrustError, Update};
use crate::file;
use crate::http;
use cache::{Cache, Kept};
use mirror::Mirror;

/// The signing configuration for Rekor v2. The default one of the public instance contains only Rekor v1, so a client
/// that reads only that one never finds a v2 shard.
const REKOR_V2_SIGNING_CONFIG_TARGET: &str = "signing_config_rekor_v2.v0.2.json";

/// The official list of logs to monitor (sigstore/protobuf-specs, `dev.sigstore.monitor.v1`). Not every instance has
/// it.
const MONITOR_CONFIG_TARGET: &str = "monitor_config.json";

/// Time limit for a whole update. It reads a dozen small files, most of the time two.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Most new roots in one update; those of the public instance are numbered to 15 after five years. A longer chain
/// continues in the next update.
const MAX_ROOT_ROTATIONS: u32 = 1024;

/// At most this much text of a repository or a server is repeated in messages.
const MAX_QUOTED_CHARS: usize = 500;

/// What a repository has published, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The trusted root, JSON.
    pub trusted_root: Vec<u8>,
    /// The signing configuration that clients use by default, JSON; `None` if the instance has none.
    pub signing_config: Option<Vec<u8>>,
    /// When the repository last gave a valid answer.
    pub refreshed: Timestamp,
}

/// One TUF repository.
pub(super) struct Tuf {
    mirror: Url,
    anchor: Vec<u8>,
    path: PathBuf,
    cache: Option<Cache>,
    /// The documents of the cache as they were last verified; `None` if the cache does not verify.
    published: Option<Published>,
}

impl Tuf {
    /// A repository, and its stored documents: verified again, without the network.
    ///
    /// # Errors
    /// A first root that cannot be used. A cache that cannot be used counts as absent, and is reported.
    pub(super) fn open(
        repository: &RepositorySettings,
        path: PathBuf,
    ) -> Result<(Self, Option<(Trust, Update)>), TrustError> {
        let (mirror, anchor) = match repository {
            RepositorySettings::Mirror { mirror, root } => {
                let anchor = file::read(root, MAX_BYTES)?;
                (mirror.clone(), anchor)
            }
            known => {
                let instance = known
                    .instance()
                    .expect("every repository except a mirror has its root compiled in");
                let mirror = Url::parse(instance.tuf_url())
                    .map_err(|error| TrustError::Anchor(error.to_string()))?;
                (mirror, instance.tuf_root().to_vec())
            }
        };
        TrustedMetadataSet::from_root(&anchor)
            .map_err(|error| TrustError::Anchor(explained(&error)))?;
        let mut tuf = Self {
            mirror,
            anchor,
            path,
            cache: None,
            published: None,
        };
        let trust = match Cache::read(&tuf.path) {
            Ok(None) => None,
            Ok(Some(cache)) => match tuf.verified(&cache) {
                Ok((trust, published)) => {
                    tuf.cache = Some(cache);
                    tuf.published = Some(published);
                    Some(trust)
                }
                Err(problem) => {
                    tracing::warn!(
                        "the cache {} cannot be used: {}",
                        tuf.path.display(),
                        crate::escape::terminal(&problem.to_string())
                    );
                    // The versions in it still count as a lower bound: they prevent a rollback.
                    tuf.cache = Some(cache);
                    None
                }
            },
            Err(error) => {
                tracing::warn!("the cache {} cannot be read: {error}", tuf.path.display());
                None
            }
        };
        Ok((tuf, trust))
    }

    /// Updates from the repository.
    ///
    /// # Errors
    /// On error the old version stays in use.
    pub(super) async fn refresh(
        &mut self,
        http: &http::Client,
        now: Timestamp,
    ) -> Result<(Trust, Update), Problem> {
        self.catch_up();
        let kept = self.cache.as_ref().map(Cache::working_copy);
        let kept = Arc::new(kept.unwrap_or_default());
        let mirror = Mirror {
            http: http.clone(),
            base: self.mirror.clone(),
        };
        let update = update(mirror, &self.anchor, Arc::clone(&kept), now, false);
        let trust = match timeout(TIME_LIMIT, update).await {
            Err(_) => Err(Problem::Unreachable(format!(
                "not finished within {TIME_LIMIT:?}"
            ))),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(documents)) => documents.usable(now),
        };
        match trust {
            Ok((trust, published)) => {
                let refresh_requests = self.cache.take().map(|cache| cache.refresh_requests);
                self.cache = Some(Cache::new(now, kept, refresh_requests.unwrap_or_default()));
                self.published = Some(published);
                self.write();
                Ok(trust)
            }
            Err(problem) => {
                if self
                    .cache
                    .as_mut()
                    .is_some_and(|cache| cache.adopt_roots(&kept))
                {
                    self.write();
                }
                Err(problem)
            }
        }
    }

    /// See [`super::TrustUpdater::request_refresh`].
    pub(super) fn request_refresh(&mut self, reasons: &[RefreshReason], now: Timestamp) -> bool {
        self.catch_up();
        let Some(cache) = &mut self.cache else {
            // There is no cache: the next start updates anyway.
            return false;
        };
        let before = cache.refresh_requests.clone();
        let is_granted = cache.refresh_requests.grants(reasons, cache.refreshed, now);
        if cache.refresh_requests != before {
            self.write();
        }
        is_granted
    }

    /// Records the result of a granted update: whether the trusted root changed.
    pub(super) fn answered(&mut self, has_changed: bool) {
        if let Some(cache) = &mut self.cache {
            cache.refresh_requests.answered(has_changed);
            self.write();
        }
    }

    /// Merges what another process has verified and stored since: a newer version that was seen must not be lost.
    fn catch_up(&mut self) {
        // A file that cannot be read was reported when it was opened.
        let Ok(Some(theirs)) = Cache::read(&self.path) else {
            return;
        };
        let is_newer = self
            .cache
            .as_ref()
            .is_none_or(|ours| theirs.refreshed > ours.refreshed);
        let newer = is_newer.then(|| self.verified(&theirs).ok()).flatten();
        if let Some((_, published)) = newer {
            self.cache = Some(theirs);
            self.published = Some(published);
        } else if let Some(ours) = &mut self.cache {
            ours.refresh_requests.catch_up(theirs.refresh_requests);
        }
    }

    fn write(&self) {
        let Some(ours) = &self.cache else { return };
        // Another process may have updated meanwhile and stored its result: it is as new as ours, or newer.
        let meanwhile = |theirs: &Cache| {
            theirs.refreshed > ours.refreshed
                && theirs
                    .refreshed
                    .duration_since(ours.refreshed)
                    .unsigned_abs()
                    <= TIME_LIMIT
        };
        if let Ok(Some(theirs)) = Cache::read(&self.path)
            && meanwhile(&theirs)
        {
            return;
        }
        if let Err(error) = ours.write(&self.path) {
            // It is used while this process runs; the next one has to update again.
            tracing::warn!(
                "the cache {} cannot be written: {error}",
                self.path.display()
            );
        }
    }

    /// The documents of the cache; `None` if there are none or they do not verify.
    pub(super) fn published(&self) -> Option<&Published> {
        self.published.as_ref()
    }

    /// The cache, judged at the time of its refresh.
    fn verified(&self, cache: &Cache) -> Result<((Trust, Update), Published), Problem> {
        self.documents(cache)?.usable(cache.refreshed)
    }

    fn documents(&self, cache: &Cache) -> Result<Documents, Problem> {
        let kept = Arc::new(cache.kept.copy());
        let update = update(
            StoreRepository::new(Arc::clone(&kept)),
            &self.anchor,
            kept,
            cache.refreshed,
            true,
        );
        let documents = update
            .now_or_never()
            .ok_or_else(|| Problem::Unreachable("a file in memory is absent".to_owned()))??;
        Ok(documents)
    }
}

/// The relevant documents of a repository, verified.
struct Documents {
    trusted_root: Vec<u8>,
    directories: Directories,
    root_version: u64,
    version: u64,
    expires: Timestamp,
}

impl Documents {
    /// The documents that a monitor and the verification of models use, if they are usable.
    fn usable(self, refreshed: Timestamp) -> Result<((Trust, Update), Published), Problem> {
        let update = Update {
            root_version: self.root_version,
            version: self.version,
            expires: self.expires,
            refreshed,
        };
        let trust = Trust::of(&self.trusted_root, &self.directories)?;
        let published = Published {
            trusted_root: self.trusted_root,
            // The default one is fetched first.
            signing_config: self.directories.signing.into_iter().next(),
            refreshed,
        };
        Ok(((trust, update), published))
    }
}

async fn update(
    repository: impl Repository + 'static,
    anchor: &[u8],
    kept: Arc<Kept>,
    now: Timestamp,
    is_offline: bool,
) -> Result<Documents, Error> {
    let mut limits = UpdaterConfig::default();
    limits.target_max_length = MAX_BYTES as u64;
    limits.max_root_rotations = MAX_ROOT_ROTATIONS;
    let mut updater = Updater::new(repository, anchor)?
        .with_config(limits)
        .with_store(kept);
    updater.refresh(now).await?;
    let trusted_root = updater.get_target(TRUSTED_ROOT_TARGET, now).await?;
    let mut directories = Directories::default();
    for name in [
        SIGNING_CONFIG_TARGET,
        REKOR_V2_SIGNING_CONFIG_TARGET,
        MONITOR_CONFIG_TARGET,
    ] {
        // Not every instance has them.
        let Some(target) = updater.get_target_info(name, now).await? else {
            continue;
        };
        let is_monitor_config = name == MONITOR_CONFIG_TARGET;
        let file = match updater.find_cached_target(&target, name) {
            Some(cached) => cached,
            // A cache by a version that did not read this document is still valid.
            None if is_offline && is_monitor_config => continue,
            None => updater.download_target(&target, name).await?,
        };
        if is_monitor_config {
            directories.monitor = Some(file);
        } else {
            directories.signing.push(file);
        }
    }
    let trusted = updater.trusted();
    let (Some(timestamp), Some(snapshot), Some(targets)) = (
        trusted.timestamp(),
        trusted.snapshot(),
        trusted.targets_role("targets"),
    ) else {
        return Err(Error::NotRefreshed);
    };
    let expires = trusted
        .root()
        .expires
        .min(timestamp.expires)
        .min(snapshot.expires)
        .min(targets.expires);
    Ok(Documents {
        trusted_root,
        directories,
        root_version: trusted.root().version,
        version: targets.version,
        expires,
    })
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let message = explained(&error);
        let why = match error {
            Error::Transport { message, .. } => return Self::Unreachable(cut(&message)),
            // A response that is not JSON is not from the repository but from a proxy or a login page in its place:
            // nothing was served.
            Error::Io { .. } | Error::Json(_) => return Self::Unreachable(message),
            Error::Expired { .. } => Refusal::Expired,
            Error::Rollback { .. } => Refusal::RolledBack,
            Error::TargetNotFound(_) => Refusal::Unusable,
            _ => Refusal::Forged,
        };
        Self::Refused { why, message }
    }
}

/// An error with its causes, in one sentence.
fn explained(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    cut(&message)
}

/// The beginning of a text of unknown length.
fn cut(message: &str) -> String {
    message.chars().take(MAX_QUOTED_CHARS).collect()
}
