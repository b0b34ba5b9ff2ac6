//! What a person is told of a page that cannot be shown.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::layout::{Page, Section};
use super::text::shown;
use crate::clock;
use crate::service::ServiceError;
use crate::store::StoreError;
use crate::web::problem::Problem;

/// Why a page is not shown.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    detail: String,
}

impl Failure {
    /// There is no such thing.
    pub(super) fn absent(detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            detail: detail.into(),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self {
            status: problem.status(),
            detail: problem.into_detail(),
        }
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Problem::from(error).into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let title = match self.status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::BAD_REQUEST => "This address is not understood",
            _ => "This page cannot be shown",
        };
        let is_of_store = self.status.is_server_error();
        let page = Page {
            title,
            section: Section::None,
            as_of: clock::now(),
            body: html! {
                h1 { (title) }
                p role="alert" { (shown(&self.detail)) }
                @if is_of_store {
                    p { "What is open, and how far the logs were read, is not known here now. Ask on the machine of the monitor:" }
                    pre.command tabindex="0" { code { "modelwatch status" } }
                }
                p { a href="/findings" { "Open findings" } }
            },
        };
        let mut answer = page.into_response();
        *answer.status_mut() = self.status;
        answer
    }
}
