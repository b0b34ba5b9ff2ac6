//! The settings of the trusted root.

use std::path::PathBuf;
use std::time::Duration;

use sigstore_trust_root::SigstoreInstance;
use url::Url;

/// The source of the trusted root, and how often it is updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The source.
    pub source: SourceSettings,
    /// A file with a MonitorConfig beside a trusted root or a ClientTrustConfig: the addresses of logs. A TUF
    /// repository has its own.
    pub monitor_config: Option<PathBuf>,
    /// A refresh by TUF is due when the last one is that old.
    pub refresh: Duration,
    /// Origins and URLs of logs in the trusted root that need not be followed.
    pub ignore: Vec<String>,
}

/// The source of the trusted root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSettings {
    /// A file with a trusted root: it gives keys and authorities, and names no logs to be followed.
    TrustedRoot(PathBuf),
    /// A file with a Sigstore ClientTrustConfig: a trusted root and a signing configuration.
    ClientTrustConfig(PathBuf),
    /// A TUF repository.
    Tuf {
        /// Its address and first root.
        repository: RepositorySettings,
        /// The file with the last verified version.
        cache: PathBuf,
    },
}

/// A TUF repository and its first root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositorySettings {
    /// Sigstore's public-good instance.
    PublicGood,
    /// Sigstore's staging instance.
    Staging,
    /// Any other repository.
    Mirror {
        /// The directory with `timestamp.json`, `http` or `https`: its content is signed.
        mirror: Url,
        /// The file with the first trusted root of the repository.
        root: PathBuf,
    },
}

impl Settings {
    /// Whether it lists logs, so that they can be followed automatically.
    pub const fn discovers(&self) -> bool {
        !matches!(self.source, SourceSettings::TrustedRoot(_)) || self.monitor_config.is_some()
    }
}

impl RepositorySettings {
    /// The server, as `host:port`.
    pub fn server(&self) -> String {
        match self {
            // In the form of the metadata of sigstore-tuf.
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
