//! Reads the sources that are due, and records what they hold.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use super::collector::Collector;
use super::directory;
use super::git::{GitError, GitReader};
use super::settings::{SourceKindSettings, SourceSettings};
use super::tags;
use crate::finding::Verdict;
use crate::http;
use crate::moment;
use crate::store::{
    Condition, Conditions, RegistrationSources, Scope, SourceChange, SourceContent, SourceFailure,
    SourceState, StoreError,
};

/// The findings that a reading of sources raises and resolves.
const SCOPE: Scope = Scope {
    verdicts: &[
        Verdict::RegistrationsRewritten,
        Verdict::RegistrationsUnread,
    ],
    origin: None,
};

/// Problems of a source that its finding names.
const PROBLEMS_SHOWN: usize = 3;

/// The sources of a configuration.
#[derive(Debug, Clone)]
pub struct Registrations {
    sources: Vec<SourceSettings>,
    http: http::Client,
    /// Where copies of git repositories are kept.
    directory: PathBuf,
}

/// What became of a source.
#[derive(Debug, Clone)]
pub struct SourceReport {
    /// Its name.
    pub name: String,
    /// What changed, or why it could not be read.
    pub outcome: Result<SourceChange, String>,
    /// Files that are there and do not count.
    pub problems: Vec<String>,
}

impl SourceReport {
    /// Whether all of it counts.
    pub fn is_complete(&self) -> bool {
        self.outcome.is_ok() && self.problems.is_empty()
    }
}

impl Registrations {
    /// `directory` is created when a git repository is read.
    pub const fn new(sources: Vec<SourceSettings>, http: http::Client, directory: PathBuf) -> Self {
        Self {
            sources,
            http,
            directory,
        }
    }

    /// The names of the sources.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|source| source.name.as_str())
    }

    /// Reads every source that is due: at the first time, after `every`, and again as long as it fails. Withdraws what sources
    /// registered that are configured no longer. One source takes at most `time`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sync_due<S>(
        &self,
        store: &S,
        time: Duration,
        now: Timestamp,
    ) -> Result<(), StoreError>
    where
        S: RegistrationSources + Conditions + ?Sized,
    {
        let states = store.sources().await?;
        let due: Vec<&SourceSettings> = self
            .sources
            .iter()
            .filter(|source| is_due(source, state_of(&states, source), now))
            .collect();
        self.read_all(&due, &states, store, time, now).await?;
        let names: Vec<String> = self.names().map(str::to_owned).collect();
        // After the others: a source under another name expects its findings before this one lets go of them.
        store.forget_sources(&names, now).await?;
        self.assess(store, now).await
    }

    /// Reads these sources now, whether they are due or not; all if `only` is `None`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sync_now<S>(
        &self,
        only: Option<&str>,
        store: &S,
        time: Duration,
        now: Timestamp,
    ) -> Result<Vec<SourceReport>, StoreError>
    where
        S: RegistrationSources + Conditions + ?Sized,
    {
        let states = store.sources().await?;
        let is_meant = |source: &&SourceSettings| only.is_none_or(|name| name == source.name);
        let sources: Vec<&SourceSettings> = self.sources.iter().filter(is_meant).collect();
        let reports = self.read_all(&sources, &states, store, time, now).await?;
        self.assess(store, now).await?;
        Ok(reports)
    }

    async fn read_all<S>(
        &self,
        sources: &[&SourceSettings],
        states: &[SourceState],
        store: &S,
        time: Duration,
        now: Timestamp,
    ) -> Result<Vec<SourceReport>, StoreError>
    where
        S: RegistrationSources + Conditions + ?Sized,
    {
        let readings = sources.iter().map(|source| async {
            let state = state_of(states, source);
            self.read(source, state, store, time, now).await
        });
        join_all(readings).await.into_iter().collect()
    }

    async fn read<S>(
        &self,
        source: &SourceSettings,
        state: Option<&SourceState>,
        store: &S,
        time: Duration,
        now: Timestamp,
    ) -> Result<SourceReport, StoreError>
    where
        S: RegistrationSources + Conditions + ?Sized,
    {
        let location = source.location();
        let last = state
            .filter(|state| state.location == location)
            .and_then(|state| state.commit.as_deref());
        let known = store.registrations_of(&source.name).await?;
        let mut collector = Collector::new(
            &source.name,
            source.authority,
            source.watches.clone(),
            known,
        );
        let read = self.collect(source, last, store, time, &mut collector);
        let failed = match timeout(time, read).await {
            Ok(Ok(read)) => read,
            // The store failed, not the source.
            Ok(Err(error)) => return Err(error),
            Err(_) => Err(Unread {
                error: format!("it was not read within {} s", time.as_secs()),
                rewritten: None,
            }),
        };
        let commit = match failed {
            Ok(commit) => commit,
            Err(Unread { error, rewritten }) => {
                let failure = SourceFailure {
                    name: source.name.clone(),
                    location,
                    error: error.clone(),
                    rewritten,
                    now,
                };
                store.source_failed(&failure).await?;
                return Ok(SourceReport {
                    name: source.name.clone(),
                    outcome: Err(error),
                    problems: Vec::new(),
                });
            }
        };
        let collected = collector.finish();
        let content = SourceContent {
            name: source.name.clone(),
            location,
            new: collected.new,
            withdrawn: collected.withdrawn,
            problems: collected.problems,
            commit,
            now,
        };
        let change = store.source_read(&content).await?;
        Ok(SourceReport {
            name: source.name.clone(),
            outcome: Ok(change),
            problems: content.problems,
        })
    }

    /// Reads the files of a source. The outer error is the store's.
    async fn collect<S>(
        &self,
        source: &SourceSettings,
        last: Option<&str>,
        store: &S,
        time: Duration,
        collector: &mut Collector,
    ) -> Result<Result<Option<String>, Unread>, StoreError>
    where
        S: RegistrationSources + Conditions + ?Sized,
    {
        Ok(match &source.kind {
            SourceKindSettings::Git(git) => {
                let reader = GitReader {
                    settings: git,
                    directory: &self.directory.join(format!("{}.git", source.name)),
                    http: &self.http,
                    time,
                };
                match reader.read(last, collector).await {
                    Ok(commit) => Ok(Some(commit)),
                    Err(error) => Err(Unread::git(error)),
                }
            }
            SourceKindSettings::Directory(settings) => {
                // Moved to a thread that may wait for the disk, and back.
                let empty = Collector::new(&source.name, source.authority, None, Vec::new());
                let mut moved = std::mem::replace(collector, empty);
                let (settings, authority) = (settings.clone(), source.authority);
                let read = tokio::task::spawn_blocking(move || {
                    let read = directory::read(&settings, authority, &mut moved);
                    (moved, read)
                });
                match read.await {
                    Ok((moved, read)) => {
                        *collector = moved;
                        read.map(|()| None).map_err(|error| Unread {
                            error: error.to_string(),
                            rewritten: None,
                        })
                    }
                    Err(error) => Err(Unread {
                        error: error.to_string(),
                        rewritten: None,
                    }),
                }
            }
            SourceKindSettings::Tags(settings) => {
                let watches = source.watches.as_deref();
                tags::read(settings, watches, store, &self.http, time, collector).await?;
                Ok(None)
            }
        })
    }

    /// Raises a finding for each source that cannot be read or of which something does not count, and resolves the others.
    async fn assess<S>(&self, store: &S, now: Timestamp) -> Result<(), StoreError>
    where
        S: RegistrationSources + Conditions + ?Sized,
    {
        let states = store.sources().await?;
        let conditions: Vec<Condition> = self
            .sources
            .iter()
            .filter_map(|source| condition(state_of(&states, source)?))
            .collect();
        store.assess(&SCOPE, &conditions, now).await
    }
}

/// Why a source was not read.
struct Unread {
    error: String,
    rewritten: Option<String>,
}

impl Unread {
    fn git(error: GitError) -> Self {
        Self {
            error: error.to_string(),
            rewritten: match error {
                GitError::Rewritten { to, .. } => Some(to),
                _ => None,
            },
        }
    }
}

fn state_of<'s>(states: &'s [SourceState], source: &SourceSettings) -> Option<&'s SourceState> {
    states.iter().find(|state| state.name == source.name)
}

fn is_due(source: &SourceSettings, state: Option<&SourceState>, now: Timestamp) -> bool {
    let Some(state) = state else { return true };
    if state.failures > 0 || state.location != source.location() {
        return true;
    }
    let at = moment::past(state.at, now);
    // A time too long to be added never ends.
    let next = SignedDuration::try_from(source.every)
        .ok()
        .and_then(|every| at.checked_add(every).ok());
    next.is_some_and(|next| next <= now)
}

fn condition(state: &SourceState) -> Option<Condition> {
    let name = &state.name;
    if let (Some(to), Some(from)) = (&state.rewritten, &state.commit) {
        let summary = format!(
            "the branch of the registrations {name} was rewritten: {to} does not contain {from}, which was read last; \
             nothing is taken from it until `modelwatch expect confirm {name}`"
        );
        return Some(Condition::new(
            Verdict::RegistrationsRewritten,
            name,
            summary,
        ));
    }
    let why = match &state.error {
        Some(error) => error.clone(),
        None if state.problems.is_empty() => return None,
        None => {
            let mut shown = state
                .problems
                .iter()
                .take(PROBLEMS_SHOWN)
                .cloned()
                .collect::<Vec<_>>();
            if state.problems.len() > PROBLEMS_SHOWN {
                shown.push(format!(
                    "and {} more",
                    state.problems.len() - PROBLEMS_SHOWN
                ));
            }
            format!("some files do not count: {}", shown.join("; "))
        }
    };
    let summary = format!("the registrations {name} cannot be read: {why}");
    Some(Condition::new(Verdict::RegistrationsUnread, name, summary))
}
