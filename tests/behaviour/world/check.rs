//! The invariants of the monitor, asserted from the outside after every step.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use futures_util::TryStreamExt as _;
use modelwatch::expect::Authority;
use modelwatch::finding::{AlertPolicy, Finding, Severity, State, Verdict};
use modelwatch::identity::Chain;
use modelwatch::log::TreeId;
use modelwatch::store::{FindingQuery, FindingRecord, QueuedKind, Store, TreeState};
use tlog::{Checkpoint, Follower, leaf_hash, verify_inclusion};

use super::{Leaf, Watched, World};

impl World {
    /// Asserts every invariant. Reads the store as it is, past the faults.
    pub async fn check(&mut self) {
        let findings = findings(self.truly()).await;
        let ids: BTreeSet<_> = findings.iter().map(|finding| finding.id).collect();
        assert_eq!(ids.len(), findings.len(), "an id twice");
        for watched in self.logs.clone() {
            let origin = &watched.log.origin;
            let Some(state) = self
                .truly()
                .tree(&TreeId::new(origin))
                .await
                .expect("readable")
            else {
                continue;
            };
            if state.follower.is_some() {
                self.check_position(&watched, &state);
                self.check_coverage(&state).await;
                self.check_findings(&watched, &state, &findings).await;
                self.check_kept(&state, &findings).await;
            }
        }
        self.check_authorities(&findings);
        self.check_alerts(&findings).await;
    }

    /// What proves an entry is kept from the moment at which its finding is proven: its leaf, and a path to a root that the log
    /// signed.
    async fn check_kept(&self, state: &TreeState, findings: &[Finding]) {
        /// Enough of a flood.
        const MOST: usize = 100;
        let origin = Some(state.id.as_str());
        let proven = findings.iter().filter(|finding| {
            finding.origin.as_deref() == origin
                && finding.proven == Some(true)
                && finding.index.is_some()
                // The entry in place of a missing one is no signing of the owner, and is fetched on demand.
                && finding.verdict != Verdict::Missing
        });
        for finding in proven.take(MOST) {
            let kept = self.truly().kept_entry(finding.id).await.expect("readable");
            let Some(kept) = kept else {
                panic!("the leaf was not kept: {finding:?}");
            };
            let hash = leaf_hash(&kept.leaf);
            assert_eq!(Some(hash.to_hex()), finding.leaf_hash);
            let Some((head, path)) = kept.proof else {
                panic!("no proof was kept: {finding:?}");
            };
            let index = finding.index.unwrap_or_default() - state.base;
            let verified = verify_inclusion(&hash, index, head.size, &path, &head.root);
            assert_eq!(verified, Ok(()), "{finding:?}");
        }
    }

    /// Of the leaves that a test registered through `register_as`, each finding has the verdict, severity and state that a person
    /// would give it who reads the contract.
    fn check_authorities(&self, findings: &[Finding]) {
        for finding in findings {
            let Some(authorities) = finding
                .leaf_hash
                .as_ref()
                .and_then(|hash| self.registered.get(hash))
            else {
                continue;
            };
            let spec = self
                .specs
                .iter()
                .find(|spec| Some(spec.name) == finding.watch.as_deref());
            let Some(spec) = spec.filter(|_| finding.verdict != Verdict::Unreadable) else {
                continue;
            };
            let odd = finding.in_shape == Some(false)
                || finding
                    .anomalies
                    .iter()
                    .any(|anomaly| anomaly != "logged again");
            let trusted =
                finding.chain == Some(Chain::Trusted) || finding.chain == Some(Chain::Unknown);
            match authorities.last() {
                Some(Authority::Operator | Authority::Repository) => {
                    assert_eq!(
                        (finding.verdict, finding.state),
                        (Verdict::Expected, State::Resolved),
                        "{finding:?}"
                    );
                }
                Some(Authority::Signer) if trusted && !odd => {
                    let lower = match spec.severity {
                        Severity::Critical => Severity::High,
                        Severity::High => Severity::Medium,
                        Severity::Medium | Severity::Low | Severity::Info => Severity::Low,
                    };
                    assert_eq!(
                        (finding.verdict, finding.severity),
                        (Verdict::SelfRegistered, lower),
                        "{finding:?}"
                    );
                    assert_ne!(finding.state, State::Resolved, "{finding:?}");
                }
                _ => {
                    let registered =
                        [Verdict::Expected, Verdict::SelfRegistered].contains(&finding.verdict);
                    assert!(
                        !registered && finding.state != State::Resolved,
                        "{finding:?}"
                    );
                }
            }
        }
    }

    /// proven <= seen <= largest head; proven never falls; the stored position is one that the log signed.
    fn check_position(&mut self, watched: &Watched, state: &TreeState) {
        let follower = state.follower.clone().expect("checked by the caller");
        let (seen, proven) = (follower.seen.size(), follower.proven.size());
        let origin = state.id.as_str();
        assert!(
            proven <= seen,
            "{origin}: proven {proven} above seen {seen}"
        );
        assert!(
            seen <= watched.log.largest(),
            "{origin}: {seen} read of {}",
            watched.log.largest()
        );
        let before = self.proven.entry(origin.to_owned()).or_default();
        assert!(
            proven >= *before,
            "{origin}: proven fell from {before} to {proven}"
        );
        *before = proven;
        assert!(
            proven == state.first || watched.log.signed(proven, follower.proven.root()),
            "{origin}: the log never signed what is proven at {proven}"
        );
        for head in follower
            .proven_head
            .iter()
            .chain(&follower.head)
            .chain(&follower.pending)
        {
            let shard = &watched.shard;
            let checkpoint = Checkpoint::open(&head.note, &shard.origin, &shard.verifiers)
                .unwrap_or_else(|error| panic!("{origin}: a stored checkpoint: {error}"));
            assert_eq!(
                (checkpoint.size(), checkpoint.root()),
                (head.size, head.root)
            );
        }
        if let Some(head) = &follower.proven_head {
            assert_eq!((head.size, head.root), (proven, follower.proven.root()));
        }
        Follower::resume(follower).expect("a state that can be gone on from");
    }

    /// A watch covers everything that was read since it was added, and the gap before is reported.
    async fn check_coverage(&mut self, state: &TreeState) {
        let follower = state.follower.as_ref().expect("checked by the caller");
        let seen = follower.seen.size();
        // A rewound range will be read again, with the present watches.
        for end in self
            .gaps
            .iter_mut()
            .filter(|((_, of), _)| *of == state.id.as_str())
            .map(|(_, end)| end)
        {
            *end = (*end).min(seen);
        }
        for (tree, covered) in self.open_gaps().await {
            if tree != state.id {
                continue;
            }
            let explained = self
                .gaps
                .iter()
                .find(|((watch, of), _)| *watch == covered.watch.name && *of == state.id.as_str())
                .map_or(state.first, |(_, end)| *end);
            let holes: u64 = covered
                .gaps
                .iter()
                .map(|gap| gap.end.saturating_sub(gap.start.max(explained)))
                .sum();
            assert_eq!(
                holes, 0,
                "{}: unexplained gaps {:?}",
                covered.watch.name, covered.gaps
            );
        }
    }

    /// Exactly one finding for each watch and signing below `proven` that a naive matcher selects in the watch's
    /// coverage; nothing is proven that the log did not sign; no finding without a leaf.
    async fn check_findings(&self, watched: &Watched, state: &TreeState, findings: &[Finding]) {
        let follower = state.follower.as_ref().expect("checked by the caller");
        let (seen, proven) = (follower.seen.size(), follower.proven.size());
        let truth = watched.log.truth();
        let of_signings: Vec<&Finding> = findings
            .iter()
            .filter(|f| f.origin.as_deref() == Some(state.id.as_str()) && f.index.is_some())
            .collect();
        let mut found: HashMap<(&str, u64, &str), u32> = HashMap::new();
        for finding in &of_signings {
            let index = finding.index.expect("filtered");
            let hash = finding.leaf_hash.as_deref().expect("an entry has a hash");
            if ![Verdict::Unreadable, Verdict::Missing].contains(&finding.verdict) {
                let watch = finding.watch.as_deref().expect("a signing has a watch");
                *found.entry((watch, index, hash)).or_default() += 1;
            }
            let true_leaf = truth
                .get(index as usize)
                .is_some_and(|leaf| leaf.hash.to_hex() == hash);
            if finding.proven == Some(true) {
                let hash = tlog::Hash::from_hex(hash).expect("hex");
                assert!(
                    watched.log.committed_to(index, hash),
                    "proven but never signed: {finding:?}"
                );
                assert!(
                    index < proven && finding.state != State::Disputed,
                    "{finding:?}"
                );
            } else {
                assert!(
                    index >= proven || !true_leaf,
                    "below {proven} and not proven: {finding:?}"
                );
            }
            // A leaf that was read and then taken back is kept, but never as proven.
            assert!(
                index < seen || finding.state == State::Disputed || !finding.state.is_open(),
                "open beyond {seen}: {finding:?}"
            );
        }
        assert!(found.values().all(|count| *count == 1), "twice: {found:?}");
        let open = self.open_gaps().await;
        for spec in &self.specs {
            let gaps: Vec<Range<u64>> = open
                .iter()
                .filter(|(tree, uneven)| *tree == state.id && uneven.watch.name == spec.name)
                .flat_map(|(_, uneven)| uneven.gaps.clone())
                .collect();
            for (index, leaf) in (state.first..proven).zip(truth.iter().skip(state.first as usize))
            {
                let selected = leaf.who.as_ref().is_some_and(|who| spec.selects(who));
                let covered = !gaps.iter().any(|gap| gap.contains(&index));
                let there = found.contains_key(&(spec.name, index, leaf.hash.to_hex().as_str()));
                assert!(
                    there || !(selected && covered),
                    "{}: no finding at {index}",
                    spec.name
                );
                assert!(
                    selected || !there,
                    "{}: a finding at {index} for nothing",
                    spec.name
                );
            }
        }
        check_unreadable(&truth, state.first..proven, &of_signings);
    }

    /// Each finding that alerts is in exactly one alert for each of its channels; those that do not are in none.
    async fn check_alerts(&self, findings: &[Finding]) {
        let tolls = self
            .truly()
            .channel_queues(self.now())
            .await
            .expect("readable");
        if tolls.values().any(|channel_queues| channel_queues.due > 0) {
            // Resolutions that were not delivered yet cannot be distinguished from alerts here.
            return;
        }
        let resolutions: BTreeSet<&str> = self
            .inbox
            .iter()
            .filter(|message| message.kind == QueuedKind::Resolved)
            .map(|message| message.id.as_str())
            .collect();
        for finding in findings {
            let record = self.record(finding).await;
            let mut alerted: Vec<&str> = record
                .alerts
                .iter()
                .filter(|(_, alert, _)| !resolutions.contains(alert.as_str()))
                .map(|(channel, _, _)| channel.as_str())
                .collect();
            alerted.sort_unstable();
            let mut channels: Vec<&str> = self.routes.channels(finding, None).collect();
            channels.sort_unstable();
            match finding.alert_policy() {
                // A configuration may have changed the channels since: those of the first alert stay.
                AlertPolicy::AtOnce | AlertPolicy::OncePerWatch | AlertPolicy::Daily => {
                    let reopened = record
                        .history
                        .iter()
                        .filter(|row| row.state.is_open())
                        .count()
                        > 1;
                    if reopened {
                        alerted.dedup();
                    }
                    // It was alerted on more channels while it was more severe, and is in the daily digests.
                    if finding.verdict == Verdict::SelfRegistered {
                        alerted.dedup();
                        alerted.retain(|channel| channels.contains(channel));
                    }
                    assert_eq!(
                        alerted, channels,
                        "alerted of {finding:?}: {:?}",
                        record.history
                    );
                }
                AlertPolicy::Never => {
                    let ever_open = record.history.iter().any(|row| row.state.is_open());
                    let waits = finding.state == State::Held && !ever_open;
                    assert!(
                        !waits || alerted.is_empty(),
                        "held and alerted: {finding:?}"
                    );
                }
            }
        }
    }

    async fn record(&self, finding: &Finding) -> FindingRecord {
        let record = self.truly().finding(&finding.id.to_string()).await;
        record.expect("readable").expect("it is in the list")
    }
}

/// An unreadable entry is reported once for each leaf (or once for each watch that it names).
fn check_unreadable(truth: &[Leaf], proven: Range<u64>, findings: &[&Finding]) {
    for (index, leaf) in proven.clone().zip(&truth[proven.start as usize..]) {
        if leaf.bytes.starts_with(b"not an entry") {
            let reported = findings
                .iter()
                .filter(|f| f.verdict == Verdict::Unreadable && f.index == Some(index));
            assert_eq!(reported.count(), 1, "unreadable at {index}");
        }
    }
}

/// Every finding there is.
pub async fn findings(store: &dyn Store) -> Vec<Finding> {
    let query = FindingQuery::default();
    store
        .findings(&query)
        .try_collect()
        .await
        .expect("readable")
}
