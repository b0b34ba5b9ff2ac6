//! What a pass is doing, for people, and what it came to, for scripts.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Serialize;

use super::logging::Screen;
use super::output::Outcome;
use crate::monitor::{LogOutcome, Progress};

/// How many logs were not read and proven. None at all is no answer either.
pub(super) fn unread(outcomes: &[LogOutcome]) -> usize {
    let unread = outcomes.iter().filter(|outcome| !outcome.proven).count();
    unread.max(usize::from(outcomes.is_empty()))
}

/// What the only pass came to; the last line says it for scripts.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct PassResult {
    /// Open security findings of at least `fail_on`.
    pub(super) security: u64,
    /// Open findings about health.
    pub(super) health: u64,
    /// Logs that were not read and proven in this pass.
    pub(super) unread: u64,
    /// Alerts that are due and were not delivered.
    pub(super) undelivered: u64,
}

impl PassResult {
    pub(super) const fn outcome(self) -> Outcome {
        if self.security > 0 {
            Outcome::No
        } else if self.health == 0 && self.unread == 0 && self.undelivered == 0 {
            Outcome::Clean
        } else {
            Outcome::Unanswered
        }
    }
}

/// Shows a bar on a terminal while a pass has work.
pub(super) async fn show_progress(progress: Progress, screen: Screen) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr())
        .with_finish(indicatif::ProgressFinish::AndClear);
    let style = ProgressStyle::with_template(
        "{bar:30} {human_pos}/{human_len} entries  {rate}/s  {eta} left",
    )
    .expect("the template is fixed and well-formed")
    .with_key(
        "rate",
        |state: &ProgressState, shown: &mut dyn std::fmt::Write| {
            // A bar that cannot be written has nobody to tell it to.
            let _ = write!(shown, "{:.0}", state.per_sec());
        },
    );
    bar.set_style(style);
    screen.show(Some(bar.clone()));
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    loop {
        tick.tick().await;
        let (read, goal) = progress.entries();
        if goal > 0 {
            bar.set_length(goal);
            bar.set_position(read);
        }
    }
}
