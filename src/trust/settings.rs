//! What can be set about trust.

use std::path::PathBuf;
use std::time::Duration;

use sigstore_trust_root::SigstoreInstance;
use url::Url;

/// Where trust comes from, and how often it is looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it comes from.
    pub source: SourceSettings,
    /// A file with a MonitorConfig beside a trusted root or a ClientTrustConfig: the addresses to read logs at. A TUF
    /// repository has its own.
    pub monitor_config: Option<PathBuf>,
    /// A refresh by TUF is due when the last one is that old.
    pub refresh: Duration,
    /// Origins and URLs of logs that trust names and that nobody needs to follow.
    pub ignore: Vec<String>,
}

/// Where trust comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSettings {
    /// A file with a trusted root: it gives keys and authorities, and names no logs to be followed.
    TrustedRoot(PathBuf),
    /// A file with a Sigstore ClientTrustConfig: a trusted root and a signing configuration.
    ClientTrustConfig(PathBuf),
    /// A TUF repository.
    Tuf {
        /// Which one.
        repository: RepositorySettings,
        /// The file that keeps what was verified last.
        cache: PathBuf,
    },
}

/// A TUF repository and the root that it is trusted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositorySettings {
    /// Sigstore's public-good instance.
    PublicGood,
    /// Sigstore's staging instance.
    Staging,
    /// Any other.
    Mirror {
        /// The directory that holds `timestamp.json`, `http` or `https`: what comes is signed.
        mirror: Url,
        /// The file with the root that is trusted to begin with.
        root: PathBuf,
    },
}

impl Settings {
    /// Whether it says which logs there are, so that they can be followed by themselves.
    pub const fn discovers(&self) -> bool {
        !matches!(self.source, SourceSettings::TrustedRoot(_)) || self.monitor_config.is_some()
    }
}

impl RepositorySettings {
    /// The server that is asked, as `host:port`.
    pub fn server(&self) -> String {
        match self {
            // As the metadata of sigstore-tuf has them.
            Self::PublicGood => "tuf-repo-cdn.sigstore.dev:443".to_owned(),
            Self::Staging => "tuf-repo-cdn.sigstage.dev:443".to_owned(),
            Self::Mirror { mirror, .. } => crate::http::server_of(mirror),
        }
    }

    /// The instance whose root is compiled in.
    pub(super) const fn instance(&self) -> Option<SigstoreInstance> {
        match self {
            Self::PublicGood => Some(SigstoreInstance::PublicGood),
            Self::Staging => Some(SigstoreInstance::Staging),
            Self::Mirror { .. } => None,
        }
    }
}

impl std::fmt::Display for SourceSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TrustedRoot(path) | Self::ClientTrustConfig(path) => path.display().fmt(f),
            Self::Tuf { repository, .. } => match repository {
                RepositorySettings::PublicGood => f.write_str("TUF public-good"),
                RepositorySettings::Staging => f.write_str("TUF staging"),
                RepositorySettings::Mirror { mirror, .. } => write!(f, "TUF {mirror}"),
            },
        }
    }
}
