//! Everything that is trusted at one time.

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use sigstore_trust_root::SigningConfig;

use super::listed::{ListedLog, listed};
use super::{MAX_BYTES, TrustError, TrustedRoot, media_type};

/// What the media type of every version begins with.
const CLIENT_TRUST_CONFIG: &str = "application/vnd.dev.sigstore.clienttrustconfig";

/// A trusted root, and the logs that it and the signing configurations name.
#[derive(Debug, Clone)]
pub struct Trust {
    root: TrustedRoot,
    logs: Vec<ListedLog>,
    fingerprint: [u8; 32],
}

/// Which state of a TUF repository is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update {
    /// The version of its root.
    pub root_version: u64,
    /// The version of its list of files.
    pub version: u64,
    /// When the first of its signed statements expires.
    pub expires: Timestamp,
    /// When the repository was last asked and everything was right.
    pub refreshed: Timestamp,
}

impl Trust {
    /// A trusted root whose logs are not to be followed by themselves.
    pub(super) fn without_logs(json: &[u8]) -> Result<Self, TrustError> {
        Ok(Self {
            root: TrustedRoot::parse(json)?,
            logs: Vec::new(),
            fingerprint: fingerprint(&[json]),
        })
    }

    /// A trusted root with signing configurations.
    pub(super) fn of(root: &[u8], configs: &[Vec<u8>]) -> Result<Self, TrustError> {
        let mut documents = vec![root];
        documents.extend(configs.iter().map(Vec::as_slice));
        let root = TrustedRoot::parse(root)?;
        let configs = configs
            .iter()
            .map(|json| signing_config(json))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            logs: listed(&root, &configs),
            root,
            fingerprint: fingerprint(&documents),
        })
    }

    /// A ClientTrustConfig, which holds one of each.
    pub(super) fn of_client_trust_config(json: &[u8]) -> Result<Self, TrustError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct ClientTrustConfig {
            media_type: String,
            #[serde(default)]
            trusted_root: serde_json::Value,
            #[serde(default)]
            signing_config: serde_json::Value,
        }
        if json.len() > MAX_BYTES {
            return Err(TrustError::TooLong { limit: MAX_BYTES });
        }
        let both: ClientTrustConfig = serde_json::from_slice(json)
            .map_err(|error| TrustError::ClientTrustConfig(error.to_string()))?;
        media_type(&both.media_type, CLIENT_TRUST_CONFIG)?;
        let signing_config = both.signing_config.to_string().into_bytes();
        Self::of(both.trusted_root.to_string().as_bytes(), &[signing_config])
    }

    /// The trusted root.
    pub fn root(&self) -> &TrustedRoot {
        &self.root
    }

    /// The logs that it names; none if they are not to be followed by themselves.
    pub fn logs(&self) -> &[ListedLog] {
        &self.logs
    }

    /// Whether it was read from the same documents.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

fn signing_config(json: &[u8]) -> Result<SigningConfig, TrustError> {
    let text = std::str::from_utf8(json).map_err(|e| TrustError::SigningConfig(e.to_string()))?;
    SigningConfig::from_json(text).map_err(|error| TrustError::SigningConfig(error.to_string()))
}

fn fingerprint(documents: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for document in documents {
        hash.update((document.len() as u64).to_be_bytes());
        hash.update(document);
    }
    hash.finalize().into()
}
