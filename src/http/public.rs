//! Reading from servers that others may control.

use std::path::PathBuf;

use bytes::Bytes;
use reqwest::header::HeaderValue;
use url::Url;

use super::address::AddressPolicy;
use super::client::{Client, Reading, named};
use super::error::{HttpError, shown};
use super::exchange::Answer;
use super::setup;

impl Client {
    /// Like [`find`](Self::find), from a server that must not lead to a host that `policy` forbids. It may redirect by
    /// https to `hosts` as well.
    ///
    /// # Errors
    /// As there, or a forbidden address.
    pub async fn find_public(
        &self,
        url: &Url,
        limit_bytes: usize,
        policy: &AddressPolicy,
        hosts: &[String],
    ) -> Result<Answer<Bytes>, HttpError> {
        if let Some(error) = policy.forbids(url) {
            return Err(error);
        }
        let ground = self.ground().await?;
        // A host that was allowed by name may have any address, and leads nowhere else.
        let (guard, hosts) = if policy.allows_by_name(url) {
            (None, &[][..])
        } else {
            (Some(policy.guard()), hosts)
        };
        let client = setup::reading_public(ground, guard, policy, hosts)?;
        let reading = Reading {
            client: &client,
            name: named(shown(url), ground, url),
            authorization: self.authorization(url).await?,
        };
        self.read(&reading, url, limit_bytes, |client| client.get(url.clone()))
            .await
    }

    /// The header with the credentials for a URL, for another program that sends requests to it; `None` if there are
    /// none, and for another scheme than https.
    ///
    /// # Errors
    /// The credentials cannot be read.
    pub async fn authorization_for(&self, url: &Url) -> Result<Option<String>, HttpError> {
        if url.scheme() != "https" {
            return Ok(None);
        }
        let value = self.authorization(url).await?;
        let header = |value: HeaderValue| {
            let value = value.to_str().ok()?;
            Some(format!("Authorization: {value}"))
        };
        Ok(value.and_then(header))
    }

    /// The files with certificate authorities that are trusted besides the system's, for another program that sends requests.
    pub fn ca_files(&self) -> &[PathBuf] {
        &self.shared.settings.ca_files
    }
}
