//! Signals: requests to end, and to reload the configuration.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::monitor::Stop;

/// Requests an end at the first SIGINT or SIGTERM; the second ends the process at once.
pub fn stop_on_signals(stop: Stop) {
    tokio::spawn(async move {
        if !received().await {
            return;
        }
        tracing::warn!("ending after what is being done; a second signal ends at once");
        stop.request();
        if received().await {
            // 128 + SIGINT, as a shell reports it. What was committed is safe, the rest is repeated.
            std::process::exit(130);
        }
    });
}

/// Waits for SIGINT or SIGTERM; `false` if signals cannot be received.
async fn received() -> bool {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return false;
        };
        tokio::select! {
            received = interrupt.recv() => received.is_some(),
            received = terminate.recv() => received.is_some(),
        }
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await.is_ok()
    }
}

/// Whether a reload was requested. The signal is not lost while a pass runs.
#[derive(Debug, Clone, Default)]
pub struct Hangup(Arc<Notify>);

impl Hangup {
    /// Receives SIGHUP from now on. Without this the signal ends the program.
    ///
    /// When the terminal of a daemon is closed, the daemon ends, as other programs do: otherwise it would run unseen
    /// and keep the store locked.
    pub fn listen(stop: Stop) -> Self {
        let hangup = Self::default();
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            match signal(SignalKind::hangup()) {
                Ok(mut signals) => {
                    let requested = Arc::clone(&hangup.0);
                    let had_terminal = has_terminal();
                    tokio::spawn(async move {
                        while signals.recv().await.is_some() {
                            if had_terminal && !has_terminal() {
                                stop.request();
                            }
                            // Several requests during a pass are one reload.
                            requested.notify_one();
                        }
                    });
                }
                Err(error) => tracing::warn!("SIGHUP cannot be received: {error}"),
            }
        }
        #[cfg(not(unix))]
        let _ = stop;
        hangup
    }

    /// Waits until a reload is requested.
    pub(super) async fn wait(&self) {
        self.0.notified().await;
    }
}

/// Whether this program has an open terminal.
#[cfg(unix)]
fn has_terminal() -> bool {
    use std::io::IsTerminal as _;
    std::io::stdin().is_terminal() || std::io::stderr().is_terminal()
}
