//! One version of the trusted root, with the documents beside it.

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::document::{self, Address, Remark};
use super::error::{MAX_BYTES, TrustError, media_type};
use super::listed::{ListedLog, listed};
use super::root::TrustedRoot;

/// The beginning of the media type of every version.
const CLIENT_TRUST_CONFIG: &str = "application/vnd.dev.sigstore.clienttrustconfig";
const SIGNING_CONFIG: &str = "application/vnd.dev.sigstore.signingconfig";

/// A trusted root, and the logs that it and the signing configurations name.
#[derive(Debug, Clone)]
pub struct Trust {
    root: TrustedRoot,
    logs: Vec<ListedLog>,
    remarks: Vec<Remark>,
    fingerprint: [u8; 32],
    /// The trusted root as it was read, JSON.
    document: Vec<u8>,
}

/// The documents with the addresses of the logs of a trusted root.
#[derive(Debug, Clone, Default)]
pub(super) struct Directories {
    /// Signing configurations.
    pub(super) signing: Vec<Vec<u8>>,
    /// A MonitorConfig.
    pub(super) monitor: Option<Vec<u8>>,
}

/// The state of a TUF repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update {
    /// The version of its root.
    pub root_version: u64,
    /// The version of its list of files.
    pub version: u64,
    /// When the first of its signed statements expires.
    pub expires: Timestamp,
    /// When the repository last gave a valid answer.
    pub refreshed: Timestamp,
}

impl Trust {
    /// A trusted root whose logs are not followed automatically.
    pub(super) fn without_logs(json: &[u8]) -> Result<Self, TrustError> {
        let root = TrustedRoot::parse(json)?;
        Ok(Self {
            remarks: root.remarks().to_vec(),
            root,
            logs: Vec::new(),
            fingerprint: fingerprint(&[json]),
            document: json.to_vec(),
        })
    }

    /// A trusted root, and the addresses of its logs. A document with addresses that cannot be parsed is left out and
    /// named, because the trusted root is sufficient.
    pub(super) fn of(root: &[u8], directories: &Directories) -> Result<Self, TrustError> {
        let document = root.to_vec();
        let mut documents = vec![root];
        documents.extend(directories.signing.iter().map(Vec::as_slice));
        documents.extend(directories.monitor.as_deref());
        let root = TrustedRoot::parse(root)?;
        let mut remarks = root.remarks().to_vec();
        let mut left_out = |item: &str, why: TrustError| {
            remarks.push(Remark {
                item: item.to_owned(),
                problem: format!("left out: {why}"),
            });
        };
        let (mut rekor, mut ct) = (Vec::new(), Vec::new());
        // First, because its addresses have priority.
        if let Some(json) = &directories.monitor {
            match monitor_config(json) {
                Ok(addresses) => (rekor, ct) = addresses,
                Err(why) => left_out("the monitor config", why),
            }
        }
        for json in &directories.signing {
            match signing_config(json) {
                Ok(addresses) => rekor.extend(addresses),
                Err(why) => left_out("the signing config", why),
            }
        }
        Ok(Self {
            logs: listed(&root, &rekor, &ct),
            root,
            remarks,
            fingerprint: fingerprint(&documents),
            document,
        })
    }

    /// A trusted root in a file, and a MonitorConfig in another one.
    pub(super) fn of_files(root: &[u8], monitor: &[u8]) -> Result<Self, TrustError> {
        monitor_config(monitor)?;
        let directories = Directories {
            signing: Vec::new(),
            monitor: Some(monitor.to_vec()),
        };
        Self::of(root, &directories)
    }

    /// A ClientTrustConfig, which contains a trusted root and a signing configuration; and a MonitorConfig in another
    /// file, or in the same.
    pub(super) fn of_client_trust_config(
        json: &[u8],
        monitor: Option<&[u8]>,
    ) -> Result<Self, TrustError> {
        #[derive(Deserialize)]
        struct ClientTrustConfig {
            #[serde(alias = "mediaType", default)]
            media_type: Option<String>,
            #[serde(alias = "trustedRoot", default)]
            trusted_root: serde_json::Value,
            #[serde(alias = "signingConfig", default)]
            signing_config: serde_json::Value,
            #[serde(alias = "monitorConfig", default)]
            monitor_config: serde_json::Value,
        }
        if json.len() > MAX_BYTES {
            return Err(TrustError::TooLong { limit: MAX_BYTES });
        }
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let all: ClientTrustConfig = serde_json::from_slice(json)
            .map_err(|error| TrustError::ClientTrustConfig(error.to_string()))?;
        media_type(
            all.media_type.as_deref().unwrap_or_default(),
            CLIENT_TRUST_CONFIG,
        )?;
        let bytes =
            |part: &serde_json::Value| (!part.is_null()).then(|| part.to_string().into_bytes());
        let directories = Directories {
            signing: bytes(&all.signing_config).into_iter().collect(),
            monitor: monitor
                .map(<[u8]>::to_vec)
                .or_else(|| bytes(&all.monitor_config)),
        };
        // The operator wrote the file, and can correct it.
        for json in &directories.signing {
            signing_config(json)?;
        }
        if let Some(json) = &directories.monitor {
            monitor_config(json)?;
        }
        Self::of(all.trusted_root.to_string().as_bytes(), &directories)
    }

    /// The problems of single items.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// The trusted root.
    pub fn root(&self) -> &TrustedRoot {
        &self.root
    }

    /// The trusted root as it was read, JSON: for readers of their own.
    pub fn document(&self) -> &[u8] {
        &self.document
    }

    /// The logs that it names; none if they are not to be followed by themselves.
    pub fn logs(&self) -> &[ListedLog] {
        &self.logs
    }

    /// Whether it was read from the same documents.
    pub(super) fn has_the_same_content(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

fn signing_config(json: &[u8]) -> Result<Vec<Address>, TrustError> {
    let (written, addresses) = document::signing_config(json).map_err(TrustError::SigningConfig)?;
    // Its place determines its type; another type in the document is a mistake.
    if !written.is_empty() {
        media_type(&written, SIGNING_CONFIG)?;
    }
    Ok(addresses)
}

/// The addresses of Rekor logs and of CT logs.
fn monitor_config(json: &[u8]) -> Result<(Vec<Address>, Vec<Address>), TrustError> {
    document::monitor_config(json).map_err(TrustError::MonitorConfig)
}

fn fingerprint(documents: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for document in documents {
        hash.update((document.len() as u64).to_be_bytes());
        hash.update(document);
    }
    hash.finalize().into()
}
