//! Where secrets are read from, and how they are kept out of messages.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::file::{self, FileError};

/// A secret in a file is a password, a token or a URL, not a book.
const SECRET_LIMIT_BYTES: usize = 64 * 1024;

/// Where a secret is read from. It is read at each use, so that a rotated secret needs no restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable of this process.
    Env(String),
    /// A file, such as a systemd credential. White space at its end is not part of the secret.
    File(PathBuf),
}

/// A URL that may itself be a secret, as those of chat webhooks are.
#[derive(Clone, PartialEq, Eq)]
pub enum UrlSource {
    /// Written in the configuration.
    Literal(Url),
    /// Read from a secret source.
    Secret(SecretSource),
}

/// Why a secret cannot be read: names the source, never the content.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set, or not UTF-8.
    #[error("the environment variable {0} is not set, or not UTF-8")]
    Env(String),
    /// The file cannot be read.
    #[error("the secret in {} cannot be read: {}", path.display(), source)]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Longer than any secret.
    #[error("{source_name} is longer than {SECRET_LIMIT_BYTES} bytes: not a secret")]
    TooLong {
        /// The variable or file.
        source_name: String,
    },
    /// The source is empty.
    #[error("{0} is empty")]
    Empty(String),
    /// It was to be a URL.
    #[error("{source_name} does not contain an http or https URL")]
    NotAUrl {
        /// The variable or file.
        source_name: String,
    },
    /// The URL holds a user or a password.
    #[error("{source_name} contains a URL with a user or a password: use [[http.credentials]]")]
    UserInfo {
        /// The variable or file.
        source_name: String,
    },
    /// It was to be a Standard Webhooks secret.
    #[error("{source_name} begins with whsec_, which must be followed by base64")]
    NotBase64 {
        /// The variable or file.
        source_name: String,
    },
}

impl SecretSource {
    /// The secret as it is now.
    ///
    /// # Errors
    /// It is not there, empty, unreadable or too long.
    pub async fn read(&self) -> Result<SecretString, SecretError> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?,
            Self::File(path) => {
                let bytes = file::read_async(path, SECRET_LIMIT_BYTES).await;
                let text = bytes.and_then(file::text);
                text.map_err(|error| match error {
                    FileError::TooLong { .. } => self.too_long(),
                    error => SecretError::File {
                        path: path.clone(),
                        source: error.into(),
                    },
                })?
            }
        };
        if text.len() > SECRET_LIMIT_BYTES {
            return Err(self.too_long());
        }
        // Editors and `echo` end files with a newline that is not part of the secret.
        match text.trim_end() {
            "" => Err(SecretError::Empty(self.to_string())),
            secret => Ok(SecretString::from(secret)),
        }
    }

    fn too_long(&self) -> SecretError {
        SecretError::TooLong {
            source_name: self.to_string(),
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

impl UrlSource {
    /// Where it comes from, if it is not written in the configuration.
    pub const fn secret(&self) -> Option<&SecretSource> {
        match self {
            Self::Literal(_) => None,
            Self::Secret(source) => Some(source),
        }
    }

    /// The URL as it is now.
    ///
    /// # Errors
    /// As [`SecretSource::read`], or it is not an http(s) URL, or holds a user or a password.
    pub async fn read(&self) -> Result<Url, SecretError> {
        let source = match self {
            Self::Literal(url) => return Ok(url.clone()),
            Self::Secret(source) => source,
        };
        let text = source.read().await?;
        let url = Url::parse(text.expose_secret())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| SecretError::NotAUrl {
                source_name: source.to_string(),
            })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SecretError::UserInfo {
                source_name: source.to_string(),
            });
        }
        Ok(url)
    }
}

impl fmt::Debug for UrlSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Path, query and user name may be secret: only the host is shown.
            Self::Literal(url) => {
                let host = url.host_str().unwrap_or_default();
                write!(f, "Literal({}://{host}/…)", url.scheme())
            }
            Self::Secret(source) => write!(f, "Secret({source:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    async fn file(content: &[u8]) -> (tempfile::TempDir, SecretSource) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        tokio::fs::write(&path, content).await.unwrap();
        (dir, SecretSource::File(path))
    }

    #[tokio::test]
    async fn a_secret_is_what_the_file_holds_without_its_last_newline() {
        let (_dir, source) = file(b" s3cret\t \r\n").await;
        assert_eq!(source.read().await.unwrap().expose_secret(), " s3cret");
    }

    #[tokio::test]
    async fn errors_name_the_source_and_never_the_content() {
        let long = vec![b'x'; 65 * 1024];
        for content in [b"\n".as_slice(), b"s3cret \xff", &long] {
            let (_dir, source) = file(content).await;
            let error = source.read().await.unwrap_err().to_string();
            assert!(
                error.contains("/secret") && !error.contains("s3cret"),
                "{error}"
            );
        }
        let (_dir, source) = file(b"s3cret://token").await;
        let error = UrlSource::Secret(source)
            .read()
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/secret") && !error.contains("token"),
            "{error}"
        );
        let (_dir, source) = file(b"https://bob:s3cret@hooks.example/").await;
        let error = UrlSource::Secret(source).read().await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("[[http.credentials]]") && !error.contains("s3cret"),
            "{error}"
        );
        let unset = SecretSource::Env("MODELWATCH_NO_SUCH_VARIABLE".to_owned());
        let error = unset.read().await.unwrap_err().to_string();
        assert!(error.contains("MODELWATCH_NO_SUCH_VARIABLE"), "{error}");
        let absent = SecretSource::File("/nonexistent/secret".into());
        assert!(matches!(absent.read().await, Err(SecretError::File { .. })));
    }

    #[tokio::test]
    async fn debugging_shows_the_host_of_a_url_and_nothing_more() {
        let url = Url::parse("https://user:s3cret@chat.example/hooks/t0ken?k=v").unwrap();
        let source = UrlSource::Literal(url.clone());
        assert_eq!(format!("{source:?}"), "Literal(https://chat.example/…)");
        assert_eq!(source.read().await.unwrap(), url);
    }
}
