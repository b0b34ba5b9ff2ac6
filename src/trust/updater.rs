//! Updates of the trusted root: the current version, whether an update is due, and the result of the last one.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::error::MAX_BYTES;
use super::tuf::Tuf;
use super::{Problem, RefreshReason, Refusal, Settings, SourceSettings, Trust, TrustError, Update};
use crate::file;
use crate::http;
use crate::moment;

/// Shortest time from a failed update to the next: a mirror that hangs must not delay each pass.
const RETRY: SignedDuration = SignedDuration::from_mins(10);

/// Keeps the trusted root up to date.
pub struct TrustUpdater {
    settings: Settings,
    source: Source,
    trust: Option<Arc<Trust>>,
    update: Option<Update>,
    problem: Option<Problem>,
    tried: Option<Timestamp>,
    /// A failure has requested the next update.
    is_requested: bool,
}

enum Source {
    File { digest: [u8; 32] },
    Tuf(Box<Tuf>),
}

/// The result of an update.
#[derive(Debug, Clone)]
pub struct TrustState {
    /// The current trusted root: the same allocation as before while its content is the same. `None` only if a
    /// repository has never been read.
    pub trust: Option<Arc<Trust>>,
    /// The state of the repository with that content.
    pub update: Option<Update>,
    /// Why there is no newer one.
    pub problem: Option<Problem>,
}

impl TrustUpdater {
    /// The content of the file, or of the cache, without any request.
    ///
    /// # Errors
    /// A file that is absent or cannot be used. A missing cache counts as empty.
    pub fn open(settings: Settings) -> Result<Self, TrustError> {
        let (source, known) = match &settings.source {
            SourceSettings::TrustedRoot(path) | SourceSettings::ClientTrustConfig(path) => {
                let (digest, trust) = read(&settings, path)?;
                (Source::File { digest }, Some((trust?, None)))
            }
            SourceSettings::Tuf { repository, cache } => {
                let (tuf, known) = Tuf::open(repository, cache.clone())?;
                let known = known.map(|(trust, update)| (trust, Some(update)));
                (Source::Tuf(Box::new(tuf)), known)
            }
        };
        let (trust, update) = known.unzip();
        Ok(Self {
            settings,
            source,
            trust: trust.map(Arc::new),
            update: update.flatten(),
            problem: None,
            tried: None,
            is_requested: false,
        })
    }

    /// Records failures that a newer trusted root may explain, and returns whether to update now: at most once a
    /// minute, less often while it brings nothing new, and once in six hours for each unknown authority. A file is read
    /// again anyway.
    pub fn request_refresh(&mut self, reasons: &[RefreshReason], now: Timestamp) -> bool {
        let Source::Tuf(tuf) = &mut self.source else {
            return false;
        };
        self.is_requested = tuf.request_refresh(reasons, now);
        self.is_requested
    }

    /// Whether an update sends requests.
    pub const fn uses_network(&self) -> bool {
        matches!(self.source, Source::Tuf(_))
    }

    /// The current trusted root, and the result of the last update.
    pub fn known(&self) -> TrustState {
        TrustState {
            trust: self.trust.clone(),
            update: self.update,
            problem: self.problem.clone(),
        }
    }

    /// Updates if it is due: a file is always read again, a repository when its last answer is old.
    pub async fn refresh_if_due(&mut self, http: &http::Client, now: Timestamp) -> TrustState {
        if self.is_due(now) {
            self.refresh(http, now).await;
        }
        self.known()
    }

    /// Updates now.
    pub async fn refresh(&mut self, http: &http::Client, now: Timestamp) -> TrustState {
        self.tried = Some(now);
        let mut has_changed = false;
        match self.look(http, now).await {
            Ok(None) => self.problem = None,
            Ok(Some((trust, update))) => {
                self.problem = None;
                self.update = update;
                let same = |known: &Arc<Trust>| known.has_the_same_content(&trust);
                has_changed = !self.trust.as_ref().is_some_and(same);
                if has_changed {
                    self.trust = Some(Arc::new(trust));
                }
            }
            Err(problem) => self.problem = Some(problem),
        }
        if std::mem::take(&mut self.is_requested)
            && let Source::Tuf(tuf) = &mut self.source
        {
            tuf.answered(has_changed);
        }
        self.known()
    }

    /// Goes back to the previous trusted root, because the newest does not fit the configuration. The newest is tried
    /// again.
    pub fn refuse(&mut self, before: Arc<Trust>, message: String) {
        self.trust = Some(before);
        if let Source::File { digest } = &mut self.source {
            *digest = [0; 32];
        }
        self.problem = Some(Problem::Refused {
            why: Refusal::Unusable,
            message,
        });
    }

    /// Whether it is time to look again.
    pub fn is_due(&self, now: Timestamp) -> bool {
        if matches!(self.source, Source::File { .. }) {
            return true;
        }
        if let (Some(tried), Some(_)) = (self.tried, &self.problem)
            && (tried..tried.saturating_add(RETRY).unwrap_or(Timestamp::MAX)).contains(&now)
        {
            return false;
        }
        let limit = SignedDuration::try_from(self.settings.refresh).unwrap_or(SignedDuration::MAX);
        // A wrong clock dated an answer in the future: update again.
        self.update.is_none_or(|update| {
            let age = now.duration_since(update.refreshed);
            moment::is_ahead(update.refreshed, now) || age >= limit
        })
    }

    /// `None` if its content has not changed.
    async fn look(
        &mut self,
        http: &http::Client,
        now: Timestamp,
    ) -> Result<Option<Known>, Problem> {
        let settings = &self.settings;
        match (&mut self.source, &settings.source) {
            (Source::Tuf(tuf), _) => {
                let (trust, update) = tuf.refresh(http, now).await?;
                Ok(Some((trust, Some(update))))
            }
            (
                Source::File { digest: known },
                SourceSettings::TrustedRoot(path) | SourceSettings::ClientTrustConfig(path),
            ) => {
                let (digest, trust) = read(settings, path)?;
                let trust = trust?;
                let changed = digest != *known;
                *known = digest;
                Ok(changed.then_some((trust, None)))
            }
            (Source::File { .. }, SourceSettings::Tuf { .. }) => {
                unreachable!("the source was made from these settings")
            }
        }
    }
}

/// A trusted root, and the state of its repository.
type Known = (Trust, Option<Update>);

/// The digest of a file, and its content.
type FromFile = ([u8; 32], Result<Trust, TrustError>);

fn read(settings: &Settings, path: &Path) -> Result<FromFile, TrustError> {
    let bytes = file::read(path, MAX_BYTES)?;
    let monitor = match &settings.monitor_config {
        Some(path) => Some(file::read(path, MAX_BYTES)?),
        None => None,
    };
    let monitor = monitor.as_deref();
    let trust = match (&settings.source, monitor) {
        (SourceSettings::ClientTrustConfig(_), monitor) => {
            Trust::of_client_trust_config(&bytes, monitor)
        }
        (_, Some(monitor)) => Trust::of_files(&bytes, monitor),
        (_, None) => Trust::without_logs(&bytes),
    };
    let mut digest = Sha256::new();
    digest.update(Sha256::digest(&bytes));
    digest.update(monitor.unwrap_or_default());
    Ok((digest.finalize().into(), trust))
}
