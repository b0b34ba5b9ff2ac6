//! What proves a finding: the chain of its certificate, the SCTs in it, and its inclusion in the log.

use maud::{Markup, html};

use super::commands::commands;
use super::notes::note;
use super::text::{moment, shown};
use crate::finding::Finding;
use crate::service::{Certified, View};
use crate::store::{FindingRecord, KeptEntries, KeptEntry, StoreError};

/// What proves a finding.
pub(super) struct Proof {
    /// Its certificate under the present trusted root; `Err`: why it cannot be read; `None`: it has none.
    certificate: Option<Result<Certified, String>>,
    kept: Option<KeptEntry>,
}

impl Proof {
    /// Reads it; `None` for a finding that is not about an entry.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub(super) async fn read(
        record: &FindingRecord,
        view: &View,
        store: &dyn KeptEntries,
    ) -> Result<Option<Self>, StoreError> {
        if record.finding.index.is_none() {
            return Ok(None);
        }
        let certificate = record.evidence.certificate.as_ref();
        Ok(Some(Self {
            certificate: certificate
                .map(|der| view.certified(der).map_err(|error| error.to_string())),
            kept: store.kept_entry(record.finding.id).await?,
        }))
    }

    /// Whether the store has the whole proof of the entry.
    pub(super) fn is_kept(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.proof.is_some())
    }

    pub(super) fn markup(&self, found: &Finding) -> Markup {
        html! {
            section aria-labelledby="proof" {
                h2 #proof { "Chain, SCT and inclusion" }
                dl {
                    @match &self.certificate {
                        None => { dt { "Certificate" } dd { "none: a key alone signed, and no authority confirms whose it is" } },
                        Some(Err(why)) => { dt { "Certificate" } dd { strong.bad { "cannot be read" } ": " (shown(why)) } },
                        Some(Ok(certificate)) => (certified(certificate)),
                    }
                    dt { "Inclusion" }
                    dd { (self.inclusion(found)) }
                }
            }
        }
    }

    fn inclusion(&self, found: &Finding) -> Markup {
        let proof = self.kept.as_ref().and_then(|kept| kept.proof.as_ref());
        html! {
            @match (proof, found.proven) {
                (Some((head, path)), _) => {
                    "The leaf and " (path.len()) " hashes lead to the root of the checkpoint of " (head.size) " entries. That was verified when it was recorded."
                    details #inclusion-note { summary { "The signed checkpoint" } (note(&head.note)) }
                },
                (None, Some(true)) => {
                    "A signed checkpoint covers the entry: all entries up to it were hashed to its root. No proof of this entry alone is kept here; this command asks the log for it:"
                    (commands(&[format!("modelwatch findings show {} --evidence DIR", found.id)]))
                },
                (None, _) => { strong.warn { "not proven yet" } ": the log served this entry, and no checkpoint that covers it was verified" },
            }
        }
    }
}

fn certified(certificate: &Certified) -> Markup {
    let (from, until) = certificate.valid;
    html! {
        dt { "Certificate" }
        dd { "serial number " code { (certificate.serial) } ", valid from " (moment(from)) " to " (moment(until)) }
        dt { "Chain" }
        dd {
            @match certificate.path.as_slice() {
                [] => { "under the present trusted root: " strong { (certificate.chain.as_str()) } },
                path => {
                    "issued by an authority of the present trusted root"
                    ol.path {
                        @for ca in path {
                            li { code { (ca.sha256) } span.facts { " (SHA-256), valid from " (moment(ca.valid.0)) " to " (moment(ca.valid.1)) } }
                        }
                    }
                },
            }
        }
        dt { "SCT" }
        dd {
            @if certificate.scts.is_empty() {
                @if certificate.path.is_empty() { "not checked: without its authority no SCT can be verified" }
                @else { strong.bad { "none" } ": it contains no promise of a CT log that can be read" }
            } @else {
                ul {
                    @for sct in &certificate.scts {
                        li {
                            @match sct {
                                None => strong.bad { "one that cannot be read" },
                                Some(sct) => {
                                    @match &sct.url { Some(url) => (shown(url)), None => { "a log with the id " code { (sct.log_id) } } }
                                    @if let Some(at) = sct.at { ", " (moment(at)) }
                                    ": "
                                    @if sct.is_verified() { span.good { (sct.meaning()) } } @else { strong.bad { (sct.meaning()) } }
                                },
                            }
                        }
                    }
                }
            }
        }
        @if !certificate.anomalies.is_empty() {
            dt { "Unusual" }
            dd { @for (place, anomaly) in certificate.anomalies.iter().enumerate() { @if place > 0 { "; " } (shown(anomaly)) } }
        }
    }
}
