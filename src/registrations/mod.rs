//! Registrations that others put somewhere: in a git repository, in a directory, at a URL.
//!
//! A source is read again and again. Each of its files registers the signings of its bundles; a file that goes away is
//! withdrawn. What cannot be read changes no registration, and is a finding about health: a source that is silently not read
//! would look like a release that was not registered.
//!
//! All bytes come from people who may not be the owner. A source never gets more than the authority of its settings.

mod collector;
mod directory;
mod git;
mod patterns;
mod program;
mod repository;
mod settings;
mod sync;
mod tags;

pub use patterns::{PatternError, Patterns};
pub use repository::{names_watched_repository, repository_error};
pub use settings::{
    DirectorySettings, GitSettings, SourceKindSettings, SourceSettings, TagSettings, TemplateError,
};
pub use sync::{Registrations, SourceReport};
