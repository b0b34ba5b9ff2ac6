//! The program itself, as users run it, with a log that is served on loopback.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

use crate::world::{BUNDLE, FakeLog};

/// A configuration in its own directory, and a server for its log.
pub struct Site {
    pub directory: TempDir,
    pub log: Arc<FakeLog>,
    server: Server,
}

impl Site {
    pub fn new() -> Self {
        let log = Arc::new(FakeLog::new("main.example"));
        let server = Server::start(Arc::clone(&log));
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("key.pem"), log.public_key_pem()).unwrap();
        let config = format!(
            r#"
[store]
url = "sqlite:watch/modelwatch.db"

[[log]]
name = "main"
type = "rekor-v2"
url = "http://127.0.0.1:{}"
origin = "main.example"
public_key = "key.pem"
start = "beginning"

[[watch]]
name = "mail"
san = "release@acme.example"

[[watch]]
name = "release"
san_glob = "https://github.com/acme/owl/.github/workflows/*"
issuer = "https://token.actions.githubusercontent.com"

[[channel]]
name = "file"
type = "exec"
command = ["sh", "alert.sh"]
"#,
            server.port
        );
        std::fs::write(directory.path().join("modelwatch.toml"), config).unwrap();
        std::fs::create_dir(directory.path().join("watch")).unwrap();
        let site = Self {
            directory,
            log,
            server,
        };
        site.alert_with("cat >> alerts.jsonl");
        site
    }

    /// The script that the channel runs for each alert.
    pub fn alert_with(&self, script: &str) {
        std::fs::write(self.directory.path().join("alert.sh"), script).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modelwatch"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_remove("MODELWATCH_CONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// One pass that ends abruptly when the server has given its `k`th answer. Returns whether it did.
    pub fn killed_after(&self, answers: u32) -> bool {
        self.server.kill_after(
            answers,
            self.command(&["monitor", "--once"]).spawn().unwrap(),
        )
    }

    /// Runs this after this number of answers, before the next one is sent.
    pub fn before_answer(&self, number: u32, deed: impl FnOnce() + Send + 'static) {
        self.server.state.lock().unwrap().deed = Some((number, Box::new(deed)));
    }

    /// How many answers were given since the last call.
    pub fn answers(&self) -> u32 {
        std::mem::take(&mut self.server.state.lock().unwrap().answered)
    }

    /// Every finding, as scripts read it.
    pub fn findings(&self) -> Vec<Value> {
        let listed = self.run(&["findings", "list", "--json", "--all"]);
        assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
        text(&listed.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Every alert that reached the channel.
    pub fn alerts(&self) -> Vec<Value> {
        let alerts = std::fs::read_to_string(self.path().join("alerts.jsonl")).unwrap_or_default();
        alerts
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Starts a program on the day on which the logs in `tests/data` were recorded: otherwise a head that is older than a
/// day would be silence. Its clock continues from there.
///
/// It needs Debian's `faketime`. The preloaded library must not change timers and the times of files.
pub fn on_the_day_of_the_recording(command: &mut Command) -> &mut Command {
    const LIBRARY: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";
    command
        .env("LD_PRELOAD", LIBRARY)
        .env("FAKETIME", "@2026-11-21 12:00:00")
        .env("TZ", "UTC")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A server on loopback, one answer for each connection.
struct Server {
    port: u16,
    state: Arc<Mutex<Serving>>,
}

type Deed = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Serving {
    answered: u32,
    /// Dies when this many more answers were given.
    victim: Option<(u32, Child)>,
    /// Done when this many more answers were given.
    deed: Option<(u32, Deed)>,
}

impl Server {
    fn start(log: Arc<FakeLog>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(Serving::default()));
        let serving = Arc::clone(&state);
        // Ends with the test process.
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (log, serving) = (Arc::clone(&log), Arc::clone(&serving));
                // A client that died in the middle is what these tests are about.
                std::thread::spawn(move || drop(answer(&connection, &log, &serving)));
            }
        });
        Self { port, state }
    }

    fn kill_after(&self, answers: u32, victim: Child) -> bool {
        let mut state = self.state.lock().unwrap();
        assert!(answers > state.answered, "too late");
        state.victim = Some((answers - state.answered, victim));
        drop(state);
        // Without a lock: every process is reaped here, killed or not.
        loop {
            let mut state = self.state.lock().unwrap();
            let Some((left, victim)) = &mut state.victim else {
                unreachable!("only this function takes it")
            };
            let left = *left;
            if let Some(status) = victim.try_wait().unwrap() {
                state.victim = None;
                state.answered = 0;
                assert!(
                    left > 0 || status.code().is_none(),
                    "killed, and it ended well: {status}"
                );
                return status.code().is_none();
            }
            drop(state);
            std::thread::yield_now();
        }
    }
}

/// Reads a request, and returns its path.
pub fn requested(connection: &TcpStream) -> std::io::Result<String> {
    let mut request = String::new();
    let mut reader = BufReader::new(connection);
    reader.read_line(&mut request)?;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
    }
    Ok(request.split(' ').nth(1).unwrap_or_default().to_owned())
}

/// Answers a request: with the resource, or that it does not exist.
pub fn respond(mut connection: &TcpStream, resource: Option<Vec<u8>>) -> std::io::Result<()> {
    let (status, body) = match resource {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    connection.write_all(head.as_bytes())?;
    connection.write_all(&body)?;
    connection.flush()
}

fn answer(connection: &TcpStream, log: &FakeLog, serving: &Mutex<Serving>) -> std::io::Result<()> {
    let body = requested(connection)?
        .strip_prefix("/api/v2/")
        .and_then(|path| resource(log, path));
    let mut serving = serving.lock().unwrap();
    if let Some((left, _)) = &mut serving.deed {
        *left = left.saturating_sub(1);
    }
    if let Some((0, deed)) = serving.deed.take_if(|(left, _)| *left == 0) {
        deed();
    }
    respond(connection, body)?;
    serving.answered += 1;
    if let Some((left, victim)) = &mut serving.victim {
        *left = left.saturating_sub(1);
        if *left == 0 {
            victim.kill()?;
        }
    }
    Ok(())
}

/// A file of a tiled log that has at most 256,000 leaves.
pub fn resource(log: &FakeLog, path: &str) -> Option<Vec<u8>> {
    if path == "checkpoint" {
        return Some(log.note());
    }
    let (number, width) = match path.strip_prefix("tile/entries/")?.split_once(".p/") {
        Some((number, width)) => (number, width.parse().ok()?),
        None => (path.strip_prefix("tile/entries/")?, BUNDLE),
    };
    let start = number.parse::<u64>().ok()? * BUNDLE;
    log.bundle_bytes(start..start + width)
}
