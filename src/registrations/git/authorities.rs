//! The certificate authorities that git trusts. git takes one file in place of the system's, so both are written into one.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::GitError;
use crate::file;

/// The file, in the directory of our copy.
pub(super) const FILE: &str = "modelwatch-authorities.pem";

/// The variable that names this file to git.
pub(super) const VARIABLE: &str = "GIT_SSL_CAINFO";

/// Longest file of authorities, in bytes: as `ca_certificates` is read elsewhere.
const LIMIT_BYTES: usize = 4 << 20;

/// Where systems have theirs: Debian, Red Hat, SUSE, and BSD, macOS and Alpine.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Writes the authorities of the environment, or else of the system, and those of these files into [`FILE`] of a directory;
/// nothing if there are no files.
pub(super) fn write(directory: &Path, files: &[PathBuf]) -> Result<(), GitError> {
    if files.is_empty() {
        return Ok(());
    }
    let variables = [VARIABLE, "SSL_CERT_FILE"].map(std::env::var_os);
    let known = variables.into_iter().flatten().map(PathBuf::from);
    let mut known = known.chain(SYSTEM.iter().map(PathBuf::from));
    let system = known.find_map(|path| file::read(&path, LIMIT_BYTES).ok());
    let mut all = system.unwrap_or_default();
    for path in files {
        let pem = file::read(path, LIMIT_BYTES).map_err(|error| GitError::Authorities {
            path: path.clone(),
            why: error.to_string(),
        })?;
        all.push(b'\n');
        all.extend(pem);
    }
    let path = directory.join(FILE);
    fs::write(&path, all).map_err(|error| GitError::Io { path, error })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    #[test]
    fn all_files_are_in_one_and_one_that_is_missing_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        write(directory.path(), &[]).unwrap();
        assert!(!at(FILE).exists());
        fs::write(at("one"), "FIRST").unwrap();
        fs::write(at("two"), "SECOND").unwrap();
        write(directory.path(), &[at("one"), at("two")]).unwrap();
        let written = fs::read_to_string(at(FILE)).unwrap();
        assert!(written.ends_with("\nFIRST\nSECOND"), "{written}");
        let error = write(directory.path(), &[at("three")]).unwrap_err();
        assert!(error.to_string().contains("three"), "{error}");
    }
}
