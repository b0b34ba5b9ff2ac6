//! The description of the API in OpenAPI 3.1: the schemas from the types that are written, the rest from one table. It is
//! also in docs/openapi.json, and a test compares both, and the answers of the server with the schemas.

mod document;
mod endpoints;
mod parameters;
mod schemas;

use std::sync::LazyLock;

use axum::http::Uri;
use axum::response::Response;

use super::list::object;
use super::parameters::Parameters;
use crate::web::problem::Problem;

/// It does not change while the program runs.
static DOCUMENT: LazyLock<serde_json::Value> = LazyLock::new(document::document);

/// The description.
pub(super) async fn show(uri: Uri) -> Result<Response, Problem> {
    Parameters::of(uri.query()).end()?;
    object(&*DOCUMENT)
}
