//! From a match to a finding: verdict, severity, and the sentence for a person.

use jiff::{SignedDuration, Timestamp};
use tlog::Hash;

use super::Rules;
use crate::entry::{self, Entry, Kind, Signing, Statement};
use crate::expect::SignedAs;
use crate::finding::{Evidence, Finding, FindingId, NewFinding, Severity, State, Verdict};
use crate::identity::{Assessment, Certificate, Chain, Extension, Key, KeyFormat, San, Signer};
use crate::log::Shard;
use crate::store::Judged;
use crate::watch::Match;

/// A certificate that expired this long before its neighbours in the log were issued was not in
/// use when it was logged: Fulcio's live for ten minutes, clocks and queues do not lag by a day.
const LONG_EXPIRED: SignedDuration = SignedDuration::from_hours(24);

/// What is said of it.
const LONG_EXPIRED_SAID: &str = "it had expired long before it was logged";

/// A leaf, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// Counted over all trees of its log.
    pub(super) index: u64,
    pub(super) hash: Hash,
    pub(super) leaf: &'a [u8],
    /// What the log served beside it, which no hash covers.
    pub(super) beside: Option<&'a [u8]>,
}

/// What a log served beside an entry as what was signed there.
#[derive(Debug, Default)]
pub(super) struct Payload {
    /// What it says, if it is what was signed.
    pub(super) statement: Option<Statement>,
    /// Its SHA-256, if it is not.
    pub(super) contradicting: Option<[u8; 32]>,
}

/// Judges what was found in one bundle.
pub(super) struct Judge<'a> {
    pub(super) shard: &'a Shard,
    pub(super) rules: &'a Rules,
    pub(super) now: Timestamp,
    /// Roughly when the leaves of the bundle were logged.
    pub(super) logged_about: Option<Timestamp>,
}

impl Judge<'_> {
    /// A signing that a watch selected, of that entry.
    pub(super) fn signing(
        &self,
        place: Place<'_>,
        entry: &Entry,
        signing: &Signing,
        found: Match,
        payload: Payload,
    ) -> NewFinding {
        let kind = &entry.kind;
        let watch = self.rules.watches().get(found.watch);
        let Assessment { chain, anomalies } = signing.signer.judge(self.rules.authorities());
        let mut anomalies: Vec<_> = anomalies.iter().map(ToString::to_string).collect();
        let certificate = signing.signer.certificate();
        if let (Chain::Untrusted, Some(certificate)) = (chain, certificate) {
            self.rules.note_untrusted(certificate);
        }
        if let (Some(certificate), Some(logged)) = (certificate, self.logged_about)
            && logged.duration_since(certificate.not_after()) > LONG_EXPIRED
        {
            anomalies.push(LONG_EXPIRED_SAID.to_owned());
        }
        // A key that is not itself what is watched was selected by what it calls itself, and nobody vouches for that.
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
        // Whatever severity the watch has: nothing that is odd passes for a release that waits for its bundle.
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
        // The log's doing, or that of somebody between: nothing that whoever signed it did, so the severity stays.
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
            issuer: certificate.and_then(Certificate::issuer).map(str::to_owned),
            extensions: certificate
                .map(|c| {
                    c.extensions()
                        .iter()
                        .filter(|(extension, _)| *extension != Extension::Issuer)
                        .map(|(extension, value)| (extension.name().to_owned(), value.to_owned()))
                        .collect()
                })
                .unwrap_or_default(),
            certificate_sha256: certificate.and_then(Certificate::sha256).map(hex::encode),
            key_sha256: Some(hex::encode(signing.signer.key_sha256())),
            key_fingerprint: match &signing.signer {
                Signer::Key(key) => key.fingerprint().map(str::to_owned),
                Signer::Certificate(_) => None,
            },
            chain: Some(chain),
            not_before: certificate.map(Certificate::not_before),
            state: if held { State::Held } else { State::Open },
            anomalies: anomalies,
            ..Finding::new(id, verdict, severity, summary, self.now)
        };
        NewFinding {
            finding,
            rule: self.rules.rule(found.watch),
            evidence: Evidence {
                certificate: certificate.map(|c| c.der().to_vec()),
                // What made an impostor's certificate look like a registered one must not excuse it.
                logged_sha256: certificate
                    .filter(|_| logged && chain != Chain::Untrusted)
                    .and_then(Certificate::logged_sha256),
                // Only the whole leaf says which CA it was, should the trusted root come to know it.
                leaf: (logged && chain == Chain::Untrusted).then(|| place.leaf.to_vec()),
                // Other readers may take another certificate, digest or signature from what no server writes: that these are
                // registered says nothing about those.
                signed_as: (!entry.has_more)
                    .then(|| SignedAs::of(kind, signing))
                    .flatten(),
                ..Evidence::default()
            },
        }
    }
}

impl Rules {
    /// What an untrusted chain is under the present authorities; `None` if it still is one.
    pub(super) fn judge_again(&self, finding: &Finding, evidence: &Evidence) -> Option<Judged> {
        let watch = self
            .watches()
            .get(self.watches().position(finding.watch.as_deref()?)?);
        let signer = signer_again(finding, evidence)?;
        let Assessment { chain, anomalies } = signer.judge(self.authorities());
        if chain == Chain::Untrusted {
            return None;
        }
        let mut anomalies: Vec<_> = anomalies.iter().map(ToString::to_string).collect();
        // Its neighbours are not at hand any more.
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
            anomalies: anomalies,
        })
    }
}

/// What an identity is said to have done.
enum Done<'a> {
    /// It signed that.
    Signed(&'a str),
    /// It was issued a certificate: a CT log says no more.
    Issued,
}

impl<'a> Done<'a> {
    fn signed(digest: Option<&'a str>) -> Self {
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

/// The signer of an untrusted finding, from what was kept.
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

fn severity(
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

/// `names` are the signer's, in the order in which they are told.
pub(super) fn who(signer: &Signer, names: &[San]) -> String {
    match signer {
        Signer::Key(key) => {
            let mut who = named_key(key);
            if let Some(names) = listed(names) {
                who.push_str(", which calls itself ");
                who.push_str(&names);
                who.push(',');
            }
            who
        }
        Signer::Certificate(certificate) => {
            let mut who =
                listed(names).unwrap_or_else(|| "a certificate without a name".to_owned());
            if let Some(issuer) = certificate.issuer() {
                who.push_str(" (by ");
                who.push_str(issuer);
                who.push(')');
            }
            who
        }
    }
}

/// What claims to be whom, and nobody vouches for it.
fn claimant(signer: &Signer, names: &[San]) -> String {
    match signer {
        Signer::Certificate(_) => format!(
            "a certificate that no trusted CA vouches for claims to be {}",
            who(signer, names)
        ),
        Signer::Key(key) => format!(
            "{}, for which nobody vouches, calls itself {}",
            named_key(key),
            listed(names).unwrap_or_else(|| "nothing".to_owned()),
        ),
    }
}

/// A key as its owner knows it.
fn named_key(key: &Key) -> String {
    match (key.format(), key.fingerprint()) {
        (KeyFormat::Pgp, Some(fingerprint)) => format!("the OpenPGP key {fingerprint}"),
        (KeyFormat::Ssh, Some(fingerprint)) => format!("the SSH key {fingerprint}"),
        _ => format!("the key {}", hex::encode(key.key_sha256())),
    }
}

fn listed(names: &[San]) -> Option<String> {
    let names: Vec<&str> = names.iter().map(|san| san.value.as_str()).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

fn summary(
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
    fn what_is_odd_or_out_of_shape_is_critical_and_an_impostor_stays_low() {
        use Severity::{Critical, Low, Medium};
        let odd = ["the certificate holds no SCT".to_owned()];
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
