//! `modelwatch sign`, `verify` and `digest`, as their users run them.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may only fail")]

mod cases;
mod commands;
mod guide;
mod outputs;
mod site;
mod unreadable;
