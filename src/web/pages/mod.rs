//! Pages for people, written by the server from the store alone. They work without JavaScript, and change nothing
//! but for the form of a finding.
//!
//! `layout` is the frame of every page, `assets` its style and script, `text` the only way in which text of a log gets into
//! a page: escaped for HTML, with control characters visible. Each other file is one page or a part of it. A page computes
//! nothing about logs and findings: it shows what `report` describes.

mod assets;
mod commands;
mod evidence;
mod failure;
mod filter_form;
mod finding;
mod finding_difference;
mod finding_proof;
mod findings;
mod found;
mod handling_form;
mod health;
mod home;
mod layout;
mod links;
mod log;
mod log_parts;
mod notes;
mod routes;
mod sign_in;
mod strip;
mod text;
mod timeline;
mod watch;
mod watch_parts;

pub(super) use routes::router;
pub(super) use sign_in::sign_in;
