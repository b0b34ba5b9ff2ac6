//! The parts of a world.

use std::sync::Arc;
use std::time::Duration;

use modelwatch::finding::{ChannelRoute, Routes};
use modelwatch::identity::Authorities;
use modelwatch::judge::Rules;
use modelwatch::log::{LogId, Protocol, Shard, Start};
use modelwatch::monitor::Log;
use modelwatch::store::Settings;
use modelwatch::store::sqlite::SqliteStore;
use modelwatch::watch::Watches;
use tempfile::TempDir;
use tlog::Origin;

use super::{Condition, FakeLog, Faults, FaultyStore, GITHUB, OWL, Spec, authorities};

/// One log of a world.
#[derive(Clone)]
pub struct Watched {
    pub log: Arc<FakeLog>,
    pub shard: Arc<Shard>,
}

impl Watched {
    pub fn new(origin: &str, start: Start) -> Self {
        let log = Arc::new(FakeLog::new(origin));
        let shard = Shard {
            name: origin.split('.').next().unwrap_or(origin).to_owned(),
            log: LogId::new(origin),
            origin: Origin::new(origin).expect("a line"),
            label: None,
            protocol: Protocol::RekorV2,
            base: 0,
            ended: false,
            verifiers: vec![log.verifier()],
            promise_keys: Vec::new(),
            start,
            silence_after: Some(Duration::from_hours(24)),
            rollback_after: Duration::ZERO,
        };
        Self {
            log,
            shard: Arc::new(shard),
        }
    }

    pub fn log(&self) -> Log {
        Log {
            shard: Arc::clone(&self.shard),
            source: self.log.clone(),
        }
    }
}

/// The watches of most tests: one by name, one by scope with a shape, one of a person.
pub fn usual() -> Vec<Spec> {
    let tags = Condition::Glob("https://github.com/acme/owl/.github/workflows/*@refs/tags/*");
    vec![
        Spec::new("release", [tags, Condition::Issuer(GITHUB)]),
        Spec::new("scope", [Condition::Repository(OWL)]).shape([tags]),
        Spec::new("mail", [Condition::San("Release@ACME.example")]),
        Spec::new(
            "harbor",
            [Condition::Glob("https://github.com/harbor-ml-example/*")],
        ),
    ]
}

/// In memory if the machine has such a file system: otherwise commits wait for the disk, and no power failure is
/// tested.
pub fn directory() -> TempDir {
    TempDir::new_in("/dev/shm")
        .or_else(|_| TempDir::new())
        .expect("a directory")
}

pub async fn open(directory: &TempDir, faults: &Arc<Faults>, routes: &Routes) -> Arc<FaultyStore> {
    let settings = Settings {
        path: directory.path().join("world.db"),
        routes: routes.clone(),
    };
    let inner = SqliteStore::open(settings).await.expect("a database");
    Arc::new(FaultyStore {
        inner: Arc::new(inner),
        faults: Arc::clone(faults),
    })
}

pub fn rules(specs: &[Spec], trusted: bool) -> Arc<Rules> {
    let watches = Watches::compile(specs.iter().map(Spec::watch).collect());
    let authorities: Authorities = if trusted {
        authorities()
    } else {
        Authorities::usable_of(Vec::new()).0
    };
    Arc::new(Rules::new(
        watches.expect("sound watches"),
        Some(authorities),
    ))
}

pub fn routes(specs: &[Spec], channels: &[String]) -> Routes {
    let channels = channels
        .iter()
        .map(|name| ChannelRoute {
            name: name.clone(),
            ..ChannelRoute::default()
        })
        .collect();
    let by_watch = specs
        .iter()
        .filter_map(|spec| {
            let names = spec.notify.as_ref()?;
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            Some((spec.name.to_owned(), names))
        })
        .collect();
    Routes::new(channels, by_watch)
}
