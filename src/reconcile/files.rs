//! Finds the bundles in the paths of the command line: files, model directories, and trees of them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, FileType};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use model_signing::bundle::{Bundle, MAX_BUNDLE_BYTES, is_json, read_collection};
use model_signing::verify::SignatureFile;

use crate::file::{self, FileError};

/// Most entries of all directories together. A model has hundreds of files.
const MAX_ENTRIES: usize = 1_000_000;

/// What a file has to begin with to be looked at.
const HEAD_BYTES: usize = 64 * 1024;

/// How the names of signature files end, in lower case. Whatever such a file holds is looked at.
const ENDINGS: [&str; 8] = [
    ".sig",
    ".sigstore",
    ".sigstore.json",
    ".sigstore.jsonl",
    ".bundle.json",
    ".publish.attestation",
    ".intoto.jsonl",
    ".provenance",
];

/// Names that every bundle has, in one of its forms. A JSON file with one of them is looked at, whatever it is called.
const MARKERS: [&[u8]; 5] = [
    b"application/vnd.dev.sigstore.bundle",
    b"dsseEnvelope",
    b"messageSignature",
    b"verificationMaterial",
    b"verification_material",
];

/// A file that holds bundles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BundleFile {
    /// As it was named, or found below a path that was named.
    pub(super) path: PathBuf,
    /// Whether it was found in a directory, and not named itself.
    pub(super) is_found: bool,
}

/// What the paths hold.
#[derive(Debug, Default)]
pub(super) struct BundleFiles {
    /// In the order of the paths, sorted within each.
    pub(super) files: Vec<BundleFile>,
    /// What could not be looked at: which path, and why.
    pub(super) problems: Vec<(String, String)>,
}

/// A path that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be read: {source}")]
pub struct NoSuchPath {
    path: String,
    source: io::Error,
}

impl BundleFiles {
    /// Looks for bundles in these paths: a file is one, and a directory is searched with all below it. Each file is listed
    /// once.
    ///
    /// Symlinks to files are followed, because repositories of models consist of them. Those to directories are not: what lies
    /// in the tree is found anyway, and what lies outside is reported.
    ///
    /// # Errors
    ///
    /// A path does not exist, or cannot be looked at.
    pub(super) fn find(paths: &[PathBuf]) -> Result<Self, NoSuchPath> {
        let mut found = Search::default();
        for path in paths {
            let failed = |source| NoSuchPath {
                path: path.display().to_string(),
                source,
            };
            let metadata = path.metadata().map_err(failed)?;
            if metadata.is_dir() {
                let before = (found.hits, found.listed.problems.len());
                found.walk(path);
                if (found.hits, found.listed.problems.len()) == before {
                    let why = "no bundle was found in this directory".to_owned();
                    found.problem(path, why);
                }
            } else {
                found.add(path.clone(), false);
            }
        }
        Ok(found.listed)
    }

    /// The paths of the files, ordered so that those below one directory follow each other.
    pub(super) fn ordered(&self) -> BTreeSet<&Path> {
        self.files.iter().map(|file| file.path.as_path()).collect()
    }

    /// How many of the files lie in each directory.
    pub(super) fn by_directory(&self) -> HashMap<&Path, usize> {
        let mut counts = HashMap::new();
        for parent in self.files.iter().filter_map(|file| file.path.parent()) {
            *counts.entry(parent).or_default() += 1;
        }
        counts
    }
}

#[derive(Default)]
struct Search {
    listed: BundleFiles,
    /// Files that are listed: their real directories and their names. The same file under another name may lie beside
    /// another model.
    known: HashSet<(PathBuf, OsString)>,
    /// The directory of the file that was listed last, as it was named, and its real path: most files follow others of theirs.
    directory: Option<(PathBuf, PathBuf)>,
    /// Files that were found, each as often as it was found.
    hits: usize,
    entries: usize,
}

impl Search {
    fn problem(&mut self, path: &Path, why: impl Into<String>) {
        let path = path.display().to_string();
        self.listed.problems.push((path, why.into()));
    }

    fn add(&mut self, path: PathBuf, is_found: bool) {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let real = match self.directory.take() {
            Some((named, real)) if named == directory => real,
            _ => directory
                .canonicalize()
                .unwrap_or_else(|_| directory.to_owned()),
        };
        self.directory = Some((directory.to_owned(), real.clone()));
        let name = path.file_name().unwrap_or_default().to_owned();
        self.hits += 1;
        if self.known.insert((real, name)) {
            self.listed.files.push(BundleFile { path, is_found });
        }
    }

    fn walk(&mut self, root: &Path) {
        let real_root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let mut pending = vec![root.to_owned()];
        while let Some(directory) = pending.pop() {
            let listed = fs::read_dir(&directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let mut entries = match listed {
                Ok(entries) => entries,
                Err(error) => {
                    self.problem(&directory, format!("the directory cannot be read: {error}"));
                    continue;
                }
            };
            self.entries = self.entries.saturating_add(entries.len());
            if self.entries > MAX_ENTRIES {
                let why = format!(
                    "there are more than {MAX_ENTRIES} files below the paths: the rest is not looked at, name fewer directories"
                );
                self.problem(root, why);
                return;
            }
            entries.sort_by_key(fs::DirEntry::file_name);
            // The first one is searched first.
            let mut below = Vec::new();
            for entry in entries {
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => {
                        if entry.file_name() != ".git" {
                            below.push(path);
                        }
                    }
                    Ok(kind) => self.consider(path, kind, &real_root),
                    Err(error) => self.problem(&path, error.to_string()),
                }
            }
            pending.extend(below.into_iter().rev());
        }
    }

    /// Lists a file of a directory, if it looks like one with bundles.
    fn consider(&mut self, path: PathBuf, kind: FileType, root: &Path) {
        if kind.is_symlink() {
            match path.metadata() {
                Ok(target) if target.is_file() => {}
                Ok(target) if target.is_dir() => {
                    let real = path.canonicalize();
                    if !real.is_ok_and(|real| real.starts_with(root)) {
                        let why = "a symlink leads to a directory outside and is not followed: name the directory itself";
                        self.problem(&path, why);
                    }
                    return;
                }
                Err(error) if has_signature_name(&path) => {
                    return self.problem(&path, format!("the symlink leads nowhere: {error}"));
                }
                _ => return,
            }
        } else if !kind.is_file() {
            return;
        }
        if has_signature_name(&path) {
            return self.add(path, true);
        }
        match holds_bundles(&path) {
            Ok(true) => self.add(path, true),
            Ok(false) => {}
            Err(error) => self.problem(&path, error.to_string()),
        }
    }
}

/// Whether a file is called as signatures are.
pub(super) fn has_signature_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether a file with another name holds bundles, as far as its content shows without parsing it.
fn holds_bundles(path: &Path) -> Result<bool, FileError> {
    let head = file::read_head(path, HEAD_BYTES)?;
    if !is_json(&head) {
        return Ok(false);
    }
    if has_marker(&head) {
        return Ok(true);
    }
    if head.len() < HEAD_BYTES {
        return Ok(is_wide(&head) && has_marker(&narrow(&head)));
    }
    match file::read(path, MAX_BUNDLE_BYTES) {
        Ok(bytes) if is_wide(&bytes) => Ok(has_marker(&narrow(&bytes))),
        Ok(bytes) => Ok(has_marker(&bytes)),
        // A file of bundles is never so long.
        Err(FileError::TooLong { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn has_marker(bytes: &[u8]) -> bool {
    MARKERS
        .iter()
        .any(|marker| memchr::memmem::find(bytes, marker).is_some())
}

/// UTF-16, by its byte order mark.
fn is_wide(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
}

/// The markers are ASCII: in UTF-16 they have zeros between.
fn narrow(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| *byte != 0).collect()
}

/// Whether a file is a model signature as `verify` reads it; otherwise why not.
pub(super) type Strict = Result<(), String>;

/// A bundle of a file, or why one of its items is none.
pub(super) struct Read {
    /// Where in the file; `None` if the file is this one bundle.
    pub(super) place: Option<String>,
    pub(super) bundle: Result<Bundle, String>,
    /// If the file is this one bundle: whether it can be read as a model signature, which `verify` reads more strictly.
    pub(super) strict: Option<Strict>,
}

/// Reads the bundles of a file. A file that cannot be read is one item with an error.
pub(super) fn read(file: &BundleFile) -> Vec<Read> {
    let one = |bundle, strict| {
        vec![Read {
            place: None,
            bundle,
            strict,
        }]
    };
    let bytes = match file::read_regular(&file.path, MAX_BUNDLE_BYTES) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return one(Err("the file is gone".to_owned()), None),
        Err(error) => return one(Err(error.to_string()), None),
    };
    // What the stricter reader takes, the other one reads in the same way: most files are read once.
    let why = match SignatureFile::parse(&bytes) {
        Ok(signature) => return one(Ok(signature.into_bundle()), Some(Ok(()))),
        Err(error) => error.to_string(),
    };
    match read_collection(&bytes) {
        Ok(found) => {
            let is_whole = matches!(found.as_slice(), [one] if one.place.is_none());
            let mut strict = is_whole.then_some(Err(why));
            let items = found.into_iter();
            items
                .map(|item| Read {
                    place: item.place,
                    bundle: item.bundle.map_err(|error| error.to_string()),
                    strict: strict.take(),
                })
                .collect()
        }
        Err(error) => one(Err(error.to_string()), None),
    }
}

/// Those of the paths that are below `directory`, or that are it.
pub(super) fn below<'p>(
    paths: &BTreeSet<&'p Path>,
    directory: &Path,
) -> impl Iterator<Item = &'p Path> {
    // Paths are ordered by their components: everything below a directory follows it.
    let from = paths.range::<Path, _>((Bound::Included(directory), Bound::Unbounded));
    from.copied()
        .take_while(move |path| path.starts_with(directory))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    #[test]
    fn the_paths_below_a_directory_are_those_that_begin_with_it() {
        let names = [
            "a",
            "a/b",
            "a/b/c.sig",
            "a/b!/c",
            "a/b-1/c.sig",
            "a/b/d/e",
            "a/bb",
            "b",
            "/a/b",
            "./a/b/f",
        ];
        let paths: BTreeSet<&Path> = names.iter().map(Path::new).collect();
        for directory in ["a", "a/b", "a/b/", "a/b/d", "b", "c", "/", "", ".", "./a/b"] {
            let directory = Path::new(directory);
            let found: BTreeSet<&Path> = below(&paths, directory).collect();
            let naive = paths
                .iter()
                .copied()
                .filter(|path| path.starts_with(directory));
            assert_eq!(found, naive.collect(), "{directory:?}");
        }
    }

    /// The names of the files that are found, and the places of the problems.
    fn found(paths: &[&Path]) -> (Vec<String>, Vec<String>) {
        let paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
        let listed = BundleFiles::find(&paths).unwrap();
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        (
            listed.files.iter().map(|file| name(&file.path)).collect(),
            listed
                .problems
                .iter()
                .map(|(path, _)| name(Path::new(path)))
                .collect(),
        )
    }

    #[test]
    fn signatures_are_found_by_name_and_by_content_and_each_once() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::create_dir_all(at(".git")).unwrap();
        let bundle = r#" {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}"#;
        let wide: Vec<u8> = "\u{feff}[{\"verificationMaterial\": 1}]"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let late = format!("[{}{bundle}]", " ".repeat(2 * HEAD_BYTES));
        for (name, content) in [
            ("a/model.sig", "garbage"),
            ("a/b/signed.json", bundle),
            ("a/b/config.json", "{}"),
            ("a/b/notes.txt", bundle),
            ("a/b/weights.bin", "dsseEnvelope"),
            ("late", late.as_str()),
            (".git/x.sig", bundle),
        ] {
            fs::write(at(name), content).unwrap();
        }
        fs::write(at("wide"), wide).unwrap();
        let (files, problems) = found(&[directory.path(), &at("a"), &at("a/model.sig")]);
        assert_eq!(
            files,
            ["late", "wide", "model.sig", "notes.txt", "signed.json"]
        );
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn symlinks_to_files_are_followed_and_directories_outside_are_reported() {
        use std::os::unix::fs::symlink;
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["tree/model", "tree/blobs", "outside"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        fs::write(at("tree/blobs/0123"), "{}").unwrap();
        fs::write(at("outside/other.sig"), "{}").unwrap();
        symlink("../blobs/0123", at("tree/model/model.sig")).unwrap();
        symlink("../model", at("tree/blobs/inside")).unwrap();
        symlink(at("tree"), at("tree/loop")).unwrap();
        symlink(at("outside"), at("tree/out")).unwrap();
        symlink("nowhere", at("tree/lost.sig")).unwrap();
        symlink("nowhere", at("tree/lost.bin")).unwrap();
        let (files, problems) = found(&[&at("tree")]);
        assert_eq!(files, ["model.sig"]);
        assert_eq!(problems, ["lost.sig", "out"]);
    }

    #[test]
    fn a_directory_without_a_bundle_is_reported_and_a_path_that_is_not_there_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let (files, problems) = found(&[directory.path()]);
        assert_eq!((files.len(), problems.len()), (0, 1));
        let absent = directory.path().join("absent");
        let error = BundleFiles::find(&[absent]).unwrap_err();
        assert!(
            error.to_string().contains("absent cannot be read"),
            "{error}"
        );
    }
}
