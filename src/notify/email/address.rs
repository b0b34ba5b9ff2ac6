//! Mail addresses and SMTP URLs, checked when the configuration is read.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use lettre::message::Mailbox;
use url::Url;

/// A mail address, with or without a display name: `modelwatch <mw@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAddress(Mailbox);

/// Not a mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a mail address")]
pub struct MailAddressError(String);

impl MailAddress {
    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.0
    }

    pub(super) fn domain(&self) -> &str {
        self.0.email.domain()
    }
}

impl FromStr for MailAddress {
    type Err = MailAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .map(Self)
            .map_err(|_| MailAddressError(text.to_owned()))
    }
}

/// A mail submission server: `smtps://host[:465]` with implicit TLS, or `smtp://host[:587]` with required STARTTLS.
///
/// `smtp://` may be unencrypted only to the same machine (`localhost`, 127.0.0.0/8, ::1; port 25): data that stays on
/// the machine needs no TLS. STARTTLS is used there too if it is offered, without verification of the certificate:
/// local servers rarely have one that verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpUrl {
    host: String,
    port: u16,
    security: SmtpSecurity,
}

/// How a conversation with a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS before anything else; required.
    StartTls,
    /// STARTTLS where it is offered, with any certificate: the server is this machine.
    Loopback,
}

/// Not the URL of a mail submission server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SmtpUrlError {
    /// Not an SMTP URL.
    #[error("not of the form smtps://host:465 or smtp://host:587")]
    Form,
    /// A password may not be in the configuration.
    #[error(
        "a URL may not contain a user or a password: use user, and password_env or password_file"
    )]
    Credentials,
}

impl SmtpUrl {
    /// The server's name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The server as it is written before the port of a URL.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How the conversation is protected.
    pub const fn security(&self) -> SmtpSecurity {
        self.security
    }
}

impl FromStr for SmtpUrl {
    type Err = SmtpUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| SmtpUrlError::Form)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SmtpUrlError::Credentials);
        }
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let rest =
            matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        if host.is_empty() || !rest {
            return Err(SmtpUrlError::Form);
        }
        let (security, default_port) = match url.scheme() {
            "smtps" => (SmtpSecurity::Tls, 465),
            "smtp" if is_loopback(host) => (SmtpSecurity::Loopback, 25),
            "smtp" => (SmtpSecurity::StartTls, 587),
            _ => return Err(SmtpUrlError::Form),
        };
        Ok(Self {
            host: host.to_owned(),
            port: url.port().unwrap_or(default_port),
            security,
        })
    }
}

impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.security {
            SmtpSecurity::Tls => "smtps",
            SmtpSecurity::StartTls | SmtpSecurity::Loopback => "smtp",
        };
        write!(f, "{scheme}://{}:{}", self.authority(), self.port)
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// A URL that the parser refuses: TLS to a loopback host, for servers in tests.
#[cfg(test)]
pub(super) fn test_url(host: &str, port: u16, security: SmtpSecurity) -> SmtpUrl {
    SmtpUrl {
        host: host.to_owned(),
        port,
        security,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    #[test]
    fn mail_leaves_the_machine_only_under_tls() {
        for (url, host, port, security) in [
            (
                "smtps://mail.example.com",
                "mail.example.com",
                465,
                SmtpSecurity::Tls,
            ),
            (
                "smtps://mail.example.com:4465/",
                "mail.example.com",
                4465,
                SmtpSecurity::Tls,
            ),
            (
                "smtp://mail.example.com",
                "mail.example.com",
                587,
                SmtpSecurity::StartTls,
            ),
            (
                "smtp://mail.example.com:25",
                "mail.example.com",
                25,
                SmtpSecurity::StartTls,
            ),
            (
                "smtp://localhost.example.com",
                "localhost.example.com",
                587,
                SmtpSecurity::StartTls,
            ),
            ("smtp://10.0.0.1", "10.0.0.1", 587, SmtpSecurity::StartTls),
            (
                "smtp://[2001:db8::1]:587",
                "2001:db8::1",
                587,
                SmtpSecurity::StartTls,
            ),
            ("smtp://localhost", "localhost", 25, SmtpSecurity::Loopback),
            (
                "smtp://LOCALHOST:1025",
                "LOCALHOST",
                1025,
                SmtpSecurity::Loopback,
            ),
            (
                "smtp://127.0.0.53:1025",
                "127.0.0.53",
                1025,
                SmtpSecurity::Loopback,
            ),
            ("smtp://[::1]:1025", "::1", 1025, SmtpSecurity::Loopback),
            ("smtps://localhost", "localhost", 465, SmtpSecurity::Tls),
        ] {
            let parsed: SmtpUrl = url.parse().unwrap();
            assert_eq!(
                (parsed.host(), parsed.port(), parsed.security()),
                (host, port, security),
                "{url}"
            );
            assert_eq!(
                parsed.to_string().parse::<SmtpUrl>().unwrap(),
                parsed,
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_no_submission_server_is_refused() {
        for (url, error) in [
            ("mail.example.com", SmtpUrlError::Form),
            ("mail.example.com:465", SmtpUrlError::Form),
            ("https://mail.example.com", SmtpUrlError::Form),
            ("smtp://", SmtpUrlError::Form),
            ("smtp:mail.example.com", SmtpUrlError::Form),
            ("smtps://mail.example.com/inbox", SmtpUrlError::Form),
            (
                "smtp://mail.example.com?tls=opportunistic",
                SmtpUrlError::Form,
            ),
            ("smtp://mail.example.com:99999", SmtpUrlError::Form),
            (
                "smtps://user:password@mail.example.com",
                SmtpUrlError::Credentials,
            ),
        ] {
            assert_eq!(url.parse::<SmtpUrl>(), Err(error), "{url}");
        }
    }

    #[test]
    fn mail_addresses_are_checked() {
        for good in ["oncall@example.com", "On call <oncall@example.com>"] {
            assert!(good.parse::<MailAddress>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "oncall",
            "@example.com",
            "a@b@c",
            "a@example.com\r\nBcc: evil@example.com",
        ] {
            assert!(bad.parse::<MailAddress>().is_err(), "{bad}");
        }
    }
}
