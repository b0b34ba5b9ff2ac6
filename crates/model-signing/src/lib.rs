#![doc = include_str!("../README.md")]

pub mod bundle;
pub mod dsse;
pub mod hash;
mod json;
pub mod manifest;
#[cfg(unix)]
pub mod model;
#[cfg(unix)]
mod replace;
pub mod statement;
#[cfg(unix)]
pub mod walk;

pub use json::{JsonError, Kind, Problem};
#[cfg(unix)]
pub use replace::{ReplaceError, replace};
