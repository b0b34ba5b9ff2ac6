//! The verifiers of `sigstore-verify` that a trusted root needs, kept between bundles: to make one parses every key and
//! certificate of the root, which costs half as much as a bundle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sigstore_verify::Verifier;
use sigstore_verify::trust_root::TrustedRoot;

use super::bridge::Bridge;
use super::remembered::remembered;
use crate::keyless_error::KeylessError;

/// Most verifiers that are kept. Bundles name one or two logs each, and a trusted root has a handful.
const KEPT: usize = 32;

/// A part of a trusted root: what one bundle is verified with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Part {
    /// Places of its logs in the list of the root.
    pub(super) logs: Vec<usize>,
    /// Places of its certificate authorities in the list of the root.
    pub(super) authorities: Vec<usize>,
    /// Whether the [`Bridge`] is its timestamp authority; it has no other one.
    pub(super) has_bridge: bool,
}

/// What is kept. A clone shares it: both belong to the same trusted root.
#[derive(Clone, Default)]
pub(super) struct Verifiers {
    bridge: Arc<OnceLock<Bridge>>,
    verifiers: Arc<Mutex<HashMap<Part, Arc<Verifier>>>>,
}

impl Verifiers {
    /// The timestamp authority of these verifiers. It is made for the first bundle that has a timestamp.
    pub(super) fn bridge(&self) -> Result<&Bridge, KeylessError> {
        if let Some(bridge) = self.bridge.get() {
            return Ok(bridge);
        }
        let bridge = Bridge::new()?;
        Ok(self.bridge.get_or_init(|| bridge))
    }

    /// A verifier that trusts this part of `root`, which has to be the same in every call.
    pub(super) fn of(
        &self,
        root: &TrustedRoot,
        part: &Part,
    ) -> Result<Arc<Verifier>, KeylessError> {
        if let Some(verifier) = self.lock().get(part) {
            return Ok(Arc::clone(verifier));
        }
        let mut trusted = root.clone();
        trusted.tlogs = at(&root.tlogs, &part.logs);
        trusted.certificate_authorities = at(&root.certificate_authorities, &part.authorities);
        trusted.timestamp_authorities.clear();
        if part.has_bridge {
            trusted
                .timestamp_authorities
                .push(self.bridge()?.authority()?);
        }
        // Before the first signature is verified.
        let _ = remembered();
        let verifier = Verifier::new(&trusted).map_err(|error| KeylessError::of_library(&error))?;
        let verifier = Arc::new(verifier);
        let mut kept = self.lock();
        // Bundles decide which parts are needed: they must not fill the memory.
        if kept.len() < KEPT {
            kept.insert(part.clone(), Arc::clone(&verifier));
        }
        Ok(verifier)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Part, Arc<Verifier>>> {
        // A map of finished verifiers is whole whenever a thread panicked.
        self.verifiers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Verifiers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Verifiers").finish_non_exhaustive()
    }
}

fn at<T: Clone>(items: &[T], places: &[usize]) -> Vec<T> {
    let items = places.iter().filter_map(|place| items.get(*place));
    items.cloned().collect()
}
