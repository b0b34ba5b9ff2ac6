//! Whether a checkpoint contradicts what a log signed before: a fork, a rollback, or growth after the end.
//!
//! These rules hold for a tree that is read in full and for one whose checkpoints alone are verified. The two differ in how they
//! request the log's own hashes; here the answers are arguments.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tlog::{Hash, Head, LogFault, ProofError, Split, verify_consistency};

use crate::log::Shard;
use crate::store::TreeState;

/// A replica that lags may show a smaller checkpoint than the largest one. If that lasts for this many passes, and for the
/// log's `rollback_after`, the log was rolled back.
const ROLLBACK_PASSES: u32 = 3;

/// Two signed heads that cannot be of one append-only tree: they differ within their first `size` leaves.
pub(super) fn fork(size: u64, first: Head, second: Head) -> LogFault {
    LogFault::Fork {
        size,
        first: Box::new(first),
        second: Box::new(second),
    }
}

/// The fault of a log that grew to this head although it had ended. `frozen` is the checkpoint with which it ended: its size
/// and its note.
pub(super) fn growth_after_end(frozen: Option<&(u64, Vec<u8>)>, head: &Head) -> Option<LogFault> {
    let (frozen_size, note) = frozen?;
    (head.size > *frozen_size).then(|| LogFault::GrewAfterFreeze {
        frozen_size: *frozen_size,
        size: head.size,
        notes: vec![note.as_slice().into(), Arc::clone(&head.note)],
    })
}

/// A validly signed head that is smaller than the largest one of its log.
#[derive(Clone, Copy)]
pub(super) struct Smaller<'a> {
    pub(super) shown: &'a Head,
    pub(super) largest: &'a Head,
}

impl Smaller<'_> {
    /// The head that it contradicts, if it is a fork. `recorded` is the head of its size that was verified before.
    ///
    /// Without one, `root` requests the root of that size by the log's own hashes; see [`root_by_split`] and [`root_by_proof`].
    /// A missing or invalid proof neither confirms nor refutes the smaller head.
    pub(super) async fn contradicts(
        self,
        recorded: Option<Head>,
        root: impl Future<Output = Option<Hash>>,
    ) -> Option<Head> {
        match recorded {
            Some(recorded) => (recorded.root != self.shown.root).then_some(recorded),
            // Every tree begins with the empty one.
            None if self.shown.size == 0 => None,
            None => {
                let root = root.await?;
                (root != self.shown.root).then(|| self.largest.clone())
            }
        }
    }

    /// The fault, if enough passes have shown it for a rollback. `known` is the recorded state before this pass.
    pub(super) fn rollback(
        self,
        known: Option<&TreeState>,
        shard: &Shard,
        now: Timestamp,
    ) -> Option<LogFault> {
        let known = known?;
        // Older versions counted passes without a time; such a count begins now. So does one that began in the future, because
        // a clock was wrong.
        let since = known.behind_since.unwrap_or(now).min(now);
        // A longer duration than the calendar has never passes.
        let lasts = SignedDuration::try_from(shard.rollback_after).unwrap_or(SignedDuration::MAX);
        let is_rollback = known.behind_passes.saturating_add(1) >= ROLLBACK_PASSES
            && now.duration_since(since) >= lasts;
        is_rollback.then(|| LogFault::Rollback {
            size: self.shown.size,
            head_size: self.largest.size,
            notes: vec![Arc::clone(&self.largest.note), Arc::clone(&self.shown.note)],
        })
    }
}

/// The root at the place where a tree is split, if the hashes lead to the root of `head`.
pub(super) fn root_by_split(split: &Split, head: &Head) -> Option<Hash> {
    (split.root() == head.root).then(|| split.root_at())
}

/// The root of the size of `older` that a consistency proof is for, if the proof leads to the root of `newer`.
pub(super) fn root_by_proof(older: &Head, newer: &Head, proof: &[Hash]) -> Option<Hash> {
    match extends(older, newer, proof) {
        Ok(()) => Some(older.root),
        Err(ProofError::RootMismatch { size, computed, .. }) if size == older.size => {
            let other = with_root(older, computed);
            extends(&other, newer, proof).is_ok().then_some(computed)
        }
        Err(_) => None,
    }
}

/// Verifies that the tree of `newer` begins with the tree of `older`.
pub(super) fn extends(older: &Head, newer: &Head, proof: &[Hash]) -> Result<(), ProofError> {
    verify_consistency(older.size, &older.root, newer.size, &newer.root, proof)
}

fn with_root(head: &Head, root: Hash) -> Head {
    Head {
        root,
        ..head.clone()
    }
}

/// What two heads and the consistency proof between them show, if they are not consistent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Inconsistent {
    /// The log contradicts itself.
    #[error("{0}")]
    Fault(LogFault),
    /// The hashes are no proof: they are too few or too many.
    #[error("{0}")]
    NoProof(ProofError),
}

/// Verifies that the larger of two signed trees extends the smaller one.
///
/// # Errors
/// Two roots of one size are a fork. So is a proof that leads to `newer` from another beginning than `older`. A proof that leads
/// to neither leaves a signed root without leaves: a root mismatch.
pub(super) fn link(older: &Head, newer: &Head, proof: &[Hash]) -> Result<(), Inconsistent> {
    let Err(error) = extends(older, newer, proof) else {
        return Ok(());
    };
    if older.size == newer.size {
        let fork = fork(older.size, older.clone(), newer.clone());
        return Err(Inconsistent::Fault(fork));
    }
    let ProofError::RootMismatch { size, computed, .. } = error else {
        return Err(Inconsistent::NoProof(error));
    };
    let mut computed = computed;
    if size == older.size {
        match extends(&with_root(older, computed), newer, proof) {
            Ok(()) => {
                let fork = fork(older.size, older.clone(), newer.clone());
                return Err(Inconsistent::Fault(fork));
            }
            Err(ProofError::RootMismatch { computed: new, .. }) => computed = new,
            Err(_) => {}
        }
    }
    Err(Inconsistent::Fault(LogFault::RootMismatch {
        since: older.size,
        size: newer.size,
        computed,
        signed: newer.root,
        note: Arc::clone(&newer.note),
        proven_note: Some(Arc::clone(&older.note)),
    }))
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use tlog::{CompactRange, node_hash};

    use super::*;

    fn leaf(byte: u8) -> Hash {
        Hash::new([byte; 32])
    }

    fn root(leaves: &[Hash]) -> Hash {
        let mut range = CompactRange::new();
        for leaf in leaves {
            range.push(*leaf);
        }
        range.root()
    }

    fn head(leaves: &[Hash]) -> Head {
        Head {
            size: leaves.len() as u64,
            root: root(leaves),
            note: leaves.len().to_be_bytes().to_vec().into(),
        }
    }

    /// Heads of three and four leaves, and the proof between them.
    fn three_and_four() -> (Head, Head, Vec<Hash>) {
        let leaves: Vec<Hash> = (1..=4).map(leaf).collect();
        let proof = vec![leaf(3), leaf(4), node_hash(&leaf(1), &leaf(2))];
        (head(&leaves[..3]), head(&leaves), proof)
    }

    #[test]
    fn a_proof_shows_the_root_of_the_older_size_only_if_it_leads_to_the_newer_root() {
        let (three, four, proof) = three_and_four();
        assert_eq!(root_by_proof(&three, &four, &proof), Some(three.root));
        let other = head(&[leaf(9), leaf(2), leaf(3)]);
        assert_eq!(root_by_proof(&other, &four, &proof), Some(three.root));
        // Any hashes: they refute neither head.
        let garbage = vec![leaf(7), leaf(8), leaf(9)];
        assert_eq!(root_by_proof(&other, &four, &garbage), None);
        assert_eq!(root_by_proof(&three, &four, &garbage), None);
        assert_eq!(root_by_proof(&three, &four, &[]), None);
    }

    #[tokio::test]
    async fn a_smaller_head_is_a_fork_only_if_hashes_of_the_log_show_another_root() {
        let (three, four, _) = three_and_four();
        let other = head(&[leaf(9), leaf(2), leaf(3)]);
        let empty = head(&[]);
        for (shown, recorded, shows, contradicted) in [
            (&three, Some(&three), Some(leaf(0)), None),
            (&other, Some(&three), None, Some(&three)),
            (&other, None, Some(three.root), Some(&four)),
            (&three, None, Some(three.root), None),
            (&other, None, None, None),
            (&empty, None, Some(leaf(0)), None),
        ] {
            let smaller = Smaller {
                shown,
                largest: &four,
            };
            let found = smaller.contradicts(recorded.cloned(), ready(shows)).await;
            assert_eq!(found.as_ref(), contradicted);
        }
    }

    #[test]
    fn two_heads_without_a_proof_between_them_are_a_fork_a_mismatch_or_nothing() {
        let (three, four, proof) = three_and_four();
        assert!(link(&three, &four, &proof).is_ok());
        let other = head(&[leaf(9), leaf(2), leaf(3)]);
        let is_fork = |linked| matches!(linked, Err(Inconsistent::Fault(LogFault::Fork { .. })));
        assert!(is_fork(link(&other, &four, &proof)));
        assert!(is_fork(link(&three, &other, &[])));
        let garbage = vec![leaf(7), leaf(8), leaf(9)];
        assert!(matches!(
            link(&three, &four, &garbage),
            Err(Inconsistent::Fault(LogFault::RootMismatch { .. }))
        ));
        assert!(matches!(
            link(&three, &four, &proof[..2]),
            Err(Inconsistent::NoProof(_))
        ));
    }

    #[test]
    fn growth_is_a_fault_beyond_the_size_with_which_the_log_ended() {
        let (_, four, _) = three_and_four();
        let grew = |frozen: u64| growth_after_end(Some(&(frozen, Vec::new())), &four).is_some();
        assert!(grew(3) && !grew(4) && !grew(5));
        assert_eq!(growth_after_end(None, &four), None);
    }
}
