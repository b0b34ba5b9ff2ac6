//! The progress bar of a pass.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::logging::Screen;
use crate::monitor::Progress;

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
            // There is no other place to report that the bar cannot be written.
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
