//! Registrations in a branch of a git repository.
//!
//! The git program reads it into a bare repository of ours, beside the database. Nothing of it is checked out: no hook, filter,
//! attribute, submodule or configuration of the repository is ever used, and a symbolic link is only an object. Of the
//! environment git gets what it needs to reach the repository, and no configuration file at all.

mod advice;
mod authorities;
mod error;
mod history;
mod mirror;
mod objects;
mod reader;
mod signature;

pub(super) use error::GitError;
pub(super) use reader::GitReader;
