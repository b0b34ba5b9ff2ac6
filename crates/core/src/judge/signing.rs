//! A signing that a watch selected becomes a finding.

use jiff::SignedDuration;

use super::context::{Judge, Payload, Place, of_signer};
use super::signer::{claimant, who};
use crate::entry::{Entry, Kind, Signing, accepted_at, logged_at};
use crate::expect::SignedAs;
use crate::finding::{Evidence, Finding, FindingId, NewFinding, Severity, State, Verdict};
use crate::identity::{Assessment, Certificate, Chain};
use crate::watch::Match;

/// A certificate that expired this long before its neighbours in the log were issued was not in use when it was logged:
/// certificates of Fulcio are valid for ten minutes, and clocks and queues do not differ by a day.
const LONG_EXPIRED: SignedDuration = SignedDuration::from_hours(24);

/// The anomaly of such a certificate.
pub(super) const LONG_EXPIRED_SAID: &str = "it had expired long before it was logged";

impl Judge<'_> {
    /// The finding of a signing in that entry, which a watch selected.
    pub fn signing(
        &self,
        place: Place<'_>,
        entry: &Entry,
        signing: &Signing,
        found: Match,
        payload: Payload,
    ) -> NewFinding {
        let kind = &entry.kind;
        let watch = self.rules.watches().get(found.watch);
        let Assessment { chain, anomalies } = self.rules.assess(&signing.signer);
        let mut anomalies: Vec<_> = anomalies.iter().map(ToString::to_string).collect();
        let certificate = signing.signer.certificate();
        if let (Some(certificate), Some(logged)) = (certificate, self.logged_about)
            && logged.duration_since(certificate.not_after()) > LONG_EXPIRED
        {
            anomalies.push(LONG_EXPIRED_SAID.to_owned());
        }
        // The watch selected a key, not by the key itself but by a name that it claims, and that no CA certifies.
        let verdict = if matches!(chain, Chain::Untrusted | Chain::None) && !found.by_key {
            Verdict::UntrustedChain
        } else {
            match &payload.statement {
                None => Verdict::IdentityUnexpected,
                Some(statement) if statement.is_of_a_model() => Verdict::ModelUnexpected,
                Some(_) => Verdict::OtherPredicate,
            }
        };
        let severity = severity(verdict, watch.severity, found.in_shape, &anomalies);
        // A signing with anomalies never waits for its registration, whatever the severity of the watch.
        let held = verdict != Verdict::UntrustedChain
            && found.in_shape == Some(true)
            && anomalies.is_empty()
            && watch.hold.is_some();
        let origin = self.shard.origin.as_str();
        let digest = signing.digest.as_ref().map(ToString::to_string);
        let names = watch.selected_first(signing.signer.names());
        let who = match verdict {
            Verdict::UntrustedChain => claimant(&signing.signer, &names),
            _ => who(&signing.signer, &names),
        };
        let stated = payload
            .statement
            .map(|statement| format!("{statement} ({})", digest.as_deref().unwrap_or("something")));
        let done = match &stated {
            Some(stated) => Done::Signed(stated),
            None => done(kind, digest.as_deref()),
        };
        let logged = matches!(done, Done::Issued);
        let mut summary = summary(
            verdict,
            &who,
            &done,
            &format!("entry {} of {}", place.index, self.shard.name),
            found.in_shape,
            &anomalies,
        );
        // The log, or a server before it, caused it, not the signer: the severity does not change.
        if let Some(served) = payload.contradicting {
            summary.push_str("; the attestation that the log serves with it is not what was signed: its SHA-256 is ");
            summary.push_str(&hex::encode(served));
        }
        let id = FindingId::of_signing(
            &watch.name,
            origin,
            place.index,
            place.hash.as_bytes(),
            signing.ordinal,
        );
        let finding = Finding {
            watch: Some(watch.name.clone()),
            in_shape: found.in_shape,
            log: Some(self.shard.name.clone()),
            origin: Some(origin.to_owned()),
            index: Some(place.index),
            leaf_hash: Some(place.hash.to_hex()),
            proven: Some(false),
            kind: Some(kind.to_string()),
            digest,
            san: names,
            chain: Some(chain),
            state: if held { State::Held } else { State::Open },
            anomalies,
            ..Finding::new(id, verdict, severity, summary, self.now)
        };
        NewFinding {
            finding: of_signer(&signing.signer, finding),
            rule: self.rules.rule(found.watch),
            evidence: Evidence {
                certificate: certificate.map(|c| c.der().to_vec()),
                // A forged certificate must not be excused by a TBSCertificate that it copies.
                logged_sha256: certificate
                    .filter(|_| logged && chain != Chain::Untrusted)
                    .and_then(Certificate::logged_sha256),
                // If the trusted root contains the CA later, only the whole leaf shows which CA it was.
                leaf: (logged && chain == Chain::Untrusted).then(|| place.leaf.to_vec()),
                // Other readers may find another certificate, digest or signature in parts that no server writes. A
                // registration of this one does not excuse those.
                signed_as: (!entry.has_more)
                    .then(|| SignedAs::of(kind, signing))
                    .flatten(),
                key_hashes: signing.signer.key_hashes(),
                logged_at: if logged {
                    logged_at(place.leaf)
                } else {
                    accepted_at(
                        place.leaf,
                        place.index,
                        place.promise,
                        &self.shard.promise_keys,
                    )
                },
                ..Evidence::default()
            },
        }
    }
}

/// The action of an identity.
pub(super) enum Done<'a> {
    /// It signed this.
    Signed(&'a str),
    /// A CA issued a certificate to it: a CT log shows no more.
    Issued,
}

impl<'a> Done<'a> {
    pub(super) fn signed(digest: Option<&'a str>) -> Self {
        Self::Signed(digest.unwrap_or("something"))
    }
}

fn done<'a>(kind: &Kind, digest: Option<&'a str>) -> Done<'a> {
    if [Kind::X509, Kind::PRECERTIFICATE].contains(kind) {
        Done::Issued
    } else {
        Done::signed(digest)
    }
}

pub(super) fn severity(
    verdict: Verdict,
    of_watch: Severity,
    in_shape: Option<bool>,
    anomalies: &[String],
) -> Severity {
    if verdict == Verdict::UntrustedChain {
        Severity::Low
    } else if in_shape == Some(false) || !anomalies.is_empty() {
        Severity::Critical
    } else {
        of_watch
    }
}

pub(super) fn summary(
    verdict: Verdict,
    who: &str,
    done: &Done<'_>,
    place: &str,
    in_shape: Option<bool>,
    anomalies: &[String],
) -> String {
    let mut summary = match (verdict, done) {
        (Verdict::UntrustedChain, Done::Signed(what)) => {
            format!("{who} and signed {what}: {place}")
        }
        (Verdict::UntrustedChain, Done::Issued) => format!("{who}: {place}"),
        (_, Done::Signed(what)) => {
            format!("{who} signed {what}, which is not registered: {place}")
        }
        (_, Done::Issued) => format!(
            "a certificate was issued to {who}, and no signing with it is registered: {place}"
        ),
    };
    if in_shape == Some(false) {
        summary.push_str("; it is out of shape");
    }
    for anomaly in anomalies {
        summary.push_str("; ");
        summary.push_str(anomaly);
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anomalies_and_signings_out_of_shape_are_critical_and_an_impostor_stays_low() {
        use Severity::{Critical, Low, Medium};
        let odd = ["the certificate contains no SCT".to_owned()];
        for (verdict, in_shape, anomalies, expected) in [
            (Verdict::IdentityUnexpected, None, &[][..], Medium),
            (Verdict::IdentityUnexpected, Some(true), &[], Medium),
            (Verdict::IdentityUnexpected, Some(false), &[], Critical),
            (Verdict::IdentityUnexpected, Some(true), &odd, Critical),
            (Verdict::ModelUnexpected, None, &odd, Critical),
            (Verdict::OtherPredicate, None, &odd, Critical),
            (Verdict::UntrustedChain, Some(false), &odd, Low),
        ] {
            assert_eq!(
                severity(verdict, Medium, in_shape, anomalies),
                expected,
                "{verdict} {in_shape:?} {anomalies:?}"
            );
        }
    }
}
