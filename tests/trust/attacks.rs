//! Mirrors, caches and clocks that are not as they should be.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use modelwatch::trust::{
    Problem, Publisher, Refusal, RepositorySettings, Settings, SourceSettings, TrustUpdater,
};
use tempfile::TempDir;
use url::Url;

use crate::repository::{Files, Repository, serve};
use crate::server::{Answer, Server};
use crate::{client, now, refusal};

/// A mirror of one repository, and a directory for the cache.
struct Site {
    server: Server,
    shown: Arc<Mutex<Files>>,
    directory: TempDir,
}

impl Site {
    async fn of(repository: &Repository) -> Self {
        let (server, shown) = serve(&repository.files).await;
        let site = Self {
            server,
            shown,
            directory: tempfile::tempdir().unwrap(),
        };
        fs::write(site.root(), repository.anchor()).unwrap();
        site
    }

    fn shows(&self, repository: &Repository) {
        *self.shown.lock().unwrap() = repository.files.clone();
    }

    fn is_down(&self) {
        self.shown.lock().unwrap().clear();
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root.json")
    }

    fn cache(&self) -> PathBuf {
        self.directory.path().join("cache.json")
    }

    /// As after a start of the program.
    fn updater(&self) -> TrustUpdater {
        updater(self.server.url("repository"), self.root(), &self.cache())
    }
}

fn updater(mirror: Url, root: PathBuf, cache: &Path) -> TrustUpdater {
    TrustUpdater::open(Settings {
        source: SourceSettings::Tuf {
            repository: RepositorySettings::Mirror { mirror, root },
            cache: cache.to_owned(),
        },
        monitor_config: None,
        refresh: Duration::from_hours(6),
        ignore: Vec::new(),
    })
    .unwrap()
}

fn published() -> Repository {
    let mut repository = Repository::new(1);
    repository.publish();
    repository
}

fn after(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

#[tokio::test]
async fn a_cache_is_verified_when_it_is_opened_and_serves_from_then_on() {
    let site = Site::of(&published()).await;
    let open = || {
        let repository = RepositorySettings::Mirror {
            mirror: site.server.url("repository"),
            root: site.root(),
        };
        Publisher::open(&repository, site.cache()).unwrap()
    };
    let mut publisher = open();
    assert!(publisher.kept().is_none());
    publisher.refresh(&client(), now()).await.unwrap();
    let kept = publisher.kept().unwrap().clone();
    assert_eq!(kept.refreshed, now());
    let opened = open();
    assert_eq!(opened.kept(), Some(&kept));
    // From here on the file does not verify: its signatures are other ones.
    let text = fs::read_to_string(site.cache()).unwrap();
    fs::write(
        site.cache(),
        text.replace("\\\"sig\\\":\\\"", "\\\"sig\\\":\\\"00"),
    )
    .unwrap();
    assert_ne!(fs::read_to_string(site.cache()).unwrap(), text);
    assert_eq!(opened.kept(), Some(&kept));
    assert!(open().kept().is_none());
}

#[tokio::test]
async fn a_chain_of_a_thousand_roots_is_walked_and_not_again() {
    let mut repository = Repository::new(1);
    for _ in 0..1000 {
        repository.another_root();
    }
    repository.publish();
    let site = Site::of(&repository).await;
    let refreshed = site.updater().refresh(&client(), now()).await;
    assert_eq!(refreshed.problem, None);
    assert_eq!(refreshed.update.unwrap().root_version, 1001);
    let asked = site.server.requests().len();
    let refreshed = site.updater().refresh(&client(), now()).await;
    assert_eq!(refreshed.problem, None);
    assert!(site.server.requests().len() < asked + 5);
}

#[tokio::test]
async fn a_chain_without_end_gets_on_and_what_was_known_serves() {
    let mut repository = published();
    let site = Site::of(&repository).await;
    site.updater().refresh(&client(), now()).await;
    for _ in 0..1100 {
        repository.another_root();
    }
    repository.publish();
    site.shows(&repository);
    let refreshed = site.updater().refresh(&client(), after(1)).await;
    assert!(matches!(refreshed.problem, Some(Problem::Unreachable(_))));
    assert_eq!(refreshed.update.unwrap().root_version, 1);
    let refreshed = site.updater().refresh(&client(), after(2)).await;
    assert_eq!(refreshed.problem, None);
    assert_eq!(refreshed.update.unwrap().root_version, 1101);
}

#[tokio::test]
async fn a_withdrawn_key_is_not_trusted_again_if_the_rest_of_the_update_was_refused() {
    let mut repository = published();
    let site = Site::of(&repository).await;
    site.updater().refresh(&client(), now()).await;
    // The root that withdraws the stolen key is seen, but nothing is signed with the new one yet.
    repository.withdraw_timestamp_key(9);
    let mut stolen = published();
    stolen.publish();
    for (name, bytes) in &stolen.files {
        if !name.ends_with("root.json") {
            repository.files.insert(name.clone(), bytes.clone());
        }
    }
    site.shows(&repository);
    let refreshed = site.updater().refresh(&client(), after(1)).await;
    assert_eq!(refusal(&refreshed), Some(Refusal::Forged));
    assert_eq!(refreshed.update.unwrap().version, 1, "what was good serves");
    // Now the attacker hides that root, and signs with the key that it withdrew.
    site.shows(&stolen);
    let mut updater = site.updater();
    assert_eq!(updater.known().update.unwrap().version, 1, "also anew");
    let refreshed = updater.refresh(&client(), after(2)).await;
    assert_eq!(refusal(&refreshed), Some(Refusal::Forged));
    // The repository continues.
    repository.publish();
    repository.publish();
    site.shows(&repository);
    let refreshed = updater.refresh(&client(), after(3)).await;
    assert_eq!(refreshed.problem, None);
    let update = refreshed.update.unwrap();
    assert_eq!((update.root_version, update.version), (2, 3));
    site.is_down();
    assert_eq!(site.updater().known().update, Some(update));
}

#[tokio::test]
async fn what_another_process_has_seen_is_not_forgotten() {
    let mut repository = published();
    let old = repository.files.clone();
    let site = Site::of(&repository).await;
    let (mut daemon, mut check) = (site.updater(), site.updater());
    daemon.refresh(&client(), now()).await;
    repository.publish();
    site.shows(&repository);
    check.refresh(&client(), after(1)).await;
    *site.shown.lock().unwrap() = old;
    let refreshed = daemon.refresh(&client(), after(2)).await;
    assert_eq!(refusal(&refreshed), Some(Refusal::RolledBack));
    // And its cache is still the newest.
    assert_eq!(site.updater().known().update.unwrap().version, 2);
}

#[tokio::test]
async fn two_processes_at_once_leave_a_cache_that_serves() {
    let repository = published();
    let site = Site::of(&repository).await;
    let processes: Vec<_> = (0..8)
        .map(|second| {
            let mut updater = site.updater();
            let at = now() + SignedDuration::from_secs(second);
            tokio::spawn(async move { updater.refresh(&client(), at).await.problem })
        })
        .collect();
    for process in processes {
        assert_eq!(process.await.unwrap(), None);
    }
    site.is_down();
    let known = site.updater().known();
    assert!(known.trust.is_some());
    assert_eq!(known.update.unwrap().version, 1);
    let left = fs::read_dir(site.directory.path()).unwrap().count();
    assert_eq!(left, 2, "no temporary file is left");
}

#[tokio::test]
async fn a_cache_of_another_repository_is_neither_trusted_nor_an_obstacle() {
    let mut other = Repository::new(2);
    for _ in 0..5 {
        other.another_root();
    }
    other.publish();
    let elsewhere = Site::of(&other).await;
    elsewhere.updater().refresh(&client(), now()).await;
    let repository = published();
    let site = Site::of(&repository).await;
    fs::copy(elsewhere.cache(), site.cache()).unwrap();
    let mut updater = site.updater();
    assert!(updater.known().trust.is_none());
    let refreshed = updater.refresh_if_due(&client(), after(1)).await;
    assert_eq!(refreshed.problem, None);
    assert_eq!(refreshed.update.unwrap().root_version, 1);
    site.is_down();
    assert!(site.updater().known().trust.is_some());
}

#[tokio::test]
async fn a_mirror_that_leads_elsewhere_is_not_followed() {
    let elsewhere = Server::start(|_| panic!("it must not be asked")).await;
    let port = elsewhere.url.port().unwrap();
    let repository = published();
    let site = Site::of(&repository).await;
    let server = Server::start(move |request| {
        let to = format!("Location: http://localhost:{port}{}", request.path);
        Answer::Reply(302, vec![to], Vec::new())
    })
    .await;
    let mut updater = updater(server.url("repository"), site.root(), &site.cache());
    let refreshed = updater.refresh(&client(), now()).await;
    assert!(matches!(refreshed.problem, Some(Problem::Unreachable(_))));
    assert!(!site.cache().exists());
}

#[tokio::test]
async fn no_file_is_read_beyond_its_limit() {
    let repository = published();
    for (name, limit) in [
        ("2.root.json", 512_000),
        ("timestamp.json", 16_384),
        ("snapshot.json", 2_000_000),
        ("targets.json", 5_000_000),
        // Its length is signed.
        ("targets/trusted_root.json", 6_000),
    ] {
        let site = Site::of(&repository).await;
        let files = repository.files.clone();
        let server = Server::start(move |request| {
            let asked = request.path.trim_start_matches("/repository/");
            if asked == name {
                return Answer::Endless(vec![b' '; 4096]);
            }
            match files.get(asked) {
                Some(body) => Answer::ok(body.clone()),
                None => Answer::status(404),
            }
        })
        .await;
        let mut updater = updater(server.url("repository"), site.root(), &site.cache());
        let refreshed = updater.refresh(&client(), now()).await;
        let Some(Problem::Unreachable(why)) = refreshed.problem else {
            panic!("{name}: {:?}", refreshed.problem)
        };
        assert!(why.contains("bytes"), "{name}, {limit}: {why}");
        assert!(!site.cache().exists());
    }
}

#[tokio::test]
async fn a_clock_that_is_far_off_costs_nothing_that_was_known() {
    let mut repository = Repository::new(1).expiring("2026-11-28T00:00:00Z");
    repository.publish();
    let site = Site::of(&repository).await;
    site.updater().refresh(&client(), now()).await;
    let years = |years: i64| now() + SignedDuration::from_hours(24 * 365 * years);
    let refreshed = site.updater().refresh(&client(), years(30)).await;
    assert_eq!(refusal(&refreshed), Some(Refusal::Expired));
    assert!(refreshed.trust.is_some());
    // Nothing has expired yet: nothing looks wrong, and the answer is old when the clock is right again.
    let mut updater = site.updater();
    let refreshed = updater.refresh(&client(), years(-20)).await;
    assert_eq!(refreshed.problem, None);
    let refreshed = updater.refresh_if_due(&client(), now()).await;
    assert_eq!(refreshed.update.unwrap().refreshed, now());
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_no_reason_not_to_see() {
    let repository = published();
    let site = Site::of(&repository).await;
    let nowhere = site.directory.path().join("absent/cache.json");
    let mut updater = updater(site.server.url("repository"), site.root(), &nowhere);
    let refreshed = updater.refresh(&client(), now()).await;
    assert_eq!(refreshed.problem, None);
    assert!(refreshed.trust.is_some());
}

#[tokio::test]
async fn messages_of_a_mirror_are_repeated_up_to_a_limit() {
    let repository = published();
    let site = Site::of(&repository).await;
    let reported = "x".repeat(100_000);
    let server = Server::start(move |_| Answer::ok(format!("{{\"signed\":\"{reported}\"}}"))).await;
    let mut updater = updater(server.url("repository"), site.root(), &site.cache());
    let problem = updater.refresh(&client(), now()).await.problem.unwrap();
    assert!(problem.to_string().len() < 600, "{problem}");
}
