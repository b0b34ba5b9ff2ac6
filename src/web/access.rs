//! Who asks: everyone, a person or program with the token, or a user whom the proxy has authenticated.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::caller::Caller;
use super::listener::Peer;
use super::session::{Sessions, is_same};
use crate::config::{Access, Listen, ProxyAccess, WebSettings};
use crate::secret::SecretError;

/// The header in which the proxy proves itself.
const PROXY_SECRET: &str = "x-modelwatch-proxy";

/// Longest name of a user, in bytes.
const MAX_USER_BYTES: usize = 256;

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// It has no valid token and no session.
    #[error("a token is required")]
    NeedsToken,
    /// It did not come through the proxy, or not as the proxy sends it.
    #[error("{0}")]
    NotTheProxy(&'static str),
    /// The secret cannot be read: nobody is let in.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// Finds out who asks.
pub(super) async fn caller(
    settings: &WebSettings,
    sessions: &Sessions,
    peer: Peer,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    match &settings.access {
        Access::Open => Ok(Caller::Anyone),
        Access::Token(source) => {
            let token = source.read().await?;
            let token = token.expose_secret();
            let caller = match bearer(headers) {
                Some(sent) => is_same(token, sent).then_some(Caller::Bearer),
                None => sessions.valid(headers, token, now).map(Caller::Session),
            };
            caller.ok_or(Refusal::NeedsToken)
        }
        Access::Proxy(proxy) => user(proxy, &settings.listen, peer, headers).await,
    }
}

/// The token in `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let sent = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = sent.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

async fn user(
    proxy: &ProxyAccess,
    listen: &Listen,
    peer: Peer,
    headers: &HeaderMap,
) -> Result<Caller, Refusal> {
    let is_proxy = match (peer, listen) {
        (Peer::Address(address), _) => proxy.peers.contains(&address),
        // The permissions of the socket decide.
        (Peer::Socket, Listen::Unix(_)) => true,
        (Peer::Socket, Listen::Tcp(_)) => false,
    };
    if !is_proxy {
        return Err(Refusal::NotTheProxy("only the proxy may connect"));
    }
    if let Some(secret) = &proxy.secret {
        let secret = secret.read().await?;
        let sent = only(headers, PROXY_SECRET);
        if !sent.is_some_and(|sent| is_same(secret.expose_secret(), sent)) {
            return Err(Refusal::NotTheProxy(
                "the secret of the proxy is missing or wrong",
            ));
        }
    }
    let name = only(headers, &proxy.user_header).and_then(|name| std::str::from_utf8(name).ok());
    let is_name = |name: &&str| {
        !name.is_empty() && name.len() <= MAX_USER_BYTES && !name.contains(char::is_control)
    };
    match name.map(str::trim).filter(is_name) {
        Some(name) => Ok(Caller::User(name.to_owned())),
        None => Err(Refusal::NotTheProxy("the header with the user is missing")),
    }
}

/// The value of a header that is sent exactly once: a second one might be the client's.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}
