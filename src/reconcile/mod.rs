//! Compares the bundles of an owner with the logs, in both directions: is each bundle what it seems, is it logged where it
//! names an entry, and is the model beside it still the one that was signed; and which bundle explains each signing by the
//! watched identities.
//!
//! "Agreed" rests on what was verified here and now: the bundle by the code of `verify`, its entry by a root that the monitor
//! has proven, the model by its hashes. Whatever cannot be verified is unanswered.

mod bundles;
mod entries;
mod files;
mod followed;
mod leaf;
mod line;
mod model;
mod remote;
mod signings;
mod trusted;

use std::path::PathBuf;

use jiff::Timestamp;

use crate::expect::Expectation;
use crate::identity::Authorities;
use crate::judge::Rules;
use crate::monitor::MonitoredLog;
use crate::report::log::LogStatus;
use crate::store::{SigningQuery, Store, StoreError, WatchKey};
use bundles::Bundles;
use followed::Followed;

pub use files::NoSuchPath;
pub use line::{ChangedFiles, Counts, EntryPlace, Kind, Line, LineType};
pub use trusted::Trusted;

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// A path of the command line.
    #[error(transparent)]
    Path(#[from] NoSuchPath),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is compared.
#[derive(Debug, Default)]
pub struct Question {
    /// Files with bundles, and directories.
    pub paths: Vec<PathBuf>,
    /// Which signings have to have a bundle.
    pub signings: SigningQuery,
    /// Models are left out.
    pub no_models: bool,
    /// The search index of Rekor v1 is asked for others who signed the same models.
    pub remote: bool,
    /// What agrees is registered.
    pub register: bool,
}

/// What the bundles are compared with.
pub struct World<'a> {
    /// What was found in the logs.
    pub store: &'a dyn Store,
    /// The logs that are followed.
    pub logs: &'a [MonitoredLog],
    /// How far each of them is read.
    pub statuses: &'a [LogStatus],
    /// The watches.
    pub rules: &'a Rules,
    /// What bundles are verified with.
    pub trusted: &'a Trusted,
    /// The present.
    pub now: Timestamp,
}

impl World<'_> {
    fn authorities(&self) -> Option<&Authorities> {
        self.rules.authorities()
    }

    /// The watches whose signings are compared.
    fn watches(&self, query: &SigningQuery) -> Vec<WatchKey> {
        let keys = self.rules.keys().iter();
        keys.filter(|key| query.watches.is_empty() || query.watches.contains(&key.name))
            .cloned()
            .collect()
    }
}

/// Where the answer goes.
pub trait Answer {
    /// One line. `false`: nobody reads on.
    fn line(&mut self, line: &Line) -> bool;

    /// So many of all files have been looked at.
    fn progress(&mut self, done: u64, of: u64);
}

/// Compares both directions, and returns the counts of the lines.
///
/// # Errors
///
/// [`ReconcileError`]: a path does not exist, or the store cannot be read.
pub async fn reconcile(
    question: &Question,
    world: &World<'_>,
    answer: &mut dyn Answer,
) -> Result<Counts, ReconcileError> {
    let mut counts = Counts::default();
    let mut followed = Followed::of(world.logs, world.store).await?;
    let mut bundles = Bundles::read(question, world, &mut |done, of| answer.progress(done, of))?;
    bundles.check_entries(world, &mut followed).await?;
    if question.remote {
        bundles.ask_the_index(world, &mut followed).await;
    }
    let mut tell = |line: Line| {
        counts.add(&line);
        answer.line(&line)
    };
    let (explained, agreed) = bundles.explained();
    for line in bundles.into_lines() {
        if !tell(line) {
            return Ok(counts);
        }
    }
    let watches = world.watches(&question.signings);
    let unread = signings::unread(world.store, world.statuses, &followed, &watches, world.now);
    for line in unread.await? {
        if !tell(line) {
            return Ok(counts);
        }
    }
    let is_read = signings::compare(world.store, &question.signings, &explained, &mut tell);
    if is_read.await? && question.register {
        counts.registered = Some(register(&agreed, world).await?);
    }
    Ok(counts)
}

/// Registers what agrees; how many were new.
async fn register(agreed: &[(String, Expectation)], world: &World<'_>) -> Result<u64, StoreError> {
    let registered = world.store.register_all(agreed, world.now).await?;
    Ok(registered.iter().filter(|(is_new, _)| *is_new).count() as u64)
}
