//! Puts new certificates into the queue, and records entries of other logs so that they can be recognized.

use super::plan;
use super::plan::CertificateId;
use super::state::GuidedPass;
use crate::entry::Kind;
use crate::log::LogId;
use crate::monitor::halt::Halt;
use crate::store::{Guide, KnownEntry, NewLookups, PendingCertificate, Sighting};

/// Number of findings that are read in one transaction.
const SIGHTINGS: u32 = 1_000;

impl GuidedPass<'_> {
    /// Reads the findings since the last call: certificates in CT logs are put into the queue, entries of other logs
    /// are recorded.
    pub(super) async fn enqueue(&self, guide: &mut Guide) -> Result<(), Halt> {
        loop {
            let store = &self.context.store;
            let sightings = store.sightings(guide.cursor, SIGHTINGS).await?;
            let Some(last) = sightings.last().map(|last| last.number) else {
                return Ok(());
            };
            let mut new_lookups = NewLookups {
                log: guide.log.clone(),
                expected: guide.cursor,
                cursor: last,
                certificates: Vec::new(),
                elsewhere: Vec::new(),
                now: self.now,
            };
            for sighting in sightings {
                if sighting.log.as_ref() == Some(&guide.log) {
                    continue;
                }
                let is_guide = |log: &LogId| {
                    let mut guides = self.guided.guides.iter();
                    guides.any(|guide| guide.id.as_ref() == Some(log))
                };
                // A certificate in another CT log is not a signing, and not issued by the CA of this log. It is not
                // looked up.
                if is_certificate(&sighting) {
                    if sighting.log.as_ref().is_some_and(is_guide) {
                        new_lookups.certificates.push(self.pending(&sighting));
                    }
                } else {
                    let CertificateId { key, key_and_start } = certificate_id(&sighting);
                    new_lookups.elsewhere.push(KnownEntry {
                        tree: sighting.tree,
                        name: sighting.name,
                        index: sighting.index,
                        leaf_hash: sighting.leaf_hash,
                        key,
                        key_and_start,
                    });
                }
            }
            store.enqueue(&new_lookups).await?;
            guide.cursor = last;
        }
    }

    /// The look-up of a certificate.
    fn pending(&self, sighting: &Sighting) -> PendingCertificate {
        let subjects = plan::subjects(&sighting.san);
        let CertificateId { key, key_and_start } = certificate_id(sighting);
        PendingCertificate {
            no_lookup_note: subjects
                .is_empty()
                .then(|| plan::no_lookup_note(&self.guided.log.name)),
            subjects,
            not_after: plan::not_after(sighting, self.now),
            key,
            key_and_start,
            finding: sighting.number,
        }
    }
}

fn certificate_id(sighting: &Sighting) -> CertificateId {
    CertificateId::of(
        &sighting.key,
        sighting.not_before,
        sighting.chain,
        sighting.logged.clone(),
        sighting.certificate.as_deref(),
    )
}

/// Whether the finding is about a certificate in a CT log.
fn is_certificate(sighting: &Sighting) -> bool {
    [Kind::X509, Kind::PRECERTIFICATE]
        .iter()
        .any(|kind| sighting.kind.as_deref() == Some(kind.name()))
}
