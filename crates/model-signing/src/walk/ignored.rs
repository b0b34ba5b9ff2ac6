//! What is left out of a manifest.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::resolve::resolve;

/// What the reference leaves out at the top of a model by default: no part of a model, and different in
/// each clone of it.
pub const GIT_PATHS: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// Where the client of Hugging Face keeps what it needs to resume a download, in the directory of the model. It is not left out
/// unless this is asked for, but nobody means to sign it: it differs in each copy.
pub const DOWNLOAD_CACHE: &str = ".cache/huggingface";

/// Paths that are left out of a manifest, each with everything below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Relative to the model; components joined by `/`. `.` is the whole model.
    paths: BTreeSet<Vec<u8>>,
}

/// A path in the model that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// Something is there now.
    pub exists: bool,
    /// It has a character of patterns in it, which the specification does not allow in a signature (section 6.2.1).
    pub has_pattern: bool,
}

/// Whether a path has one of the characters `*`, `?` and `[`, which mean something in patterns.
pub fn has_pattern(path: &[u8]) -> bool {
    path.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

impl Ignored {
    /// Nothing is left out.
    pub fn none() -> Self {
        Self::default()
    }

    /// Leaves out [`GIT_PATHS`] at the top of the model.
    pub fn add_git_paths(&mut self) {
        self.paths.extend(GIT_PATHS.map(Into::into));
    }

    /// Leaves out what `path` is: a path as the user gives it, relative to the working directory. Answers what it is in
    /// the model; if it is not in it, nothing is left out.
    ///
    /// Symlinks in the path are followed, as far as it exists, so what is left out is what the path leads to.
    ///
    /// # Errors
    ///
    /// There is no working directory, or a symlink on the way cannot be read.
    pub fn add(&mut self, model: &Path, path: &Path) -> io::Result<Option<Inside>> {
        let model = resolve(model)?;
        let path = resolve(path)?;
        let Ok(inside) = path.strip_prefix(&model) else {
            return Ok(None);
        };
        let inside = joined_by_slashes(inside);
        let found = Inside {
            exists: path.symlink_metadata().is_ok(),
            has_pattern: has_pattern(&inside),
        };
        self.paths.insert(if inside.is_empty() {
            b".".to_vec()
        } else {
            inside
        });
        Ok(Some(found))
    }

    /// Leaves out what the signer left out, as the signature records it: names relative to the model.
    ///
    /// Names that do not stay in the model match nothing.
    pub fn add_recorded<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        for name in names {
            let parts: Vec<_> = name
                .split('/')
                .filter(|part| !part.is_empty() && *part != ".")
                .collect();
            if name.starts_with('/') || parts.contains(&"..") {
                continue;
            }
            self.paths.insert(if parts.is_empty() {
                b".".to_vec()
            } else {
                parts.join("/").into_bytes()
            });
        }
    }

    /// Whether the whole model is left out.
    pub fn hides_everything(&self) -> bool {
        self.paths.contains(b".".as_slice())
    }

    /// The paths, for the record in a signature; `Err` is one that is not UTF-8, which cannot be recorded.
    ///
    /// # Errors
    ///
    /// The path, as far as it can be shown.
    pub fn recorded(&self) -> Result<Vec<String>, String> {
        self.paths
            .iter()
            .map(|path| {
                String::from_utf8(path.clone())
                    .map_err(|_| String::from_utf8_lossy(path).into_owned())
            })
            .collect()
    }

    /// Whether exactly this is left out. The walk checks each directory before its content.
    pub(super) fn contains(&self, name: &[u8]) -> bool {
        self.paths.contains(name)
    }

    /// Whether this or something above it is left out.
    pub fn covers(&self, name: &str) -> bool {
        let name = name.as_bytes();
        self.hides_everything()
            || self.contains(name)
            || name
                .iter()
                .enumerate()
                .filter(|(_, byte)| **byte == b'/')
                .any(|(at, _)| name.get(..at).is_some_and(|above| self.contains(above)))
    }
}

/// The bytes of a path in a model, as names of a model are written. On Windows, what is no Unicode is not UTF-8 either.
fn joined_by_slashes(path: &Path) -> Vec<u8> {
    let mut bytes = path.as_os_str().as_encoded_bytes().to_vec();
    if cfg!(windows) {
        for byte in &mut bytes {
            if *byte == b'\\' {
                *byte = b'/';
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a temporary directory that cannot be written is a failed test"
    )]

    #[cfg(unix)]
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_path_is_left_out_with_everything_below_it_and_nothing_that_only_begins_like_it() {
        let mut ignored = Ignored::none();
        ignored.add_recorded(["a/b", "./c//d/.", "/etc", "../x", "y/../z"]);
        for (name, is) in [
            ("a/b", true),
            ("a/b/c", true),
            ("a/bc", false),
            ("a", false),
            ("c/d/e", true),
            ("etc", false),
            ("x", false),
            ("z", false),
            ("y", false),
        ] {
            assert_eq!(ignored.covers(name), is, "{name}");
        }
        assert_eq!(ignored.recorded().unwrap(), ["a/b", "c/d"]);
    }

    #[test]
    fn the_git_paths_are_left_out_at_the_top_only() {
        let mut ignored = Ignored::none();
        ignored.add_git_paths();
        for (name, is) in [
            (".git/HEAD", true),
            (".gitignore", true),
            (".gitmodules", false),
            ("sub/.git/HEAD", false),
            (".GIT", false),
        ] {
            assert_eq!(ignored.covers(name), is, "{name}");
        }
    }

    #[test]
    fn every_spelling_of_the_model_itself_hides_everything() {
        for name in [".", "", "./", "./."] {
            let mut ignored = Ignored::none();
            ignored.add_recorded([name]);
            assert!(
                ignored.hides_everything() && ignored.covers("a"),
                "{name:?}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_of_the_user_is_what_it_leads_to() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("m/d")).unwrap();
        fs::write(at("m/d/f"), "").unwrap();
        symlink("d/f", at("m/link")).unwrap();
        symlink(at("m"), at("n")).unwrap();
        for (model, path, recorded) in [
            ("m", "m/d/", Some("d")),
            ("m", "m/d/../d/f", Some("d/f")),
            ("m", "m/link", Some("d/f")),
            ("m", "n/d", Some("d")),
            ("n", "m/d", Some("d")),
            ("m", "m/no/such/../file", Some("no/file")),
            ("m", "m", Some(".")),
            ("m", "md", None),
            ("m", "m/..", None),
        ] {
            let mut ignored = Ignored::none();
            let inside = ignored.add(&at(model), &at(path)).unwrap();
            assert_eq!(inside.is_some(), recorded.is_some(), "{path}");
            let exists = at(path).exists();
            assert_eq!(
                inside.is_some_and(|inside| inside.exists),
                exists && recorded.is_some()
            );
            let expected: Vec<_> = recorded.into_iter().collect();
            assert_eq!(ignored.recorded().unwrap(), expected, "{path}");
        }
        for (path, pattern) in [
            ("m/*.tmp", true),
            ("m/a?", true),
            ("m/[ab]", true),
            ("m/a]", false),
        ] {
            let inside = Ignored::none().add(&at("m"), &at(path)).unwrap().unwrap();
            assert_eq!(
                (inside.exists, inside.has_pattern),
                (false, pattern),
                "{path}"
            );
        }
        symlink("loop", at("loop")).unwrap();
        assert!(Ignored::none().add(&at("m"), &at("loop")).is_err());
    }
}
