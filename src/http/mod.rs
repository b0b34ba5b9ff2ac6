//! The only HTTP client, with limits, retries and a user agent.
//!
//! * [`Client::get`] reads public, immutable or idempotent resources: with retries, within a byte limit, following
//!   redirects only within the same host. [`Client::query`] does the same for queries that are too long for a URL. Both
//!   obey a [`RateLimit`] if there is one.
//! * [`Client::post`] delivers once: no retries (its caller has an outbox), no redirects, and by default only to public
//!   addresses.
//! * [`Client::submit`] asks a server for a thing that is made for the request: a certificate, a timestamp, an entry of a
//!   log. With retries, without redirects, within a byte limit.
//!
//! A server may be hostile: no response can make the client store more than the limit, wait longer than the budget, or
//! connect to another host.

mod address;
mod client;
mod credentials;
mod dates;
mod error;
mod exchange;
mod pieces;
mod post;
mod proxy;
mod public;
mod rate_limit;
mod retry;
mod settings;
mod setup;
mod submit;

pub use address::{AddressPolicy, is_loopback};
pub use client::{Client, RequestCount, server_of};
pub use credentials::{CredentialScheme, CredentialSettings};
pub use dates::ServerDate;
pub use error::HttpError;
pub use exchange::{Absence, Answer, REPLY_LIMIT_BYTES};
pub use pieces::Pieces;
pub use post::{Kept, Method, PostReply, SingleRequest};
pub use proxy::{ProxyChoice, ProxySettings, ProxyUrl, ProxyUrlError};
pub use rate_limit::RateLimit;
pub use retry::Retry;
pub use settings::{Settings, USER_AGENT};
pub use submit::Submitted;
