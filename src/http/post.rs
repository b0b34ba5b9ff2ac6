//! Requests that change something at the server, such as a delivery: sent once, without retries and redirects.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::AUTHORIZATION;
use tokio::time::timeout;
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
        self.posted(url, headers, body, time_limit, policy, None)
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
        self.posted(url, headers, body, time_limit, policy, Some(limit_bytes))
            .await
    }

    /// Without a limit, the beginning of the response's body.
    async fn posted(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        body: Bytes,
        time_limit: Duration,
        policy: &AddressPolicy,
        limit_bytes: Option<usize>,
    ) -> Result<PostReply, HttpError> {
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
        let request = client.post(url.clone()).headers(headers).body(body);
        let exchange = async {
            let mut response = request
                .send()
                .await
                .map_err(|e| sending_failed(e, url, &name))?;
            let status = response.status().as_u16();
            let retry_after = retry_after(response.headers());
            let body = match limit_bytes {
                None => beginning(&mut response).await,
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
