//! modelwatch watches Sigstore's transparency logs for signings by your identities.
//!
//! `docs/architecture.md` describes the modules and the allowed dependencies between them.
//!
//! On systems other than Unix only the commands about models are there: `sign`, `verify` and `digest`.

#![forbid(unsafe_code)]

pub use modelwatch_core::{entry, escape, expect, finding, identity, judge, log, moment, watch};

pub(crate) use modelwatch_core::codec;

pub mod cli;
pub mod clock;
#[cfg(unix)]
pub mod config;
#[cfg(unix)]
pub mod evidence;
pub mod file;
pub mod http;
#[cfg(unix)]
pub mod lookup;
#[cfg(unix)]
pub mod monitor;
#[cfg(unix)]
pub mod notify;
pub mod oidc;
pub mod outcome;
#[cfg(unix)]
mod process;
#[cfg(unix)]
pub mod reconcile;
#[cfg(unix)]
pub mod registrations;
#[cfg(unix)]
mod report;
pub mod secret;
#[cfg(unix)]
mod selftest;
#[cfg(unix)]
mod service;
pub mod source;
#[cfg(unix)]
pub mod store;
pub mod times;
pub mod trust;
#[cfg(all(unix, feature = "web"))]
mod web;
