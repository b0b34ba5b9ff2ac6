//! A program whose output and time are limited.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use crate::escape;
use crate::process::Group;

/// The end of the standard error that is kept, in bytes.
const STDERR_BYTES: usize = 2048;

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    #[error("the program {program} cannot be run: {error}")]
    Start {
        program: String,
        error: std::io::Error,
    },
    #[error("{program} did not end within {} s", time.as_secs())]
    Time { program: String, time: Duration },
    #[error("{program} wrote more than {limit_bytes} bytes")]
    TooLong { program: String, limit_bytes: usize },
    #[error("{program}: {error}")]
    Io {
        program: String,
        error: std::io::Error,
    },
}

/// What a program answered.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    /// The end of its standard error, escaped, in one line.
    pub(super) stderr: String,
}

/// Runs a program to its end. After `time`, and with more than `limit_bytes` of output, it is killed with all processes that it
/// started.
pub(super) async fn run(
    mut command: Command,
    input: &[u8],
    limit_bytes: usize,
    time: Duration,
) -> Result<Ended, ProgramError> {
    let program = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0);
    let child = command.spawn().map_err(|error| ProgramError::Start {
        program: program.clone(),
        error,
    })?;
    let mut group = Group::new(child);
    let (stdin, stdout, stderr) = (
        group.child.stdin.take(),
        group.child.stdout.take(),
        group.child.stderr.take(),
    );
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program need not read its input.
            let _ = stdin.write_all(input).await;
        }
    };
    let read = async {
        let mut bytes = Vec::new();
        if let Some(stdout) = stdout {
            let limit = (limit_bytes as u64).saturating_add(1);
            stdout.take(limit).read_to_end(&mut bytes).await?;
        }
        Ok::<_, std::io::Error>(bytes)
    };
    let all = async {
        // At once: a program that writes much before it reads must not cause a deadlock.
        let ((), read, stderr) = tokio::join!(feed, read, tail(stderr));
        let stdout = read?;
        if stdout.len() > limit_bytes {
            return Ok(None);
        }
        let status = group.child.wait().await?;
        group.ended = true;
        Ok::<_, std::io::Error>(Some(Ended {
            status,
            stdout,
            stderr,
        }))
    };
    match timeout(time, all).await {
        Err(_) => Err(ProgramError::Time { program, time }),
        Ok(Err(error)) => Err(ProgramError::Io { program, error }),
        Ok(Ok(None)) => Err(ProgramError::TooLong {
            program,
            limit_bytes,
        }),
        Ok(Ok(Some(ended))) => Ok(ended),
    }
}

/// The end of a stream in one line.
async fn tail(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else {
        return String::new();
    };
    let mut end = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        end.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let superfluous = end.len().saturating_sub(STDERR_BYTES);
        end.drain(..superfluous);
    }
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        // ssh writes frames around its warnings.
        .filter(|line| !line.trim_matches('@').is_empty())
        .collect();
    escape::terminal(&lines.join("; ")).to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn output_time_and_errors_are_limited_and_reported() {
        let time = Duration::from_secs(30);
        let ended = run(
            shell("cat; echo a >&2; echo @@@@ >&2; echo b >&2; exit 3"),
            b"in",
            9,
            time,
        )
        .await
        .unwrap();
        assert_eq!(
            (ended.stdout.as_slice(), ended.stderr.as_str()),
            (&b"in"[..], "a; b")
        );
        assert_eq!(ended.status.code(), Some(3));
        let long = run(shell("yes"), b"", 1000, time).await;
        assert!(
            matches!(long, Err(ProgramError::TooLong { .. })),
            "{long:?}"
        );
        let slow = run(
            shell("exec tail -f /dev/null"),
            b"",
            9,
            Duration::from_millis(50),
        )
        .await;
        assert!(matches!(slow, Err(ProgramError::Time { .. })), "{slow:?}");
        let missing = run(Command::new("/nowhere/git"), b"", 9, time).await;
        assert!(
            matches!(missing, Err(ProgramError::Start { .. })),
            "{missing:?}"
        );
    }
}
