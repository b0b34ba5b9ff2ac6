//! The settings of the HTTP server, and what follows from them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::secret::SecretSource;

/// Where the server listens without a setting.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8399);

/// How old the last proven pass may be for `/readyz` without a setting.
pub const DEFAULT_READY_MAX_AGE: Duration = Duration::from_hours(2);

/// `[web]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSettings {
    /// Where the server listens.
    pub listen: Listen,
    /// The address of the server in links; its host is answered besides the loopback names.
    pub base_url: Option<Url>,
    /// Who may read.
    pub access: Access,
    /// Whether findings may be acknowledged and reopened, and notes added.
    pub actions: bool,
    /// How old the last proven pass of each log may be for `/readyz`.
    pub ready_max_age: Duration,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port; port 0 is any free one.
    Tcp(SocketAddr),
    /// A Unix socket, by its path.
    Unix(PathBuf),
}

/// Who may read what the server shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everyone who reaches it: only for loopback addresses and sockets.
    Open,
    /// Those who know this token.
    Token(SecretSource),
    /// Those whom a proxy in front of it has authenticated.
    Proxy(ProxyAccess),
}

/// A proxy that authenticates users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyAccess {
    /// The addresses from which it connects. A Unix socket has no addresses: its permissions decide.
    pub peers: Vec<IpAddr>,
    /// The header with the name of the user.
    pub user_header: String,
    /// The secret that the proxy sends with each request; `None` only for a Unix socket.
    pub secret: Option<SecretSource>,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self {
            listen: Listen::Tcp(DEFAULT_LISTEN),
            base_url: None,
            access: Access::Open,
            actions: false,
            ready_max_age: DEFAULT_READY_MAX_AGE,
        }
    }
}

impl WebSettings {
    /// Why this may not be served, if other machines could read it without authentication.
    pub fn exposure(&self) -> Option<String> {
        match (&self.listen, &self.access) {
            (Listen::Tcp(address), Access::Open) if !address.ip().is_loopback() => Some(format!(
                "{address} can be reached from other machines, and neither a token nor trusted_proxy is given"
            )),
            (Listen::Tcp(_), Access::Proxy(ProxyAccess { secret: None, .. })) => Some(
                "the secret of the proxy may be left out only for a Unix socket: proxy_secret_env or proxy_secret_file is missing"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// The environment variable of its token or proxy secret, if it is in one.
    pub fn secret(&self) -> Option<&SecretSource> {
        match &self.access {
            Access::Open => None,
            Access::Token(secret) => Some(secret),
            Access::Proxy(proxy) => proxy.secret.as_ref(),
        }
    }
}

impl Listen {
    /// Reads `ADDRESS:PORT` or `unix:PATH`; a relative path begins at `directory`.
    pub fn parse(text: &str, directory: &Path) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return (!path.is_empty()).then(|| Self::Unix(directory.join(path)));
        }
        text.parse().ok().map(Self::Tcp)
    }

    /// What [`Self::parse`] reads, for messages.
    pub const FORMS: &str = "write an address with a port, such as 127.0.0.1:8399 or [::1]:8399, or unix:/run/modelwatch/web.sock";
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
