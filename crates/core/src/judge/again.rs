//! Findings that are judged again when the trusted CAs change.

use super::Rules;
use super::signer::who;
use super::signing::{Done, LONG_EXPIRED_SAID, severity, summary};
use crate::entry;
use crate::finding::{Evidence, Finding, Judged, Verdict};
use crate::identity::{Assessment, Certificate, Chain, Signer};

impl Rules {
    /// Judges a finding of [`Verdict::UntrustedChain`] by the present authorities; `None`: there is still no path to
    /// one of them.
    pub fn judge_again(&self, finding: &Finding, evidence: &Evidence) -> Option<Judged> {
        let watch = self
            .watches()
            .get(self.watches().position(finding.watch.as_deref()?)?);
        let signer = signer_again(finding, evidence)?;
        let Assessment { chain, anomalies } = signer.judge(self.authorities());
        if chain == Chain::Untrusted {
            return None;
        }
        let mut anomalies: Vec<_> = anomalies.iter().map(ToString::to_string).collect();
        // The values beside the leaf, which show this, are not stored.
        let is_kept = |anomaly: &&String| *anomaly == LONG_EXPIRED_SAID;
        anomalies.extend(finding.anomalies.iter().find(is_kept).cloned());
        let verdict = Verdict::IdentityUnexpected;
        let place = format!(
            "entry {} of {}",
            finding.index.unwrap_or_default(),
            finding.log.as_deref().unwrap_or("a log")
        );
        Some(Judged {
            chain,
            verdict,
            severity: severity(verdict, watch.severity, finding.in_shape, &anomalies),
            summary: summary(
                verdict,
                &who(&signer, &watch.selected_first(signer.names())),
                &match evidence.leaf {
                    Some(_) => Done::Issued,
                    None => Done::signed(finding.digest.as_deref()),
                },
                &place,
                finding.in_shape,
                &anomalies,
            ),
            anomalies,
        })
    }
}

/// The signer of a finding, from its evidence.
fn signer_again(finding: &Finding, evidence: &Evidence) -> Option<Signer> {
    let certificate = match &evidence.leaf {
        Some(leaf) if finding.verdict == Verdict::UntrustedChain => {
            let entry = entry::parse_certificate(leaf, None).ok()?;
            return Some(entry.signings.into_iter().next()?.signer);
        }
        _ => evidence.certificate.clone()?,
    };
    let certificate = Certificate::parse(certificate).ok()?;
    Some(Signer::Certificate(Box::new(certificate)))
}
