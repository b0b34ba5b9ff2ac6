//! Rows about `lookup --scan`: how fast a log is read again.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use super::linux::Bench;
use super::program::{first_pass, many_logs, run};
use super::server::Late;

/// The answers of a log on another continent.
const LATENCY: Duration = Duration::from_millis(100);

/// A name of no signing.
const SCAN: [&str; 4] = ["lookup", "--scan", "--identity", "nobody@models.example"];

/// The rate of a scan of a directory, as a part of that of a pass over it: both by CPU time.
pub(super) fn rate(bench: &Bench, entries: u64) -> io::Result<f64> {
    let place = many_logs(bench, 1, entries, 1_000)?;
    let pass = first_pass(bench, &place)?;
    let scan = run(bench, &place, &SCAN, &[1])?;
    Ok(pass.cpu.as_secs_f64() / scan.cpu.as_secs_f64())
}

/// Thousands of entries a second over HTTP, where each answer takes 100 ms.
#[expect(clippy::cast_precision_loss, reason = "entries are far below 2^52")]
pub(super) fn late(bench: &Bench, entries: u64) -> io::Result<f64> {
    let (wall, _) = late_scan(bench, entries)?;
    Ok(entries as f64 / wall.as_secs_f64() / 1e3)
}

/// The requests of the same scan that wait for their answers at once: most that begin within 100 ms. Unlike the rate, that does
/// not depend on what else the machine does; eight of them are 20,000 entries a second.
#[expect(clippy::cast_precision_loss, reason = "requests are far below 2^52")]
pub(super) fn at_once(bench: &Bench, entries: u64) -> io::Result<f64> {
    let (_, begun) = late_scan(bench, entries)?;
    let within = |first: &Instant| {
        let same = begun.iter().filter(|begun| *begun >= first);
        same.filter(|begun| begun.duration_since(*first) < LATENCY)
            .count()
    };
    Ok(begun.iter().map(within).max().unwrap_or_default() as f64)
}

/// How long a scan of a late log took, and when each of its requests began.
fn late_scan(bench: &Bench, entries: u64) -> io::Result<(Duration, Vec<Instant>)> {
    let place = many_logs(bench, 1, entries, 1_000)?;
    first_pass(bench, &place)?;
    let directory = place.join("log-0");
    let server = Late::start(directory.clone(), LATENCY)?;
    let configuration = place.join("modelwatch.toml");
    let text = fs::read_to_string(&configuration)?;
    let here = format!("file://{}", directory.display());
    fs::write(configuration, text.replace(&here, &server.url))?;
    let scan = run(bench, &place, &SCAN, &[1])?;
    Ok((scan.wall, server.requests.try_iter().collect()))
}
