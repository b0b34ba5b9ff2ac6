//! Why no identity token was obtained.

use std::io;
use std::time::Duration;

use model_signing::sigstore::TokenError;

use super::platform::Platform;
use crate::http::HttpError;

/// Why no identity token was obtained. No message has a secret in it; the texts of servers are cut and escaped.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A token that cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A URL that no secret is sent to.
    #[error(
        "{what} {url:?} is not a URL that begins with https:// (http:// is for servers of this machine alone)"
    )]
    Url {
        /// What it is the address of.
        what: &'static str,
        /// The URL, cut.
        url: String,
    },
    /// An answer that is something else than expected.
    #[error("{server}: {reason}")]
    Answer {
        /// Where it came from.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server at the issuer's address is another issuer.
    #[error(
        "the identity provider at {asked} has the name {found:?}: the signing configuration must have its exact name"
    )]
    Issuer {
        /// The issuer that was asked for.
        asked: String,
        /// The issuer in its answer, cut.
        found: String,
    },
    /// The provider, or the person there, refused.
    #[error("the identity provider refuses the sign-in: {0}")]
    Denied(String),
    /// The answer belongs to another sign-in.
    #[error(
        "the browser came back with the answer to another sign-in (its `state` is not the one of this sign-in): sign in again"
    )]
    State,
    /// The token belongs to another sign-in.
    #[error("the identity token is not the answer to this sign-in: its `nonce` is {}", if *.0 { "another one" } else { "missing" })]
    Nonce(
        /// Whether it has one.
        bool,
    ),
    /// The answer or the token is from another issuer.
    #[error("{what} is by the issuer {found:?}, and the sign-in was at {asked}")]
    OtherIssuer {
        /// What came.
        what: &'static str,
        /// Its issuer, cut.
        found: String,
        /// The issuer of this sign-in.
        asked: String,
    },
    /// The person did not come back.
    #[error(
        "no sign-in within {} minutes; on a machine without a browser, --oauth-force-oob asks for a code instead",
        .0.as_secs() / 60
    )]
    Timeout(Duration),
    /// No port of this machine can be listened to.
    #[error("no port of this machine can be listened to for the answer of the browser: {0}")]
    Loopback(io::Error),
    /// A platform is there, and its token is not.
    #[error("{platform}: {reason}")]
    Ambient {
        /// Which one.
        platform: Platform,
        /// Why, and what to do.
        reason: String,
    },
}
