//! The files of the store: readable for the owner alone, and not replaced while a process uses them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::{Site, text};
use crate::world::{Signer, other_leaves};

/// A log of several bundles with a signing of the owner, whose alerts are written to a file.
fn site() -> Site {
    let site = Site::new();
    site.log.grow(Signer::ALL.map(|signer| signer.signs(0)));
    site.log.grow(other_leaves(1200));
    site
}

fn database(site: &Site) -> PathBuf {
    site.path().join("watch/modelwatch.db")
}

fn files(site: &Site) -> Vec<PathBuf> {
    ["", "-wal", "-shm"]
        .map(|suffix| database(site).with_file_name(format!("modelwatch.db{suffix}")))
        .into()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The alerts of the channel about the store.
fn sent(site: &Site) -> Vec<String> {
    site.alerts()
        .iter()
        .filter(|alert| alert["findings"][0]["verdict"] == "store-failing")
        .map(|alert| alert["summary"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_pass_whose_database_is_removed_or_replaced_ends_with_3_and_alerts_the_channels() {
    type Deed = fn(&Path);
    let table: [(&str, Deed, &str); 4] = [
        (
            "removed with all of its files",
            |database| {
                for suffix in ["", "-wal", "-shm"] {
                    let name = format!("modelwatch.db{suffix}");
                    std::fs::remove_file(database.with_file_name(name)).unwrap();
                }
            },
            "was removed or renamed",
        ),
        (
            "renamed",
            |database| std::fs::rename(database, database.with_extension("old")).unwrap(),
            "was removed or renamed",
        ),
        (
            "replaced by a copy",
            |database| {
                let copy = database.with_extension("copy");
                std::fs::copy(database, &copy).unwrap();
                std::fs::rename(copy, database).unwrap();
            },
            "another file was put in the place of",
        ),
        (
            "without its write-ahead log",
            |database| std::fs::remove_file(database.with_file_name("modelwatch.db-wal")).unwrap(),
            "modelwatch.db-wal was removed",
        ),
    ];
    for (what, deed, reported) in table {
        for daemon in [false, true] {
            let site = site();
            let path = database(&site);
            // The checkpoint and some bundles are read; they are recorded next.
            site.before_answer(4, move || deed(&path));
            let arguments: &[&str] = if daemon {
                &["monitor"]
            } else {
                &["monitor", "--once"]
            };
            let ended = site.run(arguments);
            let stderr = text(&ended.stderr);
            assert_eq!(ended.status.code(), Some(3), "{what}: {stderr}");
            assert!(stderr.contains(reported), "{what}: {stderr}");
            let sent = sent(&site);
            assert_eq!(sent.len(), 1, "{what}: {sent:?}");
            assert!(sent[0].contains(reported), "{what}: {sent:?}");
        }
    }
}

#[test]
fn an_idle_daemon_whose_database_is_removed_ends() {
    let site = Site::new();
    site.log.grow([Signer::Mail.signs(0)]);
    let mut daemon = site.command(&["monitor"]).spawn().unwrap();
    // The alert of its first pass: after that it waits for about a minute.
    while site.alerts().is_empty() {
        assert!(daemon.try_wait().unwrap().is_none(), "it ended");
        std::thread::yield_now();
    }
    for file in files(&site) {
        std::fs::remove_file(file).unwrap();
    }
    let ended = daemon.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", text(&ended.stderr));
    assert_eq!(sent(&site).len(), 1);
    assert!(!database(&site).exists(), "no second database");
}

#[test]
fn what_is_created_is_the_owners_alone_whatever_the_umask() {
    for umask in ["000", "022", "777"] {
        let site = Site::new();
        site.log.grow([Signer::Mail.signs(0)]);
        site.alert_with("cat > /dev/null");
        let ended = Command::new("sh")
            .args(["-c", "umask $1; exec $0 monitor --once"])
            .arg(env!("CARGO_BIN_EXE_modelwatch"))
            .arg(umask)
            .current_dir(site.path())
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(1), "{}", text(&ended.stderr));
        let entries = std::fs::read_dir(site.path().join("watch")).unwrap();
        let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 2, "{files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "{umask}: {}", file.display());
        }
    }
}

#[test]
fn files_that_others_may_open_are_reported_at_the_start_and_by_check_and_stay_as_they_are() {
    let site = Site::new();
    site.log.grow(other_leaves(3));
    let quiet = site.run(&["monitor", "--once"]);
    assert_eq!(quiet.status.code(), Some(0), "{}", text(&quiet.stderr));
    assert!(!text(&quiet.stderr).contains("other users"));
    let lock = site.path().join("watch/modelwatch.db.lock");
    for (file, permissions) in [(&lock, 0o644), (&database(&site), 0o664)] {
        std::fs::set_permissions(file, PermissionsExt::from_mode(permissions)).unwrap();
    }
    let pass = site.run(&["monitor", "--once"]);
    let check = site.run(&["check"]);
    for (ended, reported) in [(&pass, text(&pass.stderr)), (&check, text(&check.stdout))] {
        assert_eq!(ended.status.code(), Some(0), "{reported}");
        assert!(
            reported.contains("modelwatch.db.lock: other users may read it (mode 0644)"),
            "{reported}"
        );
        assert!(
            reported.contains("modelwatch.db: other users may write it (mode 0664)"),
            "{reported}"
        );
    }
    assert_eq!((mode(&lock), mode(&database(&site))), (0o644, 0o664));
}

#[test]
fn a_lock_that_cannot_be_had_is_reported_on_the_channels_with_its_holder() {
    let site = site();
    assert_eq!(site.run(&["monitor", "--once"]).status.code(), Some(1));
    // This process, which is not a monitor, holds it for reading: any user who can open the file may.
    let file = std::fs::File::open(site.path().join("watch/modelwatch.db.lock")).unwrap();
    file.lock_shared().unwrap();
    let who = format!("process {} of user", std::process::id());
    for _ in 0..2 {
        let ended = site.run(&["monitor", "--once"]);
        let stderr = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains(&who), "{stderr}");
        // Its command line: that of this test.
        assert!(stderr.contains("behaviour-"), "{stderr}");
        // Once an hour of one holder: cron may try every minute.
        let sent = sent(&site);
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert!(
            sent[0].contains(&who) && sent[0].contains("behaviour-"),
            "{sent:?}"
        );
    }
    drop(file);
    assert_eq!(site.run(&["monitor", "--once"]).status.code(), Some(1));
}

#[test]
fn a_lock_that_cannot_be_had_before_there_is_a_database_is_reported_and_none_is_created() {
    let site = site();
    let lock = site.path().join("watch/modelwatch.db.lock");
    std::fs::write(&lock, "4711\n").unwrap();
    let file = std::fs::File::open(&lock).unwrap();
    file.lock_shared().unwrap();
    assert_eq!(site.run(&["monitor", "--once"]).status.code(), Some(3));
    assert_eq!(sent(&site).len(), 1);
    assert!(!database(&site).exists());
}
