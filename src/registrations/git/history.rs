//! Which commits gave files their present contents.

use std::collections::{HashMap, HashSet};

use super::super::collector::Found;
use super::error::GitError;
use super::mirror::{Mirror, id};

/// Longest history of the directories of a source, in bytes: about a million changes.
const MAX_HISTORY_BYTES: usize = 256 << 20;

/// The newest commit of a branch's own line that changed a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) commit: String,
    /// Name and address as the commit has them: its author can write any.
    pub(super) author: String,
    pub(super) is_merge: bool,
}

/// The last change of each of these files, along the first parents of a commit.
pub(super) async fn last_changes(
    mirror: &Mirror,
    tip: &str,
    directories: &[String],
    files: &HashSet<&str>,
) -> Result<HashMap<String, Change>, GitError> {
    let mut command = mirror.git(false);
    command
        .args([
            "log",
            "--first-parent",
            "-m",
            "--raw",
            "-z",
            "--no-renames",
            "--no-abbrev",
        ])
        .args([
            "--no-show-signature",
            "--no-color",
            "--no-mailmap",
            "--encoding=UTF-8",
        ])
        .arg("--format=%x01%H %P%x02%an <%ae>")
        .args(["--end-of-options", tip, "--"]);
    command.args(directories.iter().map(|directory| format!("{directory}/")));
    let bytes = mirror
        .succeed_within("git log", command, MAX_HISTORY_BYTES)
        .await?;
    parse(&bytes, files).ok_or(GitError::Answer("a line of log"))
}

/// Pieces between NULs: a commit, or a change and its path.
fn parse(bytes: &[u8], files: &HashSet<&str>) -> Option<HashMap<String, Change>> {
    let mut changes = HashMap::new();
    let mut commit = None;
    let mut pieces = bytes.split(|byte| *byte == 0);
    while let Some(piece) = pieces.next() {
        let piece = piece.strip_prefix(b"\n").unwrap_or(piece);
        match piece.split_first() {
            None => {}
            Some((1, header)) => commit = Some(parse_commit(header)?),
            Some((b':', _)) => {
                let path = String::from_utf8_lossy(pieces.next()?);
                if files.contains(path.as_ref()) {
                    let change: &Change = commit.as_ref()?;
                    changes
                        .entry(path.into_owned())
                        .or_insert_with(|| change.clone());
                }
            }
            Some(_) => return None,
        }
    }
    Some(changes)
}

/// `COMMIT PARENT…<2>author`.
fn parse_commit(header: &[u8]) -> Option<Change> {
    let at = header.iter().position(|byte| *byte == 2)?;
    let (ids, author) = (header.get(..at)?, header.get(at + 1..)?);
    let mut ids = ids.split(|byte| *byte == b' ').filter(|id| !id.is_empty());
    Some(Change {
        commit: id(ids.next()?).ok()?,
        is_merge: ids.count() > 1,
        author: String::from_utf8_lossy(author).into_owned(),
    })
}

/// The newest commit that a merge brought into the branch and that changed a file, if it gave the file its present content.
pub(super) async fn merged_change(
    mirror: &Mirror,
    merge: &str,
    found: &Found,
) -> Result<Option<String>, GitError> {
    let mut command = mirror.git(false);
    command
        .args([
            "rev-list",
            "--max-count=1",
            "--topo-order",
            "--full-history",
            "--no-merges",
        ])
        .args([
            "--end-of-options",
            merge,
            &format!("^{merge}^1"),
            "--",
            &found.file,
        ]);
    let commit = mirror.succeed("git rev-list", command).await?;
    if commit.is_empty() {
        return Ok(None);
    }
    let commit = id(&commit)?;
    let mut command = mirror.git(false);
    command.args(["ls-tree", "-z", "--full-tree", &commit, "--", &found.file]);
    let entry = mirror.succeed("git ls-tree", command).await?;
    // `100644 blob ID<tab>path`; nothing if the commit removed it.
    let has_content = String::from_utf8_lossy(&entry)
        .split(['\t', ' '])
        .any(|word| word == found.content);
    Ok(has_content.then_some(commit))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[test]
    fn the_newest_change_of_each_file_is_found_and_names_cannot_forge_one() {
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let log = format!(
            "\x01{two} {one} {one}\x02A \x01{one} \x02<a@b>\0\n:0 1 {one} {two} A\0a.sig\0:0 1 x y M\0\x01b\0\x01{one} \x02B <b@c>\0\n:0 1 x y A\0a.sig\0:0 1 x y A\0c.sig\0"
        );
        let files = HashSet::from(["a.sig", "c.sig"]);
        let changes = parse(log.as_bytes(), &files).unwrap();
        assert_eq!(changes.len(), 2);
        let change = &changes["a.sig"];
        assert_eq!(
            (change.commit.as_str(), change.is_merge),
            (two.as_str(), true)
        );
        assert_eq!(change.author, format!("A \x01{one} \x02<a@b>"));
        assert_eq!(
            (changes["c.sig"].commit.as_str(), changes["c.sig"].is_merge),
            (one.as_str(), false)
        );
        for broken in ["x", "\x01zz\x02a", ":0 1 x y A\0a.sig", ":0"] {
            assert_eq!(parse(broken.as_bytes(), &files), None, "{broken:?}");
        }
    }
}
