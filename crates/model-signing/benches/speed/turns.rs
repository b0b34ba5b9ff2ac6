//! Two things that take turns, and how long each takes.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What is measured.
pub type Work<'w> = &'w dyn Fn() -> Result<(), Box<dyn Error>>;

/// Two things of which one is the measure of the other.
pub struct Turns {
    /// How often each is measured.
    pub runs: usize,
}

/// What a run took, in seconds.
struct Cost {
    wall: f64,
    /// Of all threads: what else the machine does hardly changes it.
    cpu: f64,
}

impl Turns {
    /// Prints at which rates both handle so many `bytes`; the ratio of the rates, which should be at `least` so much;
    /// and that of what they take of processors.
    pub fn rates(
        &self,
        name: &str,
        bytes: u64,
        ours: Work<'_>,
        (yardstick, theirs): (&str, Work<'_>),
        least: Option<f64>,
    ) -> Result<(), Box<dyn Error>> {
        let (mut rates, mut best) = (Vec::new(), Vec::new());
        let (mut ratios, mut costs) = (Vec::new(), Vec::new());
        for run in 0..=self.runs {
            let (our, their) = (cost(ours)?, cost(theirs)?);
            if run > 0 {
                rates.push(gigabytes(bytes) / our.wall);
                best.push(gigabytes(bytes) / their.wall);
                ratios.push(their.wall / our.wall);
                costs.push(our.cpu / their.cpu);
            }
        }
        let ratio = median(&mut ratios);
        println!(
            "{name:<32} {:>5.2} GB/s  {yardstick:<29} {:>5.2} GB/s  ratio {ratio:.3} {:<16} {:.3} of its CPU time",
            median(&mut rates),
            median(&mut best),
            verdict(ratio, least),
            median(&mut costs),
        );
        Ok(())
    }

    /// Prints how many `things` are handled in a second, which should be at `least` so many; and in one of CPU time.
    pub fn count(
        &self,
        name: &str,
        things: u32,
        ours: Work<'_>,
        least: f64,
    ) -> Result<(), Box<dyn Error>> {
        let (mut rates, mut costs) = (Vec::new(), Vec::new());
        for run in 0..=self.runs {
            let our = cost(ours)?;
            if run > 0 {
                rates.push(f64::from(things) / our.wall);
                costs.push(f64::from(things) / our.cpu);
            }
        }
        let rate = median(&mut rates);
        println!(
            "{name:<32} {rate:>7.0} files/s {:<16} {:>7.0} files/CPU s",
            verdict(rate, Some(least)),
            median(&mut costs)
        );
        Ok(())
    }
}

fn verdict(value: f64, least: Option<f64>) -> String {
    match least {
        Some(least) if value >= least => format!("(at least {least})"),
        Some(least) => format!("(BELOW {least})"),
        None => String::new(),
    }
}

fn cost(work: Work<'_>) -> Result<Cost, Box<dyn Error>> {
    let (started, before) = (Instant::now(), cpu()?);
    black_box(work()?);
    Ok(Cost {
        wall: started.elapsed().as_secs_f64(),
        cpu: cpu()?.saturating_sub(before).as_secs_f64(),
    })
}

fn cpu() -> Result<Duration, Box<dyn Error>> {
    Ok(Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate is shown with three digits"
)]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
