//! `modelwatch sign`, `verify` and `digest`, as their users run them.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may only fail")]

mod attestation;
mod attestation_signers;
mod cases;
mod commands;
#[path = "../../crates/model-signing/tests/keyless/fake/mod.rs"]
#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "the tests of the library use all of it"
)]
mod fake;
mod guide;
mod identities;
mod issuer;
mod keyless;
mod keyless_sign;
mod loopback;
mod oci;
mod outputs;
mod registered;
mod sign_ins;
mod site;
mod stamps;
mod unreadable;
