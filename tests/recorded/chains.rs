//! `reconcile` of signatures by certificates that no log holds: with the roots that the owner trusts, at the present.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::program::{Log, Program};
use crate::recording::watch;

/// The recorded cases of the reference implementation, in the program's folder.
fn cases(program: &Program) -> PathBuf {
    let home = program.file("cases");
    std::fs::create_dir(&home).unwrap();
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/signing/cases.tar.gz");
    let unpacked = Command::new("tar")
        .args(["--strip-components=1", "-xzf"])
        .arg(packed)
        .arg("-C")
        .arg(&home)
        .status()
        .unwrap();
    assert!(unpacked.success());
    home
}

/// The only line about one signature beside its model, and the summary.
fn reconciled(program: &Program, signature: &Path, code: i32, roots: &[&str]) -> (Value, Value) {
    let mut arguments = vec!["reconcile", "--json", signature.to_str().unwrap()];
    for root in roots {
        arguments.extend(["--certificate-chain", root]);
    }
    let ended = program.run(&arguments);
    ended.assert_code(code);
    let lines: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [line, summary] = lines.as_slice() else {
        panic!("{}", ended.stdout)
    };
    (line.clone(), summary.clone())
}

/// A model with this signature as the only one beside it.
fn signed(home: &Path, signature: &str) -> PathBuf {
    let model = home.join("signed").join(signature);
    std::fs::create_dir_all(model.join("weights")).unwrap();
    let from = home.join("models/basic");
    for name in [
        "README.md",
        "config.json",
        "empty",
        "weights/part-1.bin",
        "weights/part-2.bin",
    ] {
        std::fs::copy(from.join(name), model.join(name)).unwrap();
    }
    let beside = model.with_extension("sig");
    std::fs::copy(home.join("sigs").join(format!("{signature}.sig")), &beside).unwrap();
    beside
}

#[test]
fn a_certificate_counts_with_its_root_and_not_after_its_end() {
    let program = Program::watching(&[Log::recorded("v2a")], &[watch("nobody")]);
    program.pass().assert_code(0);
    let home = cases(&program);
    let key = |name: &str| home.join("keys").join(name).to_str().unwrap().to_owned();
    let root = key("root.pem");

    let valid = signed(&home, "cert-leaf256");
    let (line, summary) = reconciled(&program, &valid, 3, &[]);
    assert_eq!(line["kind"], "no-trust");
    assert_eq!(summary["not_logged"], 0);
    let (line, summary) = reconciled(&program, &valid, 0, &[&root]);
    assert_eq!(
        (&line["type"], &line["kind"]),
        (&json!("agreed"), &json!("not-logged-by-design"))
    );
    assert_eq!(line["model"], valid.with_extension("").to_str().unwrap());
    assert_eq!(
        (&summary["agreed"], &summary["not_logged"]),
        (&json!(0), &json!(1))
    );

    // It has expired, and nothing proves that it signed before.
    let expired = signed(&home, "cert-expired");
    let (line, summary) = reconciled(&program, &expired, 1, &[&root]);
    assert_eq!(
        (&line["type"], &line["kind"]),
        (&json!("discrepancy"), &json!("signature-invalid"))
    );
    assert!(
        line["summary"].as_str().unwrap().contains("not at "),
        "{line}"
    );
    assert_eq!(
        (&summary["agreed"], &summary["not_logged"]),
        (&json!(0), &json!(0))
    );

    // Certificates that the root did not issue, or whose chain is not there.
    for (name, roots) in [
        ("cert-self", &[root.as_str()][..]),
        ("cert-nochain", &[&root]),
        ("cert-swapped", &[&root]),
    ] {
        let (line, _) = reconciled(&program, &signed(&home, name), 1, roots);
        assert_eq!(line["kind"], "signature-invalid", "{name}: {line}");
    }
    // The chain may also come from the command line.
    let without = home.join("signed/cert-nochain.sig");
    let (line, _) = reconciled(&program, &without, 0, &[&root, &key("int.pem")]);
    assert_eq!(line["kind"], "not-logged-by-design");

    std::fs::write(valid.with_extension("").join("config.json"), "poisoned").unwrap();
    let (line, summary) = reconciled(&program, &valid, 1, &[&root]);
    assert_eq!(line["kind"], "model-changed");
    assert_eq!(line["files"]["changed"], json!(["config.json"]));
    assert_eq!(summary["not_logged"], 0);
}
