//! The files of a commit, and their contents, from the object store.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::super::program::ProgramError;
use super::error::GitError;
use super::mirror::{Mirror, id};
use crate::process::Group;

/// Longest list of files, in bytes: half a million files.
const MAX_LIST_BYTES: usize = 64 << 20;

/// An object in a tree.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) path: Vec<u8>,
    pub(super) id: String,
    pub(super) size: u64,
    /// A regular file: no symbolic link, no submodule.
    pub(super) is_file: bool,
}

/// All files of a commit below these directories; of the whole tree if there is none.
pub(super) async fn list(
    mirror: &Mirror,
    commit: &str,
    directories: &[String],
) -> Result<Vec<Object>, GitError> {
    let mut command = mirror.git(false);
    command.args(["ls-tree", "-r", "-z", "--long", "--full-tree", commit, "--"]);
    command.args(directories.iter().map(|directory| format!("{directory}/")));
    let bytes = mirror
        .succeed_within("git ls-tree", command, MAX_LIST_BYTES)
        .await?;
    bytes
        .split(|byte| *byte == 0)
        .filter(|line| !line.is_empty())
        .map(|line| parse(line).ok_or(GitError::Answer("a line of ls-tree")))
        .collect()
}

/// `100644 blob ID    SIZE<tab>path`.
fn parse(line: &[u8]) -> Option<Object> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let head = std::str::from_utf8(line.get(..tab)?).ok()?;
    let mut words = head.split_ascii_whitespace();
    let (mode, kind, object, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
    Some(Object {
        path: line.get(tab + 1..)?.to_vec(),
        id: id(object.as_bytes()).ok()?,
        size: size.parse().unwrap_or(u64::MAX),
        is_file: kind == "blob" && matches!(mode, "100644" | "100755"),
    })
}

/// The contents of objects, one after the other, by one run of git.
pub(super) struct Contents<'a> {
    mirror: &'a Mirror,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _group: Group,
}

impl<'a> Contents<'a> {
    pub(super) fn open(mirror: &'a Mirror) -> Result<Self, GitError> {
        let mut command = mirror.git(false);
        command
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .process_group(0);
        let start = |error| ProgramError::Start {
            program: "git".to_owned(),
            error,
        };
        let mut group = Group::new(command.spawn().map_err(start)?);
        let (Some(stdin), Some(stdout)) = (group.child.stdin.take(), group.child.stdout.take())
        else {
            return Err(GitError::Answer("cat-file has no input or output"));
        };
        Ok(Self {
            mirror,
            stdin,
            stdout: BufReader::new(stdout),
            _group: group,
        })
    }

    /// The content of a blob or a commit.
    pub(super) async fn read(
        &mut self,
        object: &str,
        limit_bytes: usize,
    ) -> Result<Vec<u8>, GitError> {
        let time = self.mirror.time;
        let program = || "git cat-file".to_owned();
        match timeout(time, self.read_one(object, limit_bytes)).await {
            Ok(read) => read.map_err(|error| {
                ProgramError::Io {
                    program: program(),
                    error,
                }
                .into()
            }),
            Err(_) => Err(ProgramError::Time {
                program: program(),
                time,
            }
            .into()),
        }
    }

    async fn read_one(&mut self, object: &str, limit_bytes: usize) -> std::io::Result<Vec<u8>> {
        let invalid =
            |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
        self.stdin
            .write_all(format!("{object}\n").as_bytes())
            .await?;
        self.stdin.flush().await?;
        let mut header = Vec::new();
        let mut limited = (&mut self.stdout).take(200);
        limited.read_until(b'\n', &mut header).await?;
        // `ID TYPE SIZE`, or `ID missing`.
        let header = String::from_utf8_lossy(&header);
        let size = header
            .trim_end()
            .rsplit(' ')
            .next()
            .and_then(|size| size.parse().ok());
        let Some(size @ 0..) = size else {
            return Err(invalid(&format!("object {object} is not there")));
        };
        let size: usize = size;
        if size > limit_bytes {
            return Err(invalid(&format!(
                "object {object} is longer than {limit_bytes} bytes"
            )));
        }
        let mut bytes = vec![0; size + 1];
        self.stdout.read_exact(&mut bytes).await?;
        // The line break behind it.
        bytes.pop();
        Ok(bytes)
    }
}
