//! How fast a server is read: a guest keeps to what the house allows before it is told to.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Mutex;

/// Requests that may follow each other without a pause after a rest: a few, so that a server's own count over any minute
/// is not exceeded by more than these.
const BURST: NonZeroU32 = NonZeroU32::new(10).expect("10 is not 0");

/// At most so many requests a minute, evenly spread. Clones share the count.
#[derive(Clone, Debug)]
pub struct RateLimit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Held by the one who is next. It is handed on in order, so that of 64 waiting requests none is overtaken for ever
    /// (leaves are delivered in order: one that starves would hold up all).
    turn: Mutex<()>,
    limiter: DefaultDirectRateLimiter,
}

impl RateLimit {
    /// So many requests a minute.
    pub fn per_minute(requests: NonZeroU32) -> Self {
        let quota = Quota::with_period(Duration::from_mins(1) / requests.get())
            .unwrap_or(Quota::per_minute(requests))
            .allow_burst(BURST);
        Self(Arc::new(Shared {
            turn: Mutex::new(()),
            limiter: RateLimiter::direct(quota),
        }))
    }

    /// Waits until another request may be sent.
    pub(super) async fn wait(&self) {
        let _turn = self.0.turn.lock().await;
        self.0.limiter.until_ready().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn after_the_burst_requests_are_spread_evenly() {
        let rate_limit = RateLimit::per_minute(NonZeroU32::new(6_000).expect("not 0"));
        let start = Instant::now();
        for _ in 0..BURST.get() {
            rate_limit.wait().await;
        }
        for _ in 0..5 {
            rate_limit.wait().await;
        }
        // Five at a hundred a second. Only the lower bound is a promise: a machine may be slow.
        assert!(start.elapsed() >= Duration::from_millis(45));
    }
}
