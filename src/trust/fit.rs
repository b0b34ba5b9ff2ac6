//! Whether a key of a trusted root is that of a log: by origin and key id.

use sha2::{Digest as _, Sha256};
use tlog::{KeyName, Origin, Verifier};
use url::Url;

use super::document::LogInstance;
use super::place::{directory, name_of};

impl LogInstance {
    /// The key, if it belongs to the tiled log with that origin, which is read `at` a URL; as one that cannot be used
    /// if it is listed for the log and does not fit.
    pub(super) fn fit(&self, origin: &Origin, at: Option<&Url>) -> Option<Verifier> {
        let name = KeyName::new(origin.as_str()).ok()?;
        let base = directory(&self.base_url);
        let is_called_so = base
            .as_ref()
            .is_some_and(|base| name_of(base) == origin.as_str());
        let key = match &self.key {
            Ok(key) => key.verifier(name),
            Err(why) if is_called_so => return self.unusable(origin.as_str(), why.clone()),
            Err(_) => return None,
        };
        let is_its_id = self.id.as_slice() == key.id_hash();
        // The id of an ECDSA key is the hash of the key alone: it identifies the key, not its log.
        let covers_origin = *key.id_hash() != self.id_of_key();
        if is_its_id && covers_origin {
            return Some(key);
        }
        if is_called_so {
            // A prefix is enough: some list only the four bytes in notes.
            if self.id.is_empty() || self.id.starts_with(key.id().as_bytes()) {
                return Some(key);
            }
            let listed = hex::encode(self.id.get(..4).unwrap_or(&self.id));
            let why = format!(
                "it is listed with the log id {listed}, and a log called {origin} would sign as {} with it",
                key.id()
            );
            return self.unusable(origin.as_str(), why);
        }
        let is_there = match (&base, at) {
            (None, _) => self.base_url.is_empty(),
            (Some(base), Some(at)) => name_of(base) == name_of(at),
            (Some(_), None) => false,
        };
        (is_its_id && is_there).then_some(key)
    }

    /// Whether the log id is SHA-256 of the key, or not given: a Rekor v1 log, or a v2 log with an ECDSA key.
    pub(super) fn has_id_of_its_key(&self) -> bool {
        self.id == self.id_of_key()
            || self.id.is_empty()
            || self.id.as_slice() == &self.id_of_key()[..4]
    }

    /// The id of a CT log: SHA-256 of its key (RFC 6962 §3.2), or the listed id if there is no key.
    pub(super) fn ct_id(&self) -> Option<[u8; 32]> {
        if self.spki_der.is_empty() {
            return self.id.as_slice().try_into().ok();
        }
        Some(self.id_of_key())
    }

    /// The key under that name, as one that cannot be used.
    pub(super) fn unusable(&self, name: &str, why: String) -> Option<Verifier> {
        let mut id = self.id_of_key();
        for (byte, listed) in id.iter_mut().zip(&self.id) {
            *byte = *listed;
        }
        Some(Verifier::unusable(KeyName::new(name).ok()?, id, why))
    }

    fn id_of_key(&self) -> [u8; 32] {
        Sha256::digest(&self.spki_der).into()
    }
}
