//! A trusted root: certificate authorities, and keys of logs.

use std::path::Path;

use tlog::Verifier;
use tlog::checkpoint::Origin;
use url::Url;

use super::document::{LogInstance, Remark, RootDocument};
use super::error::{MAX_BYTES, TrustError, media_type};
use super::place::{directory, name_of};
use crate::file;
use crate::identity::{Authorities, CtLog};

/// What every version's media type begins with.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot";

/// A trusted root.
#[derive(Debug, Clone)]
pub struct TrustedRoot {
    pub(super) tlogs: Vec<LogInstance>,
    pub(super) ctlogs: Vec<LogInstance>,
    authorities: Authorities,
    remarks: Vec<Remark>,
}

impl TrustedRoot {
    /// Reads a trusted root from a file.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn from_file(path: &Path) -> Result<Self, TrustError> {
        Self::parse(&file::read(path, MAX_BYTES)?)
    }

    /// The trusted root of Sigstore's public instance that is part of this program.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn embedded() -> Result<Self, TrustError> {
        Self::parse(sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT.as_bytes())
    }

    /// Reads a trusted root, and verifies the path of each CA in it.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn parse(json: &[u8]) -> Result<Self, TrustError> {
        if json.len() > MAX_BYTES {
            return Err(TrustError::TooLong { limit: MAX_BYTES });
        }
        let document = RootDocument::read(json).map_err(TrustError::Format)?;
        media_type(&document.media_type, MEDIA_TYPE)?;
        let RootDocument {
            tlogs,
            ctlogs,
            authorities,
            mut remarks,
            ..
        } = document;
        let (items, chains): (Vec<String>, Vec<_>) = authorities.into_iter().unzip();
        let (authorities, left_out) = Authorities::usable_of(chains);
        remarks.extend(left_out.iter().map(|(chain, why)| Remark {
            item: items.get(*chain).cloned().unwrap_or_default(),
            problem: format!(
                "left out, and certificates that name it are neither trusted nor untrusted: {why}"
            ),
        }));
        let usable = ctlogs.iter().filter(|log| log.key.is_ok());
        let unusable = ctlogs.iter().filter(|log| log.key.is_err());
        let authorities = authorities
            .with_ct_logs(usable.map(ct_log).collect())
            .with_unchecked_ct_logs(unusable.filter_map(LogInstance::ct_id).collect());
        Ok(Self {
            tlogs,
            ctlogs,
            authorities,
            remarks,
        })
    }

    /// Its certificate authorities.
    pub fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// The problems of single items.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// The keys of the Rekor v1 log at that URL, each a SubjectPublicKeyInfo in DER, usable or not: those of logs in
    /// the trusted root at the same host; if there are none, those of every Rekor v1 log in it, because a mirror has
    /// another address.
    ///
    /// The log id, which is SHA-256 of the key, distinguishes v1 logs from others. One key signs for all trees of a
    /// log.
    pub fn rekor_v1_keys(&self, url: &Url) -> Vec<Vec<u8>> {
        let keys = |wanted: &dyn Fn(&LogInstance) -> bool| -> Vec<Vec<u8>> {
            let logs = self.tlogs.iter().filter(|log| wanted(log));
            logs.filter(|log| log.has_id_of_its_key() && !log.spki_der.is_empty())
                .map(|log| log.spki_der.clone())
                .collect()
        };
        let at_host = |log: &LogInstance| {
            directory(&log.base_url).is_some_and(|base| base.host() == url.host())
        };
        let here = keys(&at_host);
        if here.is_empty() {
            keys(&|_| true)
        } else {
            here
        }
    }

    /// The certificate transparency logs at that URL: one, unless the log changed its key; if there is none, all logs
    /// in the trusted root, because a mirror has another address. A log that has ended is included. Logs whose keys
    /// cannot be used are not.
    pub fn ct_keys(&self, url: &str) -> Vec<CtLog> {
        let bare = |url: &str| {
            let url = url.split_once("://").map_or(url, |(_, rest)| rest);
            url.trim_end_matches('/').to_ascii_lowercase()
        };
        let wanted = bare(url);
        let listed = self.ctlogs.iter().filter(|log| log.key.is_ok());
        let there = listed.clone().filter(|log| bare(&log.base_url) == wanted);
        let there: Vec<CtLog> = there.map(ct_log).collect();
        if there.is_empty() {
            listed.map(ct_log).collect()
        } else {
            there
        }
    }

    /// The address of the certificate transparency log whose key has this id; `None` if there is none.
    pub fn ct_url(&self, id: &[u8; 32]) -> Option<&str> {
        let mut listed = self.ctlogs.iter();
        let log = listed.find(|log| log.ct_id() == Some(*id))?;
        Some(log.base_url.as_str()).filter(|url| !url.is_empty())
    }

    /// Why the keys of the certificate transparency log at that URL cannot be used; `None` if one can, or none is
    /// listed.
    pub fn unusable_ct_key(&self, url: &str) -> Option<Verifier> {
        let name = directory(url).map(|url| name_of(&url))?;
        let mut there = self
            .ctlogs
            .iter()
            .filter(|log| directory(&log.base_url).is_some_and(|base| name_of(&base) == name));
        let first = there.next()?;
        let why = first.key.as_ref().err()?.clone();
        if there.any(|log| log.key.is_ok()) {
            return None;
        }
        first.unusable("ct", why)
    }

    /// The keys of the tiled log with that origin, which is read `at` a URL or in a directory; empty if the trusted
    /// root does not contain the log. A key that is listed for it and cannot be used is included with the reason.
    ///
    /// The log id proves to which log a key belongs, because it covers the origin (C2SP signed-note). If it does not
    /// (ECDSA), the log's base URL determines the log: the origin of a Rekor v2 log is its host. So a key cannot be
    /// used for another log. The validity period of a key is ignored: a log that has ended is read to its end with its
    /// old key.
    pub fn log_keys(&self, origin: &Origin, at: Option<&Url>) -> Vec<Verifier> {
        let keys = self.tlogs.iter().filter_map(|log| log.fit(origin, at));
        keys.collect()
    }
}

fn ct_log(listed: &LogInstance) -> CtLog {
    CtLog {
        spki_der: listed.spki_der.clone(),
        valid_for: listed.valid_for,
    }
}

#[cfg(test)]
mod tests {
    use sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT as PUBLIC_GOOD;

    use super::*;

    const HARBOR: &str = include_str!("../../tests/data/trust/harbor.json");

    fn keys(root: &str, origin: &str) -> Vec<String> {
        let root = TrustedRoot::parse(root.as_bytes()).expect("a trusted root");
        let origin = Origin::new(origin).expect("an origin");
        let keys = root.log_keys(&origin, None);
        assert!(keys.iter().all(|key| key.why_unusable().is_none()));
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
    fn a_key_of_another_log_is_not_used() {
        let moved = HARBOR.replace("https://log2025-1.", "https://log2024-1.");
        let root = TrustedRoot::parse(moved.as_bytes()).expect("a trusted root");
        let keys = |origin| root.log_keys(&Origin::new(origin).expect("an origin"), None);
        let [key] = keys("log2024-1.harbor.example").try_into().expect("one");
        let why = key.why_unusable().expect("it is not used");
        assert!(why.contains("is listed with the log id 7b110bba"), "{why}");
        // The id determines the log, whatever the address.
        let [key] = keys("log2025-1.harbor.example").try_into().expect("one");
        assert_eq!(key.why_unusable(), None);
    }

    #[test]
    fn an_unusable_key_is_distinguished_from_no_key_and_other_logs_keep_theirs() {
        let ed25519 = "MCowBQYDK2Vw";
        let ed448 = "MCowBQYDK2Vx";
        let other = HARBOR.replacen(ed25519, ed448, 1);
        let root = TrustedRoot::parse(other.as_bytes()).expect("a trusted root");
        let usable = |origin| {
            let origin = Origin::new(origin).expect("an origin");
            let keys = root.log_keys(&origin, None);
            let usable = keys.iter().map(|key| key.why_unusable().is_none());
            usable.collect::<Vec<_>>()
        };
        let origins = ["log2025-1.harbor.example", "log2026-1.harbor.example"];
        let mut all: Vec<_> = origins.into_iter().flat_map(usable).collect();
        all.sort_unstable();
        assert_eq!(all, [false, true]);
        assert!(usable("log2027-1.harbor.example").is_empty());
        assert_eq!(root.remarks().len(), 1);
    }

    #[test]
    fn an_authority_that_cannot_be_used_is_named_and_the_others_judge() {
        let broken = HARBOR.replacen("MIICITCC", "MIICITCB", 1);
        let root = TrustedRoot::parse(broken.as_bytes()).expect("a trusted root");
        let [remark] = root.remarks() else {
            panic!("{:?}", root.remarks())
        };
        assert!(
            remark.item.starts_with("certificateAuthorities[0]"),
            "{remark}"
        );
        let whole = TrustedRoot::parse(HARBOR.as_bytes()).expect("a trusted root");
        assert_ne!(
            root.authorities().fingerprint(),
            whole.authorities().fingerprint()
        );
    }

    #[test]
    fn what_is_no_trusted_root_is_refused_with_the_reason() {
        let signing_config =
            r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}"#;
        for (json, message) in [
            ("", "not a Sigstore trusted root: "),
            ("[]", "not a Sigstore trusted root: "),
            (
                signing_config,
                "not \"application/vnd.dev.sigstore.trustedroot\" but \"application/vnd.dev.sigstore.signing",
            ),
        ] {
            let error = TrustedRoot::parse(json.as_bytes()).expect_err("no trusted root");
            assert!(error.to_string().starts_with(message), "{error}");
        }
        let long = vec![b' '; MAX_BYTES + 1];
        assert!(matches!(
            TrustedRoot::parse(&long),
            Err(TrustError::TooLong { .. })
        ));
    }
}
