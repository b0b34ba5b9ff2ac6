//! What signing costs: the release binary beside the reference implementation, each as a whole process.
//!
//! `cargo bench --bench signing [-- MEASURE…]`, where MEASURE is one of `MEASURES`; all of them without. The two
//! programs run in turn, and the median of the ratios counts. Settings:
//!
//! | variable | what | default |
//! | --- | --- | --- |
//! | `MODELWATCH_BENCH_PYTHON` | an interpreter that has `model-signing` 1.1.1 and `pyOpenSSL` | nothing is compared |
//! | `MODELWATCH_BENCH_RUNS` | runs of each, one more to warm up | 5 |
//! | `MODELWATCH_BENCH_FILES` | files of the model that takes memory by their number | 1000000 |
//! | `MODELWATCH_BENCH_DIR` | where models of 2 GiB are written, and removed afterwards | below `target` |
//! | `MODELWATCH_BENCH_BINARY` | the program | as cargo built it |
//!
//! The files are in the page cache. `cargo bench -p model-signing` measures the speed of hashing alone.
#![cfg_attr(
    not(target_os = "linux"),
    expect(unused, reason = "costs are read from /proc")
)]

#[cfg(target_os = "linux")]
#[path = "../catch_up/child.rs"]
#[expect(dead_code, reason = "the other benchmark asks for more")]
mod child;
#[path = "../../crates/model-signing/benches/speed/models.rs"]
mod models;

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
    use std::fs;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::time::Duration;

    use super::child;
    use super::models::Models;

    type Measure = fn(&Bench) -> io::Result<()>;

    /// What can be measured.
    const MEASURES: [(&str, Measure); 7] = [
        ("start", Bench::start),
        ("keyless", Bench::keyless),
        ("tiny", Bench::tiny),
        ("files", Bench::files),
        ("large", Bench::large),
        ("blake3", Bench::blake3),
        ("memory", Bench::memory),
    ];

    const MIB: u64 = 1 << 20;

    /// Hashes a model as the reference's library does. Its command line has SHA-256 only.
    const PYTHON_BLAKE3: &str = "
import sys
from model_signing import hashing
hashing.Config().use_file_serialization(hashing_algorithm='blake3').hash(sys.argv[1])
";

    const KEYLESS: &str = "verify sigstore models/basic --signature sigs/ss-rekor2-tsa.sig --trust_config \
        trust/rekor2-tsa.json --identity dev@open.example --identity_provider https://issuer.open.example";

    struct Bench {
        binary: String,
        python: Option<String>,
        models: Models,
        /// Where the programs run: keys and signatures are here.
        place: tempfile::TempDir,
        runs: usize,
        files: u64,
    }

    /// What to run: a program and its arguments.
    type Line<'l> = (&'l str, &'l [&'l str]);

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
            let directory =
                variable("DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
            let place = tempfile::tempdir_in(&directory)?;
            let keys =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/model-signing/tests/data/keys");
            for (from, to) in [
                ("p256-pkcs8.pem", "key.pem"),
                ("p256-public.pem", "public.pem"),
            ] {
                fs::copy(keys.join(from), place.path().join(to))?;
            }
            Ok(Self {
                binary: variable("BINARY")
                    .unwrap_or_else(|| env!("CARGO_BIN_EXE_modelwatch").to_owned()),
                python: variable("PYTHON"),
                models: Models::below(&directory)?,
                place,
                runs: usize::try_from(number("RUNS", 5)?).map_err(io::Error::other)?,
                files: number("FILES", 1_000_000)?,
            })
        }

        /// The whole of a run that hashes one byte: the start includes the hashing of the first byte.
        fn start(&self) -> io::Result<()> {
            let model = self.models.equal(1, 1)?;
            let time = self.time((&self.binary, &["digest", text(&model)?]), 10 * self.runs)?;
            println!(
                "{:<36} {time:>9.1?}  (less than 20 ms)",
                "start, and a model of one byte"
            );
            Ok(())
        }

        /// A recorded signature by an identity, in Rekor v2 with a timestamp. Nothing is fetched.
        fn keyless(&self) -> io::Result<()> {
            let packed =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/signing/cases.tar.gz");
            let unpacked = Command::new("tar")
                .args(["--strip-components=1", "-xzf", text(&packed)?])
                .current_dir(self.place.path())
                .status()?;
            if !unpacked.success() {
                return Err(io::Error::other("tar cannot unpack the recorded cases"));
            }
            let line: Vec<&str> = KEYLESS.split_whitespace().collect();
            let time = self.time((&self.binary, &line), 10 * self.runs)?;
            let name = "keyless verify of a small model";
            println!("{name:<36} {time:>9.1?}  (less than 60 ms)");
            if self.python.is_none() {
                return Ok(());
            }
            let theirs = [&["-m", "model_signing"][..], &line].concat();
            self.compare(name, &line, &theirs, 20.0)
        }

        fn tiny(&self) -> io::Result<()> {
            let model = self.models.equal(3, 100)?;
            self.sign_and_verify("a model of 3 small files", &model, (120.0, 3.0))
        }

        fn files(&self) -> io::Result<()> {
            let model = self.models.equal(100, 10 * MIB)?;
            self.sign_and_verify("100 files of 10 MiB, sha256", &model, (2.6, 2.0))
        }

        fn large(&self) -> io::Result<()> {
            let model = self.models.large(2048 * MIB)?;
            self.sign_and_verify("1 file of 2 GiB, sha256", &model, (1.5, 1.3))
        }

        fn blake3(&self) -> io::Result<()> {
            let model = self.models.large(2048 * MIB)?;
            let model = text(&model)?;
            let ours = ["digest", "--hash", "blake3", model];
            let theirs = ["-c", PYTHON_BLAKE3, model];
            self.compare("1 file of 2 GiB, blake3", &ours, &theirs, 1.5)
        }

        /// A row for `sign key`, and one for `verify key` of the signature that was made. `least`: how many times as fast
        /// as the reference each has to be.
        fn sign_and_verify(
            &self,
            name: &str,
            model: &Path,
            (to_sign, to_verify): (f64, f64),
        ) -> io::Result<()> {
            for (verb, option, key, least) in [
                ("sign", "--private_key", "key.pem", to_sign),
                ("verify", "--public_key", "public.pem", to_verify),
            ] {
                let options = [option, key, "--signature", "model.sig"];
                let line = [&[verb, "key", text(model)?][..], &options].concat();
                let theirs = [&["-m", "model_signing"][..], &line].concat();
                self.compare(&format!("{verb} {name}"), &line, &theirs, least)?;
            }
            Ok(())
        }

        /// Time and memory of both, and how many times those of ours theirs are.
        fn compare(
            &self,
            name: &str,
            ours: &[&str],
            theirs: &[&str],
            least: f64,
        ) -> io::Result<()> {
            let ours = (&*self.binary, ours);
            let Some(python) = &self.python else {
                let time = self.time(ours, self.runs)?;
                println!("{name:<36} {time:>9.1?}  {} KiB", self.peak_kib(ours)?);
                return Ok(());
            };
            let theirs = (&**python, theirs);
            let (mut times, mut other, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            for run in 0..=self.runs {
                let (our, their) = (self.time(ours, 1)?, self.time(theirs, 1)?);
                if run > 0 {
                    times.push(our);
                    other.push(their);
                    // Of whole numbers there is an order.
                    ratios.push(their.as_nanos() * 1000 / our.as_nanos().max(1));
                }
            }
            let ratio = Duration::from_millis(
                u64::try_from(child::median(&mut ratios)).map_err(io::Error::other)?,
            )
            .as_secs_f64();
            let verdict = if ratio >= least { "at least" } else { "BELOW" };
            println!(
                "{name:<36} {:>9.1?}  Python {:>9.1?}  {ratio:>6.2} times ({verdict} {least})  peak {:>4} MiB, Python {:>4} MiB",
                child::median(&mut times),
                child::median(&mut other),
                self.peak_kib(ours)? / 1024,
                self.peak_kib(theirs)? / 1024,
            );
            Ok(())
        }

        /// Flat in the size of files, and less than 600 MiB for a million of them.
        fn memory(&self) -> io::Result<()> {
            let many = self.models.equal(self.files, 0)?;
            let model = text(&many)?;
            let key = ["--private-key", "key.pem", "--signature", "model.sig"];
            let public = ["--public-key", "public.pem", "--signature", "model.sig"];
            for line in [
                &["digest", model][..],
                &["digest", model, "--json"],
                &[&["sign", "key", model][..], &key].concat(),
                &[&["verify", "key", model][..], &public].concat(),
            ] {
                let run = self.run((&self.binary, line))?;
                println!(
                    "{:<36} {:>9.1?}  peak {:>4} MiB  (less than 600 MiB for 1000000)",
                    format!("{} of {} files", line[0], self.files),
                    run.wall,
                    run.peak_kib / 1024
                );
            }
            Ok(())
        }

        fn time(&self, (program, arguments): Line<'_>, runs: usize) -> io::Result<Duration> {
            child::time(program.as_ref(), self.place.path(), arguments, runs)
        }

        fn peak_kib(&self, line: Line<'_>) -> io::Result<u64> {
            self.run(line).map(|run| run.peak_kib)
        }

        fn run(&self, (program, arguments): Line<'_>) -> io::Result<child::Run> {
            let run = child::run(program.as_ref(), self.place.path(), arguments)?;
            if run.code == Some(0) {
                return Ok(run);
            }
            let last = run.stderr.lines().last().unwrap_or_default();
            Err(io::Error::other(format!("exit {:?}: {last}", run.code)))
        }
    }

    fn text(path: &Path) -> io::Result<&str> {
        path.to_str()
            .ok_or_else(|| io::Error::other(format!("{} is not UTF-8", path.display())))
    }
}
