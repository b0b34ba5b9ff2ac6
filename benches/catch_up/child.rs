//! Runs the program and measures its cost as reported by the kernel.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_millis(20);

/// A run of the program.
pub struct Run {
    /// From start to end.
    pub wall: Duration,
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// Most resident memory at any time, in KiB.
    pub peak_kib: u64,
    /// Resident memory in KiB, from time to time.
    pub resident_kib: Vec<u64>,
    /// Its exit code.
    pub code: Option<i32>,
    /// Its standard error.
    pub stderr: String,
}

/// Runs `program` to its end in `directory`.
pub fn run(program: &Path, directory: &Path, arguments: &[&str]) -> io::Result<Run> {
    let errors = directory.join("stderr");
    let started = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&errors)?)
        .spawn()?;
    let id = Pid::from_child(&child);
    let mut peak_kib = 0;
    let mut resident_kib = Vec::new();
    // It is left a zombie until its times were read.
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(id), look)?.is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        peak_kib = kib(&status, "VmHWM:").unwrap_or(0).max(peak_kib);
        resident_kib.extend(kib(&status, "VmRSS:"));
        pause(SAMPLE);
    }
    let wall = started.elapsed();
    let cpu = cpu(&fs::read_to_string(format!("/proc/{}/stat", child.id()))?);
    let status = child.wait()?;
    Ok(Run {
        wall,
        cpu: cpu.ok_or_else(|| io::Error::other("/proc/PID/stat is not as in proc(5)"))?,
        peak_kib,
        resident_kib,
        code: status.code(),
        stderr: fs::read_to_string(errors)?,
    })
}

/// The duration of a short command: the median of its runs, without sampling meanwhile.
pub fn time(
    program: &Path,
    directory: &Path,
    arguments: &[&str],
    runs: usize,
) -> io::Result<Duration> {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let started = Instant::now();
        let output = Command::new(program)
            .args(arguments)
            .current_dir(directory)
            .stdin(Stdio::null())
            .output()?;
        times.push(started.elapsed());
        if !output.status.success() {
            let reported = String::from_utf8_lossy(&output.stderr);
            let last = reported.lines().last().unwrap_or_default();
            return Err(io::Error::other(format!("{}: {last}", output.status)));
        }
    }
    Ok(median(&mut times))
}

/// The middle one.
pub fn median<T: Ord + Copy>(values: &mut [T]) -> T {
    values.sort_unstable();
    *values
        .get(values.len() / 2)
        .expect("there is at least one value")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark looks at the time, not at an event"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn kib(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

/// utime and stime of proc(5), in the ticks of 10 ms that Linux has on every architecture. The name of the program, in
/// parentheses, may contain any characters.
pub fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}
