//! Parts of the page of a log: its checkpoints and its faults, with the signed notes.

use maud::{Markup, html};

use super::findings::rows;
use super::links;
use super::notes::{note, notes};
use super::text::{moment, shown};
use crate::report::log::LogStatus;
use crate::store::{
    FindingRecord, Findings, RecordedCheckpoint, RecordedCheckpoints, RelatedFindings, StoreError,
};

/// Most checkpoints that are shown of a tree, apart from the first.
const CHECKPOINTS: u32 = 10;

/// Most trees whose checkpoints are shown, the newest.
const TREES: usize = 5;

/// Most faults that are shown with their notes.
const FAULTS: u32 = 5;

/// The checkpoints of one tree.
pub(super) struct OfTree {
    origin: String,
    /// The first one, if it is not among the last.
    first: Option<RecordedCheckpoint>,
    /// The last ones, the largest first.
    last: Vec<RecordedCheckpoint>,
}

/// The checkpoints of the newest trees, the newest tree first.
///
/// # Errors
///
/// The store cannot be read.
pub(super) async fn checkpoints(
    log: &LogStatus,
    store: &dyn RecordedCheckpoints,
) -> Result<Vec<OfTree>, StoreError> {
    let mut all = Vec::new();
    for (tree, _) in log.tree_bases().iter().rev().take(TREES) {
        let last = store.last_checkpoints(tree, CHECKPOINTS).await?;
        let first = store.first_checkpoint(tree).await?;
        all.push(OfTree {
            origin: tree.to_string(),
            first: first.filter(|first| !last.contains(first)),
            last,
        });
    }
    all.retain(|tree| !tree.last.is_empty());
    Ok(all)
}

/// The checkpoints, each with its signed note.
pub(super) fn list(trees: &[OfTree]) -> Markup {
    html! {
        section aria-labelledby="checkpoints" {
            h2 #checkpoints { "Checkpoints" }
            @if trees.is_empty() {
                p { "No checkpoint of this log is recorded yet." }
            } @else {
                p { "Signed by the log, verified, and recorded when they were first received. Of each day that is over the largest is kept." }
            }
            @for (place, tree) in trees.iter().enumerate() {
                @if trees.len() > 1 { h3 { (shown(&tree.origin)) } }
                @for checkpoint in &tree.last { (one(place, checkpoint)) }
                @if let Some(first) = &tree.first {
                    p.facts { "The first one:" }
                    (one(place, first))
                }
            }
        }
    }
}

/// `place`: of its tree, so that its id is the only one.
fn one(place: usize, checkpoint: &RecordedCheckpoint) -> Markup {
    let RecordedCheckpoint { head, at } = checkpoint;
    let id = format!(
        "checkpoint-{place}-{}-{}",
        head.size,
        head.root.to_hex().get(..8).unwrap_or_default()
    );
    html! {
        details.checkpoint #(id) {
            summary { (head.size) " entries, recorded " (moment(*at)) }
            dl { dt { "Root" } dd { code { (head.root.to_hex()) } } }
            (note(&head.note))
        }
    }
}

/// The faults of a log.
pub(super) struct Faults {
    records: Vec<FindingRecord>,
}

/// The faults of the log with this name, with their notes.
///
/// # Errors
///
/// The store cannot be read.
pub(super) async fn faults<S: Findings + RelatedFindings + ?Sized>(
    log: &str,
    store: &S,
) -> Result<Faults, StoreError> {
    let mut records = Vec::new();
    for fault in store.faults_of(log, FAULTS).await? {
        records.extend(store.finding(&fault.id.to_string()).await?);
    }
    Ok(Faults { records })
}

impl Faults {
    pub(super) fn markup(&self) -> Markup {
        html! {
            section aria-labelledby="faults" {
                h2 #faults { "Faults" }
                @if self.records.is_empty() {
                    p { "This log has not contradicted what it signed, as far as it was read." }
                }
                @for record in &self.records {
                    (rows(std::slice::from_ref(&record.finding)))
                    (notes(&record.evidence.notes))
                }
                p {
                    a href=(links::findings(&[("all", "true"), ("verdict", "log-fault")])) { "Faults of all logs" }
                }
            }
        }
    }
}
