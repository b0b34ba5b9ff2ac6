//! Logs with one fault each: the findings, the exit code, and the proven position.
//!
//! A test runs every case of its class and lists all that fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::folder::LogFolder;
use crate::program::{Log, Program};
use crate::recording::{Tampered, size, tampered};

/// One case, after the pass over the honest log with which it begins.
struct Case {
    name: String,
    folder: LogFolder,
    program: Program,
    /// The proven position when the log was still honest.
    proven_before: u64,
}

impl Case {
    fn begin(name: &str, case: &Tampered) -> Self {
        let folder = LogFolder::new();
        let program =
            Program::with_an_ineffective_watch(&[Log::recorded("v2b").in_folder(&folder.path())]);
        let mut proven_before = 0;
        if case.first.is_some() || case.first_overlay.is_some() {
            match (case.first, &case.first_overlay) {
                (Some(at), _) if at < size("v2b") => folder.publish_at("v2b", at),
                (_, Some(earlier)) => folder.tamper(earlier),
                _ => folder.publish("v2b"),
            }
            program.pass().assert_code(0);
            proven_before = program.status("v2b").proven.unwrap();
        }
        folder.tamper(name);
        Self {
            name: name.to_owned(),
            folder,
            program,
            proven_before,
        }
    }

    fn proven(&self) -> u64 {
        self.program.status("v2b").proven.unwrap_or(0)
    }

    /// The log's only fault is this one, which a later pass does not record again.
    fn assert_fault(&self, fault: &str) {
        assert_eq!(self.program.faults(), [fault]);
        self.program.pass().assert_code(1);
        assert_eq!(self.program.faults(), [fault], "reported again");
    }

    /// The honest log is read to its end, and the fault has ended, unless an earlier, validly signed checkpoint
    /// promised more.
    fn assert_recovers(&self) {
        let promised = self.program.status("v2b").head;
        self.folder.publish("v2b");
        let ended = self.program.pass();
        assert_eq!(self.proven(), size("v2b"), "after recovery");
        let error = self.program.status("v2b").error;
        if promised > Some(size("v2b")) {
            ended.assert_code(3);
            assert_eq!(error.unwrap().kind, "behind");
        } else {
            ended.assert_code(0);
            assert!(error.is_none(), "{error:?}");
        }
    }
}

/// Runs every case whose expected result is `expect`; fails with the names of all that differ.
fn each(expect: &str, check: impl Fn(&Case)) {
    let mut ran = 0;
    let mut failed = Vec::new();
    for (name, case) in tampered() {
        if case.expect != expect {
            continue;
        }
        ran += 1;
        // The panic's message is in the test's output already.
        let run = || check(&Case::begin(&name, &case));
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            eprintln!("^ in case {name}\n");
            failed.push(name);
        }
    }
    assert!(ran > 0, "the recording has no case of {expect}");
    assert!(failed.is_empty(), "{expect}: failed for {failed:?}");
}

#[test]
fn every_case_of_the_recording_belongs_to_a_class() {
    for (name, case) in tampered() {
        let known = [
            "root-mismatch",
            "fork",
            "rollback",
            "grew-after-freeze",
            "unverifiable-checkpoint",
            "cannot-read",
            "none",
        ];
        assert!(known.contains(&case.expect.as_str()), "{name}: {case:?}");
    }
}

#[test]
fn leaves_that_do_not_hash_to_the_signed_root_are_a_root_mismatch() {
    each("root-mismatch", |case| {
        case.program.pass().assert_code(1);
        assert_eq!(case.proven(), 0);
        case.assert_fault("root-mismatch");
    });
}

#[test]
fn a_fork_is_distinguished_from_a_root_mismatch() {
    each("fork", |case| {
        case.program.pass().assert_code(1);
        assert_eq!(case.proven(), case.proven_before);
        case.assert_fault("fork");
    });
}

#[test]
fn a_smaller_checkpoint_is_a_rollback_once_it_persists() {
    each("rollback", |case| {
        for _ in 0..2 {
            // It may still be a replica that lags behind.
            case.program.pass().assert_code(3);
            assert!(case.program.faults().is_empty(), "at first sight");
            assert_eq!(case.program.status("v2b").error_kind(), Some("behind"));
        }
        case.program.pass().assert_code(1);
        assert_eq!(case.proven(), case.proven_before);
        case.assert_fault("rollback");
    });
}

#[test]
fn a_frozen_log_that_grows_is_a_fault_and_is_read_all_the_same() {
    each("grew-after-freeze", |case| {
        case.program.pass().assert_code(1);
        assert_eq!(case.proven(), size("v2b") + 40);
        case.assert_fault("grew-after-freeze");
    });
}

#[test]
fn a_checkpoint_that_does_not_verify_moves_nothing() {
    each("unverifiable-checkpoint", |case| {
        case.program.pass().assert_code(3);
        let status = case.program.status("v2b");
        assert_eq!(status.error_kind(), Some("unverifiable-checkpoint"));
        assert_eq!(case.program.faults(), [""; 0]);
        assert_eq!(case.proven(), 0);
        case.assert_recovers();
    });
}

#[test]
fn what_cannot_be_read_is_neither_a_fault_nor_progress() {
    each("cannot-read", |case| {
        case.program.pass().assert_code(3);
        let status = case.program.status("v2b");
        let kind = status.error_kind().unwrap_or("no error");
        // A size beyond 2^63 - 1 is refused before any request.
        let absurd = case.name == "absurd-size" && kind == "unverifiable-checkpoint";
        assert!(
            absurd || ["unavailable", "malformed"].contains(&kind),
            "{status:?}"
        );
        assert_eq!(case.program.faults(), [""; 0]);
        assert!(case.proven() < size("v2b"), "{status:?}");
        case.assert_recovers();
    });
}

#[test]
fn unusual_but_valid_values_are_accepted() {
    each("none", |case| {
        case.program.pass().assert_code(0);
        let status = case.program.status("v2b");
        assert_eq!(status.proven, Some(size("v2b")), "{status:?}");
        assert_eq!(status.frozen, case.name == "frozen", "{status:?}");
        assert_eq!(case.program.faults(), [""; 0]);
    });
}
