//! The HTTP server: metrics, health and the API, for the daemon and for `modelwatch serve`.
//!
//! A request passes these checks, in this order; each answers what it refuses:
//!
//! 1. `listener`: where connections come from, and how many there may be.
//! 2. `server`: sizes and times of a request, so that a slow client holds a connection for a limited time.
//! 3. `guard`: the Host header (421), which prevents that a page of another site reads this one by DNS rebinding; then
//!    who asks (`access`: 401, 403), except for `/healthz`, `/readyz` and `/login`.
//! 4. `routes`, `api` and `pages`: what is shown, from the store, which each request opens for reading; `handling`: the few changes
//!    that are allowed with `actions`, each through a connection of its own.
//!
//! Every answer has the headers of `guard`: scripts and styles from this server alone, no frame, no cache. A new page is a
//! route in `pages`; nothing else has to change for it.

mod access;
mod api;
mod archive;
mod caller;
mod guard;
mod handling;
mod host;
mod listener;
mod log;
mod login;
mod own_address;
mod pages;
mod problem;
mod routes;
mod server;
mod session;
mod site;

pub use listener::Listener;
pub use server::serve;
pub use site::Site;
