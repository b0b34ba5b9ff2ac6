//! What proves an entry, and the files that are made of it.

use serde_json::Value;
use tlog::{Origin, leaf_hash};

use super::facts::Claimed;
use super::fetch::Proof;
use super::format::{
    BUNDLE, CERTIFICATE, CHAIN, CHECKPOINT, FINDING, Files, INCLUSION, Inclusion, LEAF, MANIFEST,
    Manifest, README, TRUSTED_ROOT, pretty,
};
use super::readme;
use crate::codec::certificate_pem;
use crate::expect::Expectation;
use crate::identity::{Certificate, Signer};
use crate::log::Protocol;
use crate::trust::{TrustError, TrustedRoot};

/// What proves an entry.
#[derive(Debug, Clone)]
pub struct Package {
    /// The type of its log.
    pub protocol: Protocol,
    /// The first line of the tree's checkpoints.
    pub origin: Origin,
    /// The entries of its log before the tree's first one: 0, except for Rekor v1.
    pub base: u64,
    /// The leaf, its path and the checkpoint.
    pub proof: Proof,
    /// What was found, a JSON object: a finding, or a signing of `lookup`. Its fields `origin`, `index`, `leaf_hash`, `kind`,
    /// `digest`, `san`, `issuer`, `extensions`, `certificate_sha256`, `key_sha256` and `not_before` must be what the leaf holds.
    pub finding: Value,
    /// The trusted root that was in force, as it was published; `None`: none is configured.
    pub trusted_root: Option<Vec<u8>>,
    /// The registered bundle, or why there is none.
    pub bundle: Result<Vec<u8>, String>,
}

/// Why no directory can be made.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The path does not lead to the root.
    #[error("its inclusion proof is false: {0}")]
    Proof(#[from] tlog::ProofError),
    /// The finding is not of this leaf.
    #[error("the finding is not of this entry: {0}")]
    Finding(String),
    /// The trusted root cannot be read.
    #[error("the trusted root cannot be read: {0}")]
    TrustedRoot(#[from] TrustError),
}

impl Package {
    /// The files of the directory, by their names.
    ///
    /// # Errors
    /// What was put together does not belong together.
    pub fn files(&self) -> Result<Files, PackageError> {
        self.proof.verify()?;
        let leaf = &self.proof.leaf;
        let claimed: Claimed = serde_json::from_value(self.finding.clone())
            .map_err(|error| PackageError::Finding(error.to_string()))?;
        let signer = claimed
            .signer(self.protocol, leaf)
            .map_err(PackageError::Finding)?;
        let inclusion = self.inclusion();
        if (claimed.origin.as_str(), claimed.index, &claimed.leaf_hash)
            != (
                self.origin.as_str(),
                inclusion.log_index,
                &inclusion.leaf_hash,
            )
        {
            return Err(PackageError::Finding("it has another place".to_owned()));
        }
        let mut missing = Vec::new();
        let mut files = Files::new();
        let mut add = |name: &str, bytes: Vec<u8>| files.insert(name.to_owned(), bytes);
        add(LEAF, leaf.clone());
        add(INCLUSION, pretty(&inclusion));
        add(CHECKPOINT, self.proof.head.note.to_vec());
        add(FINDING, pretty(&self.finding));
        let certificate = signer.as_ref().and_then(whole_certificate);
        match certificate {
            Some(certificate) => drop(add(
                CERTIFICATE,
                certificate_pem(certificate.der()).into_bytes(),
            )),
            None => missing.push((CERTIFICATE, without_certificate(signer.as_ref()).to_owned())),
        }
        match &self.trusted_root {
            Some(json) => {
                let root = TrustedRoot::parse(json)?;
                add(TRUSTED_ROOT, json.clone());
                match certificate.and_then(|certificate| chain(&root, certificate)) {
                    Some(chain) => drop(add(CHAIN, chain)),
                    None if certificate.is_some() => {
                        let why = "no authority of the trusted root issued the certificate";
                        missing.push((CHAIN, why.to_owned()));
                    }
                    None => {}
                }
            }
            None => missing.push((TRUSTED_ROOT, "no trusted root is configured".to_owned())),
        }
        match &self.bundle {
            Ok(bundle) => drop(add(BUNDLE, bundle.clone())),
            Err(why) => missing.push((BUNDLE, why.clone())),
        }
        let text = readme::text(self.protocol, &inclusion, &missing);
        add(README, text.into_bytes());
        let manifest = Manifest::of(&files, self.protocol);
        files.insert(MANIFEST.to_owned(), pretty(&manifest));
        Ok(files)
    }

    fn inclusion(&self) -> Inclusion {
        let Proof {
            leaf,
            index,
            head,
            hashes,
        } = &self.proof;
        Inclusion {
            origin: self.origin.as_str().to_owned(),
            log_index: self.base.saturating_add(*index),
            tree_index: *index,
            tree_size: head.size,
            leaf_hash: leaf_hash(leaf).to_hex(),
            root_hash: head.root.to_hex(),
            hashes: hashes.iter().map(tlog::Hash::to_hex).collect(),
        }
    }
}

/// The certificate of a signer, if the leaf holds all of it: that of a precertificate holds only the part that is signed.
pub(super) fn whole_certificate(signer: &Signer) -> Option<&Certificate> {
    signer
        .certificate()
        .filter(|certificate| certificate.sha256().is_some())
}

fn without_certificate(signer: Option<&Signer>) -> &'static str {
    match signer {
        None => "no signer can be read from the leaf",
        Some(Signer::Key(_)) => "the entry was signed with a key alone",
        Some(Signer::Certificate(_)) => {
            "the leaf of a precertificate holds only the part that the authority signed, without its signature"
        }
    }
}

/// The authorities of a trusted root above a certificate, in PEM; `None`: there is none.
pub(super) fn chain(root: &TrustedRoot, certificate: &Certificate) -> Option<Vec<u8>> {
    let path = root.authorities().path(certificate);
    let text: String = path
        .into_iter()
        .map(|authority| certificate_pem(authority.der()))
        .collect();
    (!text.is_empty()).then(|| text.into_bytes())
}

/// Whether a bundle is of the signing in a leaf: of this entry, or by the same key.
pub(super) fn is_of(bundle: &Expectation, leaf: &[u8], claimed_key: Option<&str>) -> bool {
    let hash = leaf_hash(leaf);
    bundle.leaf_hashes.contains(hash.as_bytes()) || claimed_key == Some(bundle.key_sha256.as_str())
}
