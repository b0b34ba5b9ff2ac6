//! Our bare copy of a branch, and how the git program is run on it.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use url::Url;

use super::super::program::{self, Ended};
use super::error::GitError;
use super::{advice, authorities};

/// What is passed on of the environment: where programs are, how ssh finds its keys, which proxy and authorities are used.
const ENVIRONMENT: [&str; 18] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "XDG_CONFIG_HOME",
    "SYSTEMROOT",
];

/// Settings of each run: nothing that a repository or a user configures, no program but git's own, no other protocol.
const SETTINGS: [(&str, &str); 14] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.symlinks", "false"),
    ("credential.helper", ""),
    ("http.followRedirects", "false"),
    // A server that sends nothing for a minute is given up, also where a run may take longer.
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "60"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("protocol.allow", "never"),
    ("transfer.bundleURI", "false"),
];

/// The protocols.
const PROTOCOLS: [&str; 3] = ["https", "ssh", "file"];

/// ssh asks no question, accepts no unknown host, and makes no other connection than git's. It gives up a server that does not
/// begin within half a minute, or does not answer for a minute.
const SSH: &str = "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oClearAllForwardings=yes -oPermitLocalCommand=no \
                   -oConnectTimeout=30 -oServerAliveInterval=20 -oServerAliveCountMax=3";

/// Most bytes that the copy may take on the disk.
const MAX_COPY_BYTES: u64 = 1 << 30;

/// How often its size is looked at while git receives.
const LOOK_AT_SIZE: Duration = Duration::from_millis(500);

/// Longest short answer of git, in bytes.
pub(super) const SHORT_BYTES: usize = 64 * 1024;

/// The branch as it was received last. git tells the server what it has by its references: so only what is new is sent.
const BRANCH: &str = "refs/modelwatch/branch";

/// The reference that the branch is received into. It is removed before: git ends with 0 too where it has received nothing, as
/// from a shallow copy, and an old commit must not pass for the branch of today.
const RECEIVED: &str = "refs/modelwatch/received";

/// A bare repository into which only this process fetches.
#[derive(Debug)]
pub(super) struct Mirror {
    directory: PathBuf,
    access: Access,
    pub(super) time: Duration,
    _lock: File,
}

/// What the server needs, and what it is recognised by.
#[derive(Debug, Default)]
pub(super) struct Access {
    /// A header for the server, as `Authorization: …`.
    pub(super) authorization: Option<String>,
    /// Files with certificate authorities that are trusted besides the system's.
    pub(super) ca_files: Vec<PathBuf>,
}

impl Mirror {
    /// Opens the copy, and creates it if it is not there.
    pub(super) async fn open(
        directory: &Path,
        access: Access,
        time: Duration,
    ) -> Result<Self, GitError> {
        let failed = |error| GitError::Io {
            path: directory.to_owned(),
            error,
        };
        fs::create_dir_all(directory).map_err(failed)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join("modelwatch.lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(GitError::Busy),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mirror = Self {
            directory: directory.to_owned(),
            access,
            time,
            _lock: lock,
        };
        mirror.clear_remains().map_err(failed)?;
        authorities::write(&mirror.directory, &mirror.access.ca_files)?;
        if !directory.join("HEAD").exists() {
            let mut command = mirror.git(false);
            command.args(["init", "--bare", "--quiet", "--template=", "."]);
            mirror.succeed("git init", command).await?;
        }
        Ok(mirror)
    }

    /// Removes what a git that was killed has left: its locks would stop every later one, its packs fill the disk. Whoever holds
    /// our lock is the only one who writes here.
    fn clear_remains(&self) -> io::Result<()> {
        let packs = self.directory.join("objects/pack");
        let references = self.directory.join("refs/modelwatch");
        for (directory, is_remain) in [
            (
                &packs,
                (|name: &str| name.starts_with("tmp_")) as fn(&str) -> bool,
            ),
            (&references, |name| {
                ["branch.lock", "received.lock"].contains(&name)
            }),
            (&self.directory, |name| {
                [
                    "HEAD.lock",
                    "config.lock",
                    "packed-refs.lock",
                    "shallow.lock",
                ]
                .contains(&name)
            }),
        ] {
            let entries = match fs::read_dir(directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                if entry.file_name().to_str().is_some_and(is_remain) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// A run of git in the copy, with its settings; `remote`: it may use the network.
    pub(super) fn git(&self, remote: bool) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.directory).env_clear();
        for name in ENVIRONMENT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let protocols = if remote {
            PROTOCOLS.join(":")
        } else {
            String::new()
        };
        for (name, value) in [
            ("LC_ALL", "C"),
            ("GIT_DIR", "."),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", "true"),
            ("SSH_ASKPASS_REQUIRE", "never"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_SSH_COMMAND", SSH),
            ("GIT_ALLOW_PROTOCOL", protocols.as_str()),
        ] {
            command.env(name, value);
        }
        let mut settings: Vec<(String, &OsStr)> = SETTINGS
            .iter()
            .map(|(key, value)| ((*key).to_owned(), OsStr::new(value)))
            .collect();
        for protocol in PROTOCOLS {
            settings.push((format!("protocol.{protocol}.allow"), OsStr::new("always")));
        }
        // In the environment: arguments can be seen by every user of the machine.
        if let (true, Some(header)) = (remote, &self.access.authorization) {
            settings.push(("http.extraHeader".to_owned(), OsStr::new(header)));
        }
        if remote && !self.access.ca_files.is_empty() {
            // Stronger than every setting; the file has what the variable named before.
            command.env(authorities::VARIABLE, authorities::FILE);
        }
        command.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (place, (key, value)) in settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{place}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{place}"), value);
        }
        command
    }

    /// Runs git, which has to succeed.
    pub(super) async fn succeed(
        &self,
        what: &'static str,
        command: Command,
    ) -> Result<Vec<u8>, GitError> {
        self.succeed_within(what, command, SHORT_BYTES).await
    }

    /// The same with a longer answer.
    pub(super) async fn succeed_within(
        &self,
        what: &'static str,
        command: Command,
        limit_bytes: usize,
    ) -> Result<Vec<u8>, GitError> {
        let ended = program::run(command, b"", limit_bytes, self.time).await?;
        answer(what, ended)
    }

    /// Receives the branch; answers its commit.
    pub(super) async fn fetch(&self, url: &Url, branch: &str) -> Result<String, GitError> {
        let mut command = self.git(false);
        command.args(["update-ref", "-d", RECEIVED]);
        self.succeed("git update-ref", command).await?;
        let mut command = self.git(true);
        command
            .args([
                "fetch",
                "--quiet",
                "--force",
                "--no-tags",
                "--no-write-fetch-head",
            ])
            .args([
                "--no-recurse-submodules",
                "--no-auto-maintenance",
                "--end-of-options",
            ])
            .arg(url.as_str())
            .arg(format!("refs/heads/{branch}:{RECEIVED}"));
        let receive = program::run(command, b"", SHORT_BYTES, self.time);
        tokio::pin!(receive);
        let mut look = tokio::time::interval(LOOK_AT_SIZE);
        let ended = loop {
            tokio::select! {
                ended = &mut receive => break ended?,
                _ = look.tick() => {
                    let directory = self.directory.join("objects");
                    let size = tokio::task::spawn_blocking(move || size_of(&directory)).await;
                    if size.unwrap_or_default() > MAX_COPY_BYTES {
                        // Dropping the future kills git.
                        return Err(GitError::TooLarge { limit_bytes: MAX_COPY_BYTES });
                    }
                }
            }
        };
        answer("git fetch", ended)?;
        let mut command = self.git(false);
        command
            .args(["for-each-ref", "--format=%(objecttype) %(objectname)"])
            .arg(RECEIVED);
        let received = self.succeed("git for-each-ref", command).await?;
        let commit = match received.strip_prefix(b"commit ") {
            Some(name) => id(name)?,
            None if received.is_empty() => return Err(GitError::Shallow),
            None => return Err(GitError::Answer("the commit of the branch")),
        };
        let mut command = self.git(false);
        command.args(["update-ref", BRANCH, &commit]);
        self.succeed("git update-ref", command).await?;
        Ok(commit)
    }

    /// Whether a commit is in the history of another one. One that is not here at all is not.
    pub(super) async fn contains(&self, commit: &str, tip: &str) -> Result<bool, GitError> {
        if commit == tip {
            return Ok(true);
        }
        let mut command = self.git(false);
        command.args(["merge-base", "--is-ancestor", commit, tip]);
        let ended = program::run(command, b"", SHORT_BYTES, self.time).await?;
        Ok(ended.status.success())
    }
}

fn answer(what: &'static str, ended: Ended) -> Result<Vec<u8>, GitError> {
    if ended.status.success() {
        return Ok(ended.stdout);
    }
    let why = if ended.stderr.is_empty() {
        ended.status.to_string()
    } else {
        ended.stderr
    };
    let advice = advice::on(&why);
    Err(GitError::Failed { what, why, advice })
}

/// The id of an object, alone in a line.
pub(super) fn id(line: &[u8]) -> Result<String, GitError> {
    let line = std::str::from_utf8(line).unwrap_or_default().trim_end();
    let is_id = matches!(line.len(), 40 | 64)
        && line
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if is_id {
        Ok(line.to_owned())
    } else {
        Err(GitError::Answer("the id of an object"))
    }
}

/// The bytes of all files below a directory; what goes away meanwhile counts nothing.
fn size_of(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
