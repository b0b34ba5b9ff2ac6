//! A response that is used while it arrives.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::time::{Instant, timeout};

use super::error::HttpError;
use super::exchange::timed_out;
use crate::outcome::causes;

/// The body of an answer, piece by piece, after decompression.
#[derive(Debug)]
pub struct Pieces {
    response: Response,
    /// How the URL is shown in errors.
    name: String,
    limit_bytes: usize,
    left_bytes: usize,
    idle: Duration,
    /// How long to wait for pieces, in total. The time in which the caller processes them does not count.
    patience: Duration,
    waited: Duration,
}

impl Pieces {
    pub(super) fn new(
        response: Response,
        name: String,
        limit_bytes: usize,
        idle: Duration,
        patience: Duration,
    ) -> Self {
        Self {
            response,
            name,
            limit_bytes,
            left_bytes: limit_bytes,
            idle,
            patience,
            waited: Duration::ZERO,
        }
    }

    /// The next piece; `None` at the end of the answer.
    ///
    /// # Errors
    /// The rest did not arrive in time, exceeds the limit, or the connection failed. The earlier pieces are valid.
    pub async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        let began = Instant::now();
        let left = self.patience.saturating_sub(self.waited);
        let piece = timeout(left.min(self.idle), self.response.chunk()).await;
        self.waited += began.elapsed();
        let Ok(piece) = piece else {
            return Err(timed_out(&self.name, self.waited));
        };
        let Some(piece) = piece.map_err(|e| HttpError::Body {
            url: self.name.clone(),
            reason: causes(&e.without_url()),
        })?
        else {
            return Ok(None);
        };
        self.left_bytes =
            self.left_bytes
                .checked_sub(piece.len())
                .ok_or_else(|| HttpError::TooLarge {
                    url: self.name.clone(),
                    limit_bytes: self.limit_bytes,
                })?;
        Ok(Some(piece))
    }
}
