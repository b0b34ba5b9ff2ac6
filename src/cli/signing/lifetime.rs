//! Whether an identity token and its certificate live long enough for a model to be hashed.
//!
//! A certificate is valid for ten minutes, and the signature must be made within them; a token is valid for one minute (a
//! person's, by the public provider), five (GitHub Actions) or some hours. So the certificate is requested while the model
//! is hashed if that ends within its life, and after it otherwise, if there is a valid token then. What cannot succeed is an
//! error before the model is hashed, and what may fail a warning.

use std::time::{Duration, Instant};

use model_signing::hash::Algorithm;
use model_signing::manifest::Method;

/// How long a certificate is valid (Fulcio, `pkg/ca/common.go`), less what the requests after the hashing may take.
const CERTIFICATE: Duration = Duration::from_mins(10 - 2);
/// What the request for the certificate may take.
const REQUEST: Duration = Duration::from_secs(15);
/// What a slow disk reads in a second, in bytes.
const SLOW_DISK: f64 = 200e6;
/// Models up to this size are hashed within half a minute by such a disk, and nothing is measured for them.
const SMALL_BYTES: u64 = 6_000_000_000;
/// What is hashed to measure the speed of this machine: 3 ms with SHA-256 instructions, 16 ms without.
const SAMPLE_BYTES: usize = 4 << 20;

/// How long hashing will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Estimate {
    /// If the model is in memory, and nothing else runs.
    least: Duration,
    /// With a slow disk, or on a busy machine.
    likely: Duration,
}

/// When the certificate is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// While the model is hashed.
    CertificateFirst,
    /// When it has been hashed.
    HashFirst,
}

/// The result of a signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prospect {
    /// It succeeds.
    Good(Order),
    /// It fails if hashing takes long.
    Uncertain(Order),
    /// It fails.
    Hopeless,
}

impl Estimate {
    /// For files of these sizes, hashed in this way on all cores of this machine.
    pub(super) fn measure(sizes: &[u64], method: Method) -> Self {
        let total = sizes
            .iter()
            .fold(0, |sum: u64, size| sum.saturating_add(*size));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let speed = if total <= SMALL_BYTES {
            f64::INFINITY
        } else {
            speed(method.algorithm())
        };
        Self::of(sizes, method, speed, threads)
    }

    /// `speed`: bytes in a second on one core.
    fn of(sizes: &[u64], method: Method, speed: f64, threads: usize) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "an estimate needs no exact numbers"
        )]
        let (total, largest, threads) = (
            sizes
                .iter()
                .fold(0, |sum: u64, size| sum.saturating_add(*size)) as f64,
            sizes.iter().copied().max().unwrap_or(0) as f64,
            threads.max(1) as f64,
        );
        // One core hashes a whole file, except with BLAKE3.
        let alone = match (method.shard_bytes(), method.algorithm()) {
            (None, Algorithm::Sha256 | Algorithm::Blake2b) => largest / speed,
            _ => 0.0,
        };
        let least = alone.max(total / (speed * threads));
        let likely = (2.0 * least).max(total / SLOW_DISK);
        Self {
            least: seconds(least),
            likely: seconds(likely),
        }
    }

    /// The result of a signing with a token that is valid for another `left`, or that can be renewed.
    pub(super) fn prospect(self, left: Duration, is_renewable: bool) -> Prospect {
        use Order::{CertificateFirst, HashFirst};
        let token = left.saturating_sub(REQUEST);
        if self.likely <= CERTIFICATE {
            Prospect::Good(CertificateFirst)
        } else if is_renewable || self.likely <= token {
            Prospect::Good(HashFirst)
        } else if self.least > CERTIFICATE.max(token) {
            Prospect::Hopeless
        } else if token > CERTIFICATE {
            Prospect::Uncertain(HashFirst)
        } else {
            Prospect::Uncertain(CertificateFirst)
        }
    }

    /// At least how long, in words.
    pub(super) fn least(self) -> String {
        match self.least.as_secs() {
            seconds @ 0..120 => format!("{seconds} s"),
            seconds => format!("{} minutes", seconds / 60),
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// How many bytes one core of this machine hashes in a second: the better of two tries.
fn speed(algorithm: Algorithm) -> f64 {
    let sample = vec![0; SAMPLE_BYTES];
    let took = (0..2).map(|_| {
        let start = Instant::now();
        std::hint::black_box(algorithm.digest(&sample));
        start.elapsed()
    });
    let took = took.min().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "four million")]
    let bytes = SAMPLE_BYTES as f64;
    bytes / took.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    const GB: u64 = 1_000_000_000;

    fn estimate(sizes: &[u64], method: Method) -> (u64, u64) {
        let estimate = Estimate::of(sizes, method, 1e9, 2);
        (estimate.least.as_secs(), estimate.likely.as_secs())
    }

    #[test]
    fn one_core_hashes_one_file_unless_the_method_divides_it() {
        let whole = Method::files(Algorithm::Sha256);
        assert_eq!(estimate(&[100 * GB], whole), (100, 500));
        assert_eq!(estimate(&[50 * GB, 50 * GB], whole), (50, 500));
        assert_eq!(estimate(&[90 * GB, 10 * GB], whole), (90, 500));
        assert_eq!(
            estimate(&[100 * GB], Method::files(Algorithm::Blake3)),
            (50, 500)
        );
        let size = NonZeroU64::new(GB).expect("not zero");
        let shards = Method::shards(Algorithm::Sha256, size).expect("a method");
        assert_eq!(estimate(&[100 * GB], shards), (50, 500));
        assert_eq!(estimate(&[], whole), (0, 0));
        assert_eq!(estimate(&[u64::MAX, u64::MAX], whole).0, u64::MAX / GB);
    }

    #[test]
    fn a_slow_core_counts_more_than_a_slow_disk() {
        let whole = Method::files(Algorithm::Sha256);
        let slow = Estimate::of(&[100 * GB], whole, 0.25e9, 8);
        assert_eq!((slow.least.as_secs(), slow.likely.as_secs()), (400, 800));
    }

    #[test]
    fn a_small_model_is_not_measured() {
        let small = Estimate::measure(&[GB], Method::files(Algorithm::Sha256));
        assert_eq!((small.least.as_secs(), small.likely.as_secs()), (0, 5));
        assert_eq!(
            small.prospect(Duration::from_secs(1), false),
            Prospect::Good(Order::CertificateFirst)
        );
    }

    #[test]
    fn what_cannot_succeed_is_known_before_the_model_is_hashed() {
        use Order::{CertificateFirst, HashFirst};
        use Prospect::{Good, Hopeless, Uncertain};
        let at = |least, likely| Estimate {
            least: Duration::from_secs(least),
            likely: Duration::from_secs(likely),
        };
        for (estimate, left, is_renewable, expected) in [
            (at(100, 480), 1, false, Good(CertificateFirst)),
            (at(100, 481), 60, true, Good(HashFirst)),
            (at(5000, 9000), 60, true, Good(HashFirst)),
            (at(100, 481), 496, false, Good(HashFirst)),
            (at(100, 481), 495, false, Uncertain(CertificateFirst)),
            (at(100, 600), 60, false, Uncertain(CertificateFirst)),
            (at(480, 900), 60, false, Uncertain(CertificateFirst)),
            (at(481, 900), 60, false, Hopeless),
            (at(481, 900), 800, false, Uncertain(HashFirst)),
            (at(786, 900), 800, false, Hopeless),
            (at(786, 900), 3600, false, Good(HashFirst)),
        ] {
            let prospect = estimate.prospect(Duration::from_secs(left), is_renewable);
            assert_eq!(prospect, expected, "{estimate:?} {left} {is_renewable}");
        }
    }
}
