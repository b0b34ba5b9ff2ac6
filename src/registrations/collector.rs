//! What one reading of a source finds, compared with what the source registered before.

use std::collections::{HashMap, HashSet};

use model_signing::bundle::{MAX_BUNDLE_BYTES, read_collection};

use crate::expect::{self, Authority};
use crate::store::{NewRegistration, Registrar, Registration};

/// Most files of a source.
pub(super) const MAX_FILES: usize = 10_000;

/// Longest file, in bytes.
pub(super) const MAX_FILE_BYTES: usize = 4 << 20;

/// Most bundles of a source: a file may hold many.
const MAX_BUNDLES: usize = 10_000;

/// Most problems that are kept; the others are counted.
const MAX_PROBLEMS: usize = 50;

const _: () = assert!(
    MAX_FILE_BYTES <= MAX_BUNDLE_BYTES,
    "a longer file would be read in part"
);

/// A file of a source.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Its path below the source, or its URL.
    pub(super) file: String,
    /// Names its content: equal values are equal bytes.
    pub(super) content: String,
    /// Git: the commit that gave it this content.
    pub(super) commit: Option<String>,
    /// Who made that commit.
    pub(super) author: Option<String>,
}

/// Collects what a source holds now.
#[derive(Debug)]
pub(super) struct Collector {
    source: String,
    authority: Authority,
    watches: Option<Vec<String>>,
    known: Vec<Registration>,
    /// The numbers by file and content.
    by_content: HashMap<(String, String), Vec<usize>>,
    kept: HashSet<i64>,
    new: Vec<NewRegistration>,
    bundles: usize,
    problems: Vec<String>,
    more_problems: usize,
}

/// What a reading makes of a source.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) new: Vec<NewRegistration>,
    /// The numbers of registrations that are not there any more.
    pub(super) withdrawn: Vec<i64>,
    pub(super) problems: Vec<String>,
}

impl Collector {
    pub(super) fn new(
        source: &str,
        authority: Authority,
        watches: Option<Vec<String>>,
        known: Vec<Registration>,
    ) -> Self {
        let mut by_content: HashMap<(String, String), Vec<usize>> = HashMap::new();
        for (place, registration) in known.iter().enumerate() {
            let is_as_configured =
                registration.by.authority == authority && registration.by.watches == watches;
            if let (true, Some(content)) = (is_as_configured, &registration.content) {
                let key = (registration.file.clone(), content.clone());
                by_content.entry(key).or_default().push(place);
            }
        }
        Self {
            source: source.to_owned(),
            authority,
            watches,
            known,
            by_content,
            kept: HashSet::new(),
            new: Vec::new(),
            bundles: 0,
            problems: Vec::new(),
            more_problems: 0,
        }
    }

    /// Whether the registrations of a file with this content are there: they are kept, and its bytes need not be read.
    pub(super) fn keep(&mut self, file: &str, content: &str) -> bool {
        let key = (file.to_owned(), content.to_owned());
        let Some(places) = self.by_content.get(&key) else {
            return false;
        };
        self.bundles += places.len();
        for place in places {
            self.kept
                .extend(self.known.get(*place).map(|known| known.number));
        }
        true
    }

    /// Keeps everything that was registered of a file, whatever it holds now.
    pub(super) fn keep_file(&mut self, file: &str) {
        let of_file = self.known.iter().filter(|known| known.file == file);
        self.kept.extend(of_file.map(|known| known.number));
    }

    /// Keeps what was registered of all files but these.
    pub(super) fn keep_all_but(&mut self, asked: &HashSet<String>) {
        let others = self
            .known
            .iter()
            .filter(|known| !asked.contains(&known.file));
        self.kept.extend(others.map(|known| known.number));
    }

    /// Registers the bundles of a file.
    pub(super) fn add(&mut self, found: &Found, bytes: &[u8]) {
        if bytes.len() > MAX_FILE_BYTES {
            self.too_long(&found.file);
            return;
        }
        let bundles = match read_collection(bytes) {
            Ok(bundles) => bundles,
            Err(error) => {
                self.problem(format!("{}: {error}", found.file));
                return;
            }
        };
        for item in bundles {
            self.bundles += 1;
            if self.bundles > MAX_BUNDLES {
                self.problem(format!(
                    "{}: more than {MAX_BUNDLES} bundles in all files; this and the following do not count",
                    found.file
                ));
                return;
            }
            let expectation = match item.bundle {
                Ok(bundle) => expect::of_bundle(&bundle).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match expectation {
                Ok(expectation) => self.new.push(NewRegistration {
                    expectation,
                    file: found.file.clone(),
                    by: Registrar {
                        authority: self.authority,
                        source: Some(self.source.clone()),
                        commit: found.commit.clone(),
                        author: found.author.clone(),
                        watches: self.watches.clone(),
                    },
                    content: Some(found.content.clone()),
                }),
                Err(why) => {
                    let place = item.place.map(|place| format!(" ({place})"));
                    self.problem(format!(
                        "{}{}: {why}",
                        found.file,
                        place.unwrap_or_default()
                    ));
                }
            }
        }
    }

    /// A file is longer than it may be.
    pub(super) fn too_long(&mut self, file: &str) {
        self.problem(format!("{file}: longer than {MAX_FILE_BYTES} bytes"));
    }

    /// A file is there and does not count.
    pub(super) fn problem(&mut self, sentence: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(sentence);
        } else {
            self.more_problems += 1;
        }
    }

    /// What is new and what is gone. A registration that a changed file holds again keeps its number.
    pub(super) fn finish(mut self) -> Collected {
        let leaves = |hashes: &[[u8; 32]]| {
            let mut hashes = hashes.to_vec();
            hashes.sort_unstable();
            hashes
        };
        let again: HashSet<(&str, Vec<[u8; 32]>)> = self
            .new
            .iter()
            .map(|new| (new.file.as_str(), leaves(&new.expectation.leaf_hashes)))
            .collect();
        let is_gone = |known: &&Registration| {
            let is_again = known.by.authority == self.authority
                && again.contains(&(known.file.as_str(), leaves(&known.expectation.leaf_hashes)));
            !self.kept.contains(&known.number) && !is_again
        };
        let withdrawn = self
            .known
            .iter()
            .filter(is_gone)
            .map(|known| known.number)
            .collect();
        if self.more_problems > 0 {
            self.problems
                .push(format!("and {} more files", self.more_problems));
        }
        Collected {
            new: self.new,
            withdrawn,
            problems: self.problems,
        }
    }
}
