//! A TUF repository, read over HTTP.

use sigstore_tuf::transport::FetchFuture;
use sigstore_tuf::{Error, Repository};
use url::Url;

use crate::http;

/// The directory of a TUF repository on a server.
pub(super) struct Mirror {
    pub(super) http: http::Client,
    pub(super) base: Url,
}

impl Repository for Mirror {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(self.get(None, name, max_length))
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(self.get(Some("targets"), path, max_length))
    }
}

impl Mirror {
    async fn get(
        &self,
        directory: Option<&str>,
        path: &str,
        max_length: u64,
    ) -> sigstore_tuf::Result<Option<Vec<u8>>> {
        let mut url = self.base.clone();
        // Segment by segment: a name in the metadata must not lead out of the repository.
        url.path_segments_mut()
            .map_err(|()| Error::transport(format!("{} is not a directory", self.base)))?
            .pop_if_empty()
            .extend(directory)
            .extend(path.split('/'));
        let limit = usize::try_from(max_length).unwrap_or(usize::MAX);
        match self.http.get(&url, limit).await {
            Ok(body) => Ok(body.map(|body| body.to_vec())),
            Err(error) => Err(Error::transport(error.to_string())),
        }
    }
}
