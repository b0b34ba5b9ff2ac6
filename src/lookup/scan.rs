//! Reads the followed logs again for a question: every entry that lies in its time, each proven.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tlog::Head;

use super::answer::{Answer, conclude};
use super::coverage::{Scanned, TreeReach, WhyKind};
use super::error::LookupError;
use super::findings::{Found, references};
use super::leaves::{Hit, Suspect};
use super::line::{Source, Unproven};
use super::matcher::{Matcher, may_contain};
use super::question::Question;
use super::reread::{Read, Reading, Task};
use super::saved::{SaveFile, Saved};
use super::trees::{self, Trees, never_read};
use super::world::World;
use crate::log::Part;
use crate::monitor::{LeafReader, Log, MonitoredLog, Progress, Stop, first_since};
use crate::store::TreeState;

/// What is read, before it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The log's name.
    pub log: String,
    /// The entries.
    pub entries: u64,
    /// How many bytes they have, by those of one bundle; `None`: nothing is read.
    pub bytes: Option<u64>,
    /// How many seconds that takes at the pace of the last passes over this log; `None`: that is not known.
    pub seconds: Option<u64>,
}

/// How a scan is run.
pub struct Scan<'a> {
    /// The database: what an interrupted scan has done is kept beside it.
    pub database: &'a Path,
    /// Logs whose checkpoints need cosignatures of witnesses: only the monitor checks these, so its last proven head is used.
    pub witnessed: &'a [String],
    /// For the progress bar.
    pub progress: &'a Progress,
    /// Requests the end.
    pub stop: &'a Stop,
    /// Gets what will be read, before the first entry is.
    pub estimate: &'a mut (dyn FnMut(&[Estimate]) + Send),
}

/// One tree that will be read.
struct Target {
    /// Which of the logs of the question.
    log: usize,
    tree: Log,
    range: std::ops::Range<u64>,
    from_time: Option<Timestamp>,
    head: Head,
    head_at: Option<Timestamp>,
    /// Why that is not the newest head.
    head_why: Option<(WhyKind, String)>,
}

/// Reads the followed logs again.
///
/// # Errors
///
/// [`LookupError`]: the question names a log that is not followed, or the store cannot be read. What a log does not answer is in
/// the answer.
pub async fn scan(
    question: &Question,
    world: &World<'_>,
    run: Scan<'_>,
) -> Result<Answer, LookupError> {
    let save_file = SaveFile::of(question, run.database);
    let saved = save_file.load(question.since);
    let question = Question {
        since: saved.as_ref().map_or(question.since, |saved| saved.since),
        ..question.clone()
    };
    let mut saved = saved.unwrap_or_else(|| save_file.begin(question.since));
    let mut matcher = Matcher::new(&question)?;
    let payloads = world
        .store
        .payloads_about(&question.digests_asked())
        .await?;
    matcher.add_payloads(&payloads);
    let mut trees = trees::gather(&question, &matcher, world).await?;
    let targets = targets(&question, world, &run, &mut trees).await?;
    (run.estimate)(&estimates(world, &targets).await?);
    let reading = Reading {
        matcher: Arc::new(matcher),
        rules: Arc::clone(&world.rules),
        reader: LeafReader::default(),
        progress: run.progress,
        stop: run.stop,
    };
    run.progress.begin();
    for target in &targets {
        run.progress.goal(
            &target.tree.shard.name,
            target.range.end - target.range.start,
        );
    }
    let mut found = Found::default();
    let (mut is_stopped, mut is_whole) = (false, true);
    for target in targets {
        let origin = target.tree.shard.origin.as_str().to_owned();
        let task = Task {
            log: &target.tree,
            range: target.range.clone(),
            head: target.head.clone(),
            saved: saved.trees.get(&origin).cloned(),
        };
        let read = if is_stopped {
            Read {
                range: target.range.start..target.range.start,
                failed: Some("the scan was interrupted before".to_owned()),
                ..Read::default()
            }
        } else {
            reading
                .read(&task, &mut |tree| {
                    saved.trees.insert(origin.clone(), tree);
                    keep(&save_file, &saved);
                })
                .await
        };
        is_stopped |= read.is_stopped;
        is_whole &= read.failed.is_none();
        take(&target, read, &question, &mut trees, &mut found);
    }
    run.progress.end();
    // After a signal, and after an error of a log, the same command goes on.
    if is_whole {
        save_file.remove();
    }
    references(&mut found, world).await?;
    Ok(conclude(&question, world.now, found, &trees))
}

/// Keeps what is done for the next run.
fn keep(file: &SaveFile, saved: &Saved) {
    if let Err(error) = file.save(saved) {
        tracing::debug!("what the scan has done cannot be kept: {error}");
    }
}

/// Adds what was read of one tree to the answer.
fn take(target: &Target, read: Read, question: &Question, trees: &mut Trees, found: &mut Found) {
    let shard = &target.tree.shard;
    let Read {
        range,
        is_proven,
        hits,
        suspects,
        failed,
        is_cut,
        ..
    } = read;
    found.is_cut |= is_cut;
    let proven = if is_proven {
        range
    } else {
        range.start..range.start
    };
    if let Some(log) = trees.logs.get_mut(target.log)
        && let Some(tree) = log
            .trees
            .iter_mut()
            .find(|tree| tree.origin == shard.origin.as_str())
    {
        tree.scan = Some(Scanned {
            range: proven,
            from_time: target.from_time,
            head: target.head.size,
            head_at: target.head_at,
            head_why: target.head_why.clone(),
            failed,
        });
    }
    let unproven = |local: u64, why: String| Unproven {
        line_type: "unproven",
        source: Source::Scan,
        log: shard.name.clone(),
        origin: shard.origin.as_str().to_owned(),
        index: Some(shard.base.saturating_add(local)),
        why,
    };
    for hit in hits {
        if !is_proven {
            let why =
                "the log could not prove this entry, which holds what was asked for".to_owned();
            found.unproven.push(unproven(hit.local, why));
        } else if found.signings.len() >= question.limit {
            found.is_cut = true;
        } else {
            let Hit {
                signing,
                signature_sha256,
                logged_sha256,
                ..
            } = hit;
            let entry = logged_sha256.unwrap_or_else(|| signing.leaf_hash.clone());
            found.hashes.insert(
                found.signings.len(),
                [Some(entry), signature_sha256]
                    .into_iter()
                    .flatten()
                    .collect(),
            );
            found.signings.push(signing);
        }
    }
    for Suspect { local, why } in suspects {
        let why =
            format!("the entry cannot be read in full, and may hold what was asked for: {why}");
        found.unproven.push(unproven(local, why));
    }
}

/// What will be read of each tree of the logs of the question. Where a log cannot be asked, its reach has the reason.
async fn targets(
    question: &Question,
    world: &World<'_>,
    run: &Scan<'_>,
    trees: &mut Trees,
) -> Result<Vec<Target>, LookupError> {
    let states: BTreeMap<String, TreeState> = world
        .store
        .trees()
        .await?
        .into_iter()
        .map(|state| (state.id.as_str().to_owned(), state))
        .collect();
    let mut targets = Vec::new();
    for (place, reach) in trees.logs.iter_mut().enumerate() {
        let Some(log) = world.logs.iter().find(|log| log.name() == reach.name) else {
            continue;
        };
        let (listed, error) = match log {
            MonitoredLog::Tree(tree) => (vec![tree.clone()], None),
            MonitoredLog::RekorV1(v1) => v1.ask().await,
            MonitoredLog::Guided(_) => continue,
        };
        if let Some(list) = &mut reach.list {
            *list = match error {
                None => (Some(world.now), None),
                Some(error) => (None, Some(error.message)),
            };
        }
        // The last tree that begins at or before an index holds it.
        let of_entry = question.entry.as_ref().and_then(|(_, index)| {
            let bases = listed.iter().map(|tree| tree.shard.base);
            bases.filter(|base| base <= index).max()
        });
        for tree in listed {
            let origin = tree.shard.origin.as_str().to_owned();
            let number = question.uuid.and_then(|id| id.tree);
            if !may_contain(&tree.shard.id(), number)
                || of_entry.is_some_and(|base| base != tree.shard.base)
            {
                continue;
            }
            let known = reach.trees.iter().position(|known| known.origin == origin);
            let known = known.unwrap_or_else(|| {
                reach.trees.push(TreeReach {
                    base: tree.shard.base,
                    only: question
                        .entry
                        .as_ref()
                        .and_then(|(_, index)| index.checked_sub(tree.shard.base)),
                    ..never_read(&tree.shard.id())
                });
                reach.trees.len() - 1
            });
            let Some(of_tree) = reach.trees.get_mut(known) else {
                continue;
            };
            if tree.shard.ended {
                of_tree.has_ended = true;
            }
            let is_witnessed = run.witnessed.contains(&reach.name);
            match target(
                question,
                world,
                tree,
                states.get(&origin),
                of_tree,
                is_witnessed,
            )
            .await
            {
                Ok(target) => targets.push(Target {
                    log: place,
                    ..target
                }),
                Err(why) => {
                    of_tree.scan = Some(Scanned {
                        range: 0..0,
                        from_time: None,
                        head: of_tree.head.unwrap_or_default(),
                        head_at: None,
                        head_why: None,
                        failed: Some(why),
                    });
                }
            }
        }
    }
    Ok(targets)
}

/// What will be read of one tree.
async fn target(
    question: &Question,
    world: &World<'_>,
    tree: Log,
    state: Option<&TreeState>,
    reach: &TreeReach,
    is_witnessed: bool,
) -> Result<Target, String> {
    let known = state
        .and_then(|state| state.follower.as_ref())
        .and_then(|follower| follower.proven_head.clone());
    let Newest {
        head,
        head_at,
        head_why,
    } = newest_head(&tree, known, is_witnessed, world.now).await?;
    let first = reach.first.unwrap_or_default().min(head.size);
    let (range, from_time) = match (reach.only, question.since) {
        (Some(only), _) if only < head.size => (tree.source.bundle(only, head.size), None),
        // Behind the end: nothing is read, and the head shows that there is no such entry yet.
        (Some(_), _) => (head.size..head.size, None),
        (None, Some(since)) if since <= world.now => {
            let authorities = world.rules.authorities();
            let from = first_since(since, &tree, head.size, authorities, world.now).await;
            let from = from.map_err(|error| error.message)?.min(head.size);
            (from..head.size, Some(since))
        }
        (None, _) => (first..head.size, reach.first_time),
    };
    Ok(Target {
        log: 0,
        tree,
        range,
        from_time,
        head,
        head_at,
        head_why,
    })
}

/// The head that entries are proven by.
struct Newest {
    head: Head,
    /// When the log showed it; `None`: a pass proved it earlier.
    head_at: Option<Timestamp>,
    /// Why it is not the newest one.
    head_why: Option<(WhyKind, String)>,
}

/// The newest signed head of a tree, which must contain the one that was proven before. If the log shows none, or a smaller one,
/// the one that was proven before.
async fn newest_head(
    tree: &Log,
    known: Option<Head>,
    is_witnessed: bool,
    now: Timestamp,
) -> Result<Newest, String> {
    let newest = |head| {
        Ok(Newest {
            head,
            head_at: Some(now),
            head_why: None,
        })
    };
    let earlier = |head, head_why| {
        Ok(Newest {
            head,
            head_at: None,
            head_why,
        })
    };
    if is_witnessed {
        let why = "its checkpoints need cosignatures, and no pass has proven any of them yet";
        let known = known.ok_or_else(|| why.to_owned())?;
        return earlier(known, None);
    }
    let shown = match tree.source.checkpoint().await {
        Ok(note) => tree.shard.open(&note).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let shown = shown.map(|checkpoint| Head::from(&checkpoint));
    match (shown, known) {
        (Err(why), Some(known)) => earlier(known, Some((WhyKind::Unavailable, why))),
        (Err(why), None) => Err(why),
        (Ok(shown), None) => newest(shown),
        (Ok(shown), Some(known)) if known.size == 0 => newest(shown),
        (Ok(shown), Some(known)) if shown.size < known.size => {
            let why = format!(
                "it shows a checkpoint of {} entries, and showed one of {} before",
                shown.size, known.size
            );
            earlier(known, Some((WhyKind::Behind, why)))
        }
        (Ok(shown), Some(known)) if shown.size == known.size && shown.root == known.root => {
            newest(shown)
        }
        (Ok(shown), Some(known)) if shown.size > known.size => {
            let split = tree.source.split(known.size, shown.size).await;
            let split = split.map_err(|error| error.to_string())?;
            if split.root() == shown.root && split.root_at() == known.root {
                newest(shown)
            } else {
                Err(CONTRADICTS.to_owned())
            }
        }
        _ => Err(CONTRADICTS.to_owned()),
    }
}

const CONTRADICTS: &str = "its newest checkpoint contradicts what was proven before: `modelwatch monitor --once` records the evidence";

/// What will be read, in numbers.
async fn estimates(world: &World<'_>, targets: &[Target]) -> Result<Vec<Estimate>, LookupError> {
    let mut estimates = Vec::new();
    for target in targets {
        let entries = target.range.end - target.range.start;
        let bytes = bytes_of(target, entries).await;
        let shard = &target.tree.shard;
        let part = Part::Tree(shard.id());
        let history = world.store.pass_history(&shard.log, &part).await?;
        let (read, seconds) = history
            .recent
            .iter()
            .map(|pass| {
                (
                    pass.entries,
                    pass.ended.duration_since(pass.began).as_secs_f64(),
                )
            })
            .filter(|(entries, seconds)| *entries > 0 && *seconds > 0.0)
            .fold((0, 0.0), |(all, time), (entries, seconds)| {
                (all + entries, time + seconds)
            });
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is an estimate, and never negative"
        )]
        let seconds = (read > 0).then(|| (entries as f64 * seconds / read as f64).ceil() as u64);
        estimates.push(Estimate {
            log: shard.name.clone(),
            entries,
            bytes,
            seconds,
        });
    }
    Ok(estimates)
}

/// How many bytes these entries have, by those of the first bundle.
async fn bytes_of(target: &Target, entries: u64) -> Option<u64> {
    if entries == 0 {
        return None;
    }
    let size = target.head.size;
    let bundle = target.tree.source.bundle(target.range.start, size);
    let leaves = target.tree.source.leaves(bundle, size).await.ok()?;
    let count = u64::try_from(leaves.len())
        .ok()
        .filter(|count| *count > 0)?;
    let bytes = u64::try_from(leaves.size_bytes()).ok()?;
    Some(bytes.saturating_mul(entries) / count)
}
