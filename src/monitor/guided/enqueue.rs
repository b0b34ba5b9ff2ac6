//! Taking up what was found: certificates to be looked up, and entries of other logs to be recognized.

use super::heads::Trees;
use super::plan::CertificateId;
use super::{Pass, plan};
use crate::entry::Kind;
use crate::monitor::tail::pass::Halt;
use crate::store::{Guide, KnownEntry, NewLookups, PendingCertificate, Sighting};

/// Findings that are taken up in one transaction.
const SIGHTINGS: u32 = 1_000;

impl Pass<'_> {
    /// Takes up what was found since the last time, in CT logs to be looked up, in other logs to be recognized.
    pub(super) async fn enqueue(&self, guide: &mut Guide, trees: &Trees) -> Result<(), Halt> {
        loop {
            let store = &self.monitor.store;
            let sightings = store.sightings(guide.cursor, SIGHTINGS).await?;
            let Some(last) = sightings.last().map(|last| last.number) else {
                return Ok(());
            };
            let mut cursor = last;
            let mut new_lookups = NewLookups {
                log: guide.log.clone(),
                expected: guide.cursor,
                cursor,
                certificates: Vec::new(),
                elsewhere: Vec::new(),
                now: self.now,
            };
            for sighting in sightings {
                let is = |origin: &str| sighting.origin == origin;
                if trees.list.iter().any(|t| is(t.shard.origin.as_str())) {
                    continue;
                }
                // By its origin too: it may have been renamed since.
                let is_guide = self.guided.guides.contains(&sighting.log)
                    || self.guides.contains(&sighting.origin);
                // A certificate in yet another CT log is no signing, and not one of this log's CA: its name is nobody's
                // business there.
                if is_certificate(&sighting) {
                    // A guide that was renamed since, and that is not part of this pass, cannot be told from another CT log.
                    if !is_guide && self.absent_guides > 0 {
                        cursor = sighting.number - 1;
                        break;
                    }
                    if is_guide {
                        new_lookups.certificates.push(self.pending(&sighting));
                    }
                } else {
                    let CertificateId { key, alike } = certificate_id(&sighting);
                    new_lookups.elsewhere.push(KnownEntry {
                        origin: sighting.origin,
                        name: sighting.log,
                        index: sighting.index,
                        leaf_hash: sighting.leaf_hash,
                        key,
                        alike,
                    });
                }
            }
            new_lookups.cursor = cursor;
            store.enqueue(&new_lookups).await?;
            guide.cursor = cursor;
            if cursor < last {
                return Ok(());
            }
        }
    }

    /// A certificate as it is looked up.
    fn pending(&self, sighting: &Sighting) -> PendingCertificate {
        let subjects = plan::subjects(&sighting.san);
        let CertificateId { key, alike } = certificate_id(sighting);
        PendingCertificate {
            unaskable: subjects
                .is_empty()
                .then(|| plan::unaskable(&self.guided.log.name)),
            subjects,
            not_after: plan::not_after(sighting, self.now),
            key,
            alike,
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

/// Whether it was found in a CT log.
fn is_certificate(sighting: &Sighting) -> bool {
    let kind = sighting.kind.as_deref();
    [Kind::X509, Kind::PRECERTIFICATE]
        .iter()
        .any(|of_a_certificate| kind == Some(of_a_certificate.to_string().as_str()))
}
