//! Notifications to systemd: ready, alive, status, stopping. Without systemd there are none.

use std::time::Duration;

use crate::monitor::Progress;

/// A pass without progress for this long hangs: the watchdog gets no more notifications, and systemd restarts the
/// program. It is longer than any single resource may take with its retries.
#[cfg(target_os = "linux")]
const LIFELESS: Duration = Duration::from_mins(10);

/// Notifies systemd that the daemon is ready.
pub fn ready() {
    #[cfg(target_os = "linux")]
    notify(&[sd_notify::NotifyState::Ready]);
}

/// Notifies systemd that the daemon ends.
pub fn stopping() {
    #[cfg(target_os = "linux")]
    notify(&[sd_notify::NotifyState::Stopping]);
}

/// Shows this line in `systemctl status`.
pub fn status(line: &str) {
    #[cfg(target_os = "linux")]
    notify(&[sd_notify::NotifyState::Status(line)]);
    #[cfg(not(target_os = "linux"))]
    let _ = line;
}

#[cfg(target_os = "linux")]
fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd was not notified: {error}");
    }
}

/// Notifies the watchdog while passes make progress or none is running.
pub async fn feed_watchdog(progress: Progress) {
    #[cfg(target_os = "linux")]
    {
        let Some(limit) = sd_notify::watchdog_enabled() else {
            return std::future::pending().await;
        };
        let mut tick = tokio::time::interval(limit / 2);
        let mut last = (progress.steps(), tokio::time::Instant::now());
        loop {
            tick.tick().await;
            if progress.steps() != last.0 || !progress.running() {
                last = (progress.steps(), tokio::time::Instant::now());
            }
            if last.1.elapsed() < LIFELESS {
                notify(&[sd_notify::NotifyState::Watchdog]);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = progress;
        std::future::pending::<()>().await;
    }
}
