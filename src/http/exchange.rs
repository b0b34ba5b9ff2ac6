//! One request and its answer.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::time::timeout;
use url::Url;

use super::dates::{Dates, http_date};
use super::error::HttpError;
use super::retry::{Again, Failure};
use super::{address, setup};
use crate::escape;
use crate::outcome::causes;

/// The size that is reserved at first for a body whose length the server announces. The announced length may be false.
const ANNOUNCED_BYTES_TRUSTED: u64 = 1024 * 1024;

/// At most this much of the response to a [`Client::post`](super::Client::post) is kept: enough to describe an error.
pub const REPLY_LIMIT_BYTES: usize = 16 * 1024;

/// Sends `request` to `url` once, and reads the whole response. `name` is the form of the URL for errors. `idle` is the
/// longest time without any progress.
pub(super) async fn read_once(
    request: RequestBuilder,
    url: &Url,
    name: &str,
    limit_bytes: usize,
    idle: Duration,
    dates: &Dates,
) -> Result<Answer<Bytes>, Failure> {
    match answer_once(request, url, name, idle, dates).await? {
        Answer::Found(response) => whole_body(response, name, limit_bytes, idle)
            .await
            .map(Answer::Found),
        Answer::Absent(absence) => Ok(Answer::Absent(absence)),
    }
}

/// As [`read_once`], until the body begins.
pub(super) async fn answer_once(
    request: RequestBuilder,
    url: &Url,
    name: &str,
    idle: Duration,
    dates: &Dates,
) -> Result<Answer<Response>, Failure> {
    let response = send(request, url, name, idle).await?;
    dates.record(response.url(), response.headers());
    match response.status() {
        StatusCode::OK => Ok(Answer::Found(response)),
        status @ (StatusCode::NOT_FOUND | StatusCode::GONE) => Ok(Answer::Absent(Absence {
            url: name.to_owned(),
            status: status.as_u16(),
            message: reason(response, idle).await,
        })),
        status => {
            let mut failure = refused(status, response.headers(), name);
            // Servers describe errors in the body, and the caller may recognise the sentence.
            let why = reason(response, idle).await;
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

/// Sends a request, and waits for the head of the response.
pub(super) async fn send(
    request: RequestBuilder,
    url: &Url,
    name: &str,
    idle: Duration,
) -> Result<Response, Failure> {
    match timeout(idle, request.send()).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => {
            let error = sending_failed(error, url, name);
            let again = match error {
                HttpError::Redirect { .. } | HttpError::InvalidRequest { .. } => Again::Never,
                _ => Again::Backoff,
            };
            Err(Failure { error, again })
        }
        Err(_) => Err(Failure {
            error: timed_out(name, idle),
            again: Again::Backoff,
        }),
    }
}

/// The server's reason for an error, on one line; `None` if it gives none.
pub(super) async fn reason(mut response: Response, idle: Duration) -> Option<String> {
    let body = timeout(idle, beginning(&mut response)).await.ok()?;
    reason_in(&String::from_utf8_lossy(&body))
}

/// The sentence in the body of an error: the message of a JSON object, the title of a page, or else the first line.
pub(super) fn reason_in(body: &str) -> Option<String> {
    /// Where servers of logs, buckets and webhooks put the sentence (RFC 9457: `detail`, `title`).
    const MEMBERS: [&str; 6] = [
        "message",
        "error_message",
        "error",
        "detail",
        "title",
        "msg",
    ];
    let body = body.trim_start_matches('\u{feff}').trim();
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let in_json = json.as_ref().and_then(|json| {
        MEMBERS.iter().find_map(|member| {
            let value = json.get(member)?;
            value.as_str().or_else(|| value.get("message")?.as_str())
        })
    });
    let in_page = || {
        // Only for its title: all else is markup.
        let lower = body.to_ascii_lowercase();
        let start = lower.find("<title>")? + "<title>".len();
        body.get(start..start + lower.get(start..)?.find("</title>")?)
    };
    let message = match in_json {
        Some(message) => message,
        None if body.starts_with('<') => in_page()?,
        None => body,
    };
    let line = message
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let cut = escape::truncate(&words.join(" "), REASON_CHARS).into_owned();
    Some(escape::terminal(&cut).into_owned())
}

/// At most this many characters of an error's reason are kept: a sentence, not a page.
const REASON_CHARS: usize = 300;

/// The server's statement that a resource does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The requested URL.
    pub url: String,
    /// 404 or 410.
    pub status: u16,
    /// The server's reason: one line, cut and escaped.
    pub message: Option<String>,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: answered {}", self.url, self.status)?;
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

/// The response to a valid request.
#[derive(Debug)]
pub enum Answer<T> {
    /// The resource.
    Found(T),
    /// The server does not have it.
    Absent(Absence),
}

impl<T> Answer<T> {
    /// The resource, if it exists.
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent(_) => None,
        }
    }
}

/// A response that is not the resource: the error, and whether to try again.
pub(super) fn refused(status: StatusCode, headers: &HeaderMap, name: &str) -> Failure {
    let again = match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::INTERNAL_SERVER_ERROR
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => retry_after(headers).map_or(Again::Backoff, |wait| {
            Again::After(wait, status.as_u16(), None)
        }),
        _ => Again::Never,
    };
    let error = HttpError::Status {
        url: name.to_owned(),
        status: status.as_u16(),
        message: None,
    };
    Failure { error, again }
}

/// The body. Its size is counted after decompression while it arrives, so a few kilobytes that unpack to gigabytes are
/// cut off at the limit.
pub(super) async fn whole_body(
    mut response: Response,
    name: &str,
    limit_bytes: usize,
    idle: Duration,
) -> Result<Bytes, Failure> {
    let too_large = || Failure {
        error: HttpError::TooLarge {
            url: name.to_owned(),
            limit_bytes,
        },
        again: Again::Never,
    };
    // Unknown (0 here) when the body is compressed.
    let announced = response.content_length().unwrap_or(0);
    if announced > limit_bytes as u64 {
        return Err(too_large());
    }
    let trusted = usize::try_from(announced.min(ANNOUNCED_BYTES_TRUSTED)).unwrap_or(0);
    let mut body = BytesMut::with_capacity(trusted);
    loop {
        let piece = match timeout(idle, response.chunk()).await {
            Ok(Ok(Some(piece))) => piece,
            Ok(Ok(None)) => return Ok(body.freeze()),
            Ok(Err(e)) => {
                return Err(Failure {
                    error: HttpError::Body {
                        url: name.to_owned(),
                        reason: causes(&e.without_url()),
                    },
                    again: Again::Backoff,
                });
            }
            Err(_) => {
                return Err(Failure {
                    error: timed_out(name, idle),
                    again: Again::Backoff,
                });
            }
        };
        if piece.len() > limit_bytes - body.len() {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
}

/// The beginning of the body of a response. It is only for the error message, so a failure to read it is no error.
pub(super) async fn beginning(response: &mut Response) -> Bytes {
    let mut body = BytesMut::new();
    while body.len() < REPLY_LIMIT_BYTES
        && let Ok(Some(piece)) = response.chunk().await
    {
        let fits = piece.len().min(REPLY_LIMIT_BYTES - body.len());
        body.extend_from_slice(piece.get(..fits).unwrap_or_default());
    }
    body.freeze()
}

pub(super) fn header_map(headers: &[(&str, &str)], name: &str) -> Result<HeaderMap, HttpError> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (key, value) in headers {
        // The value may be a secret: the error names only its header.
        let illegal = || HttpError::InvalidRequest {
            url: name.to_owned(),
            reason: format!("illegal header {key:?}"),
        };
        let key = HeaderName::from_bytes(key.as_bytes()).map_err(|_| illegal())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| illegal())?;
        value.set_sensitive(true);
        map.append(key, value);
    }
    Ok(map)
}

pub(super) fn timed_out(name: &str, after: Duration) -> HttpError {
    HttpError::Timeout {
        url: name.to_owned(),
        after,
    }
}

/// Sorts reqwest's errors by cause. The details are in its chain of sources.
pub(super) fn sending_failed(error: reqwest::Error, url: &Url, name: &str) -> HttpError {
    let error = error.without_url();
    if let Some(address::Refused(guard, address)) = find::<address::Refused>(&error) {
        return guard.refusal(url.host_str().unwrap_or_default(), *address);
    }
    if let Some(redirect) = find::<setup::RefusedRedirect>(&error) {
        return HttpError::Redirect {
            url: name.to_owned(),
            to: redirect.to.clone(),
        };
    }
    // reqwest's own message states only that sending failed, and hyper's only the step.
    let cause = std::error::Error::source(&error);
    let reason = match cause.map(|cause| cause.source().unwrap_or(cause)) {
        Some(cause) => causes(cause),
        None => error.to_string(),
    };
    let url = name.to_owned();
    if error.is_builder() {
        HttpError::InvalidRequest { url, reason }
    } else {
        HttpError::Connection { url, reason }
    }
}

fn find<E: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<E>() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// The time of a Retry-After header: seconds, or a date (RFC 9110 §10.2.3). A date counts from the response's own
/// `Date`, so that a wrong clock on either side has no effect; without `Date` it is ignored. A value that cannot be
/// parsed counts as absent.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More seconds than fit are simply very many.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = http_date(value)?;
    let sent = http_date(headers.get(DATE)?.to_str().ok()?)?;
    let wait = until.duration_since(sent);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_bounded_and_escaped() {
        let long = "x".repeat(1000);
        let cut = format!("{}…", "x".repeat(REASON_CHARS - 1));
        for (body, expected) in [
            ("", None),
            (" \r\n\t", None),
            ("404 page not found\n", Some("404 page not found")),
            ("\nfirst  line\r\nsecond", Some("first line")),
            (
                r#"{"code":400,"message":"no such tree"}"#,
                Some("no such tree"),
            ),
            ("{\n  \"error\": {\"message\": \"quota\"}\n}", Some("quota")),
            (r#"{"error":"invalid_token"}"#, Some("invalid_token")),
            (r#"{"a":1}"#, Some(r#"{"a":1}"#)),
            (r#""just a string""#, Some(r#""just a string""#)),
            (
                "<!doctype html>\n<HTML><Title>502 Bad\nGateway</TITLE>",
                Some("502 Bad"),
            ),
            ("<?xml version=\"1.0\"?><Error/>", None),
            (
                "\u{1b}[2Jall is well\u{202e}",
                Some(r"\u{1b}[2Jall is well\u{202e}"),
            ),
            (long.as_str(), Some(cut.as_str())),
        ] {
            assert_eq!(reason_in(body).as_deref(), expected, "{body:?}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date_relative_to_the_answer() {
        let at = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (value, date, expected) in [
            ("0", None, Some(0)),
            (" 120 ", None, Some(120)),
            ("99999999999999999999999", None, Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(at), Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(at), Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some("yesterday"), None),
            ("", None, None),
            ("-1", None, None),
            ("1.5", None, None),
            ("soon", Some(at), None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_static(date));
            }
            let wait = retry_after(&headers).map(|d| d.as_secs());
            assert_eq!(wait, expected, "{value:?} {date:?}");
        }
    }
}
