//! How the client behaves.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use super::credentials::CredentialSettings;
use super::proxy::ProxySettings;
use super::retry::Retry;

/// How we present ourselves: who is reading, in which version, and where to complain.
pub const USER_AGENT: &str = concat!(
    env!("CARGO_PKG_NAME"),
    "/",
    env!("CARGO_PKG_VERSION"),
    " (+",
    env!("CARGO_PKG_REPOSITORY"),
    ")"
);

/// How the client behaves. The defaults are right for public logs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// PEM files of certificate authorities to trust besides the machine's.
    pub ca_files: Vec<PathBuf>,
    /// Which proxy is used.
    pub proxy: ProxySettings,
    /// Credentials for servers; no two for the same requests.
    pub credentials: Vec<CredentialSettings>,
    /// Sent with every request.
    pub user_agent: Cow<'static, str>,
    /// Time for name resolution, TCP and TLS.
    pub connect_timeout: Duration,
    /// Time without any progress: until the answer begins, and between two pieces of its body.
    pub idle_timeout: Duration,
    /// When [`Client::get`](super::Client::get) tries again.
    pub retry: Retry,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ca_files: Vec::new(),
            proxy: ProxySettings::default(),
            credentials: Vec::new(),
            user_agent: Cow::Borrowed(USER_AGENT),
            // Both leave time for a second and third try in the budget of `Retry`.
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(10),
            retry: Retry::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_names_program_version_and_where_to_complain() {
        assert!(USER_AGENT.starts_with("modelwatch/"), "{USER_AGENT}");
        assert!(USER_AGENT.contains(" (+https://"), "{USER_AGENT}");
    }
}
