//! `reconcile` over a guided log: an entry that the log has not proven is unanswered, and never agrees.

use std::path::{Path, PathBuf};

use modelwatch::reconcile::{Kind, Line, LineType};

use super::World;
use crate::reconciled::{another, ask, bundle_in, signed_file, trusted};
use crate::world::{Anomaly, other_leaves};

const KIND: (&str, &str) = ("hashedrekord", "0.0.1");
/// The entry of the bundle.
const OURS: u64 = 25;

/// Logs a signing by a key, which the index never names, and writes the bundle of it.
fn logged(world: &World) -> PathBuf {
    let (leaf, bundle) = signed_file(b"weights");
    world.v1.grow(0, [leaf]);
    let entry = world.v1.in_bundle(0, OURS as usize, KIND);
    bundle_in(world.directory.path(), bundle, &entry)
}

/// The only line about the bundle.
async fn reconciled(world: &World, bundle: &Path) -> Line {
    let logs = world.logs();
    let followed = (world.truly(), &logs[..]);
    let trusted = trusted(&world.keys);
    let lines = ask(bundle, false, followed, &world.rules, &trusted).await;
    let mut of_bundle = lines.into_iter().filter(|line| line.bundle.is_some());
    let line = of_bundle.next().unwrap();
    assert_eq!(of_bundle.next(), None);
    line
}

#[tokio::test]
async fn an_entry_behind_the_verified_head_is_unanswered_until_a_pass_verifies_it() {
    let world = World::new().await;
    world.good().await;
    let bundle = logged(&world);
    let line = reconciled(&world, &bundle).await;
    assert_eq!(
        (line.line_type, line.kind),
        (LineType::Unanswered, Some(Kind::Guided)),
        "{line:?}"
    );
    assert_eq!(line.entry.unwrap().index, OURS);
    world.good_after(60).await;
    // No watch found it: it is fetched and proven now.
    let line = reconciled(&world, &bundle).await;
    assert_eq!(
        (line.line_type, line.kind),
        (LineType::Agreed, None),
        "{line:?}"
    );
    let place = line.entry.unwrap();
    assert_eq!((place.log.as_str(), place.index), ("v1", OURS));
    assert_eq!(place.origin, world.v1.origin(0));
}

#[tokio::test]
async fn an_entry_that_the_log_does_not_prove_never_agrees() {
    for anomaly in [
        Anomaly::Swaps(OURS),
        Anomaly::Garbles(OURS),
        Anomaly::Hides(OURS),
        Anomaly::Renames(OURS),
        Anomaly::Moves(OURS),
        Anomaly::Down,
    ] {
        let world = World::new().await;
        let bundle = logged(&world);
        world.v1.grow(0, other_leaves(5));
        world.good().await;
        world.v1.odd(anomaly.clone());
        let line = reconciled(&world, &bundle).await;
        assert_eq!(
            (line.line_type, line.kind),
            (LineType::Unanswered, Some(Kind::Guided)),
            "{anomaly:?}: {line:?}"
        );
        world.v1.heal();
        let line = reconciled(&world, &bundle).await;
        assert_eq!(line.line_type, LineType::Agreed, "{anomaly:?}: {line:?}");
    }
}

#[tokio::test]
async fn a_bundle_from_another_history_of_the_log_differs() {
    let world = World::new().await;
    let bundle = logged(&world);
    world.v1.fork(0, OURS as usize, another());
    world.good().await;
    let line = reconciled(&world, &bundle).await;
    assert_eq!(
        (line.line_type, line.kind),
        (LineType::Discrepancy, Some(Kind::EntryDiffers)),
        "{line:?}"
    );
}

#[tokio::test]
async fn a_bundle_of_a_log_whose_key_is_not_trusted_is_invalid() {
    let world = World::new().await;
    let bundle = logged(&world);
    world.good().await;
    let logs = world.logs();
    let followed = (world.truly(), &logs[..]);
    let other = world.v1.rotate(202);
    let lines = ask(&bundle, false, followed, &world.rules, &trusted(&[other])).await;
    assert_eq!(lines[0].kind, Some(Kind::SignatureInvalid), "{lines:?}");
}
