//! modelwatch watches Sigstore's transparency logs for signings by your identities.
//!
//! `docs/architecture.md` describes the modules and the allowed dependencies between them.

#![forbid(unsafe_code)]

#[cfg(not(unix))]
compile_error!(
    "modelwatch is for Unix; elsewhere, the library crates/model-signing verifies signatures"
);

pub use modelwatch_core::{entry, escape, expect, finding, identity, judge, log, moment, watch};

pub(crate) use modelwatch_core::codec;

pub mod cli;
pub mod clock;
pub mod config;
pub mod evidence;
pub mod file;
pub mod http;
pub mod lookup;
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
#[cfg(feature = "web")]
mod web;
