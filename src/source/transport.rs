//! Reads files of a log over HTTP or from a directory.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use url::Url;

use super::directory::Files;
use super::error::Cause;
use super::location::Location;
use super::transport_error::TransportError;
use crate::http::{Answer, Client, HttpError, ServerDate};

/// Gets the files of one log.
#[derive(Clone, Debug)]
pub struct Transport(Way);

#[derive(Clone, Debug)]
enum Way {
    Http { client: Client, base: Url },
    Directory { root: Arc<Path>, files: Files },
}

/// The result of a request for a file.
#[derive(Debug)]
pub(super) enum Got {
    File(Bytes),
    /// The file is absent: the requested address, and the response.
    Absent(String),
}

impl Transport {
    /// The transport for the log at `location`. `client` is used if that is a server, `files` if it is a directory.
    pub fn new(location: Location, client: Client, files: &Files) -> Self {
        Self(match location {
            Location::Server(base) => Way::Http { client, base },
            Location::Directory(path) => Way::Directory {
                root: path.into(),
                files: files.clone(),
            },
        })
    }

    /// The time in the server's newest answer.
    pub(super) fn date(&self) -> Option<ServerDate> {
        match &self.0 {
            Way::Http { client, base } => client.date(base),
            Way::Directory { .. } => None,
        }
    }

    /// The address of the file at `path`, relative to the log, in the form for messages.
    pub(super) fn address(&self, path: &str) -> String {
        match &self.0 {
            Way::Http { base, .. } => format!("{base}{path}"),
            Way::Directory { root, .. } => root.join(path).display().to_string(),
        }
    }

    /// The file at `path`, relative to the log, at most `limit_bytes` of it.
    pub(super) async fn get(&self, path: &str, limit_bytes: usize) -> Result<Got, TransportError> {
        match &self.0 {
            Way::Http { client, base } => {
                let url = base.join(path).map_err(|e| HttpError::InvalidRequest {
                    url: path.to_owned(),
                    reason: e.to_string(),
                });
                let url = url.map_err(Cause::Http)?;
                let answer = client.find(&url, limit_bytes).await;
                Ok(match answer.map_err(Cause::Http)? {
                    Answer::Found(body) => Got::File(body),
                    Answer::Absent(absence) => Got::Absent(absence.to_string()),
                })
            }
            Way::Directory { root, files } => {
                let read = files.read(root, path, limit_bytes).await?;
                Ok(read.map_or_else(
                    || Got::Absent(format!("{}: no such file", self.address(path))),
                    Got::File,
                ))
            }
        }
    }
}
