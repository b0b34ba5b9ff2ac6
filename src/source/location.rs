//! The location of a log.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::Url;

/// The location of a log: a server, or a directory with the files of a server (a mirror, an air-gapped copy).
///
/// Written as `https://…`, `http://…`, `file:///absolute/path` or a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// An http(s) URL without query and fragment, ending in `/`.
    Server(Url),
    /// A directory.
    Directory(PathBuf),
}

/// Why a text is not a location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// The text is empty.
    #[error("the location of a log is empty")]
    Empty,
    /// It begins like a URL and is not one. The text is not included, because it may contain a password.
    #[error("is not a URL: {reason}")]
    NotAUrl {
        /// The reason.
        reason: url::ParseError,
    },
    /// A user or a password: URLs are shown, compared and stored.
    #[error(
        "a URL may not contain a user or a password: use [[http.credentials]] with host = {host:?}"
    )]
    UserInfo {
        /// The host.
        host: String,
    },
    /// A URL of another kind.
    #[error("{scheme}: is not a supported scheme for logs; use https, http or file")]
    Scheme {
        /// The scheme in the text.
        scheme: String,
    },
    /// A query or a fragment: the log's files are requested by path.
    #[error("the URL of a log may not have a query or a fragment")]
    Query,
    /// A file URL that names another machine, or no absolute path.
    #[error("{text:?} does not name an absolute path on this machine")]
    FileUrl {
        /// The text.
        text: String,
    },
}

impl Location {
    /// The host of a server.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Server(url) => url.host_str(),
            Self::Directory(_) => None,
        }
    }

    /// The same location, a relative path counted from `base`.
    #[must_use]
    pub fn relative_to(self, base: &Path) -> Self {
        match self {
            Self::Directory(path) => Self::Directory(base.join(path)),
            server @ Self::Server(_) => server,
        }
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        // A path may contain a colon; a text with an authority part, or with the scheme file, is meant as a URL.
        let is_url = text.contains("://") || text.to_ascii_lowercase().starts_with("file:");
        if !is_url {
            return Ok(Self::Directory(text.into()));
        }
        let mut url = Url::parse(text).map_err(|reason| LocationError::NotAUrl { reason })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(LocationError::UserInfo {
                host: url.host_str().unwrap_or_default().to_owned(),
            });
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(LocationError::Query);
        }
        match url.scheme() {
            "http" | "https" => {
                if !url.path().ends_with('/') {
                    let path = format!("{}/", url.path());
                    url.set_path(&path);
                }
                Ok(Self::Server(url))
            }
            "file" => {
                url.to_file_path()
                    .map(Self::Directory)
                    .map_err(|()| LocationError::FileUrl {
                        text: text.to_owned(),
                    })
            }
            scheme => Err(LocationError::Scheme {
                scheme: scheme.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Location {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(url) => {
                let mut url = url.clone();
                // These fail only for URLs that cannot have credentials, and http(s) ones can.
                let _ = url.set_username("");
                let _ = url.set_password(None);
                url.fmt(f)
            }
            Self::Directory(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_directories_are_distinguished() {
        for (text, shown) in [
            ("https://log.example", "https://log.example/"),
            ("http://127.0.0.1:8080/v2b", "http://127.0.0.1:8080/v2b/"),
            ("HTTPS://log.example/a/", "https://log.example/a/"),
            ("file:///srv/log%20b", "/srv/log b"),
            ("/srv/log", "/srv/log"),
            ("mirror/log", "mirror/log"),
            ("odd:name", "odd:name"),
        ] {
            let location: Result<Location, _> = text.parse();
            assert_eq!(location.map(|l| l.to_string()), Ok(shown.to_owned()));
        }
    }

    #[test]
    fn what_cannot_be_a_log_is_refused() {
        for text in [
            "",
            "https://",
            "https://log.example/?tenant=1",
            "https://log.example/#top",
            "ftp://log.example/",
            "file://server/share",
            "file://relative/path",
        ] {
            assert!(text.parse::<Location>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_url_with_a_user_is_refused_and_not_shown() {
        for text in [
            "http://bob:s3cret@log.example/",
            "https://bob@log.example",
            "https://:s3cret@log.example",
            "https://bob:s3c/ret@log.example",
            "file://bob:s3cret@log.example/a",
        ] {
            let error = text.parse::<Location>().expect_err(text).to_string();
            assert!(!error.contains("bob") && !error.contains("s3c"), "{error}");
        }
        let error = "http://bob:s3cret@log.example:8080/".parse::<Location>();
        let expected = "use [[http.credentials]] with host = \"log.example\"";
        let error = error.expect_err("it has a password").to_string();
        assert!(error.ends_with(expected), "{error}");
    }

    #[test]
    fn a_relative_directory_counts_from_the_base() {
        let base = Path::new("/etc/modelwatch");
        for (text, expected) in [
            ("log", "/etc/modelwatch/log"),
            ("/srv/log", "/srv/log"),
            ("https://log.example/", "https://log.example/"),
        ] {
            let location = text.parse::<Location>().map(|l| l.relative_to(base));
            assert_eq!(location.map(|l| l.to_string()), Ok(expected.to_owned()));
        }
    }
}
