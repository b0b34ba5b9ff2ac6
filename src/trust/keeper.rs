//! Trust over time: what is known now, whether to look again, and what came of it.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::tuf::Tuf;
use super::{
    MAX_BYTES, Problem, Refusal, Settings, SourceSettings, Trust, TrustError, Update, read_bounded,
};
use crate::http;
use crate::moment;

/// After a refresh that failed, the next one is no sooner: a mirror that hangs must not hold up each pass.
const RETRY: SignedDuration = SignedDuration::from_mins(10);

/// Keeps trust up to date.
pub struct Keeper {
    settings: Settings,
    source: Source,
    trust: Option<Arc<Trust>>,
    update: Option<Update>,
    problem: Option<Problem>,
    tried: Option<Timestamp>,
}

enum Source {
    File { digest: [u8; 32] },
    Tuf(Box<Tuf>),
}

/// What came of looking again.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// What is trusted now: the same allocation as before while it says the same. `None` only if a
    /// repository has never been read.
    pub trust: Option<Arc<Trust>>,
    /// Which state of the repository that is.
    pub update: Option<Update>,
    /// Why nothing newer is trusted.
    pub problem: Option<Problem>,
}

impl Keeper {
    /// What can be known without asking anybody: the file, or what the cache holds.
    ///
    /// # Errors
    /// A file that is not there or cannot be used. A cache that is missing is none.
    pub fn open(settings: Settings) -> Result<Self, TrustError> {
        let (source, known) = match &settings.source {
            SourceSettings::TrustedRoot(path) | SourceSettings::ClientTrustConfig(path) => {
                let (digest, trust) = read(&settings.source, path)?;
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
        })
    }

    /// What is trusted now, and what came of looking again the last time.
    pub fn known(&self) -> Refreshed {
        Refreshed {
            trust: self.trust.clone(),
            update: self.update,
            problem: self.problem.clone(),
        }
    }

    /// What was set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Looks again, if it is time: a file is always read again, a repository is asked when the last answer
    /// is old.
    pub async fn refresh_if_due(&mut self, http: &http::Client, now: Timestamp) -> Refreshed {
        if self.is_due(now) {
            self.refresh(http, now).await;
        }
        self.known()
    }

    /// Looks again, now.
    pub async fn refresh(&mut self, http: &http::Client, now: Timestamp) -> Refreshed {
        self.tried = Some(now);
        match self.look(http, now).await {
            Ok(None) => self.problem = None,
            Ok(Some((trust, update))) => {
                self.problem = None;
                self.update = update;
                let same = |known: &Arc<Trust>| known.says_the_same(&trust);
                if !self.trust.as_ref().is_some_and(same) {
                    self.trust = Some(Arc::new(trust));
                }
            }
            Err(problem) => self.problem = Some(problem),
        }
        self.known()
    }

    /// Goes back to what was trusted before, because the newest cannot be worked with. It is tried again.
    pub fn refuse(&mut self, before: Arc<Trust>, said: String) {
        self.trust = Some(before);
        if let Source::File { digest } = &mut self.source {
            *digest = [0; 32];
        }
        self.problem = Some(Problem::Refused {
            why: Refusal::Unusable,
            said,
        });
    }

    fn is_due(&self, now: Timestamp) -> bool {
        if matches!(self.source, Source::File { .. }) {
            return true;
        }
        if let (Some(tried), Some(_)) = (self.tried, &self.problem)
            && (tried..tried.saturating_add(RETRY).unwrap_or(Timestamp::MAX)).contains(&now)
        {
            return false;
        }
        let limit = SignedDuration::try_from(self.settings.refresh).unwrap_or(SignedDuration::MAX);
        // An answer from the future is one of another clock: it is asked for again.
        self.update.is_none_or(|update| {
            let age = now.duration_since(update.refreshed);
            moment::is_ahead(update.refreshed, now) || age >= limit
        })
    }

    /// `None` if it is what it was.
    async fn look(
        &mut self,
        http: &http::Client,
        now: Timestamp,
    ) -> Result<Option<Known>, Problem> {
        match (&mut self.source, &self.settings.source) {
            (Source::Tuf(tuf), _) => {
                let (trust, update) = tuf.refresh(http, now).await?;
                Ok(Some((trust, Some(update))))
            }
            (
                Source::File { digest: known },
                source @ (SourceSettings::TrustedRoot(path)
                | SourceSettings::ClientTrustConfig(path)),
            ) => {
                let (digest, trust) = read(source, path)?;
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

/// What is trusted, and which state of a repository that is.
type Known = (Trust, Option<Update>);

/// The digest of a file, and what it says.
type FromFile = ([u8; 32], Result<Trust, TrustError>);

fn read(source: &SourceSettings, path: &Path) -> Result<FromFile, TrustError> {
    let bytes = read_bounded(path, MAX_BYTES)?;
    let trust = match source {
        SourceSettings::ClientTrustConfig(_) => Trust::of_client_trust_config(&bytes),
        _ => Trust::without_logs(&bytes),
    };
    Ok((Sha256::digest(&bytes).into(), trust))
}
