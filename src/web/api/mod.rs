//! `/api/v1`: what the commands print with `--json`, for programs. It is described in docs/api.md.

mod actions;
mod asked;
pub(super) mod cursor;
mod etag;
mod findings;
mod list;
mod openapi;
mod parameters;
mod registrations;
mod routes;
mod signings;
mod status;

pub(super) use findings::{Asked as AskedFindings, LIST as FINDINGS, asked as asked_findings};
pub(super) use routes::router;
