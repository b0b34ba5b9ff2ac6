//! What programs are told of a request that is refused: `application/problem+json` (RFC 9457).

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::log;
use crate::escape;
use crate::service::ServiceError;
use crate::store::StoreError;

/// The media type.
const PROBLEM: &str = "application/problem+json";

/// The line of an answer in plain text: it becomes the `detail` of a problem.
#[derive(Debug, Clone)]
pub(super) struct Line(pub(super) String);

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    /// The parameter that is wrong.
    parameter: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            parameter: None,
        }
    }

    /// The request is wrong.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// A parameter of the address that is wrong.
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            detail: detail.into(),
            parameter: Some(name.to_owned()),
        }
    }

    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence about it, raw.
    pub(super) fn into_detail(self) -> String {
        self.detail
    }

    /// There is no such thing.
    pub(super) fn absent(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }
}

impl From<ServiceError> for Problem {
    /// The store cannot be used. The answer does not name its file.
    fn from(error: ServiceError) -> Self {
        log::store_error(&error);
        Self::new(StatusCode::SERVICE_UNAVAILABLE, log::STORE_UNUSABLE)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        ServiceError::from(error).into()
    }
}

/// Why a request is refused (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemJson {
    /// `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of the status.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// One sentence for a person, with what to do.
    detail: String,
    /// The parameter, or the field of the body, that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let problem = ProblemJson {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
            parameter: self.parameter,
        };
        // Texts and numbers are always JSON.
        let body = escape::json(&problem).unwrap_or_default();
        let mut answer = (self.status, body).into_response();
        let problem = HeaderValue::from_static(PROBLEM);
        answer.headers_mut().insert(CONTENT_TYPE, problem);
        answer
    }
}

/// Whether programs ask for this path.
pub(super) fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
}

/// The same answer, with a problem instead of a line of text if it refuses the request.
pub(super) fn for_programs(answer: Response) -> Response {
    let status = answer.status();
    let is_refused = status.is_client_error() || status.is_server_error();
    let is_problem = answer
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value == PROBLEM);
    if !is_refused || is_problem {
        return answer;
    }
    let line = answer.extensions().get::<Line>();
    let detail = line.map_or_else(
        || "the request is refused".to_owned(),
        |line| line.0.clone(),
    );
    let mut headers = answer.headers().clone();
    headers.remove(CONTENT_TYPE);
    headers.remove(CONTENT_LENGTH);
    let mut problem = Problem::new(status, detail).into_response();
    problem.headers_mut().extend(headers);
    problem
}
