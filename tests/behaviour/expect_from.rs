//! Registrations that are read from directories, git repositories and URLs, by the program itself.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::binary::text;
use crate::collections::{CONFIG, KEY};

/// A recorded bundle.
fn bundle(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/bundles");
    fs::read(path.join(name)).unwrap()
}

fn v1() -> Vec<u8> {
    bundle("rekor-v1-dsse.json")
}

fn v2() -> Vec<u8> {
    bundle("rekor-v2-hashedrekord-dsse.json")
}

struct Site(TempDir);

impl Site {
    fn new(more: &str) -> Self {
        let site = Self(TempDir::new().unwrap());
        fs::create_dir(site.path("log")).unwrap();
        fs::write(site.path("key.pem"), KEY).unwrap();
        site.configure(more);
        site
    }

    fn configure(&self, more: &str) {
        let root = self.0.path().display().to_string();
        let more = more.replace("ROOT", &root);
        fs::write(self.path("modelwatch.toml"), format!("{CONFIG}{more}")).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_modelwatch"))
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("MODELWATCH_CONFIG")
            .output()
            .unwrap()
    }

    /// Reads the sources; answers the exit code and what is printed.
    fn sync(&self) -> (i32, String) {
        let output = self.run(&["expect", "sync"]);
        let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
        (output.status.code().unwrap(), shown)
    }

    /// The registrations: authority, source, file.
    fn registered(&self) -> Vec<(String, String, String)> {
        let of = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let all = self.registrations();
        all.iter()
            .map(|one| (of(one, "authority"), of(one, "source"), of(one, "file")))
            .collect()
    }

    fn registrations(&self) -> Vec<Value> {
        let listed = self.run(&["expect", "list", "--json"]);
        let lines = text(&listed.stdout);
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The open findings about health: verdict and summary.
    fn health(&self) -> Vec<(String, String)> {
        let listed = self.run(&["findings", "list", "--json"]);
        let findings = text(&listed.stdout);
        findings
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|finding| {
                let of = |key: &str| finding[key].as_str().unwrap().to_owned();
                (of("verdict"), of("summary"))
            })
            .collect()
    }
}

fn row(authority: &str, source: &str, file: &str) -> (String, String, String) {
    (authority.to_owned(), source.to_owned(), file.to_owned())
}

#[test]
fn a_directory_is_registered_withdrawn_and_never_followed_out_of_it() {
    let site = Site::new("[[expect_from]]\nname = \"drop\"\ndir = \"drop\"\n");
    let (code, shown) = site.sync();
    assert_eq!(code, 3, "the directory is not there: {shown}");
    assert_eq!(site.health()[0].0, "registrations-unread");
    site.write("drop/a.sig", &v1());
    site.write("drop/1/2/b.sigstore.json", &v2());
    site.write("drop/notes.txt", b"not read");
    let (code, shown) = site.sync();
    assert_eq!((code, shown.contains("2 registered")), (0, true), "{shown}");
    let both = [
        row("signer", "drop", "1/2/b.sigstore.json"),
        row("signer", "drop", "a.sig"),
    ];
    assert_eq!(site.registered(), both);
    assert!(site.health().is_empty());
    // The same once more changes nothing.
    assert!(site.sync().1.contains("0 registered, 0 withdrawn"));

    site.write("drop/junk.sig", b"junk");
    site.write("secret.sig", &v2());
    symlink(site.path("secret.sig"), site.path("drop/link.sig")).unwrap();
    site.write("drop/long.sig", &vec![b' '; (4 << 20) + 1]);
    let (code, shown) = site.sync();
    assert_eq!(code, 3, "{shown}");
    for file in [
        "junk.sig",
        "link.sig: not a regular file",
        "long.sig: longer than",
    ] {
        assert!(shown.contains(file), "{file}: {shown}");
    }
    assert_eq!(site.registered(), both);
    let (verdict, summary) = site.health().remove(0);
    assert_eq!(verdict, "registrations-unread");
    assert!(
        summary.contains("junk.sig") && summary.contains("drop"),
        "{summary}"
    );

    for file in ["junk.sig", "link.sig", "long.sig", "a.sig"] {
        fs::remove_file(site.path("drop").join(file)).unwrap();
    }
    assert!(site.sync().1.contains("0 registered, 1 withdrawn"));
    assert_eq!(site.registered(), both[..1]);
    assert!(site.health().is_empty());
    // A source that fails keeps what it registered; one that is configured no longer does not.
    fs::rename(site.path("drop"), site.path("moved")).unwrap();
    assert_eq!(site.sync().0, 3);
    assert_eq!(site.registered(), both[..1]);
    site.configure("");
    let output = site.run(&["monitor", "--once"]);
    assert_eq!(site.registered(), [], "{}", text(&output.stderr));
}

#[test]
fn a_directory_has_the_operator_s_authority_only_if_not_everybody_can_write_to_it() {
    let site =
        Site::new("[[expect_from]]\nname = \"mine\"\ndir = \"mine\"\nauthority = \"operator\"\n");
    site.write("mine/a.sig", &v1());
    site.write("mine/b.sig", &v2());
    let mode = |path: &str, mode| {
        fs::set_permissions(site.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("mine/b.sig", 0o666);
    let (code, shown) = site.sync();
    assert_eq!(
        (code, shown.contains("b.sig: everybody can write")),
        (3, true),
        "{shown}"
    );
    assert_eq!(site.registered(), [row("operator", "mine", "a.sig")]);
    mode("mine/b.sig", 0o600);
    assert_eq!(site.sync().0, 0);
    let number = site.registrations()[0]["number"].to_string();
    let removed = site.run(&["expect", "remove", &number]);
    assert_eq!(removed.status.code(), Some(2), "it would come again");
    mode("mine", 0o777);
    assert_eq!(site.sync().0, 3);
    assert_eq!(
        site.registered().len(),
        2,
        "what cannot be trusted now is not gone"
    );
}

#[test]
fn what_a_watch_expects_is_registered_by_the_signer_for_this_watch_alone() {
    let site = Site::new("expected = [\"release/**/*.json\"]\n");
    site.write("release/1/a.json", &v1());
    let (code, shown) = site.sync();
    assert_eq!(code, 0, "{shown}");
    let registration = &site.registrations()[0];
    assert_eq!(registration["authority"], "signer");
    assert_eq!(registration["source"], "falcon/1");
    assert_eq!(registration["watches"][0], "falcon");
    assert_eq!(registration["file"], "1/a.json");
}

/// A git repository whose people sign with SSH keys.
struct Repository(PathBuf);

impl Repository {
    fn new(site: &Site) -> Self {
        let path = site.path("repository");
        fs::create_dir(&path).unwrap();
        for key in ["jane", "mallory"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f"])
                .arg(site.path(key))
                .status();
            assert!(made.unwrap().success());
        }
        let jane = fs::read_to_string(site.path("jane.pub")).unwrap();
        site.write(
            "allowed_signers",
            format!("jane@example.com {jane}").as_bytes(),
        );
        let repository = Self(path);
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=Some Body",
                "-c",
                "user.email=body@example.com",
            ])
            .args(["-c", "gpg.format=ssh", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(&self.0)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout).trim().to_owned()
    }

    /// Writes, or removes, a file and commits it, signed by this key.
    fn commit(&self, file: &str, content: Option<&[u8]>, key: Option<&Path>) -> String {
        let path = self.0.join(file);
        match content {
            Some(content) => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, content).unwrap();
            }
            None => fs::remove_file(&path).unwrap(),
        }
        self.git(&["add", "--all"]);
        match key {
            Some(key) => {
                let key = format!("user.signingkey={}", key.display());
                self.git(&["-c", &key, "commit", "--quiet", "-S", "-m", file]);
            }
            None => {
                self.git(&["commit", "--quiet", "-m", file]);
            }
        }
        self.git(&["rev-parse", "HEAD"])
    }
}

const SIGNED: &str = "[[expect_from]]\nname = \"releases\"\ngit = \"file://ROOT/repository\"\npath = [\"falcon/**/*.sig\"]\nallowed_signers = \"allowed_signers\"\n";

#[test]
fn only_commits_that_an_allowed_signer_signed_register() {
    let site = Site::new("");
    let repository = Repository::new(&site);
    site.configure(SIGNED);
    let (jane, mallory) = (site.path("jane"), site.path("mallory"));
    let first = repository.commit("falcon/1/a.sig", Some(&v1()), Some(&jane));
    let (code, shown) = site.sync();
    assert_eq!(code, 0, "{shown}");
    let a = row("repository", "releases", "falcon/1/a.sig");
    assert_eq!(site.registered(), std::slice::from_ref(&a));
    let registration = site.registrations().remove(0);
    assert_eq!(registration["commit"], first.as_str());
    assert_eq!(registration["author"], "jane@example.com");

    // Without a signature, by another key, and below a signed commit that does not touch the file.
    for key in [None, Some(mallory.as_path())] {
        repository.commit("falcon/2/b.sig", Some(&v2()), key);
        let on_top = format!("signed on top of {}", key.is_some());
        repository.commit("README", Some(on_top.as_bytes()), Some(&jane));
        let (code, shown) = site.sync();
        assert_eq!(
            (code, shown.contains("falcon/2/b.sig: commit")),
            (3, true),
            "{shown}"
        );
        assert_eq!(site.registered(), std::slice::from_ref(&a));
        assert_eq!(site.health()[0].0, "registrations-unread");
        repository.commit("falcon/2/b.sig", None, None);
        assert_eq!(site.sync().0, 0);
    }

    // Merged without a signature: the commit that was merged is signed.
    repository.git(&["switch", "--quiet", "--create", "side"]);
    repository.commit("falcon/2/b.sig", Some(&v2()), Some(&jane));
    repository.git(&["switch", "--quiet", "main"]);
    repository.commit("other", Some(b"x"), None);
    repository.git(&["merge", "--quiet", "--no-ff", "-m", "merge", "side"]);
    let (code, shown) = site.sync();
    assert_eq!((code, site.registered().len()), (0, 2), "{shown}");

    // An unsigned commit that removes it withdraws it, and an unsigned merge cannot bring it back.
    let before = repository.git(&["rev-parse", "HEAD"]);
    repository.commit("falcon/2/b.sig", None, None);
    assert_eq!(site.sync().0, 0);
    assert_eq!(site.registered(), std::slice::from_ref(&a));
    repository.git(&[
        "merge",
        "--quiet",
        "--no-commit",
        "-s",
        "ours",
        &before,
        "-m",
        "x",
    ]);
    repository.git(&["checkout", "--quiet", &before, "--", "falcon/2/b.sig"]);
    repository.git(&["commit", "--quiet", "--allow-empty", "-m", "back again"]);
    let (code, shown) = site.sync();
    assert_eq!((code, site.registered()), (3, vec![a]), "{shown}");
}

#[test]
fn a_server_that_has_only_a_shallow_copy_is_reported_and_nothing_old_passes_for_new() {
    let site = Site::new("");
    let repository = Repository::new(&site);
    site.configure("[[expect_from]]\nname = \"releases\"\ngit = \"file://ROOT/served.git\"\n");
    let serve = |more: &[&str]| {
        let served = site.path("served.git");
        if served.exists() {
            fs::remove_dir_all(&served).unwrap();
        }
        let (from, to) = (
            format!("file://{}", site.path("repository").display()),
            served.display().to_string(),
        );
        let clone = [&["clone", "--quiet", "--bare"], more, &[&from, &to]].concat();
        repository.git(&clone);
    };
    repository.commit("a.sig", Some(&v1()), None);
    serve(&[]);
    assert_eq!(site.sync().0, 0);
    repository.commit("b.sig", Some(&v2()), None);
    serve(&["--depth=1"]);
    let (code, shown) = site.sync();
    assert_eq!((code, shown.contains("shallow copy")), (3, true), "{shown}");
    assert_eq!(site.registered(), [row("repository", "releases", "a.sig")]);
    assert_eq!(site.health()[0].0, "registrations-unread");
    serve(&[]);
    let (code, shown) = site.sync();
    assert_eq!((code, site.registered().len()), (0, 2), "{shown}");
}

#[test]
fn a_rewritten_branch_gives_nothing_until_it_is_confirmed() {
    let site = Site::new("");
    let repository = Repository::new(&site);
    site.configure("[[expect_from]]\nname = \"releases\"\ngit = \"file://ROOT/repository\"\n");
    repository.commit("x", Some(b"base"), None);
    let first = repository.commit("a.sig", Some(&v1()), None);
    assert_eq!(site.sync().0, 0);
    assert_eq!(
        site.registrations()[0]["author"],
        "Some Body <body@example.com>"
    );

    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let second = repository.commit("b.sig", Some(&v2()), None);
    let (code, shown) = site.sync();
    assert_eq!((code, shown.contains(&second)), (3, true), "{shown}");
    assert_eq!(site.registered(), [row("repository", "releases", "a.sig")]);
    let (verdict, summary) = site.health().remove(0);
    assert_eq!(verdict, "registrations-rewritten");
    assert!(
        summary.contains(&first) && summary.contains(&second),
        "{summary}"
    );

    // A second time before it is confirmed: the confirmation is of the commit that was shown.
    let third = repository.commit("c", Some(b"x"), None);
    assert_eq!(
        site.run(&["expect", "confirm", "releases"]).status.code(),
        Some(0)
    );
    let (code, shown) = site.sync();
    assert_eq!(code, 0, "the third contains the second: {shown}");
    assert_eq!(site.registered(), [row("repository", "releases", "b.sig")]);
    assert!(site.health().is_empty() && !third.is_empty());
    assert_eq!(
        site.run(&["expect", "confirm", "releases"]).status.code(),
        Some(2)
    );
    assert_eq!(
        site.run(&["expect", "confirm", "nobody"]).status.code(),
        Some(2)
    );

    // A lost copy is made again; the commit that was read last is known.
    fs::remove_dir_all(site.path("modelwatch.db.sources")).unwrap();
    assert_eq!(site.sync().0, 0);
    repository.git(&["reset", "--quiet", "--hard", "HEAD~2"]);
    fs::remove_dir_all(site.path("modelwatch.db.sources")).unwrap();
    assert_eq!(site.sync().0, 3);
    assert_eq!(site.health()[0].0, "registrations-rewritten");
    // The branch is put back: nothing has to be confirmed.
    repository.git(&["reset", "--quiet", "--hard", &third]);
    assert_eq!(site.sync().0, 0);
    assert!(site.health().is_empty());
}

#[test]
fn nothing_of_a_repository_is_executed_followed_or_read_without_bound() {
    let site = Site::new("");
    let repository = Repository::new(&site);
    site.configure("[[expect_from]]\nname = \"releases\"\ngit = \"file://ROOT/repository\"\npath = [\"**/*.sig\", \"*.sig\"]\n");
    let trap = site.path("trap");
    let script = format!("#!/bin/sh\ntouch {}\ncat\n", trap.display());
    site.write("trap.sh", script.as_bytes());
    fs::set_permissions(site.path("trap.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    for hook in [
        "post-checkout",
        "reference-transaction",
        "post-merge",
        "pre-receive",
    ] {
        fs::copy(
            site.path("trap.sh"),
            repository.0.join(".git/hooks").join(hook),
        )
        .unwrap();
    }
    let filter = format!("filter.trap.smudge={}", site.path("trap.sh").display());
    let (key, value) = filter.split_once('=').unwrap();
    fs::write(
        repository.0.join(".gitattributes"),
        "*.sig filter=trap diff=trap\n",
    )
    .unwrap();
    symlink("/etc/passwd", repository.0.join("link.sig")).unwrap();
    fs::write(repository.0.join("long.sig"), vec![b' '; (4 << 20) + 1]).unwrap();
    fs::write(repository.0.join("a.sig"), v1()).unwrap();
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--quiet", "--no-verify", "-m", "all"]);
    repository.git(&["config", key, value]);
    let _ = fs::remove_file(&trap);
    let (code, shown) = site.sync();
    assert_eq!(code, 3, "{shown}");
    assert!(
        shown.contains("link.sig: not a regular file") && shown.contains("long.sig: longer than"),
        "{shown}"
    );
    assert_eq!(site.registered(), [row("repository", "releases", "a.sig")]);
    assert!(!trap.exists(), "something of the repository was executed");
    // A git that was killed has left these.
    let copy = site.path("modelwatch.db.sources/releases.git");
    fs::write(copy.join("refs/modelwatch/branch.lock"), "").unwrap();
    fs::write(copy.join("objects/pack/tmp_pack_x"), "x").unwrap();
    repository.commit("b.sig", Some(&v2()), None);
    site.sync();
    assert_eq!(site.registered().len(), 2);
    assert!(!copy.join("objects/pack/tmp_pack_x").exists());
}

#[test]
fn a_repository_that_cannot_be_reached_is_blindness_and_not_silence() {
    let site = Site::new("[[expect_from]]\nname = \"releases\"\ngit = \"file://ROOT/nowhere\"\n");
    let output = site.run(&["monitor", "--once"]);
    assert_eq!(output.status.code(), Some(3));
    let health = site.health();
    let unread = health
        .iter()
        .find(|(verdict, _)| verdict == "registrations-unread");
    assert!(
        unread.is_some_and(|(_, summary)| summary.contains("releases")),
        "{health:?}"
    );
}

#[test]
fn a_source_that_would_give_a_thief_authority_is_an_error() {
    let site = Site::new("");
    let base = "[[expect_from]]\nname = \"x\"\n";
    for (more, complaint) in [
        (
            "git = \"https://github.com/harbor-ml-example/falcon.git\"",
            "a thief of its workflow",
        ),
        (
            "git = \"ssh://git@github.com/Harbor-ML-Example/Falcon\"",
            "a thief of its workflow",
        ),
        (
            "url = \"https://host.example/{tag}\"\nauthority = \"repository\"",
            "no authority of url",
        ),
        (
            "dir = \"x\"\nauthority = \"repository\"",
            "no authority of dir",
        ),
        (
            "git = \"https://git.example/x\"\nauthority = \"operator\"",
            "no authority of git",
        ),
        (
            "git = \"ext::sh -c id\"",
            "is not the URL of a git repository",
        ),
        ("git = \"-uid\"", "is not the URL of a git repository"),
        (
            "git = \"https://git.example/x\"\nbranch = \"--upload-pack=id\"",
            "is not the name of a branch",
        ),
        (
            "git = \"https://git.example/x\"\npath = [\"../x\"]",
            "is not a path below the source",
        ),
        (
            "git = \"https://git.example/x\"\ndir = \"y\"",
            "a source has one place",
        ),
        ("dir = \"y\"\nbranch = \"main\"", "branch belongs to git"),
        ("every = \"5m\"", "one of git, dir and url is missing"),
        (
            "dir = \"y\"\nwatch = [\"eagle\"]",
            "there is no watch named",
        ),
        (
            "url = \"https://{tag}.example/x\"",
            "may stand in the path only",
        ),
    ] {
        site.configure(&format!("{base}{more}\n"));
        let (code, shown) = site.sync();
        assert_eq!(
            (code, shown.contains(complaint)),
            (2, true),
            "{more}: {shown}"
        );
    }
    for more in [
        "git = \"https://github.com/harbor-ml-example/falcon.git\"\nauthority = \"signer\"",
        "git = \"https://git.example/harbor/releases.git\"",
    ] {
        site.configure(&format!("{base}{more}\n"));
        assert_ne!(
            site.run(&["expect", "list"]).status.code(),
            Some(2),
            "{more}"
        );
    }
}
