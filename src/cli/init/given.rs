//! Values on the command line or in an answer, checked, with errors in the words of the question.

use std::fmt;

use jiff::Timestamp;
use url::Url;

use crate::clock;
use crate::notify::{MailAddress, MailAddressError, SmtpUrl, SmtpUrlError};
use crate::times;
use crate::watch::{self, Meant};

/// Whom the operator means: a name as certificates have it, with `*` for any characters, or the address of a repository.
pub(super) fn identity(written: &str) -> Result<Box<Meant>, String> {
    watch::read_meant(written).map(Box::new)
}

/// An OpenID provider as certificates name it.
pub(super) fn issuer(written: &str) -> Result<String, String> {
    match Url::parse(written) {
        Ok(url) if matches!(url.scheme(), "https" | "http") && url.has_host() => {
            Ok(written.to_owned())
        }
        _ => Err("an issuer is a URL, such as https://accounts.google.com".to_owned()),
    }
}

/// A mail address.
pub(super) fn mail(written: &str) -> Result<String, String> {
    let address: Result<MailAddress, MailAddressError> = written.parse();
    address
        .map(|_| written.to_owned())
        .map_err(|error| error.to_string())
}

/// A mail server.
pub(super) fn smtp(written: &str) -> Result<String, String> {
    let server: Result<SmtpUrl, SmtpUrlError> = written.parse();
    server
        .map(|_| written.to_owned())
        .map_err(|error| error.to_string())
}

/// The name of an environment variable, and not the secret that belongs into it.
pub(super) fn variable(written: &str) -> Result<String, String> {
    let is_name = written
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || character == '_')
        && !written.starts_with(|first: char| first.is_ascii_digit())
        && !written.is_empty();
    if is_name {
        return Ok(written.to_owned());
    }
    Err("the name of an environment variable is wanted, and the URL in that variable".to_owned())
}

/// The directory of a TUF repository on a server.
pub(super) fn mirror(written: &str) -> Result<Url, String> {
    Url::parse(written)
        .ok()
        .filter(|url| matches!(url.scheme(), "https" | "http"))
        .filter(|url| url.query().is_none() && url.fragment().is_none())
        // The configuration would contain it, and must not contain a password.
        .filter(|url| url.username().is_empty() && url.password().is_none())
        .ok_or_else(|| {
            "an http or https URL of a directory is wanted, without a user and a password"
                .to_owned()
        })
}

/// Where reading begins. `Display` writes it as the operator did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    End,
    Beginning,
    /// A date or a time.
    Date(String),
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::End => "end",
            Self::Beginning => "beginning",
            Self::Date(written) => written,
        })
    }
}

/// Where reading begins.
pub(super) fn start(written: &str) -> Result<Start, String> {
    start_before(written, clock::now())
}

fn start_before(written: &str, now: Timestamp) -> Result<Start, String> {
    match written {
        "end" => return Ok(Start::End),
        "beginning" => return Ok(Start::Beginning),
        _ => {}
    }
    match times::parse_time(written) {
        // It would be refused at each pass.
        Some(time) if time > now => Err("that is in the future".to_owned()),
        Some(_) => Ok(Start::Date(written.to_owned())),
        None => Err("write end, beginning, or a date such as 2026-01-01".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_when_it_is_given() {
        type Check = fn(&str) -> Result<String, String>;
        let cases: [(Check, &[&str], &[&str]); 4] = [
            (
                issuer,
                &["https://accounts.google.com", "http://127.0.0.1:8080"],
                &["", "accounts.google.com", "https://", "mailto:a@b.example"],
            ),
            (mail, &["a@b.example"], &["", "a", "a@", "a b@c d"]),
            (
                smtp,
                &["smtps://h:465", "smtp://h:587", "smtp://localhost"],
                &["", "h", "http://h", "smtps://user:secret@h"],
            ),
            (
                variable,
                &["HOOK", "hook_2"],
                &["", "2HOOK", "A B", "https://hooks.example/secret"],
            ),
        ];
        for (check, good, bad) in cases {
            for good in good {
                assert_eq!(check(good).as_deref(), Ok(*good));
            }
            for bad in bad {
                assert!(check(bad).is_err(), "{bad:?}");
            }
        }
        assert!(mirror("https://tuf.example/repo").is_ok());
        for bad in [
            "",
            "tuf.example",
            "ftp://tuf.example",
            "https://t.example/?a",
            "https://bob:s3cret@t.example/",
        ] {
            assert!(mirror(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_start_is_a_word_or_a_date_that_has_been() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap_or(Timestamp::MAX);
        for good in [
            "end",
            "beginning",
            "2026-01-01",
            "2026-11-21",
            "2026-01-01T00:00:00Z",
        ] {
            assert_eq!(
                start_before(good, now).map(|start| start.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in ["", "now", "2026-02-30", "2026-11-22", "12\"\n[x]"] {
            assert!(start_before(bad, now).is_err(), "{bad}");
        }
    }
}
