//! `modelwatch sign`, `verify` and `digest`, as their users run them.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "a test may say no more than that it failed"
)]

mod cases;
mod commands;
mod guide;
mod outputs;
mod site;
mod unreadable;
