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

use super::settings::RepositorySettings;
use super::{MAX_BYTES, Problem, Refusal, Trust, TrustError, Update, read_bounded};
use crate::http;
use cache::{Cache, Kept};
use mirror::Mirror;

/// The signing configuration of those who sign into Rekor v2. The default one of the public instance
/// lists Rekor v1 alone, so whoever reads only that never hears of a v2 shard.
const REKOR_V2_SIGNING_CONFIG_TARGET: &str = "signing_config_rekor_v2.v0.2.json";

/// A whole refresh takes no longer. It is a dozen small files, most of the time two.
const TIME_LIMIT: Duration = Duration::from_mins(1);

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
                (mirror.clone(), read_bounded(root, MAX_BYTES)?)
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
        let kept = match &self.cache {
            Some(cache) => cache.kept.copy(),
            None => Kept::default(),
        };
        let kept = Arc::new(kept);
        let mirror = Mirror {
            http: http.clone(),
            base: self.mirror.clone(),
        };
        let update = update(mirror, &self.anchor, Arc::clone(&kept), now);
        let documents = timeout(TIME_LIMIT, update)
            .await
            .map_err(|_| Problem::Unreachable(format!("no end within {TIME_LIMIT:?}")))?
            .map_err(Problem::from)?;
        let trust = documents.trust(now)?;
        let cache = Cache {
            refreshed: now,
            kept,
        };
        if let Err(error) = cache.write(&self.path) {
            // It serves as long as this process lives; the next one has to ask again.
            tracing::warn!(
                "the cache {} cannot be written: {error}",
                self.path.display()
            );
        }
        self.cache = Some(cache);
        Ok(trust)
    }

    /// The cache, judged at the time of its refresh.
    fn verified(&self, cache: &Cache) -> Result<(Trust, Update), Problem> {
        let kept = Arc::new(cache.kept.copy());
        let update = update(
            StoreRepository::new(Arc::clone(&kept)),
            &self.anchor,
            kept,
            cache.refreshed,
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
    signing_configs: Vec<Vec<u8>>,
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
        let trust = Trust::of(&self.trusted_root, &self.signing_configs)?;
        Ok((trust, update))
    }
}

async fn update(
    repository: impl Repository + 'static,
    anchor: &[u8],
    kept: Arc<Kept>,
    now: Timestamp,
) -> Result<Documents, Error> {
    let mut limits = UpdaterConfig::default();
    limits.target_max_length = MAX_BYTES as u64;
    let mut updater = Updater::new(repository, anchor)?
        .with_config(limits)
        .with_store(kept);
    updater.refresh(now).await?;
    let trusted_root = updater.get_target(TRUSTED_ROOT_TARGET, now).await?;
    let mut signing_configs = Vec::new();
    for name in [SIGNING_CONFIG_TARGET, REKOR_V2_SIGNING_CONFIG_TARGET] {
        // Not every instance has them.
        if let Some(target) = updater.get_target_info(name, now).await? {
            signing_configs.push(match updater.find_cached_target(&target, name) {
                Some(cached) => cached,
                None => updater.download_target(&target, name).await?,
            });
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
        signing_configs,
        root_version: trusted.root().version,
        version: targets.version,
        expires,
    })
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let said = explained(&error);
        let why = match error {
            Error::Transport { message, .. } => return Self::Unreachable(message),
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
    said
}
