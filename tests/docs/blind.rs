//! Every failure of the monitoring, and the test that causes it and observes its end.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use modelwatch::finding::{Class, Verdict};

/// The failure (a verdict, or a description if it has no finding), the file, the test.
const TESTS: &[(&str, &str, &str)] = &[
    (
        "registrations-rewritten",
        "behaviour/expect_from",
        "a_rewritten_branch_gives_nothing_until_it_is_confirmed",
    ),
    (
        "registrations-unread",
        "behaviour/expect_from",
        "a_repository_that_cannot_be_reached_is_blindness_and_not_silence",
    ),
    (
        "registrations-unread",
        "behaviour/expect_from",
        "a_directory_is_registered_withdrawn_and_never_followed_out_of_it",
    ),
    (
        "watch-ineffective",
        "behaviour/health",
        "a_watch_that_cannot_select_anything_is_reported_until_it_is_changed",
    ),
    (
        "position-lost",
        "behaviour/health",
        "a_stored_position_that_is_damaged_is_reported_until_it_is_restored",
    ),
    (
        "position-lost",
        "behaviour/health",
        "a_position_under_another_key_is_reported_until_the_log_s_own_key_covers_it",
    ),
    (
        "position-lost",
        "behaviour/health",
        "a_database_with_other_logs_only_is_reported_until_one_of_them_is_back",
    ),
    (
        "position-lost",
        "behaviour/health",
        "a_log_with_a_new_first_position_is_reported_for_a_week",
    ),
    (
        "a lost database",
        "behaviour/passes",
        "a_log_without_position_is_never_started_silently",
    ),
    (
        "log-unfollowed",
        "behaviour/trusted",
        "a_log_that_trust_names_later_is_followed_from_its_first_entry",
    ),
    (
        "rotation",
        "behaviour/rekor_v1",
        "a_rotation_between_two_passes_ends_the_old_tree_and_begins_the_new_one_at_its_base",
    ),
    (
        "freeze",
        "behaviour/lies",
        "growth_after_a_freeze_is_a_fault_and_is_read_all_the_same",
    ),
    (
        "log-ended",
        "behaviour/trusted",
        "the_end_of_every_log_is_reported_until_another_one_is_named",
    ),
    (
        "silence",
        "behaviour/lies",
        "an_old_checkpoint_that_is_replayed_ends_as_silence",
    ),
    (
        "backlog",
        "behaviour/passes",
        "of_two_logs_a_slow_one_never_keeps_the_other_waiting",
    ),
    (
        "backlog",
        "behaviour/health",
        "passes_that_take_ever_longer_are_a_backlog",
    ),
    (
        "entries-missing",
        "behaviour/rekor_v1",
        "an_entry_that_is_held_back_stops_reading_before_it_and_is_reported",
    ),
    (
        "unreadable entries",
        "behaviour/passes",
        "unreadable_leaves_are_reported_and_hide_nothing",
    ),
    (
        "notifier-failing",
        "../src/notify/outbox/tests",
        "one_failure_is_not_reported_and_two_in_a_row_are_also_over_restarts",
    ),
    (
        "notifier-failing",
        "store/conditions",
        "the_failure_of_a_channel_is_not_sent_on_it",
    ),
    (
        "clock-skew",
        "behaviour/health",
        "a_clock_that_two_servers_disagree_with_is_reported_and_one_proves_nothing",
    ),
    (
        "trust-root-stale",
        "behaviour/trusted",
        "a_trusted_root_without_updates_is_a_finding_after_a_week_and_not_before",
    ),
    (
        "trust-root-stale",
        "behaviour/trusted",
        "a_burst_under_an_unknown_authority_is_reported_once_until_it_is_known",
    ),
    (
        "trust-root-refused",
        "behaviour/trusted",
        "a_rollback_of_a_repository_is_reported_and_the_last_valid_root_stays_in_use",
    ),
    (
        "an expired root",
        "trust/main",
        "without_anything_known_a_bad_repository_gives_nothing_to_trust",
    ),
    (
        "unknown-signature",
        "behaviour/health",
        "an_unknown_key_in_the_log_s_name_is_reported_and_one_of_another_name_is_not",
    ),
    (
        "index-silent",
        "../src/monitor/guided/health",
        "an_index_is_silent_if_it_has_none_of_the_expected_names",
    ),
    (
        "rate-limited",
        "behaviour/health",
        "a_log_that_limits_requests_is_reported_after_three_passes_and_is_not_called_unavailable",
    ),
    (
        "rate-limited",
        "behaviour/rekor_v1",
        "a_log_that_is_too_busy_to_list_its_trees_is_limiting_and_not_unavailable",
    ),
    (
        "store-failing",
        "behaviour/health",
        "a_store_that_failed_is_reported_when_it_can_be_written_again",
    ),
    (
        "a read-only database",
        "behaviour/disk",
        "a_read_only_database_is_reported_and_can_still_be_read",
    ),
    (
        "a full disk",
        "behaviour/disk",
        "a_disk_that_takes_no_more_is_exit_3_and_the_next_pass_catches_up",
    ),
    (
        "two monitors on one database",
        "behaviour/disk",
        "a_second_monitor_on_one_database_ends_with_3_and_names_the_process_with_the_lock",
    ),
    (
        "canary-missing",
        "behaviour/health",
        "a_canary_that_is_not_seen_for_its_period_is_missing_until_it_is_seen_again",
    ),
    (
        "witness-contradiction",
        "behaviour/health",
        "a_witness_that_cosigned_something_else_is_a_contradiction_and_the_log_is_still_read",
    ),
    (
        "coverage-gap",
        "behaviour/health",
        "the_gap_of_a_new_watch_is_reported_until_the_requested_rescan_is_done",
    ),
    (
        "unavailable",
        "behaviour/lies",
        "a_log_that_cannot_be_read_for_three_passes_is_a_finding_that_resolves_itself",
    ),
    (
        "unverifiable-checkpoint",
        "behaviour/lies",
        "an_unverifiable_checkpoint_is_reported_at_once_and_moves_nothing",
    ),
];

#[test]
fn every_way_of_going_blind_has_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for (way, file, test) in TESTS {
        let source = fs::read_to_string(tests.join(file).with_extension("rs")).unwrap();
        assert!(
            source.contains(&format!("fn {test}(")),
            "{way}: tests/{file}.rs has no test {test}"
        );
    }
    let tested: BTreeSet<&str> = TESTS.iter().map(|(way, ..)| *way).collect();
    for verdict in Verdict::ALL {
        let is_health = verdict.class() == Class::Health;
        assert!(!is_health || tested.contains(verdict.as_str()), "{verdict}");
    }
}
