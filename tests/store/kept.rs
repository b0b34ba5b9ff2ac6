//! What proves the entries of findings: kept with them, joined again, and absent where it does not prove them.

use std::sync::Arc;

use modelwatch::finding::{FindingId, NewFinding};
use modelwatch::store::{FoundEntries, Kept, KeptEntry};
use tlog::{Hash, Head, Node, TrackedRange, leaf_hash, verify_inclusion};

use crate::scratch::{
    ScratchStore, at, batch, follower, head, log_id, range, signing, tree, watched,
};

fn bytes(index: u64) -> [u8; 8] {
    index.to_be_bytes()
}

/// A finding with its leaf.
fn found(watch: &str, index: u64) -> NewFinding {
    let mut new = watched(watch, index);
    new.evidence.entry = Some(Arc::from(bytes(index).as_slice()));
    new
}

/// The hashes that the proofs of these entries need, of leaves from one position up to another; all of the tree if it is proven.
fn hashes(
    from: &mut TrackedRange,
    until: u64,
    wanted: &[u64],
    is_proven: bool,
) -> Vec<(Node, Hash)> {
    let mut hashes = Vec::new();
    for index in from.size()..until {
        let is_wanted = wanted.contains(&index);
        from.push(leaf_hash(&bytes(index)), is_wanted, &mut |node, hash| {
            hashes.push((node, hash));
        });
    }
    if is_proven {
        from.finish(&mut |node, hash| hashes.push((node, hash)));
    }
    hashes
}

async fn kept(scratch: &ScratchStore, id: FindingId) -> Option<KeptEntry> {
    scratch.store.kept_entry(id).await.unwrap()
}

#[track_caller]
fn assert_proves(kept: &KeptEntry, index: u64, expected: &Head) {
    assert_eq!(kept.leaf, bytes(index));
    let (head, path) = kept.proof.as_ref().expect("it is proven");
    assert_eq!(head, expected);
    assert_eq!(
        verify_inclusion(&leaf_hash(&kept.leaf), index, head.size, path, &head.root),
        Ok(())
    );
}

#[tokio::test]
async fn an_entry_is_proven_by_the_checkpoint_that_covered_it_also_over_several_steps() {
    let scratch = ScratchStore::with_log().await;
    let mut tracked = TrackedRange::new(&range(0), |_| false);
    let wanted = [3, 300];
    let (one, other) = (found("falcon", 3), found("falcon", 300));
    let mut step = batch((0, 0), (290, 0), vec![one.clone()]);
    step.kept.hashes = hashes(&mut tracked, 290, &wanted, false);
    scratch.store.commit(&step).await.unwrap();
    let entry = kept(&scratch, one.finding.id).await.unwrap();
    assert_eq!((entry.leaf.as_slice(), entry.proof), (&bytes(3)[..], None));
    let ranges = [0..3, 3..4, 4..290];
    let waiting = scratch.store.has_unproven(&tree(), &ranges).await.unwrap();
    assert_eq!(waiting, [false, true, false]);

    let mut step = batch((290, 0), (600, 600), vec![other.clone()]);
    step.kept = Kept {
        hashes: hashes(&mut tracked, 600, &wanted, true),
        heads: vec![head(600)],
        trusted_root: Some(Arc::from(&b"{}"[..])),
        ..Kept::default()
    };
    scratch.store.commit(&step).await.unwrap();
    let waiting = scratch.store.has_unproven(&tree(), &ranges).await.unwrap();
    assert_eq!(waiting, [false; 3]);
    // Later checkpoints change nothing.
    let mut step = batch((600, 600), (700, 700), Vec::new());
    step.kept.heads = vec![head(700)];
    scratch.store.commit(&step).await.unwrap();
    let scratch = scratch.after_a_crash().await;
    for (new, index) in [(one, 3), (other, 300)] {
        let entry = kept(&scratch, new.finding.id).await.unwrap();
        assert_proves(&entry, index, &head(600));
        assert_eq!(entry.trusted_root.as_deref(), Some(&b"{}"[..]));
    }
}

#[tokio::test]
async fn findings_of_one_entry_share_its_leaf_and_one_without_a_leaf_has_nothing() {
    let scratch = ScratchStore::with_log().await;
    let mut tracked = TrackedRange::new(&range(0), |_| false);
    let all = [found("falcon", 5), found("heron", 5), signing(6)];
    let ids = all.each_ref().map(|new| new.finding.id);
    let mut step = batch((0, 0), (9, 9), all.to_vec());
    step.kept = Kept {
        hashes: hashes(&mut tracked, 9, &[5, 6], true),
        heads: vec![head(9)],
        ..Kept::default()
    };
    scratch.store.commit(&step).await.unwrap();
    for id in &ids[..2] {
        let entry = kept(&scratch, *id).await.unwrap();
        assert_proves(&entry, 5, &head(9));
        assert_eq!(entry.trusted_root, None);
    }
    assert_eq!(kept(&scratch, ids[2]).await, None);
    // An entry that could not be understood is in its finding already.
    let mut unreadable = signing(7);
    unreadable.evidence.leaf = Some(bytes(7).to_vec());
    let id = unreadable.finding.id;
    scratch.read((9, 9), (10, 10), vec![unreadable]).await;
    assert_eq!(kept(&scratch, id).await.unwrap().leaf, bytes(7));
}

#[tokio::test]
async fn a_certificate_in_a_leaf_is_stored_once_and_the_leaf_is_the_same() {
    let scratch = ScratchStore::with_log().await;
    let mut new = signing(5);
    let certificate: Vec<u8> = (0..=255).collect();
    let leaf = [b"before ".as_slice(), &certificate, b" after"].concat();
    new.evidence.certificate = Some(certificate);
    new.finding.leaf_hash = Some(leaf_hash(&leaf).to_hex());
    new.evidence.entry = Some(leaf.as_slice().into());
    let id = new.finding.id;
    scratch.read((0, 0), (9, 9), vec![new]).await;
    assert_eq!(kept(&scratch, id).await.unwrap().leaf, leaf);
}

#[tokio::test]
async fn hashes_that_do_not_prove_an_entry_are_no_proof() {
    let scratch = ScratchStore::with_log().await;
    let mut tracked = TrackedRange::new(&range(0), |_| false);
    let new = found("falcon", 5);
    let id = new.finding.id;
    let mut step = batch((0, 0), (9, 9), vec![new]);
    let right = hashes(&mut tracked, 9, &[5], true);
    step.kept = Kept {
        hashes: right
            .iter()
            .map(|(node, _)| (*node, leaf_hash(b"false")))
            .collect(),
        heads: vec![head(9)],
        ..Kept::default()
    };
    scratch.store.commit(&step).await.unwrap();
    assert_eq!(kept(&scratch, id).await.unwrap().proof, None);
    // The leaves are read again: what was read last counts.
    let mut step = batch((9, 9), (9, 9), Vec::new());
    step.follower = follower(9, 9);
    step.kept.hashes = right;
    scratch.store.commit(&step).await.unwrap();
    assert_proves(&kept(&scratch, id).await.unwrap(), 5, &head(9));
}

#[tokio::test]
async fn an_entry_that_the_log_proved_alone_keeps_that_path() {
    let scratch = ScratchStore::with_log().await;
    let mut tracked = TrackedRange::new(&range(0), |_| false);
    let nodes = hashes(&mut tracked, 9, &[5], true);
    let path = tlog::inclusion_path_of(5, 9, |node| {
        nodes
            .iter()
            .find(|(known, _)| *known == node)
            .map(|(_, hash)| *hash)
    });
    let mut new = found("falcon", 5);
    new.finding.proven = Some(true);
    let id = new.finding.id;
    let kept_alone = Kept {
        heads: vec![head(9)],
        paths: vec![(id, 9, path.unwrap().unwrap())],
        ..Kept::default()
    };
    let entries = FoundEntries {
        log: log_id(),
        entries: Vec::new(),
        findings: vec![new],
        kept: vec![(tree(), kept_alone)],
        now: at(2),
    };
    // A checkpoint of another entry comes first.
    let mut step = batch((0, 0), (7, 7), Vec::new());
    step.kept.heads = vec![head(7)];
    scratch.store.commit(&step).await.unwrap();
    scratch.store.found_entries(&entries).await.unwrap();
    assert_proves(&kept(&scratch, id).await.unwrap(), 5, &head(9));
}
