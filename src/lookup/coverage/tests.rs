use super::*;
use crate::report::log::ReadingMode::{Guided, Tail};

fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
}

/// The present, in minutes.
const NOW: i64 = 10_000;

/// The only gap.
fn gap(range: Range<u64>) -> Vec<Range<u64>> {
    std::iter::once(range).collect()
}

fn asked() -> Asked {
    Asked {
        now: at(NOW),
        ..Asked::default()
    }
}

/// A tree that was read from its first entry to its end just now, and compared with a watch that selects what is asked for.
fn tree() -> TreeReach {
    TreeReach {
        origin: "log.example".to_owned(),
        base: 0,
        first: Some(0),
        first_time: None,
        proven: 100,
        head: Some(100),
        has_ended: false,
        proven_at: Some(at(NOW - 1)),
        error: None,
        is_faulty: false,
        gaps: Some(Vec::new()),
        scan: None,
        only: None,
    }
}

fn scan() -> Scanned {
    Scanned {
        range: 0..100,
        from_time: None,
        head: 100,
        head_at: Some(at(NOW)),
        head_why: None,
        failed: None,
    }
}

fn log(trees: Vec<TreeReach>) -> LogReach {
    LogReach {
        name: "main".to_owned(),
        mode: Tail,
        guides: Vec::new(),
        list: None,
        unreadable: None,
        trees,
    }
}

fn kinds(asked: &Asked, logs: &[LogReach]) -> Vec<WhyKind> {
    let answer = coverage(asked, logs);
    assert_eq!(answer.complete, answer.why.is_empty());
    answer.why.iter().map(|why| why.kind).collect()
}

fn of_tree(tree: TreeReach) -> Vec<WhyKind> {
    kinds(&asked(), &[log(vec![tree])])
}

#[test]
fn an_answer_is_complete_if_everything_was_proven_and_compared() {
    assert_eq!(of_tree(tree()), []);
    let scanned = TreeReach {
        gaps: None,
        first: None,
        proven: 0,
        head: None,
        proven_at: None,
        scan: Some(scan()),
        ..tree()
    };
    assert_eq!(of_tree(scanned), []);
    let two = [log(vec![tree()]), log(vec![tree(), tree()])];
    assert_eq!(kinds(&asked(), &two), []);
}

#[test]
fn whatever_is_missing_of_a_tree_has_its_reason() {
    let of_scan = |scan| TreeReach {
        scan: Some(scan),
        gaps: None,
        ..tree()
    };
    let table: Vec<(&str, TreeReach, &[WhyKind])> = vec![
        (
            "never read",
            TreeReach {
                first: None,
                ..tree()
            },
            &[WhyKind::Unread],
        ),
        (
            "read from an index",
            TreeReach {
                first: Some(7),
                ..tree()
            },
            &[WhyKind::Unread],
        ),
        (
            "not proven to its end",
            TreeReach {
                proven: 99,
                ..tree()
            },
            &[WhyKind::Unread],
        ),
        (
            "an open fault",
            TreeReach {
                is_faulty: true,
                ..tree()
            },
            &[WhyKind::Unread],
        ),
        (
            "no watch",
            TreeReach {
                gaps: None,
                ..tree()
            },
            &[WhyKind::NotScanned],
        ),
        (
            "a gap",
            TreeReach {
                gaps: Some(gap(3..5)),
                ..tree()
            },
            &[WhyKind::Gap],
        ),
        (
            "a gap that is not proven",
            TreeReach {
                gaps: Some(gap(100..105)),
                ..tree()
            },
            &[],
        ),
        (
            "an old head",
            TreeReach {
                proven_at: Some(at(NOW - 121)),
                ..tree()
            },
            &[WhyKind::Behind],
        ),
        (
            "just new enough",
            TreeReach {
                proven_at: Some(at(NOW - 120)),
                ..tree()
            },
            &[],
        ),
        (
            "a time in the future",
            TreeReach {
                proven_at: Some(at(NOW + 121)),
                ..tree()
            },
            &[WhyKind::Behind],
        ),
        (
            "an old head and an error",
            TreeReach {
                proven_at: Some(at(1)),
                error: Some("no answer".to_owned()),
                ..tree()
            },
            &[WhyKind::Unavailable],
        ),
        (
            "an error, and new enough",
            TreeReach {
                error: Some("no answer".to_owned()),
                ..tree()
            },
            &[],
        ),
        (
            "never to its end",
            TreeReach {
                proven_at: None,
                ..tree()
            },
            &[WhyKind::Unread],
        ),
        (
            "an old head of a tree that has ended",
            TreeReach {
                proven_at: Some(at(1)),
                has_ended: true,
                ..tree()
            },
            &[],
        ),
        (
            "scanned in part",
            of_scan(Scanned {
                range: 0..99,
                ..scan()
            }),
            &[WhyKind::Unread],
        ),
        (
            "scanned from an index",
            of_scan(Scanned {
                range: 1..100,
                ..scan()
            }),
            &[WhyKind::Unread],
        ),
        (
            "a scan that failed",
            of_scan(Scanned {
                range: 0..10,
                failed: Some("no answer".to_owned()),
                ..scan()
            }),
            &[WhyKind::Unavailable, WhyKind::Unread],
        ),
        (
            "scanned up to an old head",
            TreeReach {
                proven_at: Some(at(1)),
                ..of_scan(Scanned {
                    head_at: None,
                    ..scan()
                })
            },
            &[WhyKind::Behind],
        ),
        (
            "a log that shows a smaller head than before",
            of_scan(Scanned {
                head_at: None,
                head_why: Some((WhyKind::Behind, "smaller".to_owned())),
                ..scan()
            }),
            &[WhyKind::Behind],
        ),
        (
            "scanned up to the head of a pass",
            of_scan(Scanned {
                head_at: None,
                ..scan()
            }),
            &[],
        ),
        (
            "two reasons",
            TreeReach {
                first: Some(7),
                gaps: None,
                ..tree()
            },
            &[WhyKind::Unread, WhyKind::NotScanned],
        ),
    ];
    for (what, tree, expected) in table {
        assert_eq!(of_tree(tree), expected, "{what}");
    }
}

#[test]
fn what_was_logged_before_the_time_that_is_asked_for_need_not_be_read() {
    let from = |first_time| TreeReach {
        first: Some(7),
        first_time,
        ..tree()
    };
    let since = |minutes| Asked {
        since: Some(at(minutes)),
        ..asked()
    };
    let of = |asked: &Asked, tree| kinds(asked, &[log(vec![tree])]);
    assert_eq!(of(&since(50), from(Some(at(50)))), []);
    assert_eq!(of(&since(49), from(Some(at(50)))), [WhyKind::Unread]);
    assert_eq!(of(&since(50), from(None)), [WhyKind::Unread]);
    let scanned = TreeReach {
        scan: Some(Scanned {
            range: 7..100,
            from_time: Some(at(50)),
            ..scan()
        }),
        ..from(None)
    };
    assert_eq!(of(&since(50), scanned.clone()), []);
    assert_eq!(of(&since(49), scanned), [WhyKind::Unread]);
}

#[test]
fn one_entry_is_looked_at_whatever_of_the_others_is() {
    let only = |only, gaps| TreeReach {
        first: Some(7),
        only: Some(only),
        gaps,
        proven_at: Some(at(1)),
        ..tree()
    };
    assert_eq!(of_tree(only(50, Some(gap(3..5)))), []);
    assert_eq!(of_tree(only(50, Some(gap(50..51)))), [WhyKind::Gap]);
    assert_eq!(of_tree(only(50, None)), [WhyKind::NotScanned]);
    assert_eq!(of_tree(only(6, Some(Vec::new()))), [WhyKind::Unread]);
    // Behind the end of a log whose end may be another by now.
    assert_eq!(of_tree(only(100, None)), [WhyKind::Behind]);
    let scanned = TreeReach {
        scan: Some(Scanned {
            range: 50..51,
            ..scan()
        }),
        ..only(50, None)
    };
    assert_eq!(of_tree(scanned), []);
}

#[test]
fn a_guided_log_is_never_complete_and_its_ct_logs_can_be() {
    let guided = LogReach {
        name: "v1".to_owned(),
        mode: Guided,
        guides: vec!["main".to_owned()],
        ..log(vec![tree()])
    };
    let answer = coverage(&asked(), &[guided.clone(), log(vec![tree()])]);
    assert!(!answer.complete);
    assert_eq!(answer.why[0].kind, WhyKind::Guided);
    assert!(
        answer.why[0]
            .message
            .contains("is complete in its CT logs main")
    );
    assert_eq!(answer.logs[0].to, None);
    let gap = TreeReach {
        gaps: Some(gap(0..1)),
        ..tree()
    };
    let answer = coverage(&asked(), &[guided, log(vec![gap])]);
    let kinds: Vec<_> = answer.why.iter().map(|why| why.kind).collect();
    assert_eq!(kinds, [WhyKind::Gap, WhyKind::Guided]);
    assert!(
        answer.why[1]
            .message
            .contains("is not complete in its CT logs main")
    );
}

#[test]
fn a_log_with_several_trees_is_complete_if_its_list_and_each_tree_are() {
    let v1 = |list, trees| LogReach {
        list: Some(list),
        ..log(trees)
    };
    let ended = TreeReach {
        has_ended: true,
        proven_at: Some(at(1)),
        ..tree()
    };
    let newest = TreeReach {
        base: 100,
        ..tree()
    };
    let fresh = (Some(at(NOW)), None);
    let both = vec![ended.clone(), newest.clone()];
    assert_eq!(kinds(&asked(), &[v1(fresh.clone(), both.clone())]), []);
    assert_eq!(
        kinds(&asked(), &[v1((Some(at(1)), None), both.clone())]),
        [WhyKind::Behind]
    );
    let failed = (Some(at(1)), Some("no answer".to_owned()));
    assert_eq!(kinds(&asked(), &[v1(failed, both)]), [WhyKind::Unavailable]);
    let unread = TreeReach {
        first: None,
        ..newest.clone()
    };
    assert_eq!(
        kinds(&asked(), &[v1(fresh.clone(), vec![ended.clone(), unread])]),
        [WhyKind::Unread]
    );
    assert_eq!(
        kinds(&asked(), &[v1(fresh.clone(), Vec::new())]),
        [WhyKind::Unread]
    );
    let gap = TreeReach {
        gaps: Some(gap(1..2)),
        ..newest
    };
    let answer = coverage(&asked(), &[v1(fresh, vec![ended, gap])]);
    assert!(
        answer.why[0]
            .message
            .contains("its tree log.example: the entries from 101 to 102")
    );
    assert_eq!(answer.logs[1].gaps, [(101, 102)]);
    assert_eq!(
        (answer.logs[1].from, answer.logs[1].to),
        (Some(100), Some(200))
    );
}

#[test]
fn what_no_log_holds_and_what_is_not_shown_is_not_complete() {
    let not_found = Asked {
        digest_not_found: true,
        ..asked()
    };
    assert_eq!(kinds(&not_found, &[log(vec![tree()])]), [WhyKind::NotInLog]);
    let cut = Asked {
        is_cut: true,
        ..asked()
    };
    assert_eq!(kinds(&cut, &[log(vec![tree()])]), [WhyKind::Limit]);
    assert_eq!(kinds(&asked(), &[]), [WhyKind::Unread]);
    let waiting = LogReach {
        unreadable: Some("no trusted root".to_owned()),
        ..log(Vec::new())
    };
    assert_eq!(kinds(&asked(), &[waiting]), [WhyKind::Unavailable]);
    let json = serde_json::to_value(coverage(&cut, &[log(vec![tree()])])).expect("it is JSON");
    assert_eq!(json["type"], "coverage");
    assert_eq!(json["why"][0]["kind"], WhyKind::Limit.as_str());
    assert_eq!(json["why"][0]["log"], serde_json::Value::Null);
    assert_eq!(json["logs"][0]["scanned"], serde_json::Value::Null);
}
