#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod attestation;
pub mod bundle;
pub mod certificate;
pub mod dsse;
pub mod hash;
mod json;
pub mod key;
#[cfg(feature = "sigstore")]
mod keyless_error;
pub mod manifest;
pub mod model;
pub mod oci;
mod pem;
#[cfg(all(unix, feature = "pkcs11"))]
pub mod pkcs11;
#[cfg(all(unix, feature = "pkcs11"))]
mod pkcs11_error;
mod positioned;
mod pss;
mod replace;
pub mod sign;
#[cfg(feature = "sigstore")]
pub mod sigstore;
pub mod statement;
pub mod timestamp;
pub mod verify;
pub mod walk;

pub use json::{JsonError, Kind, Problem};
pub use pem::{MAX_PEM_BYTES, PemError};
pub use replace::{Destination, ReplaceError};
