//! modelwatch watches Sigstore's transparency logs for signings by your identities.
//!
//! `docs/architecture.md` describes the modules and the allowed dependencies between them.

#![forbid(unsafe_code)]

#[cfg(not(unix))]
compile_error!(
    "modelwatch is for Unix; elsewhere, the library crates/model-signing verifies signatures"
);

pub mod cli;
pub mod clock;
mod codec;
pub mod config;
pub mod entry;
pub mod escape;
pub mod evidence;
pub mod expect;
pub mod file;
pub mod finding;
pub mod http;
pub mod identity;
pub mod judge;
pub mod log;
pub mod lookup;
pub mod moment;
pub mod monitor;
pub mod notify;
pub mod oidc;
mod process;
pub mod reconcile;
pub mod registrations;
mod report;
pub mod secret;
mod selftest;
mod service;
pub mod source;
pub mod store;
pub mod trust;
pub mod watch;
#[cfg(feature = "web")]
mod web;
