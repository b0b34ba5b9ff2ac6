//! A registration, for programs.

use serde_json::json;

use crate::store::Registration;

/// A registration, as `expect list --json` writes it.
pub fn registration_json(registration: &Registration) -> serde_json::Value {
    json!({
        "number": registration.number,
        "authority": registration.by.authority,
        "source": registration.by.source,
        "file": registration.file,
        "commit": registration.by.commit,
        "author": registration.by.author,
        "watches": registration.by.watches,
        "registered": registration.at,
        "findings": registration.findings,
        "expectation": registration.expectation,
    })
}
