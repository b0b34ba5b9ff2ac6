//! SSH signatures of commits, by the people of an `allowed_signers` file.
//!
//! `ssh-keygen -Y verify` is the program that git itself asks, and the reference for the format of that file.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use tokio::process::Command;

use super::super::program;
use super::error::GitError;
use super::mirror::{Mirror, SHORT_BYTES};
use super::objects::Contents;
use crate::file;

/// Longest `allowed_signers` file, in bytes.
const MAX_SIGNERS_BYTES: usize = 1 << 20;

/// Longest commit that is verified, in bytes: its message is in it.
const MAX_COMMIT_BYTES: usize = 1 << 20;

/// Most principals of one key that are tried.
const MAX_PRINCIPALS: usize = 16;

/// The namespace of git's signatures.
const NAMESPACE: &str = "git";

/// Who may sign.
#[derive(Debug)]
pub(super) struct AllowedSigners {
    /// A copy: every commit of a reading is verified by the same file.
    copy: NamedTempFile,
}

impl AllowedSigners {
    pub(super) fn read(path: &Path) -> Result<Self, GitError> {
        let failed = |path: PathBuf| move |error: std::io::Error| GitError::Io { path, error };
        let bytes = file::read(path, MAX_SIGNERS_BYTES)
            .map_err(|error| failed(path.to_owned())(error.into()))?;
        let copy = written(&bytes).map_err(failed(path.to_owned()))?;
        Ok(Self { copy })
    }

    /// Who of them signed a commit; or why it does not count.
    ///
    /// The validity in the file is compared with the present time: a commit states its own time, and a thief of an old key could
    /// date it back.
    pub(super) async fn verify(
        &self,
        mirror: &Mirror,
        commit: &str,
    ) -> Result<Result<String, String>, GitError> {
        let bytes = Contents::open(mirror)?
            .read(commit, MAX_COMMIT_BYTES)
            .await?;
        let (payload, signature) = match split(&bytes) {
            Ok(parts) => parts,
            Err(why) => return Ok(Err(why.to_owned())),
        };
        let signature = written(&signature).map_err(|error| GitError::Io {
            path: std::env::temp_dir(),
            error,
        })?;
        let mut command = self.ssh_keygen("find-principals");
        command.arg("-s").arg(signature.path());
        let found = program::run(command, b"", SHORT_BYTES, mirror.time).await?;
        if !found.status.success() {
            return Ok(Err("is signed by nobody of allowed_signers".to_owned()));
        }
        let principals = String::from_utf8_lossy(&found.stdout).into_owned();
        for principal in principals
            .lines()
            .filter(|line| !line.is_empty())
            .take(MAX_PRINCIPALS)
        {
            let mut command = self.ssh_keygen("verify");
            command
                .args(["-n", NAMESPACE, "-I", principal])
                .arg("-s")
                .arg(signature.path());
            let verified = program::run(command, &payload, SHORT_BYTES, mirror.time).await?;
            if verified.status.success() {
                return Ok(Ok(principal.to_owned()));
            }
        }
        Ok(Err("has a signature that does not verify".to_owned()))
    }

    fn ssh_keygen(&self, action: &str) -> Command {
        let mut command = Command::new("ssh-keygen");
        command.env_clear();
        for name in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("LC_ALL", "C");
        command.args(["-Y", action, "-f"]).arg(self.copy.path());
        command
    }
}

fn written(bytes: &[u8]) -> std::io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(bytes)?;
    file.flush()?;
    Ok(file)
}

/// The signed part of a commit, and its SSH signature: the header `gpgsig` and its continuation lines, as git takes it out.
fn split(commit: &[u8]) -> Result<(Vec<u8>, Vec<u8>), &'static str> {
    let (mut payload, mut signature) = (Vec::new(), Vec::new());
    let mut signatures = 0;
    let mut lines = commit.split_inclusive(|byte| *byte == b'\n');
    // Of which signature the continuation lines are.
    let mut within = Header::Other;
    for line in lines.by_ref() {
        if line == b"\n" {
            payload.extend_from_slice(line);
            break;
        }
        if let Some(rest) = line.strip_prefix(b" ") {
            match within {
                Header::Signature => signature.extend_from_slice(rest),
                Header::OtherSignature => {}
                Header::Other => payload.extend_from_slice(line),
            }
        } else if let Some(rest) = line.strip_prefix(b"gpgsig ") {
            signatures += 1;
            signature.extend_from_slice(rest);
            within = Header::Signature;
        } else if line.starts_with(b"gpgsig-") {
            within = Header::OtherSignature;
        } else {
            payload.extend_from_slice(line);
            within = Header::Other;
        }
    }
    for line in lines {
        payload.extend_from_slice(line);
    }
    match signatures {
        0 => Err("is not signed"),
        1 if signature.starts_with(b"-----BEGIN SSH SIGNATURE-----") => Ok((payload, signature)),
        1 => Err("has a signature of another kind than SSH"),
        _ => Err("has several signatures"),
    }
}

enum Header {
    Signature,
    OtherSignature,
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_taken_out_of_the_header_alone() {
        let commit = b"tree 1\nauthor a\ngpgsig -----BEGIN SSH SIGNATURE-----\n AA\n -----END SSH SIGNATURE-----\nx-note y\n z\n\ntext\ngpgsig no\n b\n";
        let (payload, signature) = split(commit).expect("signed");
        assert_eq!(
            payload,
            b"tree 1\nauthor a\nx-note y\n z\n\ntext\ngpgsig no\n b\n"
        );
        assert_eq!(
            signature,
            b"-----BEGIN SSH SIGNATURE-----\nAA\n-----END SSH SIGNATURE-----\n"
        );
        for (commit, why) in [
            (
                &b"tree 1\n\ngpgsig -----BEGIN SSH SIGNATURE-----\n"[..],
                "is not signed",
            ),
            (
                b"gpgsig -----BEGIN PGP SIGNATURE-----\n\nx",
                "has a signature of another kind than SSH",
            ),
            (
                b"gpgsig -----BEGIN SSH SIGNATURE-----\ngpgsig -----BEGIN SSH SIGNATURE-----\n\nx",
                "has several signatures",
            ),
            (b"", "is not signed"),
        ] {
            assert_eq!(split(commit), Err(why));
        }
    }
}
