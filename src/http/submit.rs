//! Requests by which a server makes something: with retries, because a lost answer or a busy server must not be the end.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, StatusCode};
use url::Url;

use super::client::{Client, built, named};
use super::error::{HttpError, shown};
use super::exchange::{header_map, reason, refused, send, whole_body};
use super::retry::{self, Again, Failure};
use super::setup;

/// What a server has answered to a [`Client::submit`].
#[derive(Clone, Debug)]
pub struct Submitted {
    /// 200, 201, or 409: the server has it already.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
    headers: HeaderMap,
}

impl Submitted {
    /// The value of a header; `None` if it is absent or not ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the server has the thing already (409): from an earlier request, or from one whose answer was lost.
    pub const fn is_duplicate(&self) -> bool {
        self.status == 409
    }
}

impl Client {
    /// Sends `body` to `url` by POST, and returns the whole response. Answers that may pass (429, 5xx, none, a part of one)
    /// are followed by another try, as for [`Client::get`], so the server may get the request several times. Redirects are
    /// not followed. The caller has chosen the server, so it may have any address.
    ///
    /// # Errors
    /// Any other status than 200, 201 and 409, with the server's reason; no whole response within `limit_bytes`. Values of
    /// `headers` are never shown, not even where the server repeats the authorization.
    pub async fn submit(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        body: Bytes,
        limit_bytes: usize,
    ) -> Result<Submitted, HttpError> {
        let ground = self.ground().await?;
        let name = named(shown(url), ground, url);
        let client = built(&self.shared.posting_anywhere, || {
            setup::posting_anywhere(ground)
        })?;
        let mut headers = header_map(headers, &name)?;
        if let Some(authorization) = self.authorization(url).await? {
            headers.entry(AUTHORIZATION).or_insert(authorization);
        }
        let settings = &self.shared.settings;
        retry::run(&settings.retry, None, &name, || {
            let request = client.post(url.clone()).headers(headers.clone());
            submit_once(
                request.body(body.clone()),
                url,
                &name,
                limit_bytes,
                settings.idle_timeout,
                headers.get(AUTHORIZATION),
            )
        })
        .await
    }
}

async fn submit_once(
    request: RequestBuilder,
    url: &Url,
    name: &str,
    limit_bytes: usize,
    idle: Duration,
    secret: Option<&HeaderValue>,
) -> Result<Submitted, Failure> {
    let response = send(request, url, name, idle).await?;
    let status = response.status();
    match status {
        StatusCode::OK | StatusCode::CREATED | StatusCode::CONFLICT => {
            let headers = response.headers().clone();
            Ok(Submitted {
                status: status.as_u16(),
                body: whole_body(response, name, limit_bytes, idle).await?,
                headers,
            })
        }
        _ => {
            let mut failure = refused(status, response.headers(), name);
            let why = reason(response, idle).await;
            let why = why.filter(|why| !repeats_a_secret(why, secret));
            if let HttpError::Status { message, .. } = &mut failure.error {
                message.clone_from(&why);
            }
            if let Again::After(_, _, message) = &mut failure.again {
                *message = why;
            }
            Err(failure)
        }
    }
}

/// So many characters of a secret are enough to know it again; the beginning of every identity token is longer.
const TELLING_CHARS: usize = 12;

/// Whether a server's reason has a part of the authorization in it: some servers repeat the request in their errors.
fn repeats_a_secret(why: &str, secret: Option<&HeaderValue>) -> bool {
    let secret = secret.and_then(|value| value.to_str().ok());
    let parts = secret.unwrap_or_default().split([' ', '.', ':']);
    let mut beginnings = parts.filter_map(|part| part.get(..TELLING_CHARS));
    beginnings.any(|beginning| why.contains(beginning))
}
