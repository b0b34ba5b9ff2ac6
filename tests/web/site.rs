//! A configuration in its own directory, with the recorded log of the demo, and a process that serves it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_modelwatch");

/// The command that serves at a free port.
pub const FREE_PORT: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// Nothing here takes a tenth of it, even on a slow machine.
const TIME_LIMIT: Duration = Duration::from_mins(2);

/// A directory with a database, a log and a configuration.
pub struct Site {
    directory: TempDir,
}

impl Site {
    /// The demo, with these lines at the end of its configuration.
    pub fn new(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let kept = Command::new(PROGRAM)
            .args(["demo", "--keep"])
            .arg(directory.path().join("harbor"))
            .output()
            .unwrap();
        assert!(kept.status.success(), "{kept:?}");
        let site = Self { directory };
        site.configure(more);
        site
    }

    /// Writes the configuration of the demo again, with these lines at its end.
    pub fn configure(&self, more: &str) {
        let original = self.path("original.toml");
        if !original.exists() {
            fs::copy(self.path("modelwatch.toml"), &original).unwrap();
        }
        let text = fs::read_to_string(&original).unwrap();
        fs::write(self.path("modelwatch.toml"), format!("{text}\n{more}\n")).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("harbor").join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .arg("--config")
            .arg(self.path("modelwatch.toml"))
            .current_dir(self.directory.path())
            .env_remove("MODELWATCH_LOG")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts a process that serves, and waits until it does.
    pub fn serve(&self, arguments: &[&str]) -> Server {
        Server::start(self.command(arguments))
    }
}

/// A process that serves.
pub struct Server {
    child: Child,
    lines: Receiver<String>,
    /// Its address: `127.0.0.1:PORT`, or the path of a socket.
    pub address: String,
}

impl Server {
    pub fn start(mut command: Command) -> Self {
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut server = Self {
            child,
            lines,
            address: String::new(),
        };
        let line = server.wait_for("listening on ");
        let (_, address) = line.split_once("listening on ").unwrap();
        let address = address.trim_start_matches("http://");
        address
            .trim_start_matches("unix:")
            .clone_into(&mut server.address);
        server
    }

    /// The next line of its log with this text.
    pub fn wait_for(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(TIME_LIMIT);
            let line = line.unwrap_or_else(|_| panic!("no line has {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request as it is written and reads the answer to its end.
    pub fn send(&self, request: &str) -> Answer {
        if self.address.starts_with('/') {
            #[cfg(unix)]
            return exchange(UnixStream::connect(&self.address).unwrap(), request);
        }
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(TIME_LIMIT)).unwrap();
        exchange(stream, request)
    }

    /// GET, with these lines of headers.
    pub fn get(&self, path: &str, headers: &[&str]) -> Answer {
        let host = "Host: localhost";
        let host = if headers.iter().any(|header| header.starts_with("Host:")) {
            None
        } else {
            Some(host)
        };
        let lines: Vec<&str> = host.into_iter().chain(headers.iter().copied()).collect();
        let lines = lines.join("\r\n");
        self.send(&format!(
            "GET {path} HTTP/1.1\r\n{lines}\r\nConnection: close\r\n\r\n"
        ))
    }

    /// POST of a form.
    pub fn post(&self, path: &str, headers: &[&str], form: &str) -> Answer {
        self.post_as("application/x-www-form-urlencoded", path, headers, form)
    }

    /// POST of a body of this media type.
    pub fn post_as(&self, media_type: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut lines = headers.join("\r\n");
        if !lines.is_empty() {
            lines += "\r\n";
        }
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n{lines}Connection: close\r\n\r\n{body}",
            body.len()
        ))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn exchange(mut stream: impl Read + Write, request: &str) -> Answer {
    // A server that refuses a long request closes the connection before it has read all of it.
    let _ = stream.write_all(request.as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    Answer::read(&String::from_utf8(bytes).unwrap())
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Self {
            status: status.unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The value of a metric, as it is written.
    #[track_caller]
    pub fn metric(&self, name: &str) -> &str {
        metric(&self.body, name).unwrap_or_else(|| panic!("no {name} in {}", self.body))
    }
}

/// The value of a metric in a text, with its labels as they are written.
pub fn metric<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

/// The permissions of a file.
#[cfg(unix)]
pub fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o7777
}
