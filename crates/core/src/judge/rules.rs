//! The watches, and the authorities by which certificates are judged.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::assessments::Assessments;
use crate::identity::{Assessment, Authorities, Certificate, Signer};
use crate::watch::{Forms, HoldRule, WatchKey, WatchSet, Watches};

/// The compiled watches and the trusted authorities.
pub struct Rules {
    watches: Watches,
    authorities: Option<Authorities>,
    trusted_root: Option<Arc<[u8]>>,
    watch_set: WatchSet,
    hashes: Vec<[u8; 32]>,
    holds: Vec<HoldRule>,
    ineffective: Vec<(String, String)>,
    assessments: Assessments,
}

impl Rules {
    /// Without authorities every chain is `unknown`, and is judged as if it were trusted.
    pub fn new(watches: Watches, authorities: Option<Authorities>) -> Self {
        let mut keys = Vec::new();
        let mut hashes = Vec::new();
        let mut holds = Vec::new();
        let mut ineffective = Vec::new();
        let forms = Forms::new();
        for watch in &watches {
            let conditions = watch.conditions_hash();
            let rule = watch.rule_hash();
            keys.push(WatchKey {
                name: watch.name.clone(),
                conditions,
            });
            hashes.push(rule);
            ineffective.extend(
                watch
                    .ineffective(&forms)
                    .map(|why| (watch.name.clone(), why)),
            );
            if let Some(hold) = watch.hold {
                holds.push(HoldRule {
                    watch: watch.name.clone(),
                    rule,
                    hold,
                });
            }
        }
        Self {
            watches,
            authorities,
            trusted_root: None,
            watch_set: keys.into_iter().collect(),
            hashes,
            holds,
            ineffective,
            assessments: Assessments::default(),
        }
    }

    /// The same with the document that the authorities are from, as it was published: it is kept with what is found.
    #[must_use]
    pub fn with_trusted_root(mut self, document: Option<Arc<[u8]>>) -> Self {
        self.trusted_root = document;
        self
    }

    /// The document that the authorities are from, if it is known.
    pub fn trusted_root(&self) -> Option<Arc<[u8]>> {
        self.trusted_root.clone()
    }

    /// The compiled watches.
    pub fn watches(&self) -> &Watches {
        &self.watches
    }

    /// The trusted authorities.
    pub fn authorities(&self) -> Option<&Authorities> {
        self.authorities.as_ref()
    }

    /// The assessment of a signer by the trusted root.
    pub(super) fn assess(&self, signer: &Signer) -> Assessment {
        let judge = || signer.judge(self.authorities());
        // Without a trusted root nothing is verified, and a precertificate has no hash of a certificate.
        match signer.certificate().and_then(Certificate::sha256) {
            Some(certificate) if self.authorities.is_some() => {
                self.assessments.of(certificate, judge)
            }
            _ => judge(),
        }
    }

    /// The watches, as the store identifies them.
    pub fn watch_set(&self) -> &WatchSet {
        &self.watch_set
    }

    /// A SHA-256 hash of the conditions of all watches. Entries that were matched under another one are matched again.
    pub fn conditions_hash(&self) -> [u8; 32] {
        let mut keys: Vec<_> = self
            .watch_set
            .keys()
            .iter()
            .map(|key| (&key.name, &key.conditions))
            .collect();
        keys.sort_unstable();
        let mut hash = Sha256::new();
        for (name, conditions) in keys {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
            hash.update(conditions);
        }
        hash.finalize().into()
    }

    /// The watches whose findings wait for a registration.
    pub fn holds(&self) -> &[HoldRule] {
        &self.holds
    }

    /// The watches that cannot select anything, with the reason.
    pub fn ineffective(&self) -> &[(String, String)] {
        &self.ineffective
    }

    /// A SHA-256 hash of the conditions and the shape of a watch.
    pub fn rule(&self, watch: usize) -> Option<[u8; 32]> {
        self.hashes.get(watch).copied()
    }
}
