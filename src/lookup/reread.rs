//! Reads one tree again for a question, and proves every leaf.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use tlog::{CompactRange, Head};

use super::leaves::{self, Compared, Hit, Suspect};
use super::matcher::Matcher;
use super::saved::SavedTree;
use crate::judge::Rules;
use crate::monitor::{self, LeafReader, Log, Progress, Stop, is_of_tree};
use crate::source::{LogSource, SourceError};

/// How often what is done is saved.
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// What every tree of a scan is read with.
pub(super) struct Reading<'a> {
    pub(super) matcher: Arc<Matcher>,
    pub(super) rules: Arc<Rules>,
    pub(super) reader: LeafReader,
    pub(super) progress: &'a Progress,
    pub(super) stop: &'a Stop,
}

/// What is read of one tree.
pub(super) struct Task<'a> {
    pub(super) log: &'a Log,
    /// The entries to read, within the tree.
    pub(super) range: Range<u64>,
    /// The signed head that they are proven by; the range ends at or before its size.
    pub(super) head: Head,
    /// What an earlier run has done.
    pub(super) saved: Option<SavedTree>,
}

/// What was read of one tree.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The entries that were read; they are proven unless `failed` is set and `is_proven` is not.
    pub(super) range: Range<u64>,
    pub(super) is_proven: bool,
    pub(super) hits: Vec<Hit>,
    pub(super) suspects: Vec<Suspect>,
    /// Why not everything was read or proven.
    pub(super) failed: Option<String>,
    /// It was stopped by a signal.
    pub(super) is_stopped: bool,
    /// There are more signings than were asked for.
    pub(super) is_cut: bool,
}

/// Why reading ended early.
enum End {
    Stopped,
    Cut,
    Failed(String),
}

const NOT_SIGNED: &str =
    "it serves entries that do not hash to the root that it signed: nothing of them counts";

impl Reading<'_> {
    /// Reads one tree. `save` gets what is done, from time to time.
    pub(super) async fn read(&self, task: &Task<'_>, save: &mut dyn FnMut(SavedTree)) -> Read {
        let mut read = Read {
            range: task.range.start..task.range.start,
            ..Read::default()
        };
        let mut frontier = match self.begin(task, &mut read).await {
            Ok(frontier) => frontier,
            Err(why) => {
                read.failed = Some(why);
                return read;
            }
        };
        let ended = self.leaves(task, &mut frontier, &mut read, save).await;
        read.range.end = frontier.size();
        save(saved(task, &frontier, &read));
        match ended {
            Ok(()) => {}
            Err(End::Stopped) => {
                read.is_stopped = true;
                read.failed =
                    Some("it was interrupted: the same command goes on from there".to_owned());
            }
            Err(End::Cut) => read.is_cut = true,
            Err(End::Failed(why)) => read.failed = Some(why),
        }
        // Also what was read before an error, or before there were enough signings.
        match is_of_tree(&*task.log.source, &task.head, &frontier).await {
            Ok(true) => read.is_proven = true,
            Ok(false) => read.failed = Some(NOT_SIGNED.to_owned()),
            Err(error) => {
                read.failed.get_or_insert_with(|| error.to_string());
            }
        }
        read
    }

    /// The frontier to begin with: of the first entry, or of where an earlier run ended, if the tree begins with what it read.
    async fn begin(&self, task: &Task<'_>, read: &mut Read) -> Result<CompactRange, String> {
        if let Some(saved) = &task.saved
            && saved.start <= task.range.start
            && task.range.contains(&saved.reached)
            && let Ok(frontier) = frontier(&*task.log.source, &task.head, saved.reached).await
            && frontier.root().to_hex() == saved.root
        {
            self.again(task, saved, read).await?;
            read.range.start = saved.start;
            self.progress
                .read(saved.reached.saturating_sub(task.range.start));
            return Ok(frontier);
        }
        frontier(&*task.log.source, &task.head, task.range.start)
            .await
            .map_err(|error| error.to_string())
    }

    /// Fetches the entries that an earlier run has found. They lie in what it read, which the tree begins with; each bundle is
    /// proven again.
    async fn again(
        &self,
        task: &Task<'_>,
        saved: &SavedTree,
        read: &mut Read,
    ) -> Result<(), String> {
        let source = &*task.log.source;
        let mut done = 0..0;
        for &index in saved.entries.iter().filter(|index| **index < saved.reached) {
            if done.contains(&index) {
                continue;
            }
            let bundle = source.bundle(index, task.head.size);
            let leaves = source.leaves(bundle.clone(), task.head.size).await;
            let leaves = leaves.map_err(|error| error.to_string())?;
            let compared = leaves::compare(&leaves, &task.log.shard, &self.matcher, &self.rules);
            let before = frontier(source, &task.head, bundle.start).await;
            let mut range = before.map_err(|error| error.to_string())?;
            for hash in &compared.hashes {
                range.push(*hash);
            }
            match is_of_tree(source, &task.head, &range).await {
                Ok(true) => {}
                Ok(false) => return Err(NOT_SIGNED.to_owned()),
                Err(error) => return Err(error.to_string()),
            }
            read.hits.extend(
                compared
                    .hits
                    .into_iter()
                    .filter(|hit| hit.local < saved.reached),
            );
            let suspects = compared.suspects.into_iter();
            read.suspects
                .extend(suspects.filter(|suspect| suspect.local < saved.reached));
            done = bundle;
        }
        Ok(())
    }

    async fn leaves(
        &self,
        task: &Task<'_>,
        frontier: &mut CompactRange,
        read: &mut Read,
        save: &mut dyn FnMut(SavedTree),
    ) -> Result<(), End> {
        let limit = self.matcher.question.limit;
        let range = frontier.size()..task.range.end;
        if range.is_empty() {
            return Ok(());
        }
        let (shard, matcher, rules) = (
            Arc::clone(&task.log.shard),
            Arc::clone(&self.matcher),
            Arc::clone(&self.rules),
        );
        let compare =
            move |leaves: &crate::source::Leaves| leaves::compare(leaves, &shard, &matcher, &rules);
        let compared = self.reader.read(task.log, range, task.head.size, compare);
        let mut compared = std::pin::pin!(compared);
        let mut saved_at = Instant::now();
        while frontier.size() < task.range.end {
            let next = tokio::select! {
                biased;
                () = self.stop.wait() => return Err(End::Stopped),
                next = compared.next() => next,
            };
            let Some(next) = next else {
                let why = format!("its leaves end at {}", frontier.size());
                return Err(End::Failed(why));
            };
            let Compared {
                hashes,
                hits,
                suspects,
            } = next.map_err(|error| End::Failed(error.to_string()))?;
            self.progress.read(hashes.len() as u64);
            for hash in hashes {
                frontier.push(hash);
            }
            read.hits.extend(hits);
            read.suspects.extend(suspects);
            // Anybody can log entries that cannot be read.
            if read.hits.len() > limit || read.suspects.len() > limit {
                return Err(End::Cut);
            }
            if saved_at.elapsed() >= SAVE_EVERY {
                saved_at = Instant::now();
                read.range.end = frontier.size();
                save(saved(task, frontier, read));
            }
        }
        Ok(())
    }
}

/// What is saved of what was read.
fn saved(task: &Task<'_>, frontier: &CompactRange, read: &Read) -> SavedTree {
    let hits = read.hits.iter().map(|hit| hit.local);
    let suspects = read.suspects.iter().map(|suspect| suspect.local);
    let mut entries: Vec<u64> = hits.chain(suspects).collect();
    entries.sort_unstable();
    entries.dedup();
    SavedTree {
        start: read.range.start.min(task.range.start),
        reached: frontier.size(),
        root: frontier.root().to_hex(),
        entries,
    }
}

/// The frontier of the first `at` leaves of the tree with this head.
async fn frontier(
    source: &dyn LogSource,
    head: &Head,
    at: u64,
) -> Result<CompactRange, RereadError> {
    let frontier = monitor::frontier(source, head, at).await?;
    frontier.ok_or(RereadError::NotSigned)
}

/// Why the hashes of a tree cannot be had.
#[derive(Debug, thiserror::Error)]
enum RereadError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("it serves hashes that do not lead to the root that it signed")]
    NotSigned,
}

#[cfg(test)]
mod tests;
