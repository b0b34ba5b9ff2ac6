//! The client, and how it reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use tokio::sync::OnceCell;
use url::Url;

use super::address::AddressPolicy;
use super::credentials;
use super::dates::{Dates, ServerDate};
use super::error::{HttpError, shown, shown_host};
use super::exchange::{Answer, answer_once, header_map, read_once};
use super::pieces::Pieces;
use super::proxy::{self, Proxies};
use super::rate_limit::RateLimit;
use super::retry;
use super::settings::Settings;
use super::setup::{self, Ground};

/// An HTTP client. Clones share connections. Nothing is set up before the first request, so a program that reads only
/// files needs no certificate authorities on the machine.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
    /// For reading; [`Client::post`] is not limited.
    rate_limit: Option<RateLimit>,
    /// Counts requests that read.
    requests: Option<RequestCount>,
}

/// How many requests were made, retries included. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct RequestCount(Arc<AtomicU64>);

impl RequestCount {
    /// The number since the last call; it begins again at 0.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    dates: Dates,
    ground: OnceCell<Ground>,
    reading: OnceLock<reqwest::Client>,
    reading_guarded: OnceLock<reqwest::Client>,
    pub(super) posting_public: OnceLock<reqwest::Client>,
    pub(super) posting_anywhere: OnceLock<reqwest::Client>,
}

/// How one resource is read.
pub(super) struct Reading<'a> {
    pub(super) client: &'a reqwest::Client,
    /// The URL in the form for messages, and the proxy to it.
    pub(super) name: String,
    pub(super) authorization: Option<HeaderValue>,
}

impl Reading<'_> {
    /// Adds the credentials for the server, if there are any.
    fn with_credentials(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization.clone()),
            None => request,
        }
    }
}

/// A URL as it is `shown`, with the proxy to it: an error may be the proxy's fault.
pub(super) fn named(shown: String, ground: &Ground, url: &Url) -> String {
    match ground.proxies.via(url) {
        Some(via) => format!("{shown} through the proxy {via}"),
        None => shown,
    }
}

/// The server of a URL as a firewall's rules name it: `host:port`.
pub fn server_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

impl Client {
    /// Creates a client with these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                dates: Dates::default(),
                ground: OnceCell::new(),
                reading: OnceLock::new(),
                reading_guarded: OnceLock::new(),
                posting_public: OnceLock::new(),
                posting_anywhere: OnceLock::new(),
            }),
            rate_limit: None,
            requests: None,
        }
    }

    /// The same client, which counts the requests that it makes to read. Retries count too.
    #[must_use]
    pub fn counted(&self, requests: &RequestCount) -> Self {
        Self {
            requests: Some(requests.clone()),
            ..self.clone()
        }
    }

    /// The same client, at most as fast as `rate_limit`: every request counts, retries too. Clients with the same rate
    /// limit share it.
    #[must_use]
    pub fn rate_limited(&self, rate_limit: RateLimit) -> Self {
        Self {
            rate_limit: Some(rate_limit),
            ..self.clone()
        }
    }

    /// Reads `url`. `Ok(None)` means that the server reports it as absent (404 or 410), and nothing else.
    ///
    /// # Errors
    /// Any other outcome than the whole body within `limit_bytes`, after the retries of
    /// [`Settings::retry`].
    pub async fn get(&self, url: &Url, limit_bytes: usize) -> Result<Option<Bytes>, HttpError> {
        Ok(self.find(url, limit_bytes).await?.found())
    }

    /// Like [`get`](Self::get), with the server's reason if the resource is absent.
    ///
    /// # Errors
    /// As there.
    pub async fn find(&self, url: &Url, limit_bytes: usize) -> Result<Answer<Bytes>, HttpError> {
        let reading = self.reading(url).await?;
        self.read(&reading, url, limit_bytes, |client| client.get(url.clone()))
            .await
    }

    /// Like [`get`](Self::get), for a URL that is secret and must not lead to a host that `policy` forbids: errors name
    /// only its host.
    ///
    /// # Errors
    /// As there, or a forbidden address.
    pub async fn get_secret(
        &self,
        url: &Url,
        limit_bytes: usize,
        policy: &AddressPolicy,
    ) -> Result<Answer<Bytes>, HttpError> {
        if let Some(error) = policy.forbids(url) {
            return Err(error);
        }
        let ground = self.ground().await?;
        let reading = Reading {
            client: built(&self.shared.reading_guarded, || {
                setup::reading(ground, Some(policy.guard()))
            })?,
            name: named(shown_host(url), ground, url),
            authorization: self.authorization(url).await?,
        };
        self.read(&reading, url, limit_bytes, |client| client.get(url.clone()))
            .await
    }

    /// Like [`find`](Self::find), with these headers, which may be secret. No redirect is followed: the server would
    /// choose who gets them.
    ///
    /// # Errors
    /// As [`get`](Self::get). A redirect is [`HttpError::Status`].
    pub async fn find_with(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        limit_bytes: usize,
    ) -> Result<Answer<Bytes>, HttpError> {
        let ground = self.ground().await?;
        let name = named(shown(url), ground, url);
        let headers = header_map(headers, &name)?;
        let reading = Reading {
            client: built(&self.shared.posting_anywhere, || {
                setup::posting_anywhere(ground)
            })?,
            name,
            authorization: self.authorization(url).await?,
        };
        self.read(&reading, url, limit_bytes, |client| {
            client.get(url.clone()).headers(headers.clone())
        })
        .await
    }

    /// Like [`get`](Self::get), for a query with a body of JSON, and with the server's reason if the resource is absent.
    /// The query must not change anything at the server, because it may be sent several times.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn query(
        &self,
        url: &Url,
        question: &Bytes,
        limit_bytes: usize,
    ) -> Result<Answer<Bytes>, HttpError> {
        let reading = self.reading(url).await?;
        self.read(&reading, url, limit_bytes, |client| {
            question_to(client, url, question)
        })
        .await
    }

    /// Like [`query`](Self::query), for a response that is used while it arrives: it may be long, and its beginning is
    /// useful even if it breaks off. It is requested again only until its body begins. The whole response has as much
    /// time as all tries of another request.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn query_in_pieces(
        &self,
        url: &Url,
        question: &Bytes,
        limit_bytes: usize,
    ) -> Result<Answer<Pieces>, HttpError> {
        let (settings, dates) = (&self.shared.settings, &self.shared.dates);
        let reading = self.reading(url).await?;
        let idle = settings.idle_timeout;
        let response = retry::run(
            &settings.retry,
            self.rate_limit.as_ref(),
            &reading.name,
            || {
                self.count();
                let request = reading.with_credentials(question_to(reading.client, url, question));
                answer_once(request, url, &reading.name, idle, dates)
            },
        )
        .await?;
        let (name, patience) = (reading.name, settings.retry.total);
        Ok(match response {
            Answer::Found(response) => {
                Answer::Found(Pieces::new(response, name, limit_bytes, idle, patience))
            }
            Answer::Absent(absence) => Answer::Absent(absence),
        })
    }

    fn count(&self) {
        if let Some(RequestCount(requests)) = &self.requests {
            requests.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) async fn read(
        &self,
        reading: &Reading<'_>,
        url: &Url,
        limit_bytes: usize,
        request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Result<Answer<Bytes>, HttpError> {
        let settings = &self.shared.settings;
        retry::run(
            &settings.retry,
            self.rate_limit.as_ref(),
            &reading.name,
            || {
                self.count();
                read_once(
                    reading.with_credentials(request(reading.client)),
                    url,
                    &reading.name,
                    limit_bytes,
                    settings.idle_timeout,
                    &self.shared.dates,
                )
            },
        )
        .await
    }

    async fn reading(&self, url: &Url) -> Result<Reading<'_>, HttpError> {
        let ground = self.ground().await?;
        Ok(Reading {
            client: built(&self.shared.reading, || setup::reading(ground, None))?,
            name: named(shown(url), ground, url),
            authorization: self.authorization(url).await?,
        })
    }

    /// The proxies, found out at the first request.
    pub(super) async fn ground(&self) -> Result<&Ground, HttpError> {
        let settings = &self.shared.settings;
        let ground = self.shared.ground.get_or_try_init(async || {
            let variable = |name: &str| std::env::var(name).ok();
            let proxies = Proxies::of(&settings.proxy, variable).await?;
            Ok(Ground {
                settings: settings.clone(),
                proxies: Arc::new(proxies),
            })
        });
        ground.await
    }

    /// The credentials for this URL, as they are now.
    pub(super) async fn authorization(&self, url: &Url) -> Result<Option<HeaderValue>, HttpError> {
        if proxy::has_userinfo(url) {
            return Err(HttpError::InvalidRequest {
                url: shown_host(url),
                reason: "a URL may not contain a user or a password: use [[http.credentials]]"
                    .to_owned(),
            });
        }
        match credentials::of(&self.shared.settings.credentials, url) {
            Some(credentials) => credentials.authorization().await.map(Some),
            None => Ok(None),
        }
    }

    /// Checks that everything exists that requests need on this machine: files of authorities, the proxy's URL,
    /// credentials. No request is sent.
    ///
    /// # Errors
    /// The first missing item.
    pub async fn prepare(&self) -> Result<(), HttpError> {
        let ground = self.ground().await?;
        built(&self.shared.reading, || setup::reading(ground, None))?;
        for credentials in &self.shared.settings.credentials {
            credentials.authorization().await?;
        }
        Ok(())
    }

    /// The unusual settings for requests, a line each: proxies, authorities, credentials. No secrets.
    ///
    /// # Errors
    /// The proxy cannot be found out.
    pub async fn described(&self) -> Result<Vec<String>, HttpError> {
        let settings = &self.shared.settings;
        let mut lines = self.ground().await?.proxies.described();
        for path in &settings.ca_files {
            lines.push(format!(
                "the certificate authorities in {} are trusted besides the system's",
                path.display()
            ));
        }
        for credentials in &settings.credentials {
            lines.push(format!("credentials for {credentials}"));
        }
        Ok(lines)
    }

    /// The time in the newest response of the host of `url` to a [`Client::get`]; `None` if it contained none. It is
    /// unauthenticated.
    pub fn date(&self, url: &Url) -> Option<ServerDate> {
        self.shared.dates.of(url)
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

fn question_to(client: &reqwest::Client, url: &Url, question: &Bytes) -> reqwest::RequestBuilder {
    client
        .post(url.clone())
        .header(reqwest::header::CONTENT_TYPE, "application/json")
        .header(reqwest::header::ACCEPT, "application/json")
        .body(question.clone())
}

/// The client in `slot`, created now if it does not exist yet. Two tasks may do that at the same time; one of the
/// results is kept.
pub(super) fn built(
    slot: &OnceLock<reqwest::Client>,
    build: impl FnOnce() -> Result<reqwest::Client, HttpError>,
) -> Result<&reqwest::Client, HttpError> {
    if let Some(client) = slot.get() {
        return Ok(client);
    }
    let client = build()?;
    Ok(slot.get_or_init(|| client))
}
