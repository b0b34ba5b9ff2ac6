//! Watches Sigstore's transparency logs for signings by the identities that you own.

pub mod escape;
