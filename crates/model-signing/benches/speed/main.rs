//! How fast models are hashed, beside what the same machine does at best at that moment.
//!
//! `cargo bench -p model-signing [-- MEASURE…]`, where MEASURE is one of those that `MEASURES` names; all of them
//! without. Each prints a rate, that of its yardstick, how they compare, and how they should. The two take turns, and the
//! median of the ratios counts: other programs then slow down both. Settings:
//!
//! | variable | what | default |
//! | --- | --- | --- |
//! | `MODELWATCH_BENCH_RUNS` | runs of each, one more to warm up | 7 |
//! | `MODELWATCH_BENCH_FILES` | files of the model that takes memory by their number | 1000000 |
//! | `MODELWATCH_BENCH_DIR` | where models of 2 GiB are written, and removed afterwards | below `target` |
//!
//! The files are in the page cache: how fast a disk is, this does not say.

#[cfg(unix)]
mod memory;
#[cfg(unix)]
mod models;
#[cfg(unix)]
mod turns;
#[cfg(unix)]
mod yardsticks;

#[cfg(not(unix))]
fn main() {
    eprintln!("models are read on Unix only");
}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    if memory::child()? {
        return Ok(());
    }
    // `cargo test --benches` only tests whether it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    unix::main()
}

#[cfg(unix)]
mod unix {
    use std::env;
    use std::error::Error;
    use std::hint::black_box;
    use std::num::NonZeroU64;
    use std::path::Path;

    use model_signing::hash::Algorithm;
    use model_signing::manifest::Method;
    use model_signing::model;
    use model_signing::walk::{Ignored, Model};

    use super::memory;
    use super::models::{self, Models};
    use super::turns::Turns;
    use super::yardsticks;

    type Measure = fn(&Bench) -> Result<(), Box<dyn Error>>;

    /// What can be measured.
    const MEASURES: [(&str, Measure); 6] = [
        ("one", Bench::one),
        ("shards", Bench::shards),
        ("files", Bench::files),
        ("blake3", Bench::blake3),
        ("small", Bench::small),
        ("memory", Bench::memory),
    ];

    /// Of one large file.
    const LARGE_BYTES: u64 = 2 << 30;

    /// Several hundred of these in a large file: no core is left alone with the last one for long.
    const SHARD_BYTES: NonZeroU64 = NonZeroU64::new(8 << 20).expect("not 0");

    struct Bench {
        models: Models,
        turns: Turns,
        threads: usize,
        /// Of the model whose manifest has many.
        files: u64,
    }

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        let wanted: Vec<String> = env::args()
            .skip(1)
            .filter(|argument| !argument.starts_with("--"))
            .collect();
        let variable = |name: &str| env::var(format!("MODELWATCH_BENCH_{name}")).ok();
        let directory = variable("DIR").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").to_owned());
        let bench = Bench {
            models: Models::below(directory.as_ref())?,
            turns: Turns {
                runs: variable("RUNS").map_or(Ok(7), |runs| runs.parse())?,
            },
            threads: rayon::current_num_threads(),
            files: variable("FILES").map_or(Ok(1_000_000), |files| files.parse())?,
        };
        for (name, measure) in MEASURES {
            if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
                measure(&bench)?;
            }
        }
        Ok(())
    }

    impl Bench {
        /// One stream of a hash that has only one: reading ahead must hide the reading.
        fn one(&self) -> Result<(), Box<dyn Error>> {
            let model = self.models.large(LARGE_BYTES)?;
            for (algorithm, least) in [(Algorithm::Sha256, Some(0.95)), (Algorithm::Blake2b, None)]
            {
                let name = format!("1 file of 2 GiB, {algorithm}");
                self.beside_memory(&name, &model, Method::files(algorithm), 1, least)?;
            }
            Ok(())
        }

        fn shards(&self) -> Result<(), Box<dyn Error>> {
            let model = self.models.large(LARGE_BYTES)?;
            self.bound(&model.join(models::LARGE))?;
            for (algorithm, least) in [(Algorithm::Sha256, Some(0.93)), (Algorithm::Blake2b, None)]
            {
                let name = format!("1 file of 2 GiB, {algorithm} shards");
                let method = Method::shards(algorithm, SHARD_BYTES)?;
                self.beside_memory(&name, &model, method, self.threads, least)?;
            }
            Ok(())
        }

        /// From few large files to many small ones, at no size may cores be idle.
        fn files(&self) -> Result<(), Box<dyn Error>> {
            for mib in [1, 3, 8, 32, 100, 400] {
                let files = LARGE_BYTES / (mib << 20);
                let model = self.models.equal(files, mib << 20)?;
                for (algorithm, least) in
                    [(Algorithm::Sha256, Some(0.93)), (Algorithm::Blake3, None)]
                {
                    let name = format!("{files} files of {mib} MiB, {algorithm}");
                    let method = Method::files(algorithm);
                    self.beside_memory(&name, &model, method, self.threads, least)?;
                }
            }
            Ok(())
        }

        /// A hash that is parallel within a file, beside its own way to hash one that is mapped into memory.
        fn blake3(&self) -> Result<(), Box<dyn Error>> {
            let model = self.models.large(LARGE_BYTES)?;
            let file = model.join(models::LARGE);
            self.turns.rates(
                "1 file of 2 GiB, blake3",
                LARGE_BYTES,
                &|| digest(&model, Method::files(Algorithm::Blake3)),
                ("update_mmap_rayon", &|| yardsticks::blake3_mapped(&file)),
                Some(0.65),
            )
        }

        fn small(&self) -> Result<(), Box<dyn Error>> {
            let model = self.models.equal(20_000, 4 << 10)?;
            for algorithm in Algorithm::ALL {
                self.turns.count(
                    &format!("20,000 files of 4 KiB, {algorithm}"),
                    20_000,
                    &|| digest(&model, Method::files(algorithm)),
                    100_000.0,
                )?;
            }
            Ok(())
        }

        /// Flat in the size of files, and little for each of many.
        fn memory(&self) -> Result<(), Box<dyn Error>> {
            let large = self.models.large(LARGE_BYTES)?;
            let peak = memory::peak_mib("digest", &large)?;
            println!("{:<32} {peak:>5} MiB", "digest of 1 file of 2 GiB");
            // Empty: their content would take more space than the rest of this benchmark.
            let many = self.models.equal(self.files, 0)?;
            for step in memory::STEPS {
                let name = format!("{step} of {} files", self.files);
                println!("{name:<32} {:>5} MiB", memory::peak_mib(step, &many)?);
            }
            Ok(())
        }

        /// Beside threads that hash what is in memory already, and have nothing to read.
        fn beside_memory(
            &self,
            name: &str,
            model: &Path,
            method: Method,
            threads: usize,
            least: Option<f64>,
        ) -> Result<(), Box<dyn Error>> {
            let algorithm = method.algorithm();
            self.turns.rates(
                name,
                LARGE_BYTES,
                &|| digest(model, method),
                (&format!("in memory, threads: {threads}"), &|| {
                    yardsticks::in_memory(algorithm, threads, LARGE_BYTES)
                }),
                least,
            )
        }

        /// Where every core has to read as well as to hash, the ratio cannot be more than 1/(1 + hashing/reading).
        fn bound(&self, file: &Path) -> Result<(), Box<dyn Error>> {
            self.turns.rates(
                "reading 2 GiB",
                LARGE_BYTES,
                &|| yardsticks::reading(file),
                ("hashing 2 GiB, sha256", &|| {
                    yardsticks::in_memory(Algorithm::Sha256, 1, LARGE_BYTES)
                }),
                None,
            )
        }
    }

    /// All that there is to do for the digest of a model.
    fn digest(model: &Path, method: Method) -> Result<(), Box<dyn Error>> {
        let model = Model::open(model, false)?;
        let listing = model.walk(&Ignored::none())?;
        black_box(model::hash(&model, &listing, method, &|_| ())?.root());
        Ok(())
    }
}
