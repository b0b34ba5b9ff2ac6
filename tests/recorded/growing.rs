//! Logs that grow, and logs that are not read from their first entry.

use crate::folder::LogFolder;
use crate::program::{Log, Program};
use crate::recording::{END, published, size};
use crate::reported::assert_found;

/// One pass at each of these sizes: everything up to it is found, once, and proven.
fn grow(log: &str, sizes: &[u64]) {
    let folder = LogFolder::new();
    let program = Program::new(&[Log::recorded(log).in_folder(&folder.path())]);
    for &size in sizes {
        folder.publish_at(log, size);
        let ended = program.pass();
        let status = program.status(log);
        assert_eq!(status.proven, Some(size), "{status:?} {}", ended.stderr);
        assert_found(&format!("at {size}"), &program.findings(), &[log], 0..size);
    }
}

#[test]
fn a_log_is_followed_around_every_edge_of_a_bundle() {
    grow(
        "v2a",
        &[
            1, 2, 3, 7, 254, 255, 256, 257, 511, 512, 513, 767, 768, 1023, 1024, 1025,
        ],
    );
}

#[test]
fn a_log_is_followed_in_steps_of_any_size() {
    grow(
        "v2b",
        &[40, 128, 129, 145, 161, 266, 743, 1453, 1895, 2065, 2400],
    );
}

#[test]
fn an_empty_log_is_a_valid_log() {
    let folder = LogFolder::new();
    folder.publish_at("v2a", 0);
    let program = Program::new(&[Log::recorded("v2a").in_folder(&folder.path())]);
    program.pass().assert_code(0);
    let status = program.status("v2a");
    assert_eq!(
        (status.proven, status.head),
        (Some(0), Some(0)),
        "{status:?}"
    );

    folder.publish("v2a");
    program.pass().assert_code(1);
    assert_found("grown", &program.findings(), &["v2a"], 0..END);
}

#[test]
fn a_partial_bundle_that_is_gone_is_read_from_the_full_one() {
    let folder = LogFolder::new();
    folder.publish_at("v2b", 426);
    folder.forget_partial_bundle(426);
    let program = Program::new(&[Log::recorded("v2b").in_folder(&folder.path())]);
    let ended = program.pass();
    let status = program.status("v2b");
    assert_eq!(status.proven, Some(426), "{status:?} {}", ended.stderr);
    assert_found("without it", &program.findings(), &["v2b"], 0..426);
}

#[test]
fn a_start_at_an_index_finds_and_proves_everything_from_there() {
    let end = size("v2b");
    for start in [1, 255, 256, 257, end / 2, end - 1, end] {
        let program = Program::new(&[Log::recorded("v2b").from(start)]);
        let ended = program.pass();
        let when = format!("from {start}");
        assert_found(&when, &program.findings(), &["v2b"], start..END);
        let status = program.status("v2b");
        assert_eq!(
            status.proven,
            Some(end),
            "{when}: {status:?} {}",
            ended.stderr
        );
    }
}

#[test]
fn a_start_at_the_end_needs_permission_and_skips_nothing_after_it() {
    let half = 1274;
    let folder = LogFolder::new();
    folder.publish_at("v2b", half);
    let log = Log::recorded("v2b").in_folder(&folder.path()).from("end");
    let program = Program::new(&[log]);

    let refused = program.pass();
    refused.assert_code(2);
    assert!(refused.stderr.contains("--bootstrap"), "{}", refused.stderr);
    assert_eq!(program.status("v2b").proven, None);

    program
        .run(&["monitor", "--once", "--bootstrap"])
        .assert_code(0);
    assert_eq!(program.status("v2b").proven, Some(half));

    folder.publish("v2b");
    program.pass();
    assert_found("grown", &program.findings(), &["v2b"], half..END);
    assert_eq!(program.status("v2b").proven, Some(size("v2b")));
}

#[test]
fn a_start_beyond_the_log_is_an_error() {
    let beyond = size("v2b") + 1000;
    let log = Log::recorded("v2b")
        .in_folder(&published("v2b"))
        .from(beyond);
    let ended = Program::new(&[log]).pass();
    assert!(
        [2, 3].contains(&ended.code),
        "{}: {}",
        ended.code,
        ended.stderr
    );
}
