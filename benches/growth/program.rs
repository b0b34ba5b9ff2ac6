//! Rows that run the program: what a whole command costs.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::child::{self, Run, median, pause};
use super::configuration::{Configuration, Finds};
use super::filled;
use super::linux::Bench;
use super::log::{self, Log, ORIGIN};

/// Entries of each of many logs: what a log that is followed for the first time may have to show at least.
const ENTRIES_OF_ONE: u64 = 2_000;

/// Entries of the log in which a flood is found, and how many of the entries are found, roughly.
const FLOOD: u64 = 100_000;

type Figure = io::Result<f64>;

/// `status` over many findings, CPU ms.
pub(super) fn status_of_findings(bench: &Bench, findings: u64) -> Figure {
    let place = with_findings(bench, findings)?;
    cpu_ms(bench, &place, &["status", "--json"])
}

/// The first page of the list, CPU ms.
pub(super) fn findings_list(bench: &Bench, findings: u64) -> Figure {
    let place = with_findings(bench, findings)?;
    cpu_ms(bench, &place, &["findings", "list", "--limit", "50"])
}

/// All signings under one name, CPU ms.
pub(super) fn lookup_name(bench: &Bench, findings: u64) -> Figure {
    let name = filled::signer(findings, findings);
    looked_up(bench, findings, &["--identity", &name])
}

/// The one signing of a digest, CPU ms.
pub(super) fn lookup_digest(bench: &Bench, findings: u64) -> Figure {
    let digest = hex::encode(filled::leaf(findings));
    looked_up(bench, findings, &["--digest", &digest])
}

/// A name of no signing, CPU ms.
pub(super) fn lookup_nobody(bench: &Bench, findings: u64) -> Figure {
    looked_up(bench, findings, &["--identity", "nobody@models.example"])
}

/// The first 1,000 signings under an issuer, CPU ms.
pub(super) fn lookup_many(bench: &Bench, findings: u64) -> Figure {
    let issuer = "https://token.actions.githubusercontent.com";
    looked_up(bench, findings, &["--issuer", issuer])
}

fn looked_up(bench: &Bench, findings: u64, condition: &[&str]) -> Figure {
    let place = with_findings(bench, findings)?;
    let arguments = [&["lookup", "--json"], condition].concat();
    // The first findings are disputed, and no pass has ended: no answer is complete.
    mean_ms(bench, &place, &arguments, &[0, 3])
}

/// CPU seconds.
pub(super) fn ack_all(bench: &Bench, findings: u64) -> Figure {
    Ok(acked(bench, findings)?.cpu.as_secs_f64())
}

/// Peak MiB.
pub(super) fn ack_all_memory(bench: &Bench, findings: u64) -> Figure {
    Ok(mib(&acked(bench, findings)?))
}

fn acked(bench: &Bench, findings: u64) -> io::Result<Run> {
    let place = with_findings(bench, findings)?;
    run(
        bench,
        &place,
        &["findings", "ack", "--all", "--reason", "measured"],
        &[0],
    )
}

/// Peak MiB of a first pass over so many small logs, with 1,000 watches.
pub(super) fn logs_memory(bench: &Bench, logs: u64) -> Figure {
    let place = many_logs(bench, logs, ENTRIES_OF_ONE, 1_000)?;
    Ok(mib(&first_pass(bench, &place)?))
}

/// Peak MiB of a first pass over six logs of so many entries.
pub(super) fn large_logs_memory(bench: &Bench, entries: u64) -> Figure {
    let place = many_logs(bench, 6, entries, 1_000)?;
    Ok(mib(&first_pass(bench, &place)?))
}

/// Peak MiB of a first pass with so many watches.
pub(super) fn watches_memory(bench: &Bench, watches: u64) -> Figure {
    let place = many_logs(bench, 1, 50_000, watches)?;
    Ok(mib(&first_pass(bench, &place)?))
}

/// CPU ms of a pass in which no log shows anything new.
pub(super) fn nothing_new(bench: &Bench, logs: u64) -> Figure {
    let place = many_logs(bench, logs, 256, 1_000)?;
    first_pass(bench, &place)?;
    cpu_ms(bench, &place, &["monitor", "--once"])
}

/// `status` with so many watches over one log, CPU ms.
pub(super) fn status_of_watches(bench: &Bench, watches: u64) -> Figure {
    let place = many_logs(bench, 1, 256, watches)?;
    first_pass(bench, &place)?;
    cpu_ms(bench, &place, &["status", "--json"])
}

/// `status` with so many watches over 100 logs, CPU ms.
pub(super) fn status_of_logs(bench: &Bench, watches: u64) -> Figure {
    let place = many_logs(bench, 100, 256, watches)?;
    first_pass(bench, &place)?;
    cpu_ms(bench, &place, &["status", "--json"])
}

/// The same in peak MiB.
pub(super) fn status_of_logs_memory(bench: &Bench, watches: u64) -> Figure {
    let place = many_logs(bench, 100, 256, watches)?;
    first_pass(bench, &place)?;
    Ok(mib(&run(bench, &place, &["status", "--json"], &[0])?))
}

/// CPU seconds of a rescan of 400,000 entries for so many new watches.
pub(super) fn rescan(bench: &Bench, watches: u64) -> Figure {
    Ok(rescanned(bench, watches)?.cpu.as_secs_f64())
}

/// The same in peak MiB.
pub(super) fn rescan_memory(bench: &Bench, watches: u64) -> Figure {
    Ok(mib(&rescanned(bench, watches)?))
}

fn rescanned(bench: &Bench, watches: u64) -> io::Result<Run> {
    let place = many_logs(bench, 1, 400_000, 0)?;
    first_pass(bench, &place)?;
    let configuration = place.join("modelwatch.toml");
    let mut text = fs::read_to_string(&configuration)?;
    for n in 0..watches {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[watch]]\nname = \"later-{n}\"\nsan = \"later-{n}@models.example\"\n"
        );
    }
    fs::write(configuration, text)?;
    run(bench, &place, &["rescan"], &[0])
}

/// CPU microseconds of a finding under a trusted root: a catch-up with them, without them, by their number.
pub(super) fn finding(bench: &Bench, findings: u64) -> Figure {
    one_finding(bench, findings, true)
}

/// The same without a check of certificate chains.
pub(super) fn finding_without_trust(bench: &Bench, findings: u64) -> Figure {
    one_finding(bench, findings, false)
}

#[expect(clippy::cast_precision_loss, reason = "findings are far below 2^52")]
fn one_finding(bench: &Bench, findings: u64, trust: bool) -> Figure {
    let mut costs = [0.0, 0.0];
    let mut found = 0;
    for (cost, finds) in costs
        .iter_mut()
        .zip([Finds::OneLeaf, Finds::About(findings)])
    {
        let mut runs = Vec::new();
        for _ in 0..bench.runs {
            let place = flooded(bench, finds, trust)?;
            let run = run(bench, &place, &["monitor", "--once"], &[0, 1])?;
            found = security(&run.stderr)?;
            runs.push(run.cpu);
        }
        *cost = median(&mut runs).as_secs_f64();
    }
    let [without, with] = costs;
    Ok((with - without) * 1e6 / found.max(1) as f64)
}

/// Seconds from the start to the first alert, in one pass.
pub(super) fn flood_once_first(bench: &Bench, findings: u64) -> Figure {
    Ok(flood(bench, findings, &["monitor", "--once"])?.0)
}

/// The same of a daemon.
pub(super) fn flood_daemon_first(bench: &Bench, findings: u64) -> Figure {
    Ok(flood(bench, findings, &["monitor"])?.0)
}

/// Peak MiB of a flood in one pass.
pub(super) fn flood_once_memory(bench: &Bench, findings: u64) -> Figure {
    // By the kernel's account of the ended process: what is read of one that is about to end may be missing.
    let place = flooded(bench, Finds::About(findings), true)?;
    Ok(mib(&run(bench, &place, &["monitor", "--once"], &[0, 1])?))
}

/// The same of a daemon, until its first pass has ended.
pub(super) fn flood_daemon_memory(bench: &Bench, findings: u64) -> Figure {
    Ok(flood(bench, findings, &["monitor"])?.1)
}

/// When the first alert came, in seconds, and the peak in MiB.
fn flood(bench: &Bench, findings: u64, arguments: &[&str]) -> io::Result<(f64, f64)> {
    let place = flooded(bench, Finds::About(findings), true)?;
    let started = Instant::now();
    let mut child = Command::new(&bench.binary)
        .args(arguments)
        .current_dir(&place)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("a child has pipes"));
    };
    let first = std::thread::spawn(move || {
        let mut first = None;
        // All of it is read, or the program would wait for the pipe.
        for line in BufReader::new(stdout).lines() {
            line?;
            first.get_or_insert_with(|| started.elapsed());
        }
        Ok::<_, io::Error>(first)
    });
    // The daemon logs a line at the end of its pass; a single pass ends the process.
    for line in BufReader::new(stderr).lines() {
        if line?.contains(" entries read; ") {
            break;
        }
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    if let Some(pid) = rustix::process::Pid::from_raw(child.id().try_into().unwrap_or(0)) {
        // A single pass may have ended by now.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    child.wait()?;
    let first = first
        .join()
        .map_err(|_| io::Error::other("the reader of the alerts has panicked"))??
        .ok_or_else(|| io::Error::other("no alert came"))?;
    Ok((first.as_secs_f64(), peak.unwrap_or(f64::NAN) / 1024.0))
}

fn flooded(bench: &Bench, finds: Finds, trust: bool) -> io::Result<PathBuf> {
    let log = log::write(&bench.directory.join("flood"), &bench.leaves, FLOOD)?;
    let place = bench.directory.join("run");
    let configuration = Configuration {
        url: &format!("file://{}", log.directory.display()),
        public_key: &log.public_key,
        trusted_root: &bench.data.join("trust/harbor.json"),
        watches: 1_000,
        finds,
    };
    let path = configuration.write(&place, &bench.names, bench.leaves.len(), FLOOD)?;
    if !trust {
        let text = fs::read_to_string(&path)?;
        let (before, after) = text
            .split_once("[trust]\n")
            .ok_or_else(|| io::Error::other("the configuration has no [trust]"))?;
        let (_, after) = after.split_once("\n\n").unwrap_or_default();
        fs::write(path, format!("{before}{after}"))?;
    }
    Ok(place)
}

/// A place with a store of so many findings.
pub(super) fn with_findings(bench: &Bench, findings: u64) -> io::Result<PathBuf> {
    let place = many_logs(bench, 1, 256, 10)?;
    filled::copy(bench, findings, &place.join("modelwatch.db"))?;
    Ok(place)
}

/// A new directory with a configuration of this many logs and watches. The logs have the same entries, each with its
/// own origin.
pub(super) fn many_logs(
    bench: &Bench,
    logs: u64,
    entries: u64,
    watches: u64,
) -> io::Result<PathBuf> {
    let one: Log = log::write(
        &bench.directory.join(format!("entries-{entries}")),
        &bench.leaves,
        entries,
    )?;
    let note = fs::read_to_string(one.directory.join("checkpoint"))?;
    let root = note.lines().nth(2).unwrap_or_default();
    let place = bench.directory.join("run");
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(&place)?;
    let mut text = format!(
        "[store]\nurl = \"sqlite:modelwatch.db\"\n\n[trust]\ntrusted_root = {:?}\n\n\
         [[channel]]\nname = \"terminal\"\ntype = \"stdout\"\n",
        bench.data.join("trust/harbor.json").to_string_lossy(),
    );
    for n in 0..logs {
        let directory = place.join(format!("log-{n}"));
        fs::create_dir(&directory)?;
        symlink(one.directory.join("tile"), directory.join("tile"))?;
        let origin = format!("{n}.{ORIGIN}");
        fs::write(
            directory.join("checkpoint"),
            log::signed(&origin, entries, root)?,
        )?;
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[log]]\nname = \"log-{n}\"\ntype = \"rekor-v2\"\nurl = \"file://{}\"\norigin = {origin:?}\n\
             public_key = {:?}\nstart = \"beginning\"\n",
            directory.display(),
            one.public_key.to_string_lossy(),
        );
    }
    for n in 0..watches.max(1) {
        let _ = match n % 3 {
            0 => write!(
                text,
                "\n[[watch]]\nname = \"watch-{n}\"\nsan = \"release-{n}@models-{n}.example\"\n"
            ),
            1 => write!(
                text,
                "\n[[watch]]\nname = \"watch-{n}\"\nsan_glob = \"https://github.com/owner-{n}-example/model-{n}/.github/workflows/release.yml@refs/tags/*\"\n\
                 issuer = \"https://token.actions.githubusercontent.com\"\n"
            ),
            _ => write!(
                text,
                "\n[[watch]]\nname = \"watch-{n}\"\nextension = {{ source_repository_uri = \"https://github.com/owner-{n}-example/model-{n}\" }}\n"
            ),
        };
    }
    fs::write(place.join("modelwatch.toml"), text)?;
    Ok(place)
}

pub(super) fn first_pass(bench: &Bench, place: &Path) -> io::Result<Run> {
    run(bench, place, &["monitor", "--once"], &[0])
}

/// Runs the program; exit codes that are not among `codes` are an error.
pub(super) fn run(
    bench: &Bench,
    place: &Path,
    arguments: &[&str],
    codes: &[i32],
) -> io::Result<Run> {
    let run = child::run(&bench.binary, place, arguments)?;
    match run.code {
        Some(code) if codes.contains(&code) => Ok(run),
        code => Err(io::Error::other(format!("exit {code:?}: {}", run.stderr))),
    }
}

fn cpu_ms(bench: &Bench, place: &Path, arguments: &[&str]) -> Figure {
    mean_ms(bench, place, arguments, &[0, 1])
}

/// The mean of many runs of a short command: a single one has few of the kernel's ticks.
fn mean_ms(bench: &Bench, place: &Path, arguments: &[&str], codes: &[i32]) -> Figure {
    /// Enough ticks to measure a twentieth.
    const TICKS: f64 = 400.0;
    let (mut spent, mut runs) = (0.0, 0.0);
    while spent < TICKS && runs < 20.0 || runs < 3.0 {
        spent += run(bench, place, arguments, codes)?.cpu.as_secs_f64() * 1e3;
        runs += 1.0;
        pause(std::time::Duration::from_millis(1));
    }
    Ok(spent / runs)
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 KiB")]
fn mib(run: &Run) -> f64 {
    run.peak_kib as f64 / 1024.0
}

/// How many security findings a pass has ended with.
fn security(stderr: &str) -> io::Result<u64> {
    let result = stderr
        .lines()
        .find_map(|line| line.strip_prefix("RESULT="))
        .ok_or_else(|| io::Error::other("a single pass ends with RESULT="))?;
    let result: serde_json::Value = serde_json::from_str(result)?;
    result
        .get("security")
        .and_then(serde_json::Value::as_u64)
        .ok_or_else(|| io::Error::other("RESULT has no count of findings"))
}
