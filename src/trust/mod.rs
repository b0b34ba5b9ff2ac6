//! The trusted root: whose certificates count, and which keys speak for a log.
//!
//! `sigstore-trust-root` reads the format. Its look-ups are not used: they go by log id alone, leave keys and CAs
//! out by the machine's clock, and skip what they do not understand, whereas here a log is known by its origin, time
//! never hides a CA (see [`Authorities::judge`]), and a trusted root that cannot be used whole is refused.
//!
//! A [`Keeper`] holds what is trusted now and looks again from time to time: in a file, or in a TUF repository.

mod keeper;
mod listed;
mod material;
mod problem;
mod settings;
mod tuf;

use std::io::Read as _;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use sigstore_trust_root::{CertificateTransparencyLog, TrustedRoot as Document};
use tlog::checkpoint::Origin;
use tlog::note::{KeyError, KeyName, Verifier};
use url::Url;

use crate::identity::{Authorities, AuthorityChain, AuthorityError, CtLog};

pub use keeper::{Keeper, Refreshed};
pub use listed::{FollowedLog, ListedKind, ListedLog};
pub use material::{Trust, Update};
pub use problem::{Problem, Refusal};
pub use settings::{RepositorySettings, Settings, SourceSettings};

/// Longest trusted root that is read, in bytes. That of the public instance has 10 KiB.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What every version's media type begins with.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot";

/// Why a trusted root cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// Longer than any trusted root.
    #[error("longer than {limit} bytes, which no trusted root is")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// Not the JSON of a trusted root.
    #[error("not a Sigstore trusted root: {0}")]
    Format(String),
    /// Another Sigstore document, a signing configuration for example.
    #[error("not {expected:?} but {media_type:?}")]
    MediaType {
        /// How it should begin.
        expected: &'static str,
        /// What it says it is.
        media_type: String,
    },
    /// Not a ClientTrustConfig.
    #[error("not a Sigstore client trust config: {0}")]
    ClientTrustConfig(String),
    /// A signing configuration that cannot be read.
    #[error("not a Sigstore signing config: {0}")]
    SigningConfig(String),
    /// The root that a repository is trusted by to begin with.
    #[error("not a root that a TUF repository can be trusted by: {0}")]
    Anchor(String),
    /// A certificate authority that cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A log whose key cannot be used.
    #[error("the key of {origin}: {source}")]
    LogKey {
        /// The log's origin.
        origin: String,
        /// Why.
        source: KeyError,
    },
    /// A log whose key is listed under another id than the one that its checkpoints' signatures have.
    #[error(
        "the key of {origin} is listed with log id {listed}, but its checkpoints would be signed as {computed}"
    )]
    LogId {
        /// The log's origin.
        origin: String,
        /// The first four bytes of the id in the trusted root, hex.
        listed: String,
        /// The key id (C2SP signed-note), hex.
        computed: String,
    },
}

/// A trusted root whose CAs hold together.
#[derive(Debug, Clone)]
pub struct TrustedRoot {
    document: Document,
    authorities: Authorities,
}

impl TrustedRoot {
    /// Reads a trusted root from a file.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn from_file(path: &Path) -> Result<Self, TrustError> {
        Self::parse(&read_bounded(path, MAX_BYTES)?)
    }

    /// Reads a trusted root, and verifies the path of each CA in it.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn parse(json: &[u8]) -> Result<Self, TrustError> {
        if json.len() > MAX_BYTES {
            return Err(TrustError::TooLong { limit: MAX_BYTES });
        }
        let text = std::str::from_utf8(json).map_err(|e| TrustError::Format(e.to_string()))?;
        let document =
            Document::from_json(text).map_err(|error| TrustError::Format(error.to_string()))?;
        media_type(&document.media_type, MEDIA_TYPE)?;
        let chains = document.certificate_authorities.iter().map(|authority| {
            let certificates = authority.cert_chain.certificates.iter();
            let period = authority.valid_for.as_ref();
            AuthorityChain {
                certificates: certificates
                    .map(|certificate| certificate.raw_bytes.as_bytes().to_vec())
                    .collect(),
                valid_for: (
                    period.map(|period| period.start),
                    period.and_then(|period| period.end),
                ),
            }
        });
        let ct_logs = document.ctlogs.iter().map(ct_log).collect();
        let authorities = Authorities::new(chains.collect())?.with_ct_logs(ct_logs);
        Ok(Self {
            document,
            authorities,
        })
    }

    /// Its certificate authorities.
    pub fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// The keys of the Rekor v1 log at that URL, each a SubjectPublicKeyInfo in DER: those of logs that the trusted root has
    /// at the same host; if there are none, those of every Rekor v1 log that it lists, for a mirror is at another address.
    ///
    /// What tells a v1 log from others is its log id, which is SHA-256 of the key. One key speaks for all trees of a log.
    pub fn rekor_v1_keys(&self, url: &Url) -> Vec<Vec<u8>> {
        let keys = |wanted: &dyn Fn(&str) -> bool| -> Vec<Vec<u8>> {
            self.document
                .tlogs
                .iter()
                .filter(|log| wanted(&log.base_url))
                .map(|log| {
                    (
                        log.log_id.key_id.as_bytes(),
                        log.public_key.raw_bytes.as_bytes(),
                    )
                })
                .filter(|(id, key)| digest(&SHA256, key).as_ref() == *id)
                .map(|(_, key)| key.to_vec())
                .collect()
        };
        let at_host = |base: &str| Url::parse(base).is_ok_and(|base| base.host() == url.host());
        let here = keys(&at_host);
        if here.is_empty() {
            keys(&|_| true)
        } else {
            here
        }
    }

    /// The certificate transparency logs at that URL: one, as long as the log kept its key; if there is none, all that the
    /// trusted root lists, for a mirror is at another address. A log that has ended is listed as well.
    pub fn ct_keys(&self, url: &str) -> Vec<CtLog> {
        let bare = |url: &str| {
            let url = url.split_once("://").map_or(url, |(_, rest)| rest);
            url.trim_end_matches('/').to_ascii_lowercase()
        };
        let wanted = bare(url);
        let listed = &self.document.ctlogs;
        let there = listed.iter().filter(|log| bare(&log.base_url) == wanted);
        let there: Vec<CtLog> = there.map(ct_log).collect();
        if there.is_empty() {
            listed.iter().map(ct_log).collect()
        } else {
            there
        }
    }

    /// The address of the certificate transparency log whose key has this id; `None` if it has none.
    pub fn ct_url(&self, id: &[u8; 32]) -> Option<&str> {
        let listed = &mut self.document.ctlogs.iter();
        let log = listed.find(|log| ct_log(log).id() == *id)?;
        Some(log.base_url.as_str()).filter(|url| !url.is_empty())
    }

    /// The logs that it names, as far as they can be told apart without a signing configuration.
    pub fn logs(&self) -> Vec<ListedLog> {
        listed::listed(self, &[])
    }

    /// The keys of the tiled log with that origin; none if the trusted root does not list the log.
    ///
    /// The log's base URL says which log it is: a Rekor v2 log is called like its host. Its log id must be the
    /// untruncated key id of C2SP signed-note, which covers the origin, so a key cannot stand for another log. The
    /// period of a key is not looked at: a log that has ended is read to its end with the key it had.
    ///
    /// # Errors
    /// A log that is listed with a key that cannot be used; that is another thing than not being listed.
    pub fn log_keys(&self, origin: &Origin) -> Result<Vec<Verifier>, TrustError> {
        let named = || origin.as_str().to_owned();
        let mut keys = Vec::new();
        for log in &self.document.tlogs {
            if !is_called(&log.base_url, origin.as_str()) {
                continue;
            }
            let key = KeyName::new(origin.as_str())
                .and_then(|name| Verifier::from_spki_der(name, log.public_key.raw_bytes.as_bytes()))
                .map_err(|source| TrustError::LogKey {
                    origin: named(),
                    source,
                })?;
            let listed = log.log_id.key_id.as_bytes();
            if !listed.starts_with(key.id().as_bytes()) {
                return Err(TrustError::LogId {
                    origin: named(),
                    listed: hex::encode(listed.get(..4).unwrap_or(listed)),
                    computed: key.id().to_string(),
                });
            }
            keys.push(key);
        }
        Ok(keys)
    }
}

fn ct_log(listed: &CertificateTransparencyLog) -> CtLog {
    let period = listed.public_key.valid_for.as_ref();
    CtLog {
        spki_der: listed.public_key.raw_bytes.as_bytes().to_vec(),
        valid_for: (
            period.map(|period| period.start),
            period.and_then(|period| period.end),
        ),
    }
}

/// Reads a file up to a limit, and one byte more to know that there is more.
fn read_bounded(path: &Path, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(limit as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn media_type(written: &str, expected: &'static str) -> Result<(), TrustError> {
    if written.starts_with(expected) {
        return Ok(());
    }
    Err(TrustError::MediaType {
        expected,
        media_type: written.chars().take(100).collect(),
    })
}

/// Whether the log at that URL has this origin: its host, followed by the path if there is one.
fn is_called(base_url: &str, origin: &str) -> bool {
    let Ok(url) = Url::parse(base_url) else {
        return false;
    };
    let path = url.path().trim_end_matches('/');
    url.host_str()
        .and_then(|host| origin.strip_prefix(host))
        .is_some_and(|rest| rest == path)
}

#[cfg(test)]
mod tests {
    use sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT as PUBLIC_GOOD;

    use super::*;

    const HARBOR: &str = include_str!("../../tests/data/trust/harbor.json");

    fn keys(root: &str, origin: &str) -> Vec<String> {
        let root = TrustedRoot::parse(root.as_bytes()).expect("a trusted root");
        let origin = Origin::new(origin).expect("an origin");
        let keys = root.log_keys(&origin).expect("usable keys");
        keys.iter().map(|key| key.id().to_string()).collect()
    }

    #[test]
    fn a_log_is_found_by_its_origin() {
        for (root, origin, ids) in [
            (HARBOR, "log2025-1.harbor.example", vec!["7b110bba"]),
            (HARBOR, "log2026-1.harbor.example", vec!["82f4dc8b"]),
            (HARBOR, "log2027-1.harbor.example", vec![]),
            (HARBOR, "harbor.example", vec![]),
            (
                PUBLIC_GOOD,
                "log2025-1.rekor.sigstore.dev",
                vec!["cf119915"],
            ),
        ] {
            let found = keys(root, origin);
            assert_eq!(found, ids, "{origin}");
        }
    }

    #[test]
    fn the_keys_of_a_rekor_v1_log_are_those_at_its_host_or_for_a_mirror_all() {
        for (root, url, count) in [
            (PUBLIC_GOOD, "https://rekor.sigstore.dev/", 1),
            (PUBLIC_GOOD, "http://127.0.0.1:8080/", 1),
            (HARBOR, "https://harbor-rekor1.example/", 2),
            (HARBOR, "https://mirror.example/", 2),
        ] {
            let root = TrustedRoot::parse(root.as_bytes()).expect("a trusted root");
            let url = Url::parse(url).expect("a URL");
            assert_eq!(root.rekor_v1_keys(&url).len(), count, "{url}");
        }
    }

    #[test]
    fn the_cas_of_the_public_instance_hold_together() {
        let one = TrustedRoot::parse(PUBLIC_GOOD.as_bytes()).expect("a trusted root");
        let other = TrustedRoot::parse(HARBOR.as_bytes()).expect("a trusted root");
        assert_ne!(
            one.authorities().fingerprint(),
            other.authorities().fingerprint()
        );
    }

    #[test]
    fn a_key_that_stands_for_another_log_is_refused() {
        let moved = HARBOR.replace("https://log2025-1.", "https://log2024-1.");
        let root = TrustedRoot::parse(moved.as_bytes()).expect("a trusted root");
        let origin = Origin::new("log2024-1.harbor.example").expect("an origin");
        assert!(matches!(
            root.log_keys(&origin),
            Err(TrustError::LogId { .. })
        ));
    }

    #[test]
    fn an_unusable_key_is_another_thing_than_no_key() {
        let ed25519 = "MCowBQYDK2Vw";
        let ed448 = "MCowBQYDK2Vx";
        let other = HARBOR.replace(ed25519, ed448);
        let root = TrustedRoot::parse(other.as_bytes()).expect("a trusted root");
        let origin = Origin::new("log2025-1.harbor.example").expect("an origin");
        assert!(matches!(
            root.log_keys(&origin),
            Err(TrustError::LogKey { .. })
        ));
    }

    #[test]
    fn what_is_no_trusted_root_is_refused_with_the_reason() {
        let signing_config =
            r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}"#;
        for (json, said) in [
            ("", "not a Sigstore trusted root: "),
            ("[]", "not a Sigstore trusted root: "),
            (
                signing_config,
                "not \"application/vnd.dev.sigstore.trustedroot\" but \"application/vnd.dev.sigstore.signing",
            ),
            (
                &HARBOR.replace("MIICITCC", "MIICITCB"),
                "certificate 0 of certificate authority 0: ",
            ),
        ] {
            let error = TrustedRoot::parse(json.as_bytes()).expect_err("no trusted root");
            assert!(error.to_string().starts_with(said), "{error}");
        }
        let long = vec![b' '; MAX_BYTES + 1];
        assert!(matches!(
            TrustedRoot::parse(&long),
            Err(TrustError::TooLong { .. })
        ));
    }
}
