//! Why a request gave no answer, by cause.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

/// Why a request failed. URLs are shown without credentials and query, and those of webhooks also without their path,
/// which may be secret.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The file with additional certificate authorities cannot be used.
    #[error("{}: {reason}", path.display())]
    CaFile {
        /// The file that was given.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// What names the proxy cannot be used.
    #[error("{reason}")]
    Proxy {
        /// The setting that names the proxy, and the reason; not its value.
        reason: String,
    },
    /// The credentials for a host cannot be had.
    #[error("the credentials for {host}: {reason}")]
    Credentials {
        /// The host.
        host: String,
        /// The source of the credentials, and the reason.
        reason: String,
    },
    /// No client can be set up on this machine.
    #[error("the HTTP client cannot be created: {reason}")]
    Setup {
        /// The reason given by the TLS library.
        reason: String,
    },
    /// The request cannot be expressed: not an http(s) URL, or an illegal header.
    #[error("{url}: not a possible request: {reason}")]
    InvalidRequest {
        /// Where the request was to go.
        url: String,
        /// The reason.
        reason: String,
    },
    /// The server requests a longer pause than is allowed for one resource.
    #[error("{url}: answered {status}{}, retry after {} s", reason(message.as_deref()), retry_after.as_secs())]
    RateLimited {
        /// The requested URL.
        url: String,
        /// The answer's status, usually 429 or 503.
        status: u16,
        /// The waiting time that the server requests, counted from its response.
        retry_after: Duration,
        /// The server's reason: one line, cut and escaped.
        message: Option<String>,
    },
    /// A response that is neither the resource nor its absence.
    #[error("{url}: answered {status}{}", reason(message.as_deref()))]
    Status {
        /// The requested URL.
        url: String,
        /// The answer's status.
        status: u16,
        /// The server's reason: one line, cut and escaped.
        message: Option<String>,
    },
    /// No response, or not the whole response, in time.
    #[error("{url}: no answer within {} ms", after.as_millis())]
    Timeout {
        /// The requested URL.
        url: String,
        /// The time limit that was reached.
        after: Duration,
    },
    /// No connection: name resolution, TCP, TLS or the exchange itself failed.
    #[error("{url}: {reason}")]
    Connection {
        /// The requested URL.
        url: String,
        /// The chain of causes.
        reason: String,
    },
    /// A redirect that is not followed: to another host, from https to http, or in a loop.
    #[error("{url}: redirects to {to}, which is not followed")]
    Redirect {
        /// The requested URL.
        url: String,
        /// Where the server sent us.
        to: String,
    },
    /// The body ended early or does not decompress.
    #[error("{url}: the body cannot be read: {reason}")]
    Body {
        /// The requested URL.
        url: String,
        /// The chain of causes.
        reason: String,
    },
    /// The body, decompressed, exceeds the limit that the caller set.
    #[error("{url}: longer than {limit_bytes} bytes")]
    TooLarge {
        /// The requested URL.
        url: String,
        /// The limit.
        limit_bytes: usize,
    },
    /// The host leads into a private network, and was not allowed by name.
    #[error(
        "{host} is {address}, which is not a public address, and the host is not allowed by name"
    )]
    ForbiddenAddress {
        /// The host as the URL names it.
        host: String,
        /// The address that it leads to.
        address: IpAddr,
    },
    /// The host leads to a link-local address or to the metadata service of a cloud.
    #[error(
        "{host} is {address}, which is link-local or a metadata service: no request is sent there"
    )]
    LinkLocalAddress {
        /// The host as the URL names it.
        host: String,
        /// The address that it leads to.
        address: IpAddr,
    },
}

impl HttpError {
    /// Whether the configuration cannot be used on this machine: no request was sent.
    pub const fn is_setup(&self) -> bool {
        matches!(
            self,
            Self::CaFile { .. }
                | Self::Proxy { .. }
                | Self::Credentials { .. }
                | Self::Setup { .. }
                | Self::InvalidRequest { .. }
        )
    }
}

fn reason(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| format!(": {message}"))
}

/// `url` in the form for messages: without credentials and fragment, and with only the numbers of its query, such as
/// the range of requested entries. Other parts may be secret.
pub(super) fn shown(url: &Url) -> String {
    let mut without = url.clone();
    // These fail only for URLs that cannot have credentials in the first place.
    let _ = without.set_username("");
    let _ = without.set_password(None);
    without.set_query(None);
    without.set_fragment(None);
    let mut shown = String::from(without);
    let parts = url.query().into_iter().flat_map(|query| query.split('&'));
    for (n, part) in parts.enumerate() {
        shown.push(if n == 0 { '?' } else { '&' });
        match part.split_once('=') {
            Some((name, value)) if !value.bytes().all(|b| b.is_ascii_digit()) => {
                shown.push_str(name);
                shown.push_str("=…");
            }
            Some(_) => shown.push_str(part),
            None => shown.push('…'),
        }
    }
    shown
}

/// `url` in the form for messages if its path is secret, as with chat webhooks.
pub(super) fn shown_host(url: &Url) -> String {
    format!("{}/…", url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    #[test]
    fn credentials_query_and_fragment_are_never_shown() {
        for (url, expected) in [
            (
                "https://log.example/tile/0/000",
                "https://log.example/tile/0/000",
            ),
            (
                "https://u:p@log.example/a?token=s#f",
                "https://log.example/a?token=…",
            ),
            (
                "https://log.example/ct/v1/get-entries?start=0&end=999",
                "https://log.example/ct/v1/get-entries?start=0&end=999",
            ),
            (
                "https://log.example/a?s3cret&n=1&k=1a",
                "https://log.example/a?…&n=1&k=…",
            ),
        ] {
            assert_eq!(shown(&Url::parse(url).unwrap()), expected);
        }
        assert_eq!(
            shown_host(
                &Url::parse("https://u:p@hooks.example:8443/services/T0/SECRET?x=y").unwrap()
            ),
            "https://hooks.example:8443/…"
        );
    }
}
