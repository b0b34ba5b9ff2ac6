//! Identity tokens for keyless signing: of a workflow, from the platform that runs it, and of a person who signs in with a
//! browser.
//!
//! * [`Ambient`] finds the platform and requests a token from it.
//! * [`Provider::discover`] reads what an identity provider publishes about itself, [`SignIn`] is one sign-in there
//!   (OAuth 2.0 authorization code with PKCE, OpenID Connect), and [`Loopback`] receives its answer from the browser.
//!
//! Everything is requested with [`http::Client`](crate::http::Client), under limits. Tokens, codes and client secrets are
//! in no message: where a server repeats one in its reason, it is cut out.

mod ambient;
mod endpoint;
mod environment;
mod error;
mod github;
mod gitlab;
mod google;
mod loopback;
mod page;
mod peer;
mod platform;
mod program;
mod provider;
mod random;
mod sign_in;

pub use ambient::Ambient;
pub use error::OidcError;
pub use loopback::Loopback;
pub use platform::Platform;
pub use provider::Provider;
pub use sign_in::{OUT_OF_BAND, OauthClient, SignIn};
