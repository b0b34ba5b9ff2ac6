//! Retries: exponential backoff with full jitter, within one budget for each resource.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::error::HttpError;
use super::rate_limit::RateLimit;

/// How often and how long to try for one resource.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Requests at most, the first included.
    pub tries: u32,
    /// Time at most for all of them together, waiting included.
    pub total: Duration,
    /// Upper bound of the first random delay; it doubles with every try.
    pub first_delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            tries: 5,
            total: Duration::from_secs(30),
            // 0.3 + 0.6 + 1.2 + 2.4 s: a load balancer's restart fits, the budget is left for bodies.
            first_delay: Duration::from_millis(300),
        }
    }
}

/// The effect of a failed try on the next one.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: HttpError,
    pub(super) again: Again,
}

/// Whether and when to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// The same question would get the same answer.
    Never,
    /// It may be temporary.
    Backoff,
    /// The server named a time to wait, after answering with this status and this reason.
    After(Duration, u16, Option<String>),
}

/// Runs `attempt` until it succeeds, fails permanently, or the budget of `retry` is used up. Each try first waits for
/// `rate_limit`, which does not count against the budget: the client's own queue is not the server's fault.
///
/// # Errors
/// The last failure; [`HttpError::RateLimited`] if the server named a time beyond the rest of the budget;
/// [`HttpError::Timeout`] if the budget ended during a try.
pub(super) async fn run<T, F>(
    retry: &Retry,
    rate_limit: Option<&RateLimit>,
    url: &str,
    mut attempt: impl FnMut() -> F,
) -> Result<T, HttpError>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut deadline = Instant::now() + retry.total;
    let mut ceiling = retry.first_delay;
    let mut tries = 0;
    loop {
        tries += 1;
        if let Some(rate_limit) = rate_limit {
            let queued = Instant::now();
            rate_limit.wait().await;
            deadline += queued.elapsed();
        }
        let failure = match timeout_at(deadline, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(failure)) => failure,
            Err(_) => {
                return Err(HttpError::Timeout {
                    url: url.to_owned(),
                    after: retry.total,
                });
            }
        };
        let left = deadline.saturating_duration_since(Instant::now());
        // Full jitter: thirty prefetches that were refused together must not be repeated together.
        let jitter = ceiling.mul_f64(fastrand::f64());
        let wait = match failure.again {
            Again::Never => return Err(failure.error),
            Again::Backoff => jitter,
            Again::After(named, status, message) => {
                if tries >= retry.tries || named >= left {
                    return Err(HttpError::RateLimited {
                        url: url.to_owned(),
                        status,
                        retry_after: named,
                        message,
                    });
                }
                // Never before the named time, and spread out behind it.
                named.saturating_add(jitter)
            }
        };
        if tries >= retry.tries || wait >= left {
            return Err(failure.error);
        }
        tracing::debug!(
            http.tries = tries,
            http.wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "{}; trying again",
            failure.error
        );
        sleep(wait).await;
        ceiling = ceiling.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn failure(again: Again) -> Failure {
        let error = HttpError::Status {
            url: "u".to_owned(),
            status: 503,
            message: None,
        };
        Failure { error, again }
    }

    /// Plays `script`, one step per try; returns the outcome, the tries and the seconds that passed.
    async fn play(script: &[Option<Again>]) -> (Result<(), HttpError>, usize, f64) {
        let start = Instant::now();
        let mut tries = 0;
        let outcome = run(&Retry::default(), None, "u", || {
            let step = script[tries.min(script.len() - 1)].clone();
            tries += 1;
            async move { step.map_or(Ok(()), |again| Err(failure(again))) }
        })
        .await;
        (outcome, tries, start.elapsed().as_secs_f64())
    }

    #[tokio::test(start_paused = true)]
    async fn a_temporary_failure_is_tried_again_until_it_passes() {
        let (outcome, tries, seconds) =
            play(&[Some(Again::Backoff), Some(Again::Backoff), None]).await;
        assert!(outcome.is_ok());
        assert_eq!(tries, 3);
        assert!(seconds <= 0.3 + 0.6 + 0.01, "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn five_tries_are_the_most() {
        let (outcome, tries, seconds) = play(&[Some(Again::Backoff)]).await;
        assert!(matches!(
            outcome,
            Err(HttpError::Status { status: 503, .. })
        ));
        assert_eq!(tries, 5);
        assert!(seconds <= 0.3 + 0.6 + 1.2 + 2.4 + 0.01, "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_permanent_failure_is_not_tried_again() {
        let (outcome, tries, _) = play(&[Some(Again::Never)]).await;
        assert!(outcome.is_err());
        assert_eq!(tries, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_named_time_is_waited_for_in_full() {
        let named = Again::After(Duration::from_secs(7), 429, None);
        let (outcome, tries, seconds) = play(&[Some(named), None]).await;
        assert!(outcome.is_ok());
        assert_eq!(tries, 2);
        assert!((7.0..=7.31).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_named_time_that_does_not_fit_ends_it_at_once_with_its_own_error() {
        for (script, tries_expected) in [
            (
                vec![Some(Again::After(Duration::from_secs(61), 429, None))],
                1,
            ),
            // 20 s fit once, but not twice.
            (
                vec![Some(Again::After(Duration::from_secs(20), 429, None))],
                2,
            ),
            (vec![Some(Again::After(Duration::MAX, 503, None))], 1),
            // Time would be left, tries are not.
            (
                vec![Some(Again::After(Duration::from_secs(1), 429, None))],
                5,
            ),
        ] {
            let (outcome, tries, seconds) = play(&script).await;
            assert!(
                matches!(outcome, Err(HttpError::RateLimited { .. })),
                "{outcome:?}"
            );
            assert_eq!(tries, tries_expected);
            assert!(seconds < 30.0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_ends_with_the_budget() {
        let start = Instant::now();
        let outcome = run(&Retry::default(), None, "u", pending::<Result<(), Failure>>).await;
        assert!(matches!(outcome, Err(HttpError::Timeout { .. })));
        assert_eq!(start.elapsed().as_secs(), 30);
    }
}
