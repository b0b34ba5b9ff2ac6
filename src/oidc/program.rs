//! Programs of a platform that print a token.

use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::endpoint::cut;
use super::error::OidcError;
use super::platform::Platform;
use model_signing::sigstore::MAX_TOKEN_BYTES;

/// How long the program may take: it requests the token from a server.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a program of the platform and takes what it prints. None of `arguments` may be a secret: other users see them.
pub(super) async fn run(
    platform: Platform,
    program: &str,
    arguments: &[&str],
) -> Result<SecretString, OidcError> {
    let failed = |reason: String| OidcError::Ambient {
        platform,
        reason: format!("`{program} {}` {reason}", arguments.join(" ")),
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ran = timeout(PATIENCE, async {
        let (printed, complaint) = tokio::join!(beginning(stdout), beginning(stderr));
        if printed.len() > MAX_TOKEN_BYTES {
            return Err(failed(format!("prints more than {MAX_TOKEN_BYTES} bytes")));
        }
        let status = child.wait().await;
        let status = status.map_err(|error| failed(format!("was lost: {error}")))?;
        if !status.success() {
            // Not standard output: a token may be in it.
            let complaint = String::from_utf8_lossy(&complaint);
            let line = complaint.lines().find(|line| !line.trim().is_empty());
            return Err(failed(format!(
                "ended with {status}: {:?}",
                cut(line.unwrap_or_default().trim())
            )));
        }
        Ok(printed)
    });
    let printed = ran
        .await
        .map_err(|_| failed(format!("took longer than {} s", PATIENCE.as_secs())))??;
    let token = String::from_utf8(printed);
    let token = token.map_err(|_| failed("printed something else than a token".to_owned()))?;
    Ok(SecretString::from(token.trim()))
}

/// One byte more than a token may have, at most.
async fn beginning(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let limit = MAX_TOKEN_BYTES as u64 + 1;
        // What can no longer be read is missing, and is found out by the exit status or in the token.
        let _ = stream.take(limit).read_to_end(&mut bytes).await;
    }
    bytes
}
