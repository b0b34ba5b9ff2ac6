#![doc = include_str!("../README.md")]

pub mod bundle;
pub mod dsse;
mod json;

pub use json::{JsonError, Kind, Problem};
