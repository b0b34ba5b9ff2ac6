//! What a leaf shows, compared with what `finding.json` says of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use crate::entry::{self, Entry, Found};
use crate::identity::{Certificate, Chain, Extension, San, Signer};
use crate::log::{LeafFormat, Protocol};

/// The fields of `finding.json` that a leaf and its place decide. Everything else in the file is what this program thought of
/// the entry, and no third party can verify it.
#[derive(Debug, Deserialize)]
pub(super) struct Claimed {
    pub(super) origin: String,
    pub(super) index: u64,
    pub(super) leaf_hash: String,
    #[serde(default)]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) digest: Option<String>,
    #[serde(default)]
    pub(super) san: Vec<San>,
    #[serde(default)]
    pub(super) issuer: Option<String>,
    #[serde(default)]
    pub(super) extensions: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) certificate_sha256: Option<String>,
    #[serde(default)]
    pub(super) key_sha256: Option<String>,
    #[serde(default)]
    pub(super) chain: Option<Chain>,
    #[serde(default)]
    pub(super) not_before: Option<Timestamp>,
    #[serde(default)]
    pub(super) anomalies: Vec<String>,
}

/// The entry in a leaf; `None`: it cannot be read.
fn entry_of(protocol: Protocol, leaf: &[u8]) -> Option<Entry> {
    match protocol.leaf_format() {
        LeafFormat::RekorEntry => entry::parse(leaf),
        LeafFormat::Certificate => entry::parse_certificate(leaf, None),
    }
    .ok()
}

impl Claimed {
    /// The signer in the leaf that the finding is about; `Ok(None)`: it names none, and the leaf may hold any.
    ///
    /// # Errors
    /// The field that is not what the leaf holds.
    pub(super) fn signer(&self, protocol: Protocol, leaf: &[u8]) -> Result<Option<Signer>, String> {
        let entry = entry_of(protocol, leaf);
        if let (Some(entry), Some(kind)) = (&entry, &self.kind)
            && entry.kind.to_string() != *kind
        {
            return Err(format!(
                "kind is {kind:?}, but the leaf is of the kind {:?}",
                entry.kind.to_string()
            ));
        }
        if self.key_sha256.is_none() {
            return self.names_nothing().map(|()| None);
        }
        let signings = entry.iter().flat_map(|entry| &entry.signings);
        let mut first_difference = None;
        for signing in signings {
            let digest = signing.digest.as_ref().map(ToString::to_string);
            match self.compare(&signing.signer, digest.as_deref()) {
                Ok(()) => return Ok(Some(signing.signer.clone())),
                Err((rank, why)) => {
                    if first_difference
                        .as_ref()
                        .is_none_or(|(best, _)| rank > *best)
                    {
                        first_difference = Some((rank, why));
                    }
                }
            }
        }
        // An entry with a part that cannot be read: its signer was found by a search over the whole leaf.
        let mut found = None;
        if self.digest.is_none() {
            entry::search(leaf, &mut |part| {
                if let Found::Signer(signer) = part
                    && found.is_none()
                    && self.compare(&signer, None).is_ok()
                {
                    found = Some(signer);
                }
            });
        }
        match (found, first_difference) {
            (Some(signer), _) => Ok(Some(signer)),
            (None, Some((_, why))) => Err(why),
            (None, None) => {
                Err("key_sha256 names a signer, but none can be found in the leaf".to_owned())
            }
        }
    }

    fn names_nothing(&self) -> Result<(), String> {
        let fields = [
            ("digest", self.digest.is_some()),
            ("san", !self.san.is_empty()),
            ("issuer", self.issuer.is_some()),
            ("extensions", !self.extensions.is_empty()),
            ("certificate_sha256", self.certificate_sha256.is_some()),
            ("not_before", self.not_before.is_some()),
        ];
        match fields.iter().find(|(_, is_given)| *is_given) {
            Some((field, _)) => Err(format!("{field} is given without key_sha256")),
            None => Ok(()),
        }
    }

    /// How far the fields agree with a signer, and which one does not.
    fn compare(&self, signer: &Signer, digest: Option<&str>) -> Result<(), (usize, String)> {
        let certificate = signer.certificate();
        let names: BTreeSet<&San> = signer.names().iter().collect();
        let extensions: BTreeMap<&str, &str> = certificate
            .into_iter()
            .flat_map(|certificate| certificate.extensions().iter())
            .filter(|(extension, _)| *extension != Extension::Issuer)
            .map(|(extension, value)| (extension.name(), value))
            .collect();
        let claimed: BTreeMap<&str, &str> = self
            .extensions
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let key = hex::encode(signer.key_sha256());
        let certificate_sha256 = certificate.and_then(Certificate::sha256).map(hex::encode);
        let fields = [
            (
                "key_sha256",
                self.key_sha256.as_deref() == Some(key.as_str()),
            ),
            (
                "certificate_sha256",
                self.certificate_sha256 == certificate_sha256,
            ),
            ("digest", self.digest.as_deref() == digest),
            // A finding has the names that its watch selects first, and each of them once.
            ("san", self.san.iter().collect::<BTreeSet<_>>() == names),
            (
                "issuer",
                self.issuer.as_deref() == certificate.and_then(Certificate::issuer),
            ),
            ("extensions", claimed == extensions),
            (
                "not_before",
                self.not_before == certificate.map(Certificate::not_before),
            ),
        ];
        match fields.iter().enumerate().find(|(_, (_, agrees))| !agrees) {
            Some((rank, (field, _))) => Err((rank, format!("{field} is not what the leaf holds"))),
            None => Ok(()),
        }
    }
}
