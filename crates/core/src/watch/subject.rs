//! A signer prepared for watches: expensive values are computed once, and only if a watch needs them.

use std::cell::OnceCell;

use super::uri;
use crate::identity::{Certificate, Extension, San, SanType, Signer};

/// One signer while it is compared with watches.
pub(super) struct Subject<'a> {
    signer: &'a Signer,
    other_names: OnceCell<Vec<String>>,
    folded_names: OnceCell<Vec<String>>,
    key_hashes: OnceCell<Vec<[u8; 32]>>,
    certificate_hashes: OnceCell<Vec<[u8; 32]>>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(signer: &'a Signer) -> Self {
        Self {
            signer,
            other_names: OnceCell::new(),
            folded_names: OnceCell::new(),
            key_hashes: OnceCell::new(),
            certificate_hashes: OnceCell::new(),
        }
    }

    /// The certificate, unless the signer is a bare key.
    pub(super) fn certificate(&self) -> Option<&'a Certificate> {
        match self.signer {
            Signer::Certificate(certificate) => Some(certificate),
            Signer::Key(_) => None,
        }
    }

    /// The names of the certificate, or those in the key: lenient, because a false alert is better than a missed
    /// signing.
    pub(super) fn sans(&self) -> &'a [San] {
        self.signer.names()
    }

    /// Every name that a verifier may compare: as it is written, then as others write it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let others = self
            .other_names
            .get_or_init(|| self.sans().iter().flat_map(other_forms).collect());
        let written = self.sans().iter().map(|san| &san.value);
        written.chain(others).map(String::as_str)
    }

    /// These in ASCII lower case.
    pub(super) fn folded_names(&self) -> &[String] {
        self.folded_names
            .get_or_init(|| self.names().map(str::to_ascii_lowercase).collect())
    }

    /// Every issuer that the certificate names: an odd one may name two.
    pub(super) fn issuers(&self) -> impl Iterator<Item = &'a str> {
        self.certificate()
            .into_iter()
            .flat_map(Certificate::issuers)
    }

    /// Every value of one extension.
    pub(super) fn extension(&self, wanted: Extension) -> impl Iterator<Item = &'a str> {
        self.certificate()
            .into_iter()
            .flat_map(move |certificate| certificate.extensions().values(wanted))
    }

    /// Every hash that the key's owner may have; the hash as logged comes first.
    pub(super) fn key_hashes(&self) -> &[[u8; 32]] {
        self.key_hashes.get_or_init(|| self.signer.key_hashes())
    }

    /// The hash of the key as it was logged, and of its canonical form if that differs.
    pub(super) fn shown_key_hashes(&self) -> Vec<[u8; 32]> {
        let logged = self.signer.key_sha256();
        let canonical = self.signer.canonical_key_sha256();
        let canonical = canonical.filter(|canonical| *canonical != logged);
        [logged].into_iter().chain(canonical).collect()
    }

    /// Every hash that the certificate's owner may have; the hash as logged comes first.
    pub(super) fn certificate_hashes(&self) -> &[[u8; 32]] {
        self.certificate_hashes.get_or_init(|| {
            self.certificate()
                .map_or_else(Vec::new, Certificate::hashes)
        })
    }
}

/// The forms of a name in verifiers that do not compare it unchanged.
pub fn other_forms(san: &San) -> Vec<String> {
    match san.kind {
        SanType::Uri => uri::forms(&san.value),
        _ => Vec::new(),
    }
}
