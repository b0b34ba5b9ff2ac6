//! A bar for hashing that takes long enough to be waited for, on a terminal only.

use std::fmt::Write;
use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// After how many bytes the bar is updated: a few milliseconds' work. An update for each small file would cost more than
/// to hash that.
const STEP_BYTES: u64 = 8 << 20;

/// How much was hashed.
pub(super) struct Meter {
    done: AtomicU64,
    bar: Option<ProgressBar>,
}

impl Meter {
    /// A meter for `total` bytes. It shows nothing before the first [`STEP_BYTES`] are done.
    pub(super) fn new(total: u64) -> Self {
        let bar = (total > STEP_BYTES && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let style =
                ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}  {rate}  {eta} left")
                    .expect("the template is fixed and well-formed");
            bar.set_style(style.with_key(
                "rate",
                |state: &ProgressState, shown: &mut dyn Write| {
                    // There is no other place to report that the bar cannot be written.
                    let _ = write!(shown, "{:.2} GB/s", state.per_sec() / 1e9);
                },
            ));
            bar
        });
        Self {
            done: AtomicU64::new(0),
            bar,
        }
    }

    /// So much more was hashed; from any thread.
    pub(super) fn add(&self, bytes: u64) {
        let before = self.done.fetch_add(bytes, Ordering::Relaxed);
        let now = before.saturating_add(bytes);
        if let Some(bar) = &self.bar
            && before / STEP_BYTES != now / STEP_BYTES
        {
            bar.set_position(now);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
