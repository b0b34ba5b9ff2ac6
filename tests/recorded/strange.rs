//! An honest log with unusual leaves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::program::{Log, Program};
use crate::recording::{self, END, size_in, strange_leaves, truth};
use crate::reported::{assert_hits, hits};

/// Leaves that a parser may understand better than the one that was assumed when they were made.
const MAY_BE_READ: [&str; 11] = [
    "cert-trailing",
    "invalid-utf8",
    "deep-object",
    "largest",
    "spec-null",
    "no-spec",
    "huge-number",
    "json-string",
    "json-null",
    "json-array",
    "deep",
];

#[test]
fn an_unreadable_leaf_is_reported_and_hides_no_other() {
    let (folder, strange) = strange_leaves();
    let program = Program::new(&[Log::recorded("v2b").in_folder(&folder)]);
    let ended = program.pass();
    let status = program.status("v2b");
    assert_eq!(
        status.proven,
        Some(size_in(&folder)),
        "{status:?} {}",
        ended.stderr
    );
    assert!(status.error.is_none(), "{status:?}");

    let findings = program.findings();
    let now_at: BTreeMap<u64, u64> = strange
        .original
        .iter()
        .map(|(now, then)| (*then, *now))
        .collect();
    let mut found = hits(&findings);
    found.retain(|hit| strange.original.contains_key(&hit.index));
    let mut expected = recording::hits(&["v2b"], &(0..END));
    expected.retain(|hit| now_at.contains_key(&hit.index));
    for hit in &mut expected {
        hit.index = now_at[&hit.index];
    }
    expected.sort();
    assert!(!expected.is_empty());
    assert_hits("between strange leaves", &found, &expected);

    let reported: BTreeSet<u64> = findings
        .iter()
        .filter(|finding| finding.verdict == "unreadable")
        .map(|finding| finding.index.unwrap())
        .collect();
    for (index, leaf) in &strange.leaves {
        let must = leaf.class == "unreadable" && !MAY_BE_READ.contains(&leaf.name.as_str());
        assert!(
            !must || reported.contains(index),
            "{leaf:?} at {index} is not reported"
        );
    }
    for index in strange.original.keys() {
        assert!(
            !reported.contains(index),
            "the good leaf at {index} is reported as unreadable"
        );
    }
}

#[test]
fn entries_of_unknown_kinds_are_searched_for_certificates() {
    let (folder, strange) = strange_leaves();
    // The content of the unusual leaves was taken from the first entry with a certificate past 40.
    let certificate = truth("v2b")
        .into_iter()
        .skip(40)
        .find_map(|entry| entry.certificate_sha256);
    let watch = json!({ "name": "certificate", "certificate_sha256": certificate });
    let program = Program::watching(&[Log::recorded("v2b").in_folder(&folder)], &[watch]);
    program.pass();
    let found: BTreeSet<u64> = hits(&program.findings())
        .iter()
        .map(|hit| hit.index)
        .collect();
    for (index, leaf) in &strange.leaves {
        if leaf.class != "unreadable" {
            assert!(
                found.contains(index),
                "{leaf:?} at {index} is not in {found:?}"
            );
        }
    }
}
