//! One set of conditions: all of them must hold.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::part::Part;
use super::subject::Subject;
use super::{Glob, SanRegex};
use crate::identity::Extension;

/// Conditions that must all be satisfied; for each condition, one of its values must match. An empty list is no
/// condition.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// SANs in full; selecting ignores ASCII case.
    pub san: Vec<String>,
    /// SANs with `*`; selecting ignores ASCII case.
    pub san_glob: Vec<Glob>,
    /// Expressions for the whole SAN.
    pub san_regex: Vec<SanRegex>,
    /// OIDC issuers, compared exactly.
    pub issuer: Vec<String>,
    /// Values of Fulcio's extensions, compared exactly.
    pub extension: BTreeMap<Extension, Vec<String>>,
    /// Values of Fulcio's extensions with `*`; selecting ignores ASCII case.
    pub extension_glob: BTreeMap<Extension, Vec<Glob>>,
    /// SHA-256 of the DER SubjectPublicKeyInfo, of a bare key or of a certificate's.
    pub key_sha256: Vec<[u8; 32]>,
    /// SHA-256 of the DER certificate.
    pub certificate_sha256: Vec<[u8; 32]>,
}

impl Conditions {
    /// Whether there are no conditions.
    pub fn is_empty(&self) -> bool {
        self.parts().next().is_none()
    }

    /// Whether a selected signer has proven possession of a named key, whatever is in a certificate.
    pub fn names_key(&self) -> bool {
        !self.key_sha256.is_empty() || !self.certificate_sha256.is_empty()
    }

    /// The conditions that are present, cheapest first.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        [
            Part::Issuer(&self.issuer),
            Part::San(&self.san),
            Part::SanGlob(&self.san_glob),
        ]
        .into_iter()
        .chain(
            self.extension
                .iter()
                .map(|(extension, values)| Part::Extension(*extension, values)),
        )
        .chain(
            self.extension_glob
                .iter()
                .map(|(extension, globs)| Part::ExtensionGlob(*extension, globs)),
        )
        .chain([
            Part::SanRegex(&self.san_regex),
            Part::Key(&self.key_sha256),
            Part::Certificate(&self.certificate_sha256),
        ])
        .filter(|part| !part.is_empty())
    }

    /// Whether the signer is selected: lenient, because a false alert is better than a missed signing.
    pub(super) fn hold(&self, subject: &Subject<'_>) -> bool {
        self.parts().all(|part| part.holds(subject))
    }

    /// Whether the signer is in shape: strict, because an alert is better than accepting something similar.
    pub(super) fn fit(&self, subject: &Subject<'_>) -> bool {
        self.parts().all(|part| part.fits(subject))
    }

    /// Whether one of the conditions on names selects this name.
    pub(super) fn select_name(&self, name: &str) -> bool {
        self.san.iter().any(|san| san.eq_ignore_ascii_case(name))
            || self.san_glob.iter().any(|glob| glob.matches(name))
            || self.san_regex.iter().any(|regex| regex.matches(name))
    }

    /// Whether one of its globs matches less in a shape than in a selection.
    pub(super) fn has_star_before_at(&self) -> bool {
        let globs = self.extension_glob.values().flatten();
        globs.chain(&self.san_glob).any(Glob::has_star_before_at)
    }

    /// Identifies the conditions: SHA-256 over a canonical form.
    ///
    /// The order of values does not count, nor does ASCII case in `san`, `san_glob` and `extension_glob`.
    // Each value has its length before it, so that no two sets have one encoding.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        };
        for part in self.parts() {
            let mut values = part.canonical_values();
            values.sort_unstable();
            values.dedup();
            field(part.name().as_bytes());
            field(values.len().to_string().as_bytes());
            for value in values {
                field(value.as_bytes());
            }
        }
        hash.finalize().into()
    }
}
