//! The HTTP server and the metrics, as clients see them: `modelwatch serve`, the daemon, and the file for node_exporter.

#![cfg(all(feature = "web", unix))]
#![expect(
    clippy::unwrap_used,
    reason = "a fixture that is not there is a failed test"
)]

mod access;
mod actions;
mod api;
mod dashboard;
mod database;
mod evidence_pages;
mod forms;
mod health_page;
mod metrics;
mod openapi;
mod pages;
mod promtool;
mod rules;
mod schema;
mod serving;
mod signings;
mod site;
mod strips;
