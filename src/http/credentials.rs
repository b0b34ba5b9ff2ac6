//! Credentials for servers that require them.
//!
//! Credentials are bound to a host, and to https unless configured otherwise. They are never sent after a
//! redirect, because the server chooses its target.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use url::Url;

use super::address::{is_loopback, plain};
use super::error::HttpError;
use crate::secret::SecretSource;

/// Credentials for one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSettings {
    /// The host's name or address, in any case.
    pub host: String,
    /// Its port; without one, any.
    pub port: Option<u16>,
    /// The scheme that they are sent by; without one, https, and http to this very machine.
    pub scheme: Option<CredentialScheme>,
    /// The user of the Basic scheme (RFC 7617); without one, the secret is a token (RFC 6750).
    pub user: Option<String>,
    /// The password or the token.
    pub secret: SecretSource,
}

/// The schemes of requests that may carry credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialScheme {
    /// Under TLS.
    Https,
    /// Unencrypted: every machine between this one and the server can read them.
    Http,
}

impl CredentialSettings {
    /// Whether they belong to this URL.
    pub fn are_for(&self, url: &Url) -> bool {
        self.is_host_of(url)
            && match self.scheme {
                None => url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)),
                Some(CredentialScheme::Https) => url.scheme() == "https",
                Some(CredentialScheme::Http) => url.scheme() == "http",
            }
    }

    /// Whether this URL leads to their host and port, with any scheme.
    pub fn is_host_of(&self, url: &Url) -> bool {
        let is_host = url
            .host_str()
            .is_some_and(|host| plain(host) == plain(&self.host));
        let is_port = self
            .port
            .is_none_or(|port| url.port_or_known_default() == Some(port));
        is_host && is_port
    }

    /// The value of the Authorization header.
    pub(super) async fn authorization(&self) -> Result<HeaderValue, HttpError> {
        let unusable = |reason: String| HttpError::Credentials {
            host: self.host.clone(),
            reason,
        };
        let secret = self.secret.read().await;
        let secret = secret.map_err(|error| unusable(error.to_string()))?;
        let secret = secret.expose_secret();
        let value = match &self.user {
            Some(user) => format!("Basic {}", BASE64.encode(format!("{user}:{secret}"))),
            None => format!("Bearer {secret}"),
        };
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| unusable(format!("{} is not a token", self.secret)))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Display for CredentialSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match &self.user {
            Some(user) => write!(f, ", user {user}")?,
            None => f.write_str(", a token")?,
        }
        match self.scheme {
            Some(CredentialScheme::Http) => f.write_str(", by http"),
            Some(CredentialScheme::Https) | None => Ok(()),
        }
    }
}

/// The credentials for a URL: those that name its port before those that do not.
pub(super) fn of<'a>(all: &'a [CredentialSettings], url: &Url) -> Option<&'a CredentialSettings> {
    let mut fitting: Vec<_> = all.iter().filter(|one| one.are_for(url)).collect();
    fitting.sort_by_key(|one| (one.port.is_none(), one.scheme.is_none()));
    fitting.first().copied()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn credentials(host: &str, port: Option<u16>) -> CredentialSettings {
        CredentialSettings {
            host: host.to_owned(),
            port,
            scheme: None,
            user: Some("bob".to_owned()),
            secret: SecretSource::Env("MODELWATCH_NO_SUCH_VARIABLE".to_owned()),
        }
    }

    #[test]
    fn credentials_go_to_their_host_and_port_and_under_tls() {
        use CredentialScheme::{Http, Https};
        for (host, port, scheme, url, sent) in [
            ("log.example", None, None, "https://log.example/", true),
            (
                "LOG.example",
                None,
                None,
                "https://log.example.:8443/a",
                true,
            ),
            ("log.example", None, None, "http://log.example/", false),
            ("log.example", None, Some(Http), "http://log.example/", true),
            (
                "log.example",
                None,
                Some(Http),
                "https://log.example/",
                false,
            ),
            ("log.example", None, None, "https://a.log.example/", false),
            (
                "log.example",
                None,
                None,
                "https://log.example.evil.example/",
                false,
            ),
            (
                "log.example",
                None,
                None,
                "https://evil.example/log.example",
                false,
            ),
            ("log.example", Some(443), None, "https://log.example/", true),
            (
                "log.example",
                Some(8443),
                None,
                "https://log.example/",
                false,
            ),
            ("127.0.0.1", None, None, "http://127.0.0.1:8080/", true),
            ("localhost", Some(80), None, "http://localhost/", true),
            (
                "127.0.0.1",
                None,
                Some(Https),
                "http://127.0.0.1:8080/",
                false,
            ),
            ("[::1]", None, None, "http://[::1]:80/", true),
            ("10.0.0.1", None, None, "http://10.0.0.1/", false),
        ] {
            let credentials = CredentialSettings {
                scheme,
                ..credentials(host, port)
            };
            let url: Url = url.parse().unwrap();
            assert_eq!(credentials.are_for(&url), sent, "{host} {port:?} {url}");
        }
    }

    #[test]
    fn those_that_name_the_port_come_first() {
        let all = [
            credentials("log.example", None),
            credentials("log.example", Some(8443)),
        ];
        let port = |url: &str| of(&all, &url.parse().unwrap()).unwrap().port;
        assert_eq!(port("https://log.example:8443/"), Some(8443));
        assert_eq!(port("https://log.example/"), None);
    }

    #[tokio::test]
    async fn the_header_is_sensitive_and_errors_name_the_source_of_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "s3cret\n").unwrap();
        let mut settings = CredentialSettings {
            secret: SecretSource::File(path.clone()),
            ..credentials("log.example", None)
        };
        let header = settings.authorization().await.unwrap();
        assert_eq!(header, "Basic Ym9iOnMzY3JldA==");
        assert!(header.is_sensitive());
        settings.user = None;
        assert_eq!(settings.authorization().await.unwrap(), "Bearer s3cret");
        std::fs::write(&path, "two\nlines\n").unwrap();
        let error = settings.authorization().await.unwrap_err().to_string();
        assert!(
            error.contains("log.example") && !error.contains("two"),
            "{error}"
        );
        let error = credentials("log.example", None).authorization().await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("MODELWATCH_NO_SUCH_VARIABLE"), "{error}");
    }
}
