//! Requests to the services of an instance, from a command that is not asynchronous itself.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use model_signing::timestamp::Authorities;
use tokio::runtime::{Builder, Runtime};
use url::Url;

use crate::cli::signing::stamping;
use crate::http::{self, Retry, Submitted};

/// How long an answer may take to begin: a Rekor v2 log answers when the entry is in its tree, which may take 20 seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// All tries of one request together: a certificate is valid for ten minutes.
const RETRY: Retry = Retry {
    tries: 5,
    total: Duration::from_secs(90),
    first_delay: Duration::from_millis(500),
};

/// The network, as far as signing needs it.
pub(super) struct Network {
    runtime: Option<Runtime>,
    pub(super) http: http::Client,
}

impl Network {
    pub(super) fn new() -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the system gives no threads or timers")?;
        let settings = http::Settings {
            idle_timeout: PATIENCE,
            retry: RETRY,
            ..http::Settings::default()
        };
        Ok(Self {
            runtime: Some(runtime),
            http: http::Client::new(settings),
        })
    }

    /// Waits for what `work` comes to.
    pub(super) fn run<F: Future>(&self, work: F) -> F::Output {
        let runtime = self.runtime.as_ref();
        runtime.expect("it is there until the end").block_on(work)
    }

    /// A request with a body of JSON.
    pub(super) fn submit(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        body: String,
        limit_bytes: usize,
    ) -> anyhow::Result<Submitted> {
        let mut all = vec![
            ("content-type", "application/json"),
            ("accept", "application/json"),
        ];
        all.extend(headers);
        let submitted = self.http.submit(url, &all, Bytes::from(body), limit_bytes);
        Ok(self.run(submitted)?)
    }

    /// A timestamp over `message` by the authority at `url`, which must be one of `trusted`, if that is given.
    pub(super) fn stamp(
        &self,
        url: &Url,
        message: &[u8],
        trusted: Option<&Authorities>,
    ) -> anyhow::Result<Vec<u8>> {
        let none = Authorities::default();
        let trusted = trusted.unwrap_or(&none);
        self.run(stamping::ask(&self.http, url, message, trusted))
    }

    pub(super) fn pause(&self, seconds: i64) {
        let seconds = u64::try_from(seconds).unwrap_or_default();
        self.run(async { tokio::time::sleep(Duration::from_secs(seconds)).await });
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A name that is still being looked up must not keep the program.
            runtime.shutdown_background();
        }
    }
}

/// The address of a service, or of what is at `path` below it.
pub(super) fn address(service: &str, path: &str) -> anyhow::Result<Url> {
    let base = service.trim_end_matches('/');
    let text = if path.is_empty() {
        base.to_owned()
    } else {
        format!("{base}/{path}")
    };
    Url::parse(&text)
        .with_context(|| format!("the signing configuration has the address {service:?}"))
}
