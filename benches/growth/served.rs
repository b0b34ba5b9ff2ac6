//! Rows about the pages: what a request costs the server, which writes the first byte when it has the whole page.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::child;
use super::filled;
use super::linux::Bench;
use super::program::with_findings;

/// Requests that are measured together: the kernel counts ticks of 10 ms.
const REQUESTS: u32 = 100;

/// Requests before, which are not measured.
const FIRST: u32 = 5;

type Figure = io::Result<f64>;

/// The first page, CPU ms a request.
pub(super) fn overview(bench: &Bench, findings: u64) -> Figure {
    page(bench, findings, "/")
}

/// The list of open findings, CPU ms a request.
pub(super) fn list(bench: &Bench, findings: u64) -> Figure {
    page(bench, findings, "/findings")
}

/// One finding in the middle, CPU ms a request.
pub(super) fn finding(bench: &Bench, findings: u64) -> Figure {
    let address = format!("/findings/{}", filled::id(findings / 2 + 1));
    page(bench, findings, &address)
}

/// A log, CPU ms a request.
pub(super) fn log(bench: &Bench, findings: u64) -> Figure {
    page(bench, findings, "/logs/log-0")
}

/// A watch, CPU ms a request.
pub(super) fn watch(bench: &Bench, findings: u64) -> Figure {
    page(bench, findings, "/watches/watch-7")
}

/// Health, CPU ms a request.
pub(super) fn health(bench: &Bench, findings: u64) -> Figure {
    page(bench, findings, "/health")
}

fn page(bench: &Bench, findings: u64, address: &str) -> Figure {
    let place = with_findings(bench, findings)?;
    let server = Server::start(Command::new(&bench.binary).current_dir(place))?;
    for _ in 0..FIRST {
        server.get(address)?;
    }
    let before = server.cpu_ms()?;
    for _ in 0..REQUESTS {
        server.get(address)?;
    }
    Ok((server.cpu_ms()? - before) / f64::from(REQUESTS))
}

/// A server that is killed when it goes out of scope.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(program: &mut Command) -> io::Result<Self> {
        let mut child = program
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take();
        let mut server = Self {
            child,
            address: String::new(),
        };
        let mut lines = stderr.map(|stderr| BufReader::new(stderr).lines());
        let found = lines.as_mut().and_then(|lines| {
            lines.map_while(Result::ok).find_map(|line| {
                let (_, address) = line.split_once("listening on http://")?;
                Some(address.to_owned())
            })
        });
        server.address =
            found.ok_or_else(|| io::Error::other("the server does not say where it listens"))?;
        // It ends with the server.
        if let Some(lines) = lines {
            std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        }
        Ok(server)
    }

    fn get(&self, path: &str) -> io::Result<()> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 200 ") {
            return Ok(());
        }
        let first = answer.lines().next().unwrap_or_default();
        Err(io::Error::other(format!("{path}: {first}")))
    }

    /// The CPU time that it has used so far.
    fn cpu_ms(&self) -> Figure {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let cpu = child::cpu(&stat);
        let cpu = cpu.ok_or_else(|| io::Error::other("/proc/PID/stat is not as in proc(5)"))?;
        Ok(cpu.as_secs_f64() * 1e3)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
