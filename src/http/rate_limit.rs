//! Client-side rate limit for each server.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Mutex;

/// Requests that may follow each other without a pause after an idle time: a few, so that a server's own count for any
/// minute is exceeded by at most this number.
const BURST: NonZeroU32 = NonZeroU32::new(10).expect("10 is positive");

/// At most this many requests a minute, evenly spread. Clones share the count.
#[derive(Clone, Debug)]
pub struct RateLimit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Held by the next request. It is passed on in order, so that none of 64 waiting requests waits for ever: leaves
    /// are delivered in order, and one missing request would delay all.
    queue: Mutex<()>,
    limiter: DefaultDirectRateLimiter,
}

impl RateLimit {
    /// At most this many requests a minute.
    pub fn per_minute(requests: NonZeroU32) -> Self {
        let quota = Quota::with_period(Duration::from_mins(1) / requests.get())
            .unwrap_or(Quota::per_minute(requests))
            .allow_burst(BURST);
        Self(Arc::new(Shared {
            queue: Mutex::new(()),
            limiter: RateLimiter::direct(quota),
        }))
    }

    /// Waits until another request may be sent.
    pub(super) async fn wait(&self) {
        let _place = self.0.queue.lock().await;
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
        // Five at a hundred a second. Only the lower bound is checked: the machine may be slow.
        assert!(start.elapsed() >= Duration::from_millis(45));
    }
}
