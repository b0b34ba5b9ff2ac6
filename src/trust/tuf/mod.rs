//! Trust by The Update Framework: what a repository says now, or what it said last.
//!
//! `sigstore-tuf` verifies; here is where its files come from, where they are kept, and what becomes
//! of its answers. A refresh counts as a whole or not at all: the cache is replaced only when every
//! signature, version and date was right and what came is a trust that can be used.

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

use super::material::Directories;
use super::settings::RepositorySettings;
use super::{Ask, MAX_BYTES, Problem, Refusal, Trust, TrustError, Update};
use crate::file;
use crate::http;
use cache::{Cache, Kept};
use mirror::Mirror;

/// The signing configuration of those who sign into Rekor v2. The default one of the public instance
/// lists Rekor v1 alone, so whoever reads only that never hears of a v2 shard.
const REKOR_V2_SIGNING_CONFIG_TARGET: &str = "signing_config_rekor_v2.v0.2.json";

/// The official list of the logs to monitor (sigstore/protobuf-specs, `dev.sigstore.monitor.v1`). Not every instance has it.
const MONITOR_CONFIG_TARGET: &str = "monitor_config.json";

/// A whole refresh takes no longer. It is a dozen small files, most of the time two.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Roots that are walked in one refresh; those of the public instance are numbered to 15 after five years. A longer chain
/// goes on in the next refresh.
const MAX_ROOT_ROTATIONS: u32 = 1024;

/// Of what a repository or a server says, no more is repeated.
const MAX_SAID_CHARS: usize = 500;

/// One TUF repository.
pub(super) struct Tuf {
    mirror: Url,
    anchor: Vec<u8>,
    path: PathBuf,
    cache: Option<Cache>,
}

impl Tuf {
    /// A repository, and what is kept of it: verified again, without the network.
    ///
    /// # Errors
    /// A root to begin with that cannot be used. A cache that cannot be used is as good as none, and
    /// is said.
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
                    .expect("every repository but a mirror has its root compiled in");
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
        };
        let trust = match Cache::read(&tuf.path) {
            Ok(None) => None,
            Ok(Some(cache)) => match tuf.verified(&cache) {
                Ok(trust) => {
                    tuf.cache = Some(cache);
                    Some(trust)
                }
                Err(problem) => {
                    tracing::warn!(
                        "the cache {} cannot be used: {}",
                        tuf.path.display(),
                        crate::escape::terminal(&problem.to_string())
                    );
                    // What is kept in it may still be a floor: an older version is no excuse.
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

    /// Asks the repository.
    ///
    /// # Errors
    /// What was known before stays as it is.
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
                "no end within {TIME_LIMIT:?}"
            ))),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(documents)) => documents.trust(now),
        };
        match trust {
            Ok(trust) => {
                let asked = self.cache.take().map(|cache| cache.asked);
                self.cache = Some(Cache::new(now, kept, asked.unwrap_or_default()));
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

    /// See [`super::TrustUpdater::asks`].
    pub(super) fn asks(&mut self, asks: &[Ask], now: Timestamp) -> bool {
        self.catch_up();
        let Some(cache) = &mut self.cache else {
            // Nothing is known: the next start asks anyhow.
            return false;
        };
        let before = cache.asked.clone();
        let is_granted = cache.asked.grants(asks, cache.refreshed, now);
        if cache.asked != before {
            self.write();
        }
        is_granted
    }

    /// What came of a refresh that was granted: whether it brought another trust.
    pub(super) fn answered(&mut self, has_changed: bool) {
        if let Some(cache) = &mut self.cache {
            cache.asked.answered(has_changed);
            self.write();
        }
    }

    /// Takes over what another process has verified and kept since: it must not be forgotten that something newer was seen.
    fn catch_up(&mut self) {
        // A file that cannot be read was said when it was opened.
        let Ok(Some(theirs)) = Cache::read(&self.path) else {
            return;
        };
        let is_newer = self
            .cache
            .as_ref()
            .is_none_or(|ours| theirs.refreshed > ours.refreshed);
        if is_newer && self.verified(&theirs).is_ok() {
            self.cache = Some(theirs);
        } else if let Some(ours) = &mut self.cache {
            ours.asked.catch_up(theirs.asked);
        }
    }

    fn write(&self) {
        let Some(ours) = &self.cache else { return };
        // While we were asking, another process has asked too, and has written its answer: it is as good as ours, or better.
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
            // It serves as long as this process lives; the next one has to ask again.
            tracing::warn!(
                "the cache {} cannot be written: {error}",
                self.path.display()
            );
        }
    }

    /// The cache, judged at the time of its refresh.
    fn verified(&self, cache: &Cache) -> Result<(Trust, Update), Problem> {
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
            .ok_or_else(|| Problem::Unreachable("a file in memory is not there".to_owned()))??;
        documents.trust(cache.refreshed)
    }
}

/// What a repository holds that concerns us, verified.
struct Documents {
    trusted_root: Vec<u8>,
    directories: Directories,
    root_version: u64,
    version: u64,
    expires: Timestamp,
}

impl Documents {
    fn trust(&self, refreshed: Timestamp) -> Result<(Trust, Update), Problem> {
        let update = Update {
            root_version: self.root_version,
            version: self.version,
            expires: self.expires,
            refreshed,
        };
        let trust = Trust::of(&self.trusted_root, &self.directories)?;
        Ok((trust, update))
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
            // A cache of a version that did not read it is a cache all the same.
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
        let said = explained(&error);
        let why = match error {
            Error::Transport { message, .. } => return Self::Unreachable(cut(&message)),
            // What is not even JSON was not written by the repository, but by a proxy or a login page
            // in its place: nothing was offered.
            Error::Io { .. } | Error::Json(_) => return Self::Unreachable(said),
            Error::Expired { .. } => Refusal::Expired,
            Error::Rollback { .. } => Refusal::RolledBack,
            Error::TargetNotFound(_) => Refusal::Unusable,
            _ => Refusal::Forged,
        };
        Self::Refused { why, said }
    }
}

/// An error with its causes, in one sentence.
fn explained(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    cut(&said)
}

/// The beginning of what may be as long as somebody else likes.
fn cut(said: &str) -> String {
    said.chars().take(MAX_SAID_CHARS).collect()
}
