//! How many requests it makes of other people's servers, over hours that pass at once.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use modelwatch::log::Protocol;
use modelwatch::monitor::{Log, MonitoredLog};
use modelwatch::source::{Leaves, LogSource, ServerDate, SourceError};
use tlog::Split;

use super::{RELEASE, World, log, nothing};
use crate::world::{FakeLog, Issued, issue_for};

/// One certificate of the test represents this many: 227 a second are 109 of it a minute.
const SCALE: u64 = 125;
const A_MINUTE: u64 = 227 * 60 / SCALE;

/// What `get-entries` gives at once, on the same scale: 1,000.
const BATCH: u64 = 1000 / SCALE;

/// Counts the requests to a CT log of RFC 6962.
struct Counted {
    log: Arc<FakeLog>,
    requests: AtomicU64,
}

#[async_trait]
impl LogSource for Counted {
    async fn checkpoint(&self) -> Result<Bytes, SourceError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.log.checkpoint().await
    }

    fn bundle(&self, index: u64, size: u64) -> Range<u64> {
        let start = index - index % BATCH;
        start..size.min(start + BATCH)
    }

    async fn leaves(&self, want: Range<u64>, size: u64) -> Result<Leaves, SourceError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.log.leaves(want, size).await
    }

    async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.log.split(at, size).await
    }

    fn date(&self) -> Option<ServerDate> {
        None
    }
}

/// This many minutes, with a pass in each, of a CA that issues 227 certificates a second: `watched` returns the
/// certificates of a minute that a watch selects, in full number. Returns the requests, and the world afterwards.
async fn watch(minutes: u64, watched: impl Fn(u64, &World) -> Vec<Issued>) -> (u64, World) {
    let world = World::new().await;
    let ct = Arc::new(Counted {
        log: Arc::clone(&world.ct),
        requests: AtomicU64::new(0),
    });
    let logs = [
        MonitoredLog::from(Log {
            source: ct.clone(),
            ..log(&world.ct, "ct", Protocol::CtRfc6962)
        }),
        world.guided(),
    ];
    let other = world.issue("https://else.example/w").logged();
    for minute in 0..minutes {
        let issued = watched(minute, &world);
        let others = A_MINUTE.saturating_sub(issued.len() as u64) as usize;
        let leaves = issued.iter().map(Issued::logged);
        world
            .ct
            .grow(leaves.chain(std::iter::repeat_n(other.clone(), others)));
        world.v1.grow(0, crate::world::other_leaves(1));
        world.pass_over(&logs, false).await.unwrap();
        world.clock.advance(60);
    }
    let asked = world.v1.asked("") as u64;
    (asked + ct.requests.load(Ordering::Relaxed), world)
}

#[tokio::test]
async fn an_hour_of_227_certificates_a_second_costs_a_third_of_a_request_a_second() {
    let (requests, world) = watch(60, |_, _| Vec::new()).await;
    // 14 or 15 batches and a tree head each minute, the log's trees and a consistency proof, and hourly each exact
    // name.
    assert!(requests <= 60 * (15 + 1 + 2) + 1, "{requests}");
    assert!(requests < 3600);
    assert_eq!(world.open().await, nothing());
}

#[tokio::test]
async fn one_in_a_hundred_watched_costs_less_than_a_request_a_second_and_waiting_names_are_reported()
 {
    let key = rcgen::KeyPair::generate().unwrap();
    let minutes = 85;
    let (requests, world) = watch(minutes, |minute, world| {
        (0..A_MINUTE)
            .map(|number| {
                let name = RELEASE.replace("v1", &format!("{minute}.{number}"));
                issue_for(&name, world.now(), true, &key)
            })
            .collect()
    })
    .await;
    assert!(requests < 60 * minutes, "{requests}");
    let open = world.open().await;
    assert!(open.contains(&"backlog".to_owned()), "{open:?}");
    // Every one of them was alerted at once.
    let found = world.found_in("ct").await.len() as u64;
    assert_eq!(found, A_MINUTE * minutes);
}

#[tokio::test]
async fn a_thousand_certificates_under_one_name_cost_no_more_than_one() {
    let key = rcgen::KeyPair::generate().unwrap();
    let thousand = |minute, world: &World| match minute {
        2 => (0..1_000)
            .map(|number| {
                let start = world.now() + jiff::SignedDuration::from_secs(number);
                issue_for(RELEASE, start, true, &key)
            })
            .collect(),
        _ => Vec::new(),
    };
    let (requests, world) = watch(60, thousand).await;
    let (of_one, _) = watch(60, |minute, world| match minute {
        2 => vec![issue_for(RELEASE, world.now(), true, &key)],
        _ => Vec::new(),
    })
    .await;
    // Except for reading them in the CT log, and a little longer until the last one has ended.
    let reading = 1_000 / BATCH;
    assert!(requests <= of_one + reading + 5, "{requests} {of_one}");
    assert_eq!(world.found_in("ct").await.len(), 1_000);
}
