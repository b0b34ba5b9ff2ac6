//! Rows about the store alone, called in this process: what one change costs beside many findings.

use std::fs;
use std::io;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use modelwatch::expect::{Expectation, RegisteredSigning};
use modelwatch::finding::{
    ChannelRoute, Evidence, Finding, FindingId, NewFinding, Routes, Severity, Verdict,
};
use modelwatch::log::TreeId;
use modelwatch::store::sqlite::SqliteStore;
use modelwatch::store::{
    Condition, Handling, HandlingRequest, Kept, NewRegistration, Rescanned, Scope, Settings, Store,
    WatchSet,
};

use super::child::median;
use super::filled;
use super::linux::Bench;

/// Changes whose median counts.
const CHANGES: u64 = 21;

/// Registrations of one call.
const MANY: u64 = 1_000;

type Figure = io::Result<f64>;

/// CPU ms of the registration of one bundle.
pub(super) fn expect_add(bench: &Bench, findings: u64) -> Figure {
    with_store(bench, findings, async |store| {
        let mut costs = Vec::new();
        for n in 0..CHANGES {
            let signing = registration(findings - n);
            let now = now(n);
            costs.push(cost(async { store.register_all(&[signing], now).await.map(drop) }).await?);
        }
        Ok(middle(&mut costs))
    })
}

/// CPU ms of the registration of 1,000 bundles in one call.
pub(super) fn expect_add_1000(bench: &Bench, findings: u64) -> Figure {
    with_store(bench, findings, async |store| {
        let signings: Vec<_> = (0..MANY).map(|n| registration(findings - n)).collect();
        cost(async { store.register_all(&signings, now(0)).await.map(drop) }).await
    })
}

/// CPU ms of the removal of one registration.
pub(super) fn expect_remove(bench: &Bench, findings: u64) -> Figure {
    with_store(bench, findings, async |store| {
        let mut costs = Vec::new();
        for n in 0..CHANGES {
            let signing = registration(findings - n);
            store
                .register_all(&[signing], now(n))
                .await
                .map_err(io::Error::other)?;
        }
        let registered = store.registrations().await.map_err(io::Error::other)?;
        for registration in registered {
            let number = registration.number;
            costs.push(cost(async { store.unregister(number, now(99)).await.map(drop) }).await?);
        }
        Ok(middle(&mut costs))
    })
}

/// CPU ms of one acknowledgement.
pub(super) fn ack_one(bench: &Bench, findings: u64) -> Figure {
    with_store(bench, findings, async |store| {
        let mut costs = Vec::new();
        for n in 0..CHANGES {
            let id = id(findings - n)?;
            let request = |n| HandlingRequest {
                handling: Handling::Ack,
                author: "bench",
                reason: "measured",
                at: now(n),
            };
            costs.push(cost(async { store.handle(&[id], &request(n)).await.map(drop) }).await?);
        }
        Ok(middle(&mut costs))
    })
}

/// CPU ms of the end of a finding about health.
pub(super) fn health_resolves(bench: &Bench, findings: u64) -> Figure {
    with_store(bench, findings, async |store| {
        let scope = Scope {
            verdicts: &[Verdict::StoreFailing],
            origin: None,
        };
        let condition = Condition::new(Verdict::StoreFailing, "store", "measured".to_owned());
        let mut costs = Vec::new();
        for n in 0..CHANGES {
            let begun = store.assess(&scope, std::slice::from_ref(&condition), now(2 * n));
            begun.await.map_err(io::Error::other)?;
            costs.push(cost(async { store.assess(&scope, &[], now(2 * n + 1)).await }).await?);
        }
        Ok(middle(&mut costs))
    })
}

/// CPU ms of a disputed finding that comes back.
pub(super) fn take_back(bench: &Bench, findings: u64) -> Figure {
    with_store(bench, findings, async |store| {
        let mut costs = Vec::new();
        for n in 1..=CHANGES {
            let finding = Finding::new(
                id(n)?,
                Verdict::IdentityUnexpected,
                Severity::High,
                "measured".to_owned(),
                now(0),
            );
            let rescanned = Rescanned {
                tree: TreeId::new("filled.example"),
                range: n..n,
                watches: WatchSet::from_iter([]),
                closes_gap: false,
                findings: vec![NewFinding {
                    finding,
                    rule: None,
                    evidence: Evidence::default(),
                }],
                kept: Kept::default(),
                now: now(n),
            };
            costs.push(cost(async { store.rescanned(&rescanned).await.map(drop) }).await?);
        }
        Ok(middle(&mut costs))
    })
}

/// CPU ms of handing out the alerts of a channel.
pub(super) fn claim(bench: &Bench, findings: u64) -> Figure {
    with_store(bench, findings, async |store| {
        let mut costs = Vec::new();
        for n in 0..CHANGES {
            costs.push(
                cost(async { store.claim_alerts("terminal", 20, now(n)).await.map(drop) }).await?,
            );
        }
        Ok(middle(&mut costs))
    })
}

/// Measures over a copy of the store of so many findings.
fn with_store(
    bench: &Bench,
    findings: u64,
    measure: impl AsyncFn(Arc<dyn Store>) -> Figure,
) -> Figure {
    let place = bench.directory.join("stored");
    fs::create_dir_all(&place)?;
    let path = place.join("modelwatch.db");
    filled::copy(bench, findings, &path)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let channel = ChannelRoute {
            name: "terminal".to_owned(),
            ..ChannelRoute::default()
        };
        let settings = Settings {
            path,
            routes: Routes::new(vec![channel], std::collections::HashMap::new()),
        };
        let store = SqliteStore::open(settings)
            .await
            .map_err(io::Error::other)?;
        measure(Arc::new(store)).await
    })
}

/// The CPU time of a call, in ms.
async fn cost<E: std::error::Error + Send + Sync + 'static>(
    call: impl Future<Output = Result<(), E>>,
) -> Figure {
    let before = cpu_ms()?;
    call.await.map_err(io::Error::other)?;
    Ok(cpu_ms()? - before)
}

/// What all threads of this process have run, in ms, by schedstat: /proc/PID/stat counts in steps of 10 ms.
#[expect(
    clippy::cast_precision_loss,
    reason = "a benchmark runs for less than 2^52 ns"
)]
fn cpu_ms() -> Figure {
    let mut nanoseconds = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        let first = text.split_whitespace().next().unwrap_or_default();
        nanoseconds += first.parse::<u64>().map_err(io::Error::other)?;
    }
    Ok(nanoseconds as f64 / 1e6)
}

fn middle(costs: &mut [f64]) -> f64 {
    // To whole nanoseconds, which can be ordered.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "costs are positive and far below 2^52 ns"
    )]
    let mut whole: Vec<u64> = costs.iter().map(|cost| (cost * 1e6) as u64).collect();
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    let middle = median(&mut whole) as f64;
    middle / 1e6
}

fn now(minutes: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH
        + SignedDuration::from_hours(24 * 365 * 56)
        + SignedDuration::from_mins(minutes.cast_signed())
}

fn id(number: u64) -> io::Result<FindingId> {
    filled::id(number)
        .parse()
        .map_err(|_| io::Error::other("no id of a finding"))
}

/// The registration of the signing of finding `number`.
fn registration(number: u64) -> NewRegistration {
    let leaf = filled::leaf(number);
    let hash = hex::encode(leaf);
    let expectation = Expectation {
        leaf_hashes: vec![leaf],
        digest: format!("sha256:{hash}"),
        who: "owner".to_owned(),
        certificate_sha256: hash.clone(),
        logged_sha256: None,
        signing: Some(RegisteredSigning {
            signature_sha256: hash.clone(),
            tbs_sha256: hash.clone(),
            message: Some(format!("sha256:{hash}")),
            payload: None,
            leaves: vec![hash.clone()],
        }),
        key_sha256: hash,
        not_before: now(0),
        entries: Vec::new(),
        statement: None,
    };
    NewRegistration::by_operator(format!("{number}.sig"), expectation)
}
