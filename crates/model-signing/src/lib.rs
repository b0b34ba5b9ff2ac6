#![doc = include_str!("../README.md")]

pub mod bundle;
pub mod certificate;
pub mod dsse;
mod json;
pub mod key;
mod pem;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
pub mod sign;
pub mod verify;

pub use json::{JsonError, Kind, Problem};
pub use pem::{MAX_PEM_BYTES, PemError};
