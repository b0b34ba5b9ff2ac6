//! modelwatch watches Sigstore's transparency logs for signings by your identities.
//!
//! The rooms and the doors between them are described in `docs/architecture.md`.

pub mod cli;
pub mod clock;
pub mod config;
pub mod entry;
pub mod escape;
pub mod expect;
pub mod finding;
pub mod http;
pub mod identity;
pub mod moment;
pub mod monitor;
pub mod notify;
pub mod secret;
pub mod shard;
pub mod source;
pub mod store;
pub mod trust;
pub mod watch;
