//! The configuration of a run: a log, and as many watches as wanted.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use modelwatch::entry;
use modelwatch::identity::Certificate;

use super::log::ORIGIN;

/// How much the watches find.
#[derive(Clone, Copy)]
pub enum Finds {
    /// One of the recorded leaves.
    OneLeaf,
    /// About this many of the log's entries.
    About(u64),
}

/// The names in the certificates of leaves, with how many of the leaves hold each.
pub struct Names(BTreeMap<String, u64>);

impl Names {
    /// Reads them.
    pub fn of(leaves: &[Vec<u8>]) -> Self {
        let mut names = BTreeMap::new();
        for entry in leaves.iter().filter_map(|leaf| entry::parse(leaf).ok()) {
            for signing in &entry.signings {
                let certificate = signing.signer.certificate();
                for san in certificate.into_iter().flat_map(Certificate::sans) {
                    *names.entry(san.value.clone()).or_default() += 1;
                }
            }
        }
        Self(names)
    }

    /// Names that `wanted` of the leaves hold together, as nearly as whole names can.
    fn holding(&self, wanted: u64) -> Vec<&str> {
        let mut left = wanted;
        let mut chosen = Vec::new();
        for (name, count) in &self.0 {
            if *count <= left {
                left -= count;
                chosen.push(name.as_str());
            }
        }
        chosen
    }
}

/// One run's configuration.
pub struct Configuration<'a> {
    /// URL or directory of the log.
    pub url: &'a str,
    /// Its key.
    pub public_key: &'a Path,
    /// The trusted root, which judges the certificates.
    pub trusted_root: &'a Path,
    /// The number of watches; exact names, globs and extensions in turn.
    pub watches: usize,
    /// How much they find.
    pub finds: Finds,
}

impl Configuration<'_> {
    /// Writes it into a new directory. Answers where it is.
    pub fn write(
        &self,
        directory: &Path,
        names: &Names,
        leaves: usize,
        size: u64,
    ) -> io::Result<PathBuf> {
        if directory.exists() {
            fs::remove_dir_all(directory)?;
        }
        fs::create_dir_all(directory)?;
        let wanted = match self.finds {
            Finds::OneLeaf => 1,
            Finds::About(findings) => findings * leaves as u64 / size,
        };
        let path = directory.join("modelwatch.toml");
        fs::write(&path, self.text(&names.holding(wanted)))?;
        Ok(path)
    }

    fn text(&self, found: &[&str]) -> String {
        let mut text = format!(
            "[store]\nurl = \"sqlite:modelwatch.db\"\n\n[trust]\ntrusted_root = {:?}\n\n\
             [[log]]\nname = \"big\"\ntype = \"rekor-v2\"\nurl = {:?}\norigin = {ORIGIN:?}\n\
             public_key = {:?}\nstart = \"beginning\"\n\n\
             [[channel]]\nname = \"terminal\"\ntype = \"stdout\"\n\n\
             [[watch]]\nname = \"found\"\nsan = {found:?}\n",
            self.trusted_root.to_string_lossy(),
            self.url,
            self.public_key.to_string_lossy(),
        );
        for n in 1..self.watches {
            let condition = match n % 3 {
                0 => format!("san = \"release-{n}@models-{n}.example\""),
                1 => format!(
                    "san_glob = \"https://github.com/owner-{n}-example/model-{n}/.github/workflows/release.yml@refs/tags/*\"\n\
                     issuer = \"https://token.actions.githubusercontent.com\""
                ),
                _ => format!(
                    "extension = {{ source_repository_uri = \"https://github.com/owner-{n}-example/model-{n}\" }}"
                ),
            };
            // Writing to a String cannot fail.
            let _ = write!(text, "\n[[watch]]\nname = \"watch-{n}\"\n{condition}\n");
        }
        text
    }
}
