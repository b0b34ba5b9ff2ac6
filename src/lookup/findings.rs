//! Signings that are stored: those of watched identities.

use std::collections::BTreeMap;

use super::error::LookupError;
use super::held::Held;
use super::line::{FindingRef, Matched, Signing, Source, Unproven};
use super::matcher::Matcher;
use super::trees::Trees;
use super::world::World;
use crate::expect::Authority;
use crate::finding::{Finding, State, Verdict};
use crate::identity::Chain;
use crate::store::{FoundSigning, SearchKey};

/// Findings of one page: a megabyte.
const PAGE: u32 = 500;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) signings: Vec<Signing>,
    pub(super) unproven: Vec<Unproven>,
    /// There are more than were asked for.
    pub(super) is_cut: bool,
    /// The hashes by which a signing of a scan may be registered, by its place in `signings`: of its entry, then of its signature.
    pub(super) hashes: BTreeMap<usize, Vec<String>>,
}

/// Which signing a finding is about: several watches may select one.
pub(super) type Which = (
    String,
    Option<u64>,
    Option<String>,
    Option<String>,
    Option<String>,
);

pub(super) fn which(finding: &Finding) -> Which {
    let signer = finding
        .certificate_sha256
        .clone()
        .or_else(|| finding.key_sha256.clone());
    (
        finding.origin.clone().unwrap_or_default(),
        finding.index,
        finding.leaf_hash.clone(),
        signer,
        finding.digest.clone(),
    )
}

/// One signing and its findings.
pub(super) struct Group {
    pub(super) first: FoundSigning,
    pub(super) matched: Matched,
    pub(super) is_proven: bool,
    pub(super) findings: Vec<FindingRef>,
}

/// Whether a finding is about an entry, or a signing in it, that cannot be read.
pub(super) fn is_unreadable(stored: &FoundSigning) -> bool {
    stored.finding.verdict == Verdict::Unreadable
}

/// Whether the entry of a finding is proven.
pub(super) fn is_proven(finding: &Finding) -> bool {
    finding.proven == Some(true) && finding.state != State::Disputed
}

/// Adds the findings about signings that were read from a log, and who registered them, and sorts all.
pub(super) async fn references(found: &mut Found, world: &World<'_>) -> Result<(), LookupError> {
    let leaves: Vec<String> = found
        .signings
        .iter()
        .map(|signing| signing.leaf_hash.clone())
        .collect();
    let mut known: BTreeMap<Which, Vec<FindingRef>> = BTreeMap::new();
    for key in [
        SearchKey::Entries(leaves.clone()),
        SearchKey::CertificateEntries(leaves),
    ] {
        let mut after = None;
        loop {
            let page = world.store.search(&key, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.place.clone());
            for stored in page {
                let finding = &stored.finding;
                let of_signing = known.entry(which(finding)).or_default();
                of_signing.push(reference(finding));
            }
        }
    }
    let hashes: Vec<String> = found.hashes.values().flatten().cloned().collect();
    let authorities = world.store.authorities_of(&hashes).await?;
    for (place, signing) in found.signings.iter_mut().enumerate() {
        let signer = signing
            .certificate_sha256
            .clone()
            .or_else(|| signing.key_sha256.clone());
        let which = (
            signing.origin.clone(),
            Some(signing.index),
            Some(signing.leaf_hash.clone()),
            signer,
            signing.digest.clone(),
        );
        signing.findings = known.remove(&which).unwrap_or_default();
        let hashes = found.hashes.get(&place).into_iter().flatten();
        // Of a signing without a finding only its entry shows that it is the registered one.
        let counting = if is_registered(&signing.findings) {
            usize::MAX
        } else {
            usize::from(signing.findings.is_empty())
        };
        signing.registered = hashes
            .take(counting)
            .filter_map(|hash| authorities.get(hash).copied())
            .max();
    }
    sort(found);
    Ok(())
}

/// Sorts by log, tree and index.
pub(super) fn sort(found: &mut Found) {
    found
        .signings
        .sort_by(|a, b| (&a.log, &a.origin, a.index).cmp(&(&b.log, &b.origin, b.index)));
    found
        .unproven
        .sort_by(|a, b| (&a.log, &a.origin, a.index).cmp(&(&b.log, &b.origin, b.index)));
}

pub(super) fn reference(finding: &Finding) -> FindingRef {
    FindingRef {
        id: finding.id,
        watch: finding.watch.clone(),
        verdict: finding.verdict,
        severity: finding.severity,
        state: finding.state,
    }
}

/// Whether a registration counts for a signing, by its findings. Another signing may have the same signature, under another
/// certificate: the store compared all of it.
fn is_registered(findings: &[FindingRef]) -> bool {
    findings
        .iter()
        .any(|finding| matches!(finding.verdict, Verdict::Expected | Verdict::SelfRegistered))
}

/// Whether a finding is about one of the logs of the question.
pub(super) fn is_of_logs(finding: &Finding, matcher: &Matcher, trees: &Trees) -> bool {
    if matcher.question.logs.is_empty() {
        return true;
    }
    let origin = finding.origin.as_deref().unwrap_or_default();
    trees.origins.contains(origin)
}

pub(super) fn is_of_entry(matcher: &Matcher, stored: &FoundSigning) -> bool {
    let question = &matcher.question;
    question.entry.is_none() && question.uuid.is_none()
        || matcher.holds(&Held::Stored(stored)).is_some()
}

/// Who registered the signings, by their hashes.
pub(super) async fn authorities(
    world: &World<'_>,
    groups: &BTreeMap<Which, Group>,
) -> Result<BTreeMap<String, Authority>, LookupError> {
    let hashes: Vec<String> = groups
        .values()
        .flat_map(|group| hashes(&group.first))
        .collect();
    Ok(world.store.authorities_of(&hashes).await?)
}

/// The hashes by which a signing may be registered: of its entry, or of the certificate in it, and of its signature.
fn hashes(stored: &FoundSigning) -> Vec<String> {
    let entry = stored
        .logged_sha256
        .clone()
        .or_else(|| stored.finding.leaf_hash.clone());
    entry
        .into_iter()
        .chain(stored.signature_sha256.clone())
        .collect()
}

pub(super) fn signing(group: Group, authorities: &BTreeMap<String, Authority>) -> Signing {
    let time = Held::Stored(&group.first).time(Chain::Unknown);
    let is_registered = is_registered(&group.findings);
    let strongest = hashes(&group.first)
        .iter()
        .filter_map(|hash| authorities.get(hash).copied())
        .max();
    let finding = group.first.finding;
    Signing {
        line_type: "signing",
        source: Source::Finding,
        log: finding.log.unwrap_or_default(),
        origin: finding.origin.unwrap_or_default(),
        index: finding.index.unwrap_or_default(),
        leaf_hash: finding.leaf_hash.unwrap_or_default(),
        kind: finding.kind.unwrap_or_default(),
        digest: finding.digest,
        san: finding.san,
        issuer: finding.issuer,
        extensions: finding.extensions,
        certificate_sha256: finding.certificate_sha256,
        key_sha256: finding.key_sha256,
        chain: finding.chain,
        not_before: finding.not_before,
        time,
        proven: true,
        matched: group.matched,
        findings: group.findings,
        registered: strongest.filter(|_| is_registered),
    }
}

pub(super) fn not_proven(group: &Group) -> Unproven {
    let finding = &group.first.finding;
    let why = if group
        .findings
        .iter()
        .any(|finding| finding.state == State::Disputed)
    {
        "the log showed this entry and could not prove it"
    } else {
        "the entry was read, and no signed checkpoint covers it yet"
    };
    unproven(finding, format!("{why}: finding {}", finding.id))
}

pub(super) fn cannot_be_read(finding: &Finding) -> Unproven {
    unproven(finding, finding.summary.clone())
}

fn unproven(finding: &Finding, why: String) -> Unproven {
    Unproven {
        line_type: "unproven",
        source: Source::Finding,
        log: finding.log.clone().unwrap_or_default(),
        origin: finding.origin.clone().unwrap_or_default(),
        index: finding.index,
        why,
    }
}
