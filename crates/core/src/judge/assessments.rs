//! A cache of the results of verifying certificates, so that the signatures of a repeated certificate are verified
//! once.
//!
//! A cache belongs to one set of rules, and so to one trusted root: another trusted root has other rules with an empty
//! cache.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::identity::Assessment;

/// Certificates of one generation, some hundred bytes each. Fulcio issues a certificate for each run of a workflow,
/// whose signings are close together in a log.
const GENERATION: usize = 4_096;

/// Bounded: when a generation is full, the one before it is dropped.
#[derive(Debug, Default)]
pub(super) struct Assessments(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    present: HashMap<[u8; 32], Assessment>,
    past: HashMap<[u8; 32], Assessment>,
}

impl Assessments {
    /// The assessment of the certificate with this SHA-256: from the cache, or from `judge`. Two threads may judge the
    /// same certificate at once, with the same result.
    pub(super) fn of(
        &self,
        certificate: [u8; 32],
        judge: impl FnOnce() -> Assessment,
    ) -> Assessment {
        if let Some(known) = self.known(&certificate) {
            return known;
        }
        let judged = judge();
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.present.len() >= GENERATION {
            generations.past = std::mem::take(&mut generations.present);
        }
        generations.present.insert(certificate, judged.clone());
        judged
    }

    fn known(&self, certificate: &[u8; 32]) -> Option<Assessment> {
        let generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = generations.present.get(certificate);
        known.or_else(|| generations.past.get(certificate)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Chain;

    fn assessment(chain: Chain) -> Assessment {
        Assessment {
            chain,
            anomalies: Vec::new(),
        }
    }

    #[test]
    fn a_repeated_certificate_is_judged_once() {
        let assessments = Assessments::default();
        let mut judged = 0;
        for certificate in [1, 2, 1, 1, 2] {
            assessments.of([certificate; 32], || {
                judged += 1;
                assessment(Chain::Trusted)
            });
        }
        assert_eq!(judged, 2);
        let again = assessments.of([1; 32], || assessment(Chain::Untrusted));
        assert_eq!(again, assessment(Chain::Trusted));
    }

    #[test]
    fn a_flood_of_certificates_takes_no_more_memory_than_two_generations() {
        let assessments = Assessments::default();
        for n in 0..5 * GENERATION as u64 {
            let mut certificate = [0; 32];
            certificate[..8].copy_from_slice(&n.to_be_bytes());
            assessments.of(certificate, || assessment(Chain::Untrusted));
        }
        let generations = assessments
            .0
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        assert!(generations.present.len() <= GENERATION && generations.past.len() <= GENERATION);
    }
}
