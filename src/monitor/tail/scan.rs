//! Hashes and parses leaves, and matches the watches, on all cores.

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::future::poll_immediate;
use futures_util::{Stream, StreamExt as _, stream};
use jiff::Timestamp;
use tlog::{Hash, leaf_hash};
use tokio::sync::oneshot;

use crate::entry::{self, Entry, EntryError, Signing};
use crate::finding::{NewFinding, Verdict};
use crate::identity::{Certificate, Chain};
use crate::judge::{self, Hidden, Judge, Payload, Place, Rules};
use crate::log::{LeafFormat, Shard};
use crate::monitor::context::SCANS_PER_CORE;
use crate::monitor::health::UnknownIssuer;
use crate::monitor::log::Log;
use crate::source::{self, Budget, Leaves, LogSource, Prefetch, SourceError};
use crate::watch::Match;

/// The result of scanning one bundle of leaves.
#[derive(Debug, Default)]
pub(in crate::monitor) struct Scanned {
    pub(in crate::monitor) start: u64,
    pub(in crate::monitor) hashes: Vec<Hash>,
    pub(in crate::monitor) findings: Vec<NewFinding>,
    /// Roughly when its leaves were logged, by their certificates; `None` if there are too few.
    pub(in crate::monitor) logged_about: Option<Timestamp>,
    pub(in crate::monitor) unknown_issuers: Vec<UnknownIssuer>,
    /// Key ids of the unknown authorities of certificates with watched names.
    pub(in crate::monitor) unknown_authorities: BTreeSet<[u8; 20]>,
}

/// Fewer certificates than this show no time: anyone can log one.
const MIN_CERTIFICATES: usize = 8;

/// Small bundles, like those of Rekor v1, are scanned in one job until they have this many leaves together, as many as
/// one bundle of Rekor v2: starting another thread costs as much as scanning a dozen leaves.
const JOB_LEAVES: usize = 256;

/// Longest leaf that is kept with a finding. A tiled log has no longer ones (C2SP tlog-tiles).
const MAX_KEPT_BYTES: usize = u16::MAX as usize;

/// The same for a finding that anyone can cause in any number. The usual entry has 2 to 6 KB.
const MAX_KEPT_OF_ANYONE_BYTES: usize = 8 * 1024;

/// No more bundles are added to a job with this many bytes: long leaves do not increase the memory.
const JOB_BYTES: usize = 1024 * 1024;

/// Reads these leaves of a tree of `size` leaves and scans them, in order, many bundles at once.
pub(in crate::monitor) fn scanned(
    log: &Log,
    range: Range<u64>,
    size: u64,
    rules: &Arc<Rules>,
    budget: &Budget,
    now: Timestamp,
) -> impl Stream<Item = Result<Scanned, SourceError>> + use<> {
    let (shard, rules) = (Arc::clone(&log.shard), Arc::clone(rules));
    let scan = move |leaves: &Leaves| scan_here(leaves, &shard, &rules, now);
    read_leaves(Arc::clone(&log.source), range, size, budget, scan)
}

/// Reads these leaves of a tree of `size` leaves and applies `scan` to each bundle of them on the thread pool, in order, many
/// bundles at once.
pub(in crate::monitor) fn read_leaves<T, F>(
    source: Arc<dyn LogSource>,
    range: Range<u64>,
    size: u64,
    budget: &Budget,
    scan: F,
) -> impl Stream<Item = Result<T, SourceError>> + use<T, F>
where
    T: Send + 'static,
    F: Fn(&Leaves) -> T + Clone + Send + 'static,
{
    let prefetch = Prefetch {
        shared: Some(budget.clone()),
        ..source.prefetch()
    };
    let leaves = source::leaves(source, range, size, prefetch);
    // Fused: `next_job` may see the end while it looks for more, and is asked again.
    stream::unfold(leaves.fuse(), async |mut leaves| {
        Some((next_job(&mut leaves).await?, leaves))
    })
    .map(move |job| {
        let scan = scan.clone();
        on_all_cores(move || {
            let scan = |leaves: Result<Leaves, SourceError>| Ok(scan(&leaves?));
            stream::iter(job.into_iter().map(scan).collect::<Vec<_>>())
        })
    })
    .buffered(rayon::current_num_threads() * SCANS_PER_CORE)
    .flatten()
}

/// The next bundle, and the small ones after it that have arrived already.
async fn next_job<T>(bundles: &mut T) -> Option<Vec<Result<Leaves, SourceError>>>
where
    T: Stream<Item = Result<Leaves, SourceError>> + Unpin,
{
    let (mut count, mut bytes) = (0, 0);
    let mut job = Vec::new();
    let mut next = bundles.next().await;
    while let Some(bundle) = next {
        if let Ok(leaves) = &bundle {
            count += leaves.len();
            bytes += leaves.size_bytes();
        }
        job.push(bundle);
        let is_small = count < JOB_LEAVES && bytes < JOB_BYTES;
        next = if is_small {
            poll_immediate(bundles.next()).await.flatten()
        } else {
            None
        };
    }
    (!job.is_empty()).then_some(job)
}

/// Scans a bundle on the thread pool.
pub(in crate::monitor) async fn scan(
    leaves: Leaves,
    shard: Arc<Shard>,
    rules: Arc<Rules>,
    now: Timestamp,
) -> Scanned {
    on_all_cores(move || scan_here(&leaves, &shard, &rules, now)).await
}

async fn on_all_cores<T: Send + 'static>(scan: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, scanned) = oneshot::channel();
    rayon::spawn(move || {
        // The receiver is gone if the pass was stopped.
        let _ = done.send(scan());
    });
    scanned
        .await
        .expect("a scan catches the panics of its leaves and always answers")
}

/// Scans a bundle on this thread.
pub(in crate::monitor) fn scan_here(
    leaves: &Leaves,
    shard: &Shard,
    rules: &Rules,
    now: Timestamp,
) -> Scanned {
    let mut scanned = Scanned {
        start: leaves.start(),
        hashes: Vec::with_capacity(leaves.len()),
        findings: Vec::new(),
        logged_about: None,
        unknown_issuers: Vec::new(),
        unknown_authorities: BTreeSet::new(),
    };
    let mut matches = Vec::new();
    let mut selected = Vec::new();
    let mut times = Vec::with_capacity(leaves.len());
    for (index, leaf) in leaves.iter() {
        let hash = leaf_hash(leaf);
        scanned.hashes.push(hash);
        let place = Place {
            // It does not overflow: trees have at most 2^63 leaves, and the store holds no larger index.
            index: shard.base.saturating_add(index),
            hash,
            leaf,
            beside: leaves.beside(index),
            promise: leaves.promise(index),
        };
        // If an entry makes the parser panic, it must not stop the monitoring: every later pass would stop at the same
        // leaf. It is one more leaf that cannot be read.
        let read = catch_unwind(AssertUnwindSafe(|| {
            let entry = match shard.protocol.leaf_format() {
                LeafFormat::RekorEntry => entry::parse(leaf)?,
                LeafFormat::Certificate => entry::parse_certificate(leaf, place.beside)?,
            };
            Ok::<_, EntryError>(select(entry, rules, &mut matches))
        }));
        let error = match read {
            Ok(Ok((entry, leaf_matches, not_before))) => {
                times.extend(not_before);
                if leaf_matches.is_empty()
                    && let Some(authorities) = rules.authorities()
                    && let Some(certificate) = first_certificate(&entry)
                {
                    let unknown_issuer = UnknownIssuer::of(index, certificate, authorities);
                    scanned.unknown_issuers.extend(unknown_issuer);
                }
                let hidden = Hidden::beside(&entry, leaf, rules);
                if !leaf_matches.is_empty() || !entry.unreadable.is_empty() || !hidden.is_empty() {
                    selected.push((place, Ok((entry, leaf_matches)), hidden));
                }
                continue;
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        let hidden = Hidden::in_leaf(leaf, rules);
        selected.push((place, Err(judge::reason(error.as_ref())), hidden));
    }
    let enough = times.len() >= MIN_CERTIFICATES;
    let logged_about = median(&mut times);
    scanned.logged_about = logged_about.filter(|_| enough);
    if selected.is_empty() {
        return scanned;
    }
    let judge = Judge {
        shard,
        rules,
        now,
        logged_about,
    };
    for (place, read, mut hidden) in selected {
        let first = scanned.findings.len();
        match read {
            Ok((entry, leaf_matches)) => {
                let mut alarmed = Vec::new();
                for (signing, found) in leaf_matches {
                    if let Some(signing) = entry.signings.get(signing) {
                        let payload = Payload::of(&entry, signing, place.beside);
                        let new = judge.signing(place, &entry, signing, found, payload);
                        if new.finding.chain == Some(Chain::Untrusted) {
                            let unknown = unknown_authority(signing, rules);
                            scanned.unknown_authorities.extend(unknown);
                        }
                        if new.finding.verdict != Verdict::UntrustedChain {
                            alarmed.push(found.watch);
                        }
                        scanned.findings.push(new);
                    }
                }
                // An entry with unread parts is excused only by its whole leaf, so that nothing in it is hidden. These
                // watches alarm anyway.
                if entry.unreadable.is_empty() {
                    hidden.without_texts_of(&alarmed);
                }
                judge.beside(place, &entry, &hidden, &mut scanned.findings);
            }
            Err(reason) => judge.leaf(place, &reason, &hidden, &mut scanned.findings),
        }
        let found = scanned.findings.get_mut(first..).unwrap_or_default();
        keep_leaf(place.leaf, found);
    }
    scanned
}

/// Adds the leaf to its findings, for those who are to be convinced later. A longer one is fetched from the log then.
fn keep_leaf(leaf: &[u8], findings: &mut [NewFinding]) {
    let mut kept: Option<Arc<[u8]>> = None;
    for new in findings {
        let limit_bytes = match new.finding.verdict {
            Verdict::UntrustedChain => MAX_KEPT_OF_ANYONE_BYTES,
            _ => MAX_KEPT_BYTES,
        };
        if new.evidence.leaf.is_none() && leaf.len() <= limit_bytes {
            let leaf = kept.get_or_insert_with(|| leaf.into());
            new.evidence.entry = Some(Arc::clone(leaf));
        }
    }
}

/// The key id of the authority that a certificate names as its issuer, if the trusted root does not contain it.
fn unknown_authority(signing: &Signing, rules: &Rules) -> Option<[u8; 20]> {
    let certificate = signing.signer.certificate()?;
    rules.authorities()?.unknown_issuer(certificate)
}

/// One certificate of each entry: an entry with a hundred signatures is no burst.
fn first_certificate(entry: &Entry) -> Option<&Certificate> {
    let mut signings = entry.signings.iter();
    signings.find_map(|signing| signing.signer.certificate())
}

type Selected = (Entry, Vec<(usize, Match)>, Option<Timestamp>);

fn select(entry: Entry, rules: &Rules, matches: &mut Vec<Match>) -> Selected {
    let mut selected = Vec::new();
    let mut not_before = None;
    for (place, signing) in entry.signings.iter().enumerate() {
        if let Some(certificate) = signing.signer.certificate() {
            not_before = Some(certificate.not_before());
        }
        matches.clear();
        rules.watches().matches(&signing.signer, matches);
        selected.extend(matches.drain(..).map(|found| (place, found)));
    }
    (entry, selected, not_before)
}

/// Roughly when these leaves were logged. Certificates are used within minutes after their issuance, and half of a
/// bundle would have to be forged to move the median.
pub(in crate::monitor) fn median(times: &mut [Timestamp]) -> Option<Timestamp> {
    if times.is_empty() {
        return None;
    }
    let middle = times.len() / 2;
    Some(*times.select_nth_unstable(middle).1)
}
