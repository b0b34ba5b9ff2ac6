//! Requests that change something at the server, such as a delivery: sent once, without retries and redirects.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::AUTHORIZATION;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::address::AddressPolicy;
use super::client::{Client, built, named};
use super::error::{HttpError, shown_host};
use super::exchange::{
    beginning, header_map, reason_in, retry_after, sending_failed, timed_out, whole_body,
};
use super::setup;

/// The response to a [`Client::post`] or [`Client::post_for`]. The caller decides whether it is a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostReply {
    /// The server, and the proxy to it, in the form for messages.
    pub name: String,
    /// The status code.
    pub status: u16,
    /// The waiting time that the server requests.
    pub retry_after: Option<Duration>,
    /// The server's reason: one line, cut and escaped.
    pub message: Option<String>,
    /// Of [`Client::post`], the beginning of the body, at most [`REPLY_LIMIT_BYTES`](super::REPLY_LIMIT_BYTES); of
    /// [`Client::post_for`], the body.
    pub body: Bytes,
}

/// How a request changes something, or asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It changes nothing.
    Get,
    /// It makes something.
    Post,
    /// It changes a part of something.
    Patch,
}

/// The part of a response's body that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// At most [`REPLY_LIMIT_BYTES`](super::REPLY_LIMIT_BYTES) of it. The status is the answer: a body that is longer, ends
    /// early or does not come in time is no error.
    Beginning,
    /// All of it, at most this many bytes.
    Whole(usize),
    /// All of it if the status is a success, at most this many bytes; otherwise the beginning.
    WholeOfSuccess(usize),
}

/// A request that is sent once.
#[derive(Clone, Debug)]
pub struct SingleRequest<'a> {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub url: &'a Url,
    /// Its headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// Its body; empty if there is none.
    pub body: Bytes,
    /// What is kept of the response.
    pub kept: Kept,
    /// The time until the end of the response.
    pub time_limit: Duration,
    /// The addresses that the server may have.
    pub policy: &'a AddressPolicy,
}

impl Client {
    /// Sends `body` to `url`, once, and returns the server's response within `time_limit`. Redirects are responses too.
    /// Unless `policy` allows the host by name, it must have public addresses only. A proxy resolves names itself, so
    /// with a proxy only literal addresses in the URL and names of the same machine are checked.
    ///
    /// # Errors
    /// No answer, or a forbidden address. The message shows neither path nor query of `url`.
    pub async fn post(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        body: Bytes,
        time_limit: Duration,
        policy: &AddressPolicy,
    ) -> Result<PostReply, HttpError> {
        self.send(SingleRequest {
            method: Method::Post,
            url,
            headers,
            body,
            kept: Kept::Beginning,
            time_limit,
            policy,
        })
        .await
    }

    /// Like [`post`](Self::post), for a response that is used and not only described: its whole body, which is an error if
    /// it is longer than `limit_bytes` or ends early.
    ///
    /// # Errors
    /// As there, and [`HttpError::TooLarge`] or [`HttpError::Body`].
    pub async fn post_for(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        body: Bytes,
        limit_bytes: usize,
        time_limit: Duration,
        policy: &AddressPolicy,
    ) -> Result<PostReply, HttpError> {
        self.send(SingleRequest {
            method: Method::Post,
            url,
            headers,
            body,
            kept: Kept::Whole(limit_bytes),
            time_limit,
            policy,
        })
        .await
    }

    /// Like [`post`](Self::post), with another method and another part of the response.
    ///
    /// # Errors
    /// As [`post_for`](Self::post_for).
    pub async fn send(&self, request: SingleRequest<'_>) -> Result<PostReply, HttpError> {
        let SingleRequest {
            method,
            url,
            headers,
            body,
            kept,
            time_limit,
            policy,
        } = request;
        if let Some(error) = policy.forbids(url) {
            return Err(error);
        }
        let ground = self.ground().await?;
        let name = named(shown_host(url), ground, url);
        let resolves_itself = ground.proxies.via(url).is_none();
        let client = if resolves_itself && !policy.allows_by_name(url) {
            built(&self.shared.posting_public, || {
                setup::posting_public(ground)
            })?
        } else {
            built(&self.shared.posting_anywhere, || {
                setup::posting_anywhere(ground)
            })?
        };
        let mut headers = header_map(headers, &name)?;
        if let Some(authorization) = self.authorization(url).await? {
            headers.entry(AUTHORIZATION).or_insert(authorization);
        }
        let method = match method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Patch => reqwest::Method::PATCH,
        };
        let request = client
            .request(method, url.clone())
            .headers(headers)
            .body(body);
        let until = Instant::now() + time_limit;
        let exchange = async {
            let mut response = request
                .send()
                .await
                .map_err(|e| sending_failed(e, url, &name))?;
            let status = response.status().as_u16();
            let retry_after = retry_after(response.headers());
            let limit_bytes = match kept {
                Kept::Beginning => None,
                Kept::Whole(limit_bytes) => Some(limit_bytes),
                Kept::WholeOfSuccess(limit_bytes) => {
                    response.status().is_success().then_some(limit_bytes)
                }
            };
            let body = match limit_bytes {
                None => timeout_at(until, beginning(&mut response))
                    .await
                    .unwrap_or_default(),
                Some(limit_bytes) => {
                    let idle = self.shared.settings.idle_timeout;
                    let whole = whole_body(response, &name, limit_bytes, idle).await;
                    whole.map_err(|failure| failure.error)?
                }
            };
            Ok(PostReply {
                name: name.clone(),
                status,
                retry_after,
                message: reason_in(&String::from_utf8_lossy(&body)),
                body,
            })
        };
        timeout(time_limit, exchange)
            .await
            .unwrap_or_else(|_| Err(timed_out(&name, time_limit)))
    }
}
