//! How cost grows with the number of stored findings, logs and watches: one row for each promise, measured at several
//! sizes.
//!
//! `cargo bench --bench growth [-- ROW…]`, where ROW is one of those that [`ROWS`] names; all of them without. Each row
//! prints the figures of today, those of the version before it was made cheap, and the exponent: 1 means that ten times
//! the size costs ten times as much, 0 that it costs the same. Settings:
//!
//! | variable | what | default |
//! | --- | --- | --- |
//! | `MODELWATCH_BENCH_LOG` | directories of recorded logs, between `:` | the small one of the tests |
//! | `MODELWATCH_BENCH_RUNS` | runs, of which the median counts | 3 |
//! | `MODELWATCH_BENCH_DIR` | where stores and logs are written | below `target` |
//! | `MODELWATCH_BENCH_BINARY` | the program | as cargo built it |
//! | `MODELWATCH_BENCH_SHRINK` | divides each size, for a quick look | 1 |
//!
//! Time is CPU time: wall time depends on what else the machine does. Rows about the store call it in this process, where
//! the kernel counts nanoseconds; the others run the program, where it counts ticks of 10 ms.
#![cfg_attr(
    not(target_os = "linux"),
    expect(unused, reason = "costs are read from /proc")
)]

#[cfg(target_os = "linux")]
#[path = "../catch_up/child.rs"]
#[expect(dead_code, reason = "shared with catch_up")]
mod child;
#[path = "../catch_up/configuration.rs"]
mod configuration;
#[cfg(target_os = "linux")]
#[path = "../../crates/model-signing/tests/keyless/fake/mod.rs"]
#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "shared with the tests of the library"
)]
mod fake;
#[cfg(target_os = "linux")]
mod filled;
#[path = "../catch_up/log.rs"]
mod log;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod reconciled;
#[cfg(target_os = "linux")]
mod scanned;
#[cfg(target_os = "linux")]
mod served;
#[cfg(target_os = "linux")]
#[path = "../catch_up/server.rs"]
#[expect(dead_code, reason = "shared with catch_up")]
mod server;
#[cfg(target_os = "linux")]
mod stored;

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("costs are read from /proc: this benchmark is for Linux");
}

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    // `cargo test --benches` only tests whether it starts.
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

    use super::configuration::Names;
    use super::{log, program, reconciled, scanned, served, stored};

    /// Measures one size of a row, in the unit of the row.
    type Measure = fn(&Bench, u64) -> io::Result<f64>;

    /// One promise.
    struct Row {
        name: &'static str,
        /// What the sizes count.
        of: &'static str,
        unit: &'static str,
        /// The promise, at the largest size.
        asked: &'static str,
        /// Each size, and the figure before; `None` if it was not measured.
        sizes: &'static [(u64, Option<f64>)],
        measure: Measure,
    }

    const fn row(
        name: &'static str,
        of: &'static str,
        unit: &'static str,
        asked: &'static str,
        sizes: &'static [(u64, Option<f64>)],
        measure: Measure,
    ) -> Row {
        Row {
            name,
            of,
            unit,
            asked,
            sizes,
            measure,
        }
    }

    /// Sizes of the rows about stored findings.
    const FINDINGS: &[(u64, Option<f64>)] = &[(10_000, None), (100_000, None), (1_000_000, None)];

    #[rustfmt::skip]
    const ROWS: &[Row] = &[
        row("expect-add", "findings", "ms", "3",
            &[(96_000, Some(149.0)), (383_000, Some(557.0)), (958_000, Some(1470.0))], stored::expect_add),
        row("expect-add-1000", "findings", "ms", "2000", FINDINGS, stored::expect_add_1000),
        row("expect-remove", "findings", "ms", "3", FINDINGS, stored::expect_remove),
        row("ack-one", "findings", "ms", "3", FINDINGS, stored::ack_one),
        row("health-resolves", "findings", "ms", "3", FINDINGS, stored::health_resolves),
        row("take-back", "findings", "ms", "3", FINDINGS, stored::take_back),
        row("claim", "findings", "ms", "3", FINDINGS, stored::claim),
        row("status-many-findings", "findings", "ms", "50", FINDINGS, program::status_of_findings),
        row("findings-list", "findings", "ms", "50", FINDINGS, program::findings_list),
        row("page-overview", "findings", "ms", "50 at 100000", FINDINGS, served::overview),
        row("page-findings", "findings", "ms", "50 at 100000", FINDINGS, served::list),
        row("page-finding", "findings", "ms", "50 at 100000", FINDINGS, served::finding),
        row("page-log", "findings", "ms", "50 at 100000", FINDINGS, served::log),
        row("page-watch", "findings", "ms", "50 at 100000", FINDINGS, served::watch),
        row("page-health", "findings", "ms", "50 at 100000", FINDINGS, served::health),
        row("lookup-name", "findings", "ms", "50", FINDINGS, program::lookup_name),
        row("lookup-digest", "findings", "ms", "50", FINDINGS, program::lookup_digest),
        row("lookup-nobody", "findings", "ms", "50", FINDINGS, program::lookup_nobody),
        row("lookup-1000", "findings", "ms", "-", FINDINGS, program::lookup_many),
        row("lookup-scan", "entries", "passes", "0.9 or more", &[(400_000, None)], scanned::rate),
        row("lookup-scan-100-ms", "entries", "1000/s", "20 or more", &[(400_000, None)], scanned::late),
        row("lookup-scan-at-once", "entries", "requests", "8 or more", &[(400_000, None)], scanned::at_once),
        row("reconcile-10000", "findings", "s", "5", FINDINGS, reconciled::distinct),
        row("reconcile-10000-copies", "findings", "s", "5", FINDINGS, reconciled::copies),
        row("reconcile-10000-all", "findings", "s", "8", FINDINGS, reconciled::copies_all),
        row("ack-all", "findings", "s", "8",
            &[(96_000, None), (383_000, None), (958_000, Some(15.0))], program::ack_all),
        row("ack-all-memory", "findings", "MiB", "100",
            &[(96_000, None), (958_000, Some(741.0))], program::ack_all_memory),
        row("logs-memory", "logs", "MiB", "100",
            &[(10, Some(45.0)), (100, Some(376.0)), (500, Some(1853.0))], program::logs_memory),
        row("six-large-logs-memory", "entries a log", "MiB", "100",
            &[(50_000, Some(127.0))], program::large_logs_memory),
        row("watches-memory", "watches", "MiB", "100, 400",
            &[(10_000, Some(140.0)), (100_000, Some(534.0))], program::watches_memory),
        row("nothing-new", "logs", "ms", "1 a log",
            &[(500, Some(1500.0)), (1_000, Some(3900.0))], program::nothing_new),
        row("status-watches", "watches", "ms", "-",
            &[(1_000, None), (10_000, Some(110.0))], program::status_of_watches),
        row("status-100-logs", "watches", "ms", "50 up to 1000",
            &[(1_000, Some(490.0)), (10_000, Some(4800.0))], program::status_of_logs),
        row("status-100-logs-memory", "watches", "MiB", "60 up to 1000",
            &[(1_000, Some(142.0)), (10_000, Some(1390.0))], program::status_of_logs_memory),
        row("rescan", "new watches", "s", "1.3 times that of 1",
            &[(1, None), (1_000, Some(3.3)), (10_000, Some(20.8))], program::rescan),
        row("rescan-memory", "new watches", "MiB", "100",
            &[(1, None), (10_000, Some(155.0))], program::rescan_memory),
        row("finding", "findings", "us", "120",
            &[(96_000, Some(340.0))], program::finding),
        row("finding-without-trust", "findings", "us", "-",
            &[(96_000, Some(53.0))], program::finding_without_trust),
        row("flood-once-first", "findings", "s", "2 after its commit",
            &[(96_000, Some(24.0))], program::flood_once_first),
        row("flood-daemon-first", "findings", "s", "2 after its commit",
            &[(96_000, Some(15.8))], program::flood_daemon_first),
        row("flood-once-memory", "findings", "MiB", "100",
            &[(96_000, Some(102.0))], program::flood_once_memory),
        row("flood-daemon-memory", "findings", "MiB", "100",
            &[(96_000, Some(139.0))], program::flood_daemon_memory),
    ];

    pub(super) fn main() -> io::Result<()> {
        let wanted: Vec<String> = env::args()
            .skip(1)
            .filter(|argument| !argument.starts_with("--"))
            .collect();
        let bench = Bench::new()?;
        println!(
            "{:<24} {:>18} {:>12} {:>12}  asked",
            "row", "size", "today", "before"
        );
        for row in ROWS {
            if wanted.is_empty() || wanted.iter().any(|wanted| wanted == row.name) {
                row.print(&bench)?;
            }
        }
        Ok(())
    }

    impl Row {
        fn print(&self, bench: &Bench) -> io::Result<()> {
            let mut figures = Vec::new();
            for (size, before) in self.sizes {
                let size = (size / bench.shrink).max(1);
                let today = (self.measure)(bench, size)?;
                let unit = self.unit;
                let before =
                    before.map_or_else(|| "-".to_owned(), |before| format!("{before} {unit}"));
                let of = format!("{size} {}", self.of);
                println!(
                    "{:<24} {of:>18} {:>12} {before:>12}  {} {unit}",
                    self.name,
                    format!("{today:.2} {unit}"),
                    self.asked,
                );
                figures.push((size, today));
            }
            if let [(first, less), .., (last, more)] = figures.as_slice() {
                println!(
                    "{:<24} exponent {:.2}",
                    self.name,
                    exponent(*first, *less, *last, *more)
                );
            }
            Ok(())
        }
    }

    /// By which power of its size a cost grows.
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    fn exponent(first: u64, less: f64, last: u64, more: f64) -> f64 {
        (more / less).ln() / (last as f64 / first as f64).ln()
    }

    fn variable(name: &str) -> Option<String> {
        env::var(format!("MODELWATCH_BENCH_{name}")).ok()
    }

    fn number(name: &str, default: u64) -> io::Result<u64> {
        variable(name).map_or(Ok(default), |text| text.parse().map_err(io::Error::other))
    }

    /// What all rows share.
    pub(super) struct Bench {
        pub(super) binary: PathBuf,
        pub(super) directory: PathBuf,
        pub(super) data: PathBuf,
        pub(super) leaves: Vec<Vec<u8>>,
        pub(super) names: Names,
        pub(super) runs: usize,
        shrink: u64,
    }

    impl Bench {
        fn new() -> io::Result<Self> {
            let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
            let recorded = match variable("LOG") {
                Some(directories) => directories.split(':').map(PathBuf::from).collect(),
                None => vec![data.join("v2-small")],
            };
            let leaves = log::recorded_leaves(&recorded)?;
            let directory =
                variable("DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
            Ok(Self {
                binary: variable("BINARY")
                    .map_or_else(|| env!("CARGO_BIN_EXE_modelwatch").into(), PathBuf::from),
                directory: directory.join("growth"),
                names: Names::of(&leaves),
                data,
                leaves,
                runs: usize::try_from(number("RUNS", 3)?).map_err(io::Error::other)?,
                shrink: number("SHRINK", 1)?,
            })
        }
    }
}
