//! What an interrupted scan has done, in a file beside the database: the same command line goes on from there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::question::Question;
use crate::file;

/// Largest file that is read: a hundred thousand indexes.
const MAX_BYTES: usize = 4 << 20;

/// The version of the format. A file of another version is not used.
const FORMAT: u32 = 1;

/// A scan that is under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Saved {
    format: u32,
    /// The question, without its times.
    question: String,
    /// Only what was logged since then was asked for.
    pub(super) since: Option<Timestamp>,
    /// How far each tree was read, by origin.
    pub(super) trees: BTreeMap<String, SavedTree>,
}

/// How far one tree was read. Nothing of it counts before the entries up to there are proven again to be those of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedTree {
    /// The first entry that was read, within the tree.
    pub(super) start: u64,
    /// The end of what was read.
    pub(super) reached: u64,
    /// The root hash of the first `reached` entries, hex.
    pub(super) root: String,
    /// The entries that hold what is asked for, or may hold it. They are fetched again.
    pub(super) entries: Vec<u64>,
}

/// Where a scan is saved.
#[derive(Debug, Clone)]
pub(super) struct SaveFile {
    path: PathBuf,
    question: String,
}

impl SaveFile {
    /// The file for a question. `database` is the path of the database.
    pub(super) fn of(question: &Question, database: &Path) -> Self {
        let timeless = Question {
            since: None,
            until: question.until,
            ..question.clone()
        };
        let text = format!("{timeless:?} {}", question.since.is_some());
        let question = hex::encode(Sha256::digest(text));
        let mut name = database.file_name().unwrap_or_default().to_owned();
        name.push(format!(
            ".lookup-{}",
            question.get(..16).unwrap_or_default()
        ));
        Self {
            path: database.with_file_name(name),
            question,
        }
    }

    /// What an earlier run has done. `since`: the time that is asked for now. A run that asked for an earlier time has read all of
    /// that as well, so that `--since 24h` goes on as the first run asked it.
    pub(super) fn load(&self, since: Option<Timestamp>) -> Option<Saved> {
        let bytes = file::read(&self.path, MAX_BYTES).ok()?;
        let saved: Saved = serde_json::from_slice(&bytes).ok()?;
        let is_earlier = match (saved.since, since) {
            (None, _) => true,
            (Some(saved), Some(since)) => saved <= since,
            (Some(_), None) => false,
        };
        (saved.format == FORMAT && saved.question == self.question && is_earlier).then_some(saved)
    }

    /// Nothing is done yet.
    pub(super) fn begin(&self, since: Option<Timestamp>) -> Saved {
        Saved {
            format: FORMAT,
            question: self.question.clone(),
            since,
            trees: BTreeMap::new(),
        }
    }

    /// Records what is done, as a whole or not at all.
    pub(super) fn save(&self, saved: &Saved) -> std::io::Result<()> {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let text = serde_json::to_vec(saved)?;
        // Only the owner may read it: the conditions of a look-up may be a secret of an investigation.
        let mut fresh = tempfile::NamedTempFile::new_in(directory)?;
        std::io::Write::write_all(&mut fresh, &text)?;
        fresh.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    /// The scan has ended.
    pub(super) fn remove(&self) {
        // Without the file the next scan begins anew; with it, it is read again and proven again.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_same_question_goes_on_and_another_one_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("modelwatch.db");
        let question = Question {
            identity: Some("jane@example.com".to_owned()),
            since: Some(at(100)),
            ..Question::default()
        };
        let file = SaveFile::of(&question, &database);
        assert!(file.load(question.since).is_none());
        let mut saved = file.begin(question.since);
        let tree = SavedTree {
            start: 1,
            reached: 7,
            root: "00".to_owned(),
            entries: vec![3],
        };
        saved.trees.insert("log.example".to_owned(), tree.clone());
        file.save(&saved).unwrap();
        let again = |question: &Question| SaveFile::of(question, &database).load(question.since);
        assert_eq!(again(&question).unwrap().trees["log.example"], tree);
        // `--since 24h` of a later run is a later time.
        let since = |since| Question {
            since,
            ..question.clone()
        };
        assert_eq!(again(&since(Some(at(160)))).unwrap().since, Some(at(100)));
        assert!(again(&since(Some(at(99)))).is_none());
        assert!(again(&since(None)).is_none());
        let other = Question {
            identity: Some("joe@example.com".to_owned()),
            ..question.clone()
        };
        assert!(again(&other).is_none());
        file.remove();
        assert!(again(&question).is_none());
    }
}
