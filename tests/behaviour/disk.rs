//! A full or read-only disk is reported, and nothing is lost.

use std::process::{Command, Stdio};

use crate::binary::{Site, text};
use crate::world::{Signer, other_leaves};

fn site() -> Site {
    let site = Site::new();
    site.log.grow(Signer::ALL.map(|signer| signer.signs(0)));
    site.log.grow(other_leaves(20));
    site
}

#[test]
#[cfg(unix)]
fn a_disk_that_takes_no_more_is_exit_3_and_the_next_pass_catches_up() {
    let site = site();
    let first = site.run(&["monitor", "--once"]);
    assert_eq!(first.status.code(), Some(1), "{}", text(&first.stderr));
    let before = site.findings();
    site.log.grow((1..200).map(|salt| Signer::Mail.signs(salt)));
    // No file may grow beyond 64 kB: a write fails in the middle of a transaction.
    let limited = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 64; exec \"$0\" monitor --once",
        ])
        .arg(env!("CARGO_BIN_EXE_modelwatch"))
        .current_dir(site.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = text(&limited.stderr);
    assert_eq!(limited.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("modelwatch.db"),
        "it names the file: {stderr}"
    );
    assert_eq!(site.findings(), before, "all or nothing");
    let last = site.run(&["monitor", "--once"]);
    assert_eq!(last.status.code(), Some(1), "{}", text(&last.stderr));
    assert_eq!(site.findings().len(), before.len() + 199);
}

/// Runs a script that may mount, in its own namespace. `None` if this machine allows none.
fn in_namespace(site: &Site, script: &str) -> Option<String> {
    let run = |script: &str| {
        Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-euc", script])
            .env("MODELWATCH", env!("CARGO_BIN_EXE_modelwatch"))
            .current_dir(site.path())
            .stdin(Stdio::null())
            .output()
    };
    match run("mount -t tmpfs none watch") {
        Ok(output) if output.status.success() => {}
        _ => {
            eprintln!("SKIPPED: this machine does not allow a mount in a namespace");
            return None;
        }
    }
    let output = run(script).unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    Some(text(&output.stdout))
}

#[test]
fn a_full_disk_is_reported_and_nothing_is_lost() {
    let site = site();
    let Some(reported) = in_namespace(
        &site,
        r#"
        mount -t tmpfs -o size=1m none watch
        "$MODELWATCH" monitor --once 2>/dev/null || test $? = 1
        "$MODELWATCH" findings list --all --json > before
        head -c 2m /dev/zero > watch/filler 2>/dev/null || true
        sed 's/^name = "mail"$/name = "mail-2"/' modelwatch.toml > changed.toml
        "$MODELWATCH" --config changed.toml monitor --once 2>&1 || echo "exit $?"
        "$MODELWATCH" findings list --all --json | cmp - before
        rm watch/filler
        "$MODELWATCH" monitor --once 2>/dev/null || test $? = 1
        "$MODELWATCH" findings list --all --json | cmp - before
        "#,
    ) else {
        return;
    };
    assert!(reported.contains("exit 3"), "{reported}");
    assert!(reported.contains("no space is left"), "{reported}");
}

#[test]
fn a_backup_without_space_is_an_error_that_names_the_file_and_leaves_none() {
    let site = site();
    let Some(reported) = in_namespace(
        &site,
        r#"
        "$MODELWATCH" monitor --once 2>/dev/null || test $? = 1
        mkdir kept
        mount -t tmpfs -o size=64k none kept
        "$MODELWATCH" backup kept/copy.db 2>&1 || echo "exit $?"
        ls -A kept
        "#,
    ) else {
        return;
    };
    assert!(
        reported.contains("no space is left for kept/copy.db"),
        "{reported}"
    );
    assert!(reported.ends_with("exit 3\n"), "{reported}");
}

#[test]
fn a_read_only_database_is_reported_and_can_still_be_read() {
    let site = site();
    let Some(reported) = in_namespace(
        &site,
        r#"
        "$MODELWATCH" monitor --once 2>/dev/null || test $? = 1
        "$MODELWATCH" findings list --all --json > before
        mount --bind watch watch
        mount -o remount,bind,ro watch
        "$MODELWATCH" monitor --once 2>&1 || echo "exit $?"
        "$MODELWATCH" findings list --all --json | cmp - before
        "$MODELWATCH" status --json > /dev/null
        umount watch
        "$MODELWATCH" monitor --once 2>/dev/null || test $? = 1
        "$MODELWATCH" findings list --all --json | cmp - before
        "#,
    ) else {
        return;
    };
    assert!(reported.contains("exit 3"), "{reported}");
    assert!(
        reported.contains("read-only") || reported.contains("cannot be written"),
        "{reported}"
    );
}

#[test]
fn a_second_monitor_on_one_database_ends_with_3_and_names_the_process_with_the_lock() {
    let site = site();
    let settings = modelwatch::store::Settings {
        path: site.path().join("watch/modelwatch.db"),
        routes: modelwatch::finding::Routes::default(),
    };
    // This process takes the place of the first monitor.
    let lock = modelwatch::store::sqlite::SqliteStore::lock(&settings).unwrap();
    let second = site.run(&["monitor", "--once"]);
    let stderr = text(&second.stderr);
    assert_eq!(second.status.code(), Some(3), "{stderr}");
    let who = format!("is locked by process {} of user", std::process::id());
    assert!(stderr.contains(&who), "{stderr}");
    assert!(
        !site.path().join("watch/modelwatch.db").exists(),
        "it touched nothing"
    );
    drop(lock);
    assert_eq!(site.run(&["monitor", "--once"]).status.code(), Some(1));
}
