//! Compares the bundles of an owner with the logs, in both directions: is each bundle what it seems, is it logged where it
//! names an entry, and is the model beside it still the one that was signed; and which bundle explains each signing by the
//! watched identities.
//!
//! "Agreed" rests on what was verified here and now: the bundle by the code of `verify`, its entry by a root that the monitor
//! has proven, the model by its hashes. Whatever cannot be verified is unanswered.

mod bundles;
mod entries;
mod error;
mod files;
mod followed;
mod leaf;
mod line;
mod model;
mod remote;
mod signings;
mod trusted;
mod world;

use crate::expect::Expectation;
use crate::store::{NewRegistration, StoreError};
use bundles::Bundles;
use followed::Followed;

pub use error::ReconcileError;
pub use files::NoSuchPath;
pub use line::{ChangedFiles, Counts, EntryPlace, Kind, Line, LineType};
pub use trusted::Trusted;
pub use world::{Question, World};

/// Where the answer goes.
pub trait Answer {
    /// One line. `false`: the reader has closed its end.
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
    let new: Vec<NewRegistration> = agreed
        .iter()
        .map(|(file, expectation)| NewRegistration::by_operator(file.clone(), expectation.clone()))
        .collect();
    let registered = world.store.register_all(&new, world.now).await?;
    Ok(registered.iter().filter(|(is_new, _)| *is_new).count() as u64)
}
