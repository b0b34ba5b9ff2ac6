//! Trust that comes from outside of a directory: the keys of logs, and the certificate authorities.

use model_signing::key::PublicKey;
use tlog::{KeyName, Origin, Verifier};
use url::Url;

use crate::identity::Authorities;
use crate::log::{LogKey, Protocol};
use crate::trust::TrustedRoot;

/// An address at which no log is: the keys of all logs are wanted.
const NOWHERE: &str = "https://log.invalid/";

/// What a directory is verified against.
#[derive(Debug, Clone)]
pub struct Anchor {
    /// Where it is from, for messages: a file, or this program.
    pub name: String,
    /// The trusted root.
    pub root: TrustedRoot,
    /// Keys of the log that were named by themselves. If there are any, those of the root do not count for the log.
    pub log_keys: Vec<LogKey>,
    /// The key of the one who handed the directory out: it must have signed all files.
    pub public_key: Option<PublicKey>,
}

impl Anchor {
    /// The keys that may sign the checkpoints of a tree. Empty: the log is unknown here.
    pub(super) fn verifiers(&self, protocol: Protocol, origin: &Origin) -> Vec<Verifier> {
        if self.log_keys.is_empty() {
            return verifiers(&self.root, protocol, origin);
        }
        let Some(name) = key_name(protocol, origin) else {
            return Vec::new();
        };
        let keys = self.log_keys.iter();
        keys.filter(|key| is_of(key, protocol, origin))
            .map(|key| match protocol {
                Protocol::RekorV2 => key.verifier(name.clone()),
                Protocol::RekorV1 => key.rekor_v1(name.clone()),
                Protocol::CtStatic | Protocol::CtRfc6962 => key.tree_head(name.clone()),
            })
            .collect()
    }

    pub(super) fn authorities(&self) -> &Authorities {
        self.root.authorities()
    }
}

/// The usable keys of a trusted root that may sign the checkpoints of a tree.
pub(super) fn verifiers(root: &TrustedRoot, protocol: Protocol, origin: &Origin) -> Vec<Verifier> {
    let Some(name) = key_name(protocol, origin) else {
        return Vec::new();
    };
    let all: Vec<Verifier> = match protocol {
        Protocol::RekorV2 => root.log_keys(origin, None),
        Protocol::RekorV1 => {
            let at = Url::parse(&format!("https://{name}/")).or_else(|_| Url::parse(NOWHERE));
            let keys = at.map(|url| root.rekor_v1_keys(&url)).unwrap_or_default();
            keys.iter()
                .filter_map(|spki| LogKey::read(spki).ok())
                .map(|key| key.rekor_v1(name.clone()))
                .collect()
        }
        Protocol::CtStatic | Protocol::CtRfc6962 => {
            let keys = root.ct_keys(NOWHERE);
            keys.iter()
                .filter_map(|key| LogKey::read(&key.spki_der).ok())
                .filter(|key| is_of(key, protocol, origin))
                .map(|key| key.tree_head(name.clone()))
                .collect()
        }
    };
    all.into_iter()
        .filter(|key| key.why_unusable().is_none())
        .collect()
}

/// Whether a key can be that of a tree: the origin of a log of RFC 6962 is the id of its key.
fn is_of(key: &LogKey, protocol: Protocol, origin: &Origin) -> bool {
    protocol != Protocol::CtRfc6962 || super::format::sha256(key.spki_der()) == origin.as_str()
}

/// The name on the signature lines. That of a Rekor v1 log is in its origin, before " - " and the number of the tree (rekor
/// `pkg/util/checkpoint.go`).
fn key_name(protocol: Protocol, origin: &Origin) -> Option<KeyName> {
    let name = match protocol {
        Protocol::RekorV1 => origin.as_str().rsplit_once(" - ")?.0,
        Protocol::RekorV2 | Protocol::CtStatic | Protocol::CtRfc6962 => origin.as_str(),
    };
    KeyName::new(name).ok()
}
