//! A page of a list: `{"items":[…],"next":…,"coverage":…}`.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::cursor;
use crate::escape;
use crate::web::problem::Problem;

/// Most bytes of the items of a page. A page ends with the item that exceeds them, so that it has at least one: signers
/// choose names, and a thousand long ones must not fill the memory.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// The items of a page, as JSON.
#[derive(Debug)]
pub(super) struct Page {
    limit: usize,
    items: Vec<String>,
    bytes: usize,
}

impl Page {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            items: Vec::new(),
            bytes: 0,
        }
    }

    /// Whether it takes no more items.
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.bytes > MAX_PAGE_BYTES
    }

    /// Adds an item.
    pub(super) fn add(&mut self, item: &impl Serialize) -> Result<(), Problem> {
        let item = encoded(item)?;
        self.bytes += item.len();
        self.items.push(item);
        Ok(())
    }

    /// The answer. `end`: the place of the last item, if others may follow.
    pub(super) fn answer(
        &self,
        list: &str,
        end: Option<&impl Serialize>,
        coverage: &impl Serialize,
    ) -> Result<Response, Problem> {
        let next = end.and_then(|end| cursor::encode(list, end));
        Ok(json_answer(format!(
            "{{\"items\":[{}],\"next\":{},\"coverage\":{}}}",
            self.items.join(","),
            encoded(&next)?,
            encoded(coverage)?,
        )))
    }
}

/// An answer with one object.
pub(super) fn object(value: &impl Serialize) -> Result<Response, Problem> {
    Ok(json_answer(encoded(value)?))
}

fn encoded(value: &impl Serialize) -> Result<String, Problem> {
    escape::json(value).map_err(|error| {
        tracing::error!("web: an answer cannot be written as JSON: {error}");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the answer cannot be written as JSON; the log of the server has the reason",
        )
    })
}

fn json_answer(body: String) -> Response {
    let mut answer = body.into_response();
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}
