//! Entries that cannot be read, and parts of entries that only some readers read: whether they may hold what is asked for.

use std::panic::{AssertUnwindSafe, catch_unwind};

use memchr::memmem;
use sha2::{Digest as _, Sha256};

use super::matcher::Matcher;
use crate::entry::{self, Found};

impl Matcher {
    /// Whether a leaf, of which not everything was read, may hold what is asked for: by what any reader finds in it. Conditions on
    /// the place of the entry were compared before.
    pub(super) fn may_be_in(&self, leaf: &[u8], leaf_hash: &str) -> bool {
        let question = &self.question;
        if question.entry.is_some() || question.uuid.is_some() {
            return true;
        }
        if let Some(bundle) = &question.bundle
            && bundle.leaves.iter().any(|own| own == leaf_hash)
        {
            return true;
        }
        // A panic of the search must not stop a scan, and hides nothing.
        let searched = catch_unwind(AssertUnwindSafe(|| self.search(leaf)));
        searched.unwrap_or(true)
    }

    fn search(&self, leaf: &[u8]) -> bool {
        let question = &self.question;
        let texts: Vec<Vec<u8>> = question
            .digests
            .iter()
            .flat_map(|digest| &digest.any_of)
            .chain(
                question
                    .bundle
                    .iter()
                    .flat_map(|bundle| bundle.digests.iter().map(|(_, digest)| digest)),
            )
            .filter_map(|digest| digest.split_once(':'))
            .flat_map(|(_, hex)| {
                // As text, and as the bytes themselves.
                let bytes = hex::decode(hex).ok();
                [Some(hex.as_bytes().to_vec()), bytes].into_iter().flatten()
            })
            .collect();
        let asks_for_signer = self.signer_conditions().is_some() || question.certificate.is_some();
        let (mut has_signer, mut has_text) = (!asks_for_signer, texts.is_empty());
        let is_whole = entry::search(leaf, &mut |found| match found {
            Found::Bytes(bytes) => {
                if let Some(watches) = self.signer_conditions() {
                    has_signer |= !watches.literals_in(bytes).is_empty();
                }
                has_text |= texts.iter().any(|text| {
                    memmem::find(bytes, text).is_some()
                        || memmem::find(&bytes.to_ascii_lowercase(), text).is_some()
                });
            }
            Found::Signer(signer) => has_signer |= self.is_signer(&signer),
            Found::Certificate(der) => {
                let hash: [u8; 32] = Sha256::digest(der).into();
                let asked = question.certificate.as_ref();
                has_signer |= asked.is_some_and(|asked| asked.hashes.contains(&hash));
            }
        });
        !is_whole || (has_signer && has_text)
    }
}
