//! Trust by TUF over HTTP, from recorded repositories: what is accepted, what is refused, and what stays in use.
#![expect(clippy::unwrap_used, reason = "a broken recording is a failed test")]

#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../http_source/server.rs"]
mod server;

mod attacks;
mod repository;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use modelwatch::http::{self, Retry};
use modelwatch::trust::{
    ListedKind, Problem, Publisher, Refusal, RepositorySettings, Settings, SourceSettings,
    TrustState, TrustUpdater,
};
use tempfile::TempDir;

use server::{Answer, Server};

/// Between the signing of the recorded repositories and the end of their time.
const NOW: &str = "2026-11-21T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tuf")
}

/// A mirror that serves one of the recorded repositories, or none.
struct Mirror {
    server: Server,
    shown: Arc<Mutex<Option<&'static str>>>,
    directory: TempDir,
}

impl Mirror {
    async fn of(name: &'static str) -> Self {
        let shown = Arc::new(Mutex::new(Some(name)));
        let showing = Arc::clone(&shown);
        let server = Server::start(move |request| {
            let Some(name) = *showing.lock().unwrap() else {
                return Answer::status(403);
            };
            let path = request.path.trim_start_matches("/repository/");
            match fs::read(recorded().join(name).join(path)) {
                Ok(body) => Answer::ok(body),
                Err(_) => Answer::status(404),
            }
        })
        .await;
        Self {
            server,
            shown,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn shows(&self, name: Option<&'static str>) {
        *self.shown.lock().unwrap() = name;
    }

    fn cache(&self) -> PathBuf {
        self.directory.path().join("modelwatch.tuf.json")
    }

    /// As after a start of the program.
    fn updater(&self) -> TrustUpdater {
        TrustUpdater::open(Settings {
            source: SourceSettings::Tuf {
                repository: RepositorySettings::Mirror {
                    mirror: self.server.url("repository"),
                    root: recorded().join("root.json"),
                },
                cache: self.cache(),
            },
            monitor_config: None,
            refresh: Duration::from_hours(6),
            ignore: Vec::new(),
        })
        .unwrap()
    }

    /// A cache as the valid repository leaves it.
    async fn after_good() -> Self {
        let mirror = Self::of("good").await;
        let refreshed = mirror.updater().refresh(&client(), now()).await;
        assert_eq!(refreshed.problem, None);
        mirror
    }
}

/// Patient enough for loopback.
fn client() -> http::Client {
    http::Client::new(http::Settings {
        retry: Retry {
            tries: 1,
            ..Retry::default()
        },
        ..http::Settings::default()
    })
}

fn refusal(refreshed: &TrustState) -> Option<Refusal> {
    match &refreshed.problem {
        Some(Problem::Refused { why, .. }) => Some(*why),
        _ => None,
    }
}

#[tokio::test]
async fn a_repository_whose_root_was_rotated_gives_its_logs_and_its_version() {
    let mirror = Mirror::of("good").await;
    let mut updater = mirror.updater();
    assert!(updater.known().trust.is_none());
    let refreshed = updater.refresh_if_due(&client(), now()).await;
    assert_eq!(refreshed.problem, None);
    let update = refreshed.update.unwrap();
    assert_eq!((update.root_version, update.version), (2, 1));
    assert_eq!(update.refreshed, now());
    let trust = refreshed.trust.unwrap();
    let logs: Vec<_> = trust
        .logs()
        .iter()
        .map(|log| (log.name.clone(), log.kind.clone(), log.ends.is_some()))
        .collect();
    let v2 = |origin: &str| {
        let kind = ListedKind::RekorV2(tlog::Origin::new(origin).unwrap());
        (origin.to_owned(), kind)
    };
    let (one, ended) = v2("log2025-1.harbor.example");
    let (two, goes_on) = v2("log2026-1.harbor.example");
    assert_eq!(
        logs,
        [
            (one, ended, true),
            (two, goes_on, false),
            (
                "rekor.harbor.example".to_owned(),
                ListedKind::RekorV1,
                false
            ),
            ("ct2.harbor.example".to_owned(), ListedKind::Ct, false),
            ("ctfe.harbor.example".to_owned(), ListedKind::Ct, false),
        ]
    );
}

#[tokio::test]
async fn without_anything_known_a_bad_repository_gives_nothing_to_trust() {
    for (name, why) in [("expired", Refusal::Expired), ("forged", Refusal::Forged)] {
        let mirror = Mirror::of(name).await;
        let refreshed = mirror.updater().refresh(&client(), now()).await;
        assert_eq!(refusal(&refreshed), Some(why), "{:?}", refreshed.problem);
        assert!(refreshed.trust.is_none());
        assert!(!mirror.cache().exists(), "what was refused was kept");
    }
}

#[tokio::test]
async fn a_valid_trusted_root_stays_in_use_and_a_refused_one_never_replaces_it() {
    // Each has a timestamp that is older than the valid one, which is detected first.
    for name in ["expired", "forged", "rollback"] {
        let mirror = Mirror::after_good().await;
        let kept = fs::read(mirror.cache()).unwrap();
        mirror.shows(Some(name));
        let mut updater = mirror.updater();
        let before = updater.known();
        let refreshed = updater.refresh(&client(), now()).await;
        let why = refusal(&refreshed);
        assert_eq!(why, Some(Refusal::RolledBack), "{:?}", refreshed.problem);
        let (before, after) = (before.trust.unwrap(), refreshed.trust.unwrap());
        assert!(Arc::ptr_eq(&before, &after), "{name}");
        assert_eq!(refreshed.update.unwrap().refreshed, now());
        assert_eq!(fs::read(mirror.cache()).unwrap(), kept, "{name}");
    }
}

#[tokio::test]
async fn an_unreachable_repository_is_no_refusal_and_its_cache_serves_for_ever() {
    let mirror = Mirror::after_good().await;
    mirror.shows(None);
    // Everything in it has expired by then: it is judged as of the day it was fetched.
    let much_later: Timestamp = "2050-01-01T00:00:00Z".parse().unwrap();
    let refreshed = mirror.updater().refresh_if_due(&client(), much_later).await;
    assert!(matches!(refreshed.problem, Some(Problem::Unreachable(_))));
    assert_eq!(refreshed.update.unwrap().refreshed, now());
    assert_eq!(refreshed.trust.unwrap().logs().len(), 5);

    let absent = Mirror::of("good").await;
    absent.shows(None);
    let refreshed = absent.updater().refresh(&client(), now()).await;
    assert!(matches!(refreshed.problem, Some(Problem::Unreachable(_))));
    assert!(refreshed.trust.is_none());
}

#[tokio::test]
async fn a_page_in_the_repositorys_place_is_no_offer() {
    let server = Server::start(|_| Answer::ok("<html>please log in</html>")).await;
    let mut mirror = Mirror::after_good().await;
    mirror.server = server;
    let refreshed = mirror.updater().refresh(&client(), now()).await;
    assert!(
        matches!(refreshed.problem, Some(Problem::Unreachable(_))),
        "{:?}",
        refreshed.problem
    );
    assert!(refreshed.trust.is_some());
}

/// As root, which may give files away: a service must be able to read what a `check` by root leaves.
#[cfg(unix)]
#[tokio::test]
async fn the_cache_belongs_to_the_owner_of_its_directory() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let mirror = Mirror::of("good").await;
    // Not everybody may.
    let _ = chown(mirror.directory.path(), Some(61_234), Some(61_234));
    let owner = mirror.directory.path().metadata().unwrap().uid();
    let refreshed = mirror.updater().refresh(&client(), now()).await;
    assert_eq!(refreshed.problem, None);
    let cache = mirror.cache().metadata().unwrap();
    assert_eq!(cache.uid(), owner);
    assert_eq!(cache.mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_cache_that_was_changed_is_neither_trusted_nor_an_obstacle() {
    let mirror = Mirror::after_good().await;
    let kept = fs::read_to_string(mirror.cache()).unwrap();
    for damaged in [
        kept.replace("log2026-1.harbor.example", "log2026-1.wicked.example"),
        kept.replace("ed25519", "ed25518"),
        kept[..kept.len() / 2].to_owned(),
        String::new(),
    ] {
        fs::write(mirror.cache(), damaged).unwrap();
        let mut updater = mirror.updater();
        assert!(updater.known().trust.is_none());
        let refreshed = updater.refresh_if_due(&client(), now()).await;
        assert_eq!(refreshed.problem, None);
        assert!(refreshed.trust.is_some());
    }
}

#[tokio::test]
async fn a_repository_is_read_when_its_answer_is_old_and_not_again_at_once_after_a_failure() {
    let mirror = Mirror::after_good().await;
    let asked = || mirror.server.requests().len();
    let mut updater = mirror.updater();
    for (minutes, there, due) in [
        (5, true, false),
        (359, true, false),
        (360, true, true),
        (365, true, false),
        (720, true, true),
        (1_080, false, true),
        (1_081, false, false),
        (1_089, false, false),
        (1_090, false, true),
        // A clock that was set back makes the last answer one of the future.
        (-2_880, true, true),
    ] {
        mirror.shows(there.then_some("good"));
        let before = asked();
        let at = now() + SignedDuration::from_mins(minutes);
        let refreshed = updater.refresh_if_due(&client(), at).await;
        assert_eq!(asked() > before, due, "after {minutes} minutes");
        assert_eq!(
            refreshed.problem.is_none(),
            there,
            "after {minutes} minutes"
        );
    }
}

#[tokio::test]
async fn the_roots_of_sigstores_instances_are_compiled_in() {
    for repository in [RepositorySettings::PublicGood, RepositorySettings::Staging] {
        let directory = tempfile::tempdir().unwrap();
        let updater = TrustUpdater::open(Settings {
            source: SourceSettings::Tuf {
                repository,
                cache: directory.path().join("cache"),
            },
            monitor_config: None,
            refresh: Duration::from_hours(6),
            ignore: Vec::new(),
        });
        assert!(updater.unwrap().known().trust.is_none());
    }
}

#[tokio::test]
async fn a_file_that_becomes_unusable_is_refused_and_the_one_before_serves() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/trust");
    let harbor = fs::read(data.join("harbor.json")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trusted_root.json");
    fs::write(&path, &harbor).unwrap();
    let settings = |source| Settings {
        source,
        monitor_config: None,
        refresh: Duration::from_hours(6),
        ignore: Vec::new(),
    };
    let mut updater =
        TrustUpdater::open(settings(SourceSettings::TrustedRoot(path.clone()))).unwrap();
    let first = updater.known().trust.unwrap();
    assert!(first.logs().is_empty(), "a plain root names no logs");
    for broken in [&b""[..], b"{}", &harbor[..harbor.len() / 2]] {
        fs::write(&path, broken).unwrap();
        let refreshed = updater.refresh_if_due(&client(), now()).await;
        assert_eq!(refusal(&refreshed), Some(Refusal::Unusable));
        assert!(Arc::ptr_eq(&first, &refreshed.trust.unwrap()));
    }
    fs::remove_file(&path).unwrap();
    let refreshed = updater.refresh_if_due(&client(), now()).await;
    assert_eq!(refusal(&refreshed), Some(Refusal::Unusable));

    fs::write(&path, &harbor).unwrap();
    let refreshed = updater.refresh_if_due(&client(), now()).await;
    assert_eq!(refreshed.problem, None);
    assert!(Arc::ptr_eq(&first, &refreshed.trust.unwrap()));

    fs::write(&path, sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT).unwrap();
    let refreshed = updater.refresh_if_due(&client(), now()).await;
    let second = refreshed.trust.unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    // The configuration does not fit it: that is reported until it does, and it is tried again.
    updater.refuse(Arc::clone(&first), "a log has no key".to_owned());
    assert_eq!(refusal(&updater.known()), Some(Refusal::Unusable));
    let refreshed = updater.refresh_if_due(&client(), now()).await;
    assert!(!Arc::ptr_eq(&first, &refreshed.trust.unwrap()));
}

#[tokio::test]
async fn the_signing_configuration_of_a_repository_is_the_default_one() {
    let mirror = Mirror::after_good().await;
    let repository = RepositorySettings::Mirror {
        mirror: mirror.server.url("repository"),
        root: recorded().join("root.json"),
    };
    let publisher = Publisher::open(&repository, mirror.cache()).unwrap();
    let found = publisher.kept().unwrap().signing_config.clone().unwrap();
    let files = fs::read_dir(recorded().join("good/targets")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let default = files.into_iter().find(|path| {
        let name = path.to_string_lossy();
        name.ends_with("signing_config.v0.2.json")
    });
    assert_eq!(found, fs::read(default.unwrap()).unwrap());
}

#[tokio::test]
async fn a_client_trust_config_names_logs_and_is_distinguished_from_a_trusted_root() {
    let repository = recorded().join("good/targets");
    let part = |name: &str| -> serde_json::Value {
        let file = fs::read_dir(&repository)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().ends_with(name))
            .unwrap();
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    };
    let both = serde_json::json!({
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": part(".trusted_root.json"),
        "signingConfig": part(".signing_config.v0.2.json"),
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trust_config.json");
    fs::write(&path, both.to_string()).unwrap();
    let open = |source| {
        TrustUpdater::open(Settings {
            source,
            monitor_config: None,
            refresh: Duration::from_hours(6),
            ignore: Vec::new(),
        })
    };
    let updater = open(SourceSettings::ClientTrustConfig(path.clone())).unwrap();
    assert_eq!(updater.known().trust.unwrap().logs().len(), 5);

    let error = open(SourceSettings::TrustedRoot(path.clone()))
        .err()
        .unwrap();
    assert!(error.to_string().contains("clienttrustconfig"), "{error}");
    fs::write(&path, part(".trusted_root.json").to_string()).unwrap();
    let error = open(SourceSettings::ClientTrustConfig(path)).err().unwrap();
    assert!(error.to_string().contains("trustedroot"), "{error}");
}
