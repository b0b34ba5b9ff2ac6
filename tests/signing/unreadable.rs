//! Files that the user may not read are an error, and are never skipped.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::site::{Printed, Site};

/// A user without rights: `nobody` on most systems.
const NOBODY: u32 = 65_534;

const SIGN: &str = "sign key model --private-key keys/p256.key --signature out/model.sig";
const VERIFY: &str = "verify key model --public-key keys/p256.pub --signature out/model.sig";

/// Runs the program as a user to whom permissions apply, unlike root.
struct Bound {
    site: Site,
    program: PathBuf,
    is_root: bool,
}

impl Bound {
    fn new() -> Self {
        let site = Site::new();
        // Where the program was built, another user may have no access.
        let program = site.at("program");
        // By another process: a program that is open for writing, in a test that runs at the same time, cannot be run.
        let copied = Command::new("cp")
            .arg(env!("CARGO_BIN_EXE_modelwatch"))
            .arg(&program)
            .status();
        assert!(copied.unwrap().success());
        fs::create_dir(site.at("out")).unwrap();
        let bound = Self {
            is_root: fs::metadata(site.at("out")).unwrap().uid() == 0,
            program,
            site,
        };
        bound.mode(".", 0o755);
        bound.mode("out", 0o777);
        bound.site.write("model/weights.bin", "0.1 0.2");
        bound.site.write("model/sub/more.bin", "0.3");
        bound
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.site.at(name), Permissions::from_mode(mode)).unwrap();
    }

    fn run(&self, line: &str) -> Printed {
        let mut command = Command::new(&self.program);
        command.args(line.split(' ')).current_dir(self.site.root());
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().unwrap().into()
    }
}

#[test]
fn what_cannot_be_read_is_neither_signed_nor_verified() {
    let bound = Bound::new();
    assert_eq!(bound.run(SIGN).code, 0);
    assert_eq!(bound.run(VERIFY).code, 0);
    for (name, mode, usual, expected) in [
        ("model/sub", 0o000, 0o755, "model/sub"),
        // It can be listed, but its content cannot be examined.
        ("model/sub", 0o444, 0o755, "model/sub"),
        // Its content can be opened by name, but the names are unknown.
        ("model/sub", 0o111, 0o755, "model/sub"),
        ("model/sub/more.bin", 0o000, 0o644, "model/sub/more.bin"),
        ("model", 0o111, 0o755, "model"),
    ] {
        bound.mode(name, mode);
        for line in [SIGN, VERIFY, "digest model"] {
            let reported = bound.run(line);
            assert_eq!(reported.code, 1, "{name} {mode:o}: {line}: {reported:?}");
            assert!(
                reported
                    .stderr
                    .contains("cannot be read: Permission denied"),
                "{reported:?}"
            );
            assert!(
                reported.stderr.contains(expected),
                "{name} {mode:o}: {reported:?}"
            );
        }
        bound.mode(name, usual);
    }
    assert_eq!(bound.run(VERIFY).code, 0);
}

#[test]
fn an_empty_directory_that_cannot_be_read_is_not_known_to_be_empty() {
    let bound = Bound::new();
    assert_eq!(bound.run(SIGN).code, 0);
    fs::create_dir(bound.site.at("model/closed")).unwrap();
    bound.mode("model/closed", 0o000);
    assert_eq!(bound.run(VERIFY).code, 1);
    // The signed content is known, and other content does not matter if that is requested.
    assert_eq!(
        bound.run(&format!("{VERIFY} --ignore-unsigned-files")).code,
        0
    );
    bound.mode("model/closed", 0o755);
}

#[test]
fn a_signature_that_can_be_written_in_a_directory_that_cannot_is_written_in_place() {
    let bound = Bound::new();
    assert_eq!(bound.run(SIGN).code, 0);
    bound.site.write("model/more.bin", "0.4");
    let inode = |bound: &Bound| fs::metadata(bound.site.at("out/model.sig")).unwrap().ino();
    let before = inode(&bound);
    bound.mode("out", 0o555);
    let said = bound.run(SIGN);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(inode(&bound), before);
    assert_eq!(bound.run(VERIFY).code, 0);
    // A new one cannot be made there, which is known before anything is read.
    fs::File::create(bound.site.at("model/large.bin"))
        .unwrap()
        .set_len(1 << 42)
        .unwrap();
    let said = bound.run(&SIGN.replace("model.sig", "other.sig"));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("Permission denied"), "{said:?}");
    bound.mode("out/model.sig", 0o444);
    let said = bound.run(SIGN);
    assert!(said.stderr.contains("Permission denied"), "{said:?}");
    bound.mode("out", 0o777);
}

#[test]
fn a_signature_in_a_model_whose_parent_cannot_be_written_needs_no_temporary_name() {
    let bound = Bound::new();
    bound.mode(".", 0o555);
    bound.mode("model", 0o777);
    let inside = |line: &str| line.replace("out/model.sig", "model/model.sig");
    for _ in 0..2 {
        let said = bound.run(&inside(SIGN));
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(bound.run(&inside(VERIFY)).code, 0);
    }
    bound.mode(".", 0o755);
    let mut names: Vec<_> = fs::read_dir(bound.site.at("model"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["model.sig", "sub", "weights.bin"]);
}
