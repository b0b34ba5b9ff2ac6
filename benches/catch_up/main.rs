//! The cost of a catch-up: the release binary over a big log, from a directory and over HTTP.
//!
//! `cargo bench --bench catch_up [-- MEASURE…]`, where MEASURE is one of [`MEASURES`]; all of them without. It writes a
//! log of a million entries (about 2.2 GB, kept for the next run) from recorded leaves. Settings:
//!
//! | variable | what | default |
//! | --- | --- | --- |
//! | `MODELWATCH_BENCH_LOG` | directories of recorded logs, between `:` | the small one of the tests |
//! | `MODELWATCH_BENCH_ENTRIES` | entries of the big log | 1000000 |
//! | `MODELWATCH_BENCH_RUNS` | runs, of which the median counts | 3 |
//! | `MODELWATCH_BENCH_DIR` | where the log is written | below `target` |
//! | `MODELWATCH_BENCH_BINARY` | the program | as cargo built it |
//!
//! CPU time counts: wall time depends on the load of the machine, and here the servers and this program run on the same
//! cores.
#![cfg_attr(
    not(target_os = "linux"),
    expect(unused, reason = "costs are read from /proc")
)]

#[cfg(target_os = "linux")]
mod child;
mod configuration;
mod log;
#[cfg(target_os = "linux")]
mod server;

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("costs are read from /proc: this benchmark is for Linux");
}

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    // `cargo test --benches` only checks that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    linux::main()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::env;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use super::child::{self, Run, median};
    use super::configuration::{Configuration, Finds, Names};
    use super::log::{self, Log};
    use super::server::{Late, Nginx};

    type Measure = fn(&Bench) -> io::Result<()>;

    /// What can be measured.
    const MEASURES: [(&str, Measure); 7] = [
        ("directory", Bench::directory),
        ("watches", Bench::watches),
        ("http", Bench::http),
        ("latency", Bench::latency),
        ("scan", Bench::scan),
        ("start", Bench::start),
        ("flood", Bench::flood),
    ];

    /// What `flood` finds, roughly.
    const FLOOD: u64 = 100_000;

    struct Bench {
        binary: PathBuf,
        directory: PathBuf,
        trusted_root: PathBuf,
        log: Log,
        names: Names,
        leaves: usize,
        size: u64,
        runs: usize,
    }

    pub(super) fn main() -> io::Result<()> {
        let wanted: Vec<String> = env::args()
            .skip(1)
            .filter(|argument| !argument.starts_with("--"))
            .collect();
        let bench = Bench::new()?;
        for (name, measure) in MEASURES {
            if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
                measure(&bench)?;
            }
        }
        Ok(())
    }

    fn variable(name: &str) -> Option<String> {
        env::var(format!("MODELWATCH_BENCH_{name}")).ok()
    }

    fn number(name: &str, default: u64) -> io::Result<u64> {
        variable(name).map_or(Ok(default), |text| text.parse().map_err(io::Error::other))
    }

    impl Bench {
        fn new() -> io::Result<Self> {
            let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
            let recorded = match variable("LOG") {
                Some(directories) => directories.split(':').map(PathBuf::from).collect(),
                None => vec![data.join("v2-small")],
            };
            let leaves = log::recorded_leaves(&recorded)?;
            let size = number("ENTRIES", 1_000_000)?;
            let directory =
                variable("DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
            let directory = directory.join("catch_up");
            eprintln!(
                "a log of {size} entries from {} leaves in {} …",
                leaves.len(),
                directory.display()
            );
            Ok(Self {
                binary: variable("BINARY")
                    .map_or_else(|| env!("CARGO_BIN_EXE_modelwatch").into(), PathBuf::from),
                trusted_root: data.join("trust/harbor.json"),
                log: log::write(&directory, &leaves, size)?,
                names: Names::of(&leaves),
                leaves: leaves.len(),
                directory,
                size,
                runs: usize::try_from(number("RUNS", 3)?).map_err(io::Error::other)?,
            })
        }

        fn url_of_directory(&self) -> String {
            format!("file://{}", self.log.directory.display())
        }

        /// A fresh place to run in, with its configuration. Answers the directory.
        fn prepare(&self, url: &str, watches: usize, finds: Finds) -> io::Result<PathBuf> {
            let place = self.directory.join("run");
            let configuration = Configuration {
                url,
                public_key: &self.log.public_key,
                trusted_root: &self.trusted_root,
                watches,
                finds,
            };
            configuration.write(&place, &self.names, self.leaves, self.size)?;
            Ok(place)
        }

        /// Catches up with an empty store, `times` times; prints the cost. Returns the median of the CPU time.
        fn catch_up(
            &self,
            name: &str,
            url: &str,
            watches: usize,
            finds: Finds,
        ) -> io::Result<Duration> {
            let mut runs = Vec::new();
            for _ in 0..self.runs {
                let place = self.prepare(url, watches, finds)?;
                let run = child::run(&self.binary, &place, &["monitor", "--once"])?;
                // 1: it found something.
                if !matches!(run.code, Some(0 | 1)) {
                    return Err(io::Error::other(format!(
                        "exit {:?}: {}",
                        run.code, run.stderr
                    )));
                }
                runs.push(run);
            }
            Ok(self.report(name, &runs))
        }

        fn report(&self, name: &str, runs: &[Run]) -> Duration {
            let mut cpu: Vec<_> = runs.iter().map(|run| run.cpu).collect();
            let mut wall: Vec<_> = runs.iter().map(|run| run.wall).collect();
            let mut peak: Vec<_> = runs.iter().map(|run| run.peak_kib).collect();
            let (cpu, wall, peak) = (median(&mut cpu), median(&mut wall), median(&mut peak));
            // Resident at a quarter, at half and at the end: flat, or growing?
            let resident: Vec<String> = runs.last().map_or_else(Vec::new, |run| {
                let count = run.resident_kib.len();
                [count / 4, count / 2, count.saturating_sub(2)]
                    .iter()
                    .filter_map(|at| run.resident_kib.get(*at))
                    .map(|kib| (kib / 1024).to_string())
                    .collect()
            });
            println!(
                "{name:<34} {:>8} entries/CPU s  {:>8} entries/s  {:>4.2} cores  {:>6.2} CPU s  peak {:>3} MiB ({})",
                rate(self.size, cpu),
                rate(self.size, wall),
                cpu.as_secs_f64() / wall.as_secs_f64(),
                cpu.as_secs_f64(),
                peak / 1024,
                resident.join(", "),
            );
            cpu
        }

        /// From a directory, with a thousand watches.
        fn directory(&self) -> io::Result<()> {
            self.catch_up(
                "directory, 1000 watches",
                &self.url_of_directory(),
                1000,
                Finds::OneLeaf,
            )?;
            Ok(())
        }

        /// Ten thousand watches, by ten.
        fn watches(&self) -> io::Result<()> {
            let url = self.url_of_directory();
            let few = self.catch_up("directory, 10 watches", &url, 10, Finds::OneLeaf)?;
            let many = self.catch_up("directory, 10000 watches", &url, 10_000, Finds::OneLeaf)?;
            println!(
                "{:<34} {:.2}",
                "10000 watches cost, by 10",
                many.as_secs_f64() / few.as_secs_f64()
            );
            Ok(())
        }

        /// From nginx over loopback.
        fn http(&self) -> io::Result<()> {
            match Nginx::start(&self.log.directory, &self.directory.join("nginx"))? {
                Some(nginx) => {
                    self.catch_up("nginx, 1000 watches", &nginx.url, 1000, Finds::OneLeaf)?;
                }
                None => println!("nginx is not installed: not measured"),
            }
            Ok(())
        }

        /// Over loopback, each answer 100 ms late.
        fn latency(&self) -> io::Result<()> {
            let late = Late::start(self.log.directory.clone(), Duration::from_millis(100))?;
            self.catch_up("100 ms late, 1000 watches", &late.url, 1000, Finds::OneLeaf)?;
            Ok(())
        }

        /// The log read again by `lookup --scan`, by a pass over it: from a directory, and each answer 100 ms late.
        fn scan(&self) -> io::Result<()> {
            let late = Late::start(self.log.directory.clone(), Duration::from_millis(100))?;
            for (name, url) in [
                ("directory", self.url_of_directory()),
                ("100 ms late", late.url.clone()),
            ] {
                let pass = self.catch_up(&format!("{name}, pass"), &url, 1000, Finds::OneLeaf)?;
                let place = self.directory.join("run");
                let question = ["lookup", "--scan", "--identity", "nobody@nowhere.example"];
                let mut runs = Vec::new();
                for _ in 0..self.runs {
                    let run = child::run(&self.binary, &place, &question)?;
                    // 1: there is none, and everything was read.
                    if run.code != Some(1) {
                        return Err(io::Error::other(format!(
                            "exit {:?}: {}",
                            run.code, run.stderr
                        )));
                    }
                    runs.push(run);
                }
                let scan = self.report(&format!("{name}, lookup --scan"), &runs);
                println!(
                    "{:<34} {:.2}",
                    format!("{name}, rate by that of a pass"),
                    pass.as_secs_f64() / scan.as_secs_f64()
                );
            }
            Ok(())
        }

        /// From the start of the program to its first request.
        fn start(&self) -> io::Result<()> {
            for watches in [10, 1000] {
                let late = Late::start(self.directory.clone(), Duration::ZERO)?;
                let mut times = Vec::new();
                // There is no log at this address: the program requests its checkpoint and exits. The store exists; the
                // first run creates it.
                let place = self.prepare(&late.url, watches, Finds::OneLeaf)?;
                child::run(&self.binary, &place, &["monitor", "--once"])?;
                for _ in 0..10 * self.runs {
                    while late.requests.try_recv().is_ok() {}
                    let started = std::time::Instant::now();
                    child::run(&self.binary, &place, &["monitor", "--once"])?;
                    let first = late.requests.recv().map_err(io::Error::other)?;
                    times.push(first.duration_since(started));
                }
                println!(
                    "{:<34} {:.1?}",
                    format!("first request, {watches} watches"),
                    median(&mut times)
                );
            }
            Ok(())
        }

        /// Many findings in one catch-up, and the cost of listing them.
        fn flood(&self) -> io::Result<()> {
            self.catch_up(
                "flood of findings",
                &self.url_of_directory(),
                1000,
                Finds::About(FLOOD),
            )?;
            let place = self.directory.join("run");
            for arguments in [
                &["status"][..],
                &["status", "--json"],
                &["findings", "list", "--limit", "50"],
                &["findings", "list", "--limit", "50", "--json"],
                &["findings", "list", "--json"],
            ] {
                let time = child::time(&self.binary, &place, arguments, 10 * self.runs)?;
                println!("{:<34} {time:.1?}", arguments.join(" "));
            }
            Ok(())
        }
    }

    fn rate(entries: u64, time: Duration) -> u128 {
        u128::from(entries) * 1000 / time.as_millis().max(1)
    }
}
