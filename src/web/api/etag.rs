//! `ETag` and `If-None-Match` (RFC 9110 §8.8.3, §13.1.2): a program that has the answer already is not sent it again.

use aws_lc_rs::digest;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::web::problem::Problem;

/// Adds the tag to an answer, or answers 304 if the client has it.
pub(super) async fn add(request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = request.headers().clone();
    let answer = next.run(request).await;
    if !is_read || answer.status() != StatusCode::OK {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    // The body is in memory already: it was made in one piece.
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the answer is incomplete",
        )
        .into_response();
    };
    let tag = format!(
        "\"{}\"",
        hex::encode(&digest::digest(&digest::SHA256, &body).as_ref()[..16])
    );
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        parts.headers.insert(ETAG, tag);
    }
    if is_known(&known, &tag) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(CONTENT_TYPE);
        parts.headers.remove(CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(body))
}

/// Whether the client has the answer with this tag: weak comparison, RFC 9110 §8.8.3.2.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let sent = headers.get_all(IF_NONE_MATCH).iter();
    let sent = sent
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(','));
    sent.map(str::trim)
        .any(|sent| sent == "*" || sent.trim_start_matches("W/") == tag)
}
