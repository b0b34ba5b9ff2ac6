//! modelwatch watches Sigstore's transparency logs for signings by your identities.
//!
//! The rooms and the doors between them are described in `docs/architecture.md`.

pub mod clock;
pub mod watch;
