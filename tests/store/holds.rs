//! When held findings open: `Findings::release_holds`.

use std::time::Duration;

use modelwatch::finding::State;
use modelwatch::store::HoldRule;

use crate::scratch::{ScratchStore, at, held};

#[tokio::test]
async fn a_hold_ends_with_its_time_or_its_rule_and_alerts_in_that_moment() {
    let hold = |rule, minutes: u64| HoldRule {
        watch: "falcon".into(),
        rule: [rule; 32],
        hold: Duration::from_mins(minutes),
    };
    // First seen at minute 1.
    for (rules, now, opened) in [
        (vec![hold(1, 45)], at(45), false),
        (vec![hold(1, 45)], at(46), true),
        (vec![hold(1, u64::MAX / 60)], at(9999), false),
        (vec![hold(2, 45)], at(2), true),
        (vec![], at(2), true),
    ] {
        let scratch = ScratchStore::with_log().await;
        scratch.read((0, 0), (9, 0), vec![held(1)]).await;
        assert_eq!(
            scratch.store.release_holds(&rules, now).await.unwrap(),
            u64::from(opened),
            "{rules:?}"
        );
        let finding = scratch.get(held(1).finding.id).await;
        assert_eq!(finding.state == State::Open, opened);
        assert_eq!(
            scratch.alerts_of(finding.id).await.len(),
            usize::from(opened)
        );
        assert_eq!(scratch.store.release_holds(&rules, now).await.unwrap(), 0);
    }
}
