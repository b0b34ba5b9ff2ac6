//! A program that gets one JSON line on its standard input.
//!
//! The line is not an argument and not in the environment, so text from a log never reaches a shell.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::channel_type::{ChannelSettings, ChannelType, KeyType, Place, Written};
use super::error::remote_text;
use super::{Lacking, Links, Message, Notifier, NotifyError, Receipt, render};
use crate::http;
use crate::process::Group;
use crate::secret::SecretSource;

/// The end of a program's standard error that is kept, in bytes.
const STDERR_TAIL_BYTES: usize = 1024;

/// How long to wait for the rest of a program's standard error after it has exited. A process that it left behind may
/// keep the pipe open for ever.
const STDERR_GRACE: Duration = Duration::from_millis(200);

/// A program that gets one JSON line on its standard input.
pub(super) const TYPE: ChannelType = ChannelType {
    name: "exec",
    keys: &[("command", KeyType::Texts), ("timeout", KeyType::Duration)],
    read,
};

/// A program.
#[derive(Debug, Clone)]
pub(super) struct ExecSettings {
    /// The program: a path, or a name without a `/` that is searched in the PATH.
    pub(super) program: PathBuf,
    /// Its arguments; no shell is involved.
    pub(super) arguments: Vec<String>,
    /// Time limit for one message, [`Self::DEFAULT_TIMEOUT`] unless given.
    pub(super) timeout: Duration,
}

impl ExecSettings {
    /// Default time limit of a program for one message.
    pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
}

fn read(written: &mut Written) -> Option<Arc<dyn ChannelSettings>> {
    if !written.has("command") {
        written.error(
            Place::Channel,
            "command is missing",
            Some("write command = [\"program\", \"argument\"]"),
        );
    }
    let command = written.texts("command");
    if let [only] = command.as_slice()
        && only.contains(' ')
    {
        written.warning(
            Place::Element("command", 0),
            "no shell is involved: this is the name of one program, spaces included",
            Some("write [\"program\", \"argument\"], or [\"sh\", \"-c\", \"…\"]"),
        );
    }
    let (program, arguments) = command.split_first()?;
    Some(Arc::new(ExecSettings {
        // With a `/` it is a path relative to the directory of the configuration: cron starts this program in the home
        // directory, systemd in `/`. Without, it is searched in the PATH.
        program: if program.contains('/') {
            written.path(program)
        } else {
            PathBuf::from(program)
        },
        arguments: arguments.to_vec(),
        timeout: written
            .duration("timeout")
            .unwrap_or(ExecSettings::DEFAULT_TIMEOUT),
    }))
}

#[async_trait]
impl ChannelSettings for ExecSettings {
    fn notifier(&self, _http: &http::Client, _: &Links) -> Box<dyn Notifier> {
        Box::new(Exec::new(self.clone()))
    }

    fn secrets(&self) -> Vec<SecretSource> {
        Vec::new()
    }

    async fn lacking(&self) -> Vec<Lacking> {
        let error = runnable(&self.program).err();
        let lacking = error.map(|what| Lacking::new("command", NotifyError::Setup { what }));
        lacking.into_iter().collect()
    }
}

/// Runs a program per message.
pub(super) struct Exec {
    settings: ExecSettings,
}

impl Exec {
    pub(super) fn new(settings: ExecSettings) -> Self {
        Self { settings }
    }
}

#[async_trait]
impl Notifier for Exec {
    async fn send_to_rest(
        &self,
        message: &Message,
        _: &mut Receipt,
        _now: Timestamp,
    ) -> Result<(), NotifyError> {
        let program = self.settings.program.display().to_string();
        let mut command = Command::new(&self.settings.program);
        command
            .args(&self.settings.arguments)
            .stdin(Stdio::piped())
            // The standard output of modelwatch belongs to the channel of that type.
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let child = command.spawn().map_err(|error| NotifyError::Setup {
            what: format!("{program} cannot be run: {error}"),
        })?;
        let failed = |outcome: String, stderr: String| NotifyError::Program {
            program: program.clone(),
            outcome,
            stderr,
        };
        let tail = Tail::default();
        let mut line = render::json(message);
        line.push('\n');
        let limit = self.settings.timeout;
        // After a timeout the future is dropped, and `Group` kills the remaining processes.
        match timeout(limit, run(child, line, &tail)).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(failed(format!("ended with {status}"), tail.text())),
            Ok(Err(error)) => Err(failed(
                format!("cannot be waited for: {error}"),
                tail.text(),
            )),
            Err(_) => {
                let outcome = format!(
                    "did not finish within {} ms, and was killed",
                    limit.as_millis()
                );
                Err(failed(outcome, tail.text()))
            }
        }
    }
}

/// Hands the line over and waits for the program's end.
async fn run(child: Child, line: String, tail: &Tail) -> std::io::Result<ExitStatus> {
    let mut group = Group::new(child);
    let stdin = group.child.stdin.take();
    let stderr = group.child.stderr.take();
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program need not read its input: its exit code shows whether it succeeded.
            let _ = stdin.write_all(line.as_bytes()).await;
        }
        // Dropped here: the end of the file.
    };
    let drain = async {
        if let Some(stderr) = stderr {
            tail.fill(stderr).await;
        }
    };
    tokio::pin!(drain);
    let status = {
        let wait = async {
            let status = group.child.wait().await;
            group.ended = true;
            status
        };
        // All at once: a program that writes much before it reads must not cause a deadlock.
        let both = async { tokio::join!(wait, feed).0 };
        tokio::pin!(both);
        tokio::select! {
            status = &mut both => status,
            () = &mut drain => return both.await,
        }
    };
    let _ = timeout(STDERR_GRACE, drain).await;
    status
}

/// The end of the output, shared so that it survives the reading future.
#[derive(Clone, Default)]
struct Tail(Arc<Mutex<Vec<u8>>>);

impl Tail {
    async fn fill(&self, mut from: impl AsyncRead + Unpin) {
        let mut buffer = [0; 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let mut tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            tail.extend_from_slice(buffer.get(..length).unwrap_or_default());
            let superfluous = tail.len().saturating_sub(STDERR_TAIL_BYTES);
            tail.drain(..superfluous);
        }
    }

    /// Its last lines that fit, escaped.
    fn text(&self) -> String {
        let tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&tail);
        let text = text.trim_end();
        // The end describes the error; the first line may be incomplete.
        let cut = text
            .chars()
            .count()
            .saturating_sub(super::error::REMOTE_TEXT_CHARS);
        remote_text(&text.chars().skip(cut).collect::<String>())
    }
}

/// Whether a program can be started. It is searched as the system does: by its path if that has a `/`, else in the
/// directories of `PATH`. It is not started.
fn runnable(program: &Path) -> Result<(), String> {
    if program
        .parent()
        .is_none_or(|parent| !parent.as_os_str().is_empty())
    {
        return executable(program).map_err(|why| format!("{} {why}", program.display()));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut near = None;
    for directory in std::env::split_paths(&path) {
        let file: PathBuf = directory.join(program);
        match executable(&file) {
            Ok(()) => return Ok(()),
            Err(why) if file.exists() => {
                near.get_or_insert(format!("{} {why}", file.display()));
            }
            Err(_) => {}
        }
    }
    Err(near.unwrap_or_else(|| {
        let program = program.display();
        format!("there is no program `{program}` in the directories of PATH")
    }))
}

fn executable(file: &Path) -> Result<(), String> {
    let metadata = file.metadata().map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            "does not exist".to_owned()
        } else {
            format!("cannot be checked: {error}")
        }
    })?;
    if !metadata.is_file() {
        return Err("is not a file".to_owned());
    }
    #[cfg(unix)]
    if rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_err() {
        return Err("is not executable by this user".to_owned());
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::notify::testing;

    fn shell(script: &str, timeout: Duration) -> Exec {
        Exec::new(ExecSettings {
            program: "sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            timeout,
        })
    }

    const LONG: Duration = Duration::from_secs(30);

    async fn send(exec: &Exec, message: &Message) -> Result<(), NotifyError> {
        exec.send(message, testing::NOW).await
    }

    #[tokio::test]
    async fn a_program_is_given_one_line_and_the_end_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("box");
        let exec = shell(&format!("cat >> {}", path.display()), LONG);
        // More than a pipe holds.
        let findings = (0..100).map(testing::signing).collect();
        let messages = [
            testing::alert(findings),
            testing::alert(vec![testing::hostile("a\nb")]),
        ];
        for message in &messages {
            send(&exec, message).await.unwrap();
        }
        let lines = std::fs::read_to_string(&path).unwrap();
        let expected: Vec<_> = messages.iter().map(render::json).collect();
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
        assert!(expected.iter().any(|line| line.len() > 65536));
    }

    #[tokio::test]
    async fn a_program_that_does_not_read_is_judged_by_its_exit_code() {
        let big = testing::alert((0..100).map(testing::signing).collect());
        send(&shell("exit 0", LONG), &big).await.unwrap();
        let error = send(&shell("exit 7", LONG), &big).await.unwrap_err();
        assert!(error.to_string().contains('7'), "{error}");
    }

    #[tokio::test]
    async fn its_standard_error_is_reported_escaped_and_bounded() {
        let script =
            r"head -c 100000 /dev/zero | tr '\0' x >&2; printf 'no \033[31mway' >&2; exit 1";
        let error = send(&shell(script, LONG), &testing::alert(vec![]))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.ends_with(r"no \u{1b}[31mway"), "{error}");
        assert!(error.len() < 2000, "{}", error.len());
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pids");
        // The child of the shell would survive if only the shell was killed.
        let script = format!(
            "echo stuck >&2; sleep 1000 & echo $! > {}; wait",
            path.display()
        );
        let exec = shell(&script, Duration::from_millis(500));
        let error = send(&exec, &testing::alert(vec![]))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("killed: stuck"), "{error}");
        let pid: i32 = std::fs::read_to_string(&path)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert!(gone(pid), "{pid} is alive");
    }

    /// Killed, but perhaps not yet reaped by its parent.
    fn gone(pid: i32) -> bool {
        (0..1_000_000).any(|_| {
            std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| {
                stat.rsplit(')').next().is_some_and(|s| s.starts_with(" Z"))
            })
        })
    }

    #[tokio::test]
    async fn a_remaining_temporary_file_does_not_block_a_write() {
        let error = send(&shell("sleep 5 & exit 3", LONG), &testing::alert(vec![])).await;
        assert!(matches!(error, Err(NotifyError::Program { .. })));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_for_the_operator() {
        let exec = Exec::new(ExecSettings {
            program: "/nonexistent/program".into(),
            arguments: Vec::new(),
            timeout: LONG,
        });
        let error = send(&exec, &testing::alert(vec![])).await.unwrap_err();
        assert!(error.needs_operator(), "{error}");
    }
}
