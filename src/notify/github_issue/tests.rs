#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::notify::chat_webhook::tests::{flood, is_own, outside_code};
use crate::notify::testing::{self, Answer, FakeServer, HOSTILE, Received};

const TOKEN: &str = "github_pat_0123456789abcdef";

/// The account of the token.
const OWN: u64 = 7;

/// A repository on GitHub, with the limits of the real one.
#[derive(Default)]
struct Hub {
    is_public: bool,
    /// Labels are set only by tokens with write access.
    sets_no_labels: bool,
    issues: Vec<Value>,
    comments: Vec<(u64, String)>,
}

impl Hub {
    fn answer(&mut self, received: &Received) -> Answer {
        if received.headers.get("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Answer::new(401, r#"{"message":"Bad credentials"}"#);
        }
        if received.headers.get("accept").map(String::as_str) != Some("application/vnd.github+json")
            || !received.headers.contains_key("user-agent")
        {
            return Answer::new(415, r#"{"message":"Unsupported"}"#);
        }
        let url = Url::parse("http://hub.invalid")
            .unwrap()
            .join(&received.path)
            .unwrap();
        let path: Vec<&str> = url.path_segments().unwrap().collect();
        let content = received.json();
        match (received.method.as_str(), path.as_slice()) {
            ("GET", ["user"]) => Answer::json(200, &json!({ "id": OWN, "login": "watcher" })),
            ("GET", ["repos", "harbor", "alarms"]) => Answer::json(
                200,
                &json!({ "private": !self.is_public, "has_issues": true }),
            ),
            ("GET", ["repos", "harbor", "alarms", "issues"]) => self.list(&url),
            ("POST", ["repos", "harbor", "alarms", "issues"]) => self.open(&content, OWN),
            ("POST", ["repos", "harbor", "alarms", "issues", number, "comments"]) => {
                let body = content["body"].as_str().unwrap();
                if body.is_empty() || body.chars().count() > 65_536 {
                    return Answer::new(422, r#"{"message":"Validation Failed"}"#);
                }
                self.comments
                    .push((number.parse().unwrap(), body.to_owned()));
                Answer::json(201, &json!({}))
            }
            ("PATCH", ["repos", "harbor", "alarms", "issues", number]) => {
                let number: usize = number.parse().unwrap();
                self.issues[number - 1]["state"] = content["state"].clone();
                Answer::json(200, &self.issues[number - 1])
            }
            _ => Answer::new(404, r#"{"message":"Not Found"}"#),
        }
    }

    fn list(&self, url: &Url) -> Answer {
        let value = |key: &str| {
            url.query_pairs()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value.into_owned())
        };
        let (page, per_page): (usize, usize) = (
            value("page").unwrap().parse().unwrap(),
            value("per_page").unwrap().parse().unwrap(),
        );
        assert!(per_page <= 100 && value("creator").as_deref() == Some("watcher"));
        let label = value("labels");
        let listed: Vec<&Value> = self
            .issues
            .iter()
            .rev()
            // A server that ignores `creator`: the channel has to look itself.
            .filter(|issue| {
                let mut labels = issue["labels"].as_array().unwrap().iter();
                label
                    .as_ref()
                    .is_none_or(|label| labels.any(|one| one["name"] == **label))
            })
            .skip((page - 1) * per_page)
            .take(per_page)
            .collect();
        Answer::json(200, &json!(listed))
    }

    fn open(&mut self, content: &Value, author: u64) -> Answer {
        let length = |key: &str| content[key].as_str().map_or(0, |text| text.chars().count());
        if !(1..=256).contains(&length("title")) || length("body") > 65_536 {
            return Answer::new(422, r#"{"message":"Validation Failed"}"#);
        }
        let labels = content["labels"].as_array().into_iter().flatten();
        let labels: Vec<Value> = labels.map(|name| json!({ "name": name })).collect();
        let issue = json!({
            "number": self.issues.len() + 1,
            "state": "open",
            "title": content["title"],
            "body": content["body"],
            "user": { "id": author },
            "labels": if self.sets_no_labels { Vec::new() } else { labels },
        });
        self.issues.push(issue.clone());
        Answer::json(201, &issue)
    }
}

struct World {
    hub: Arc<Mutex<Hub>>,
    server: FakeServer,
    directory: tempfile::TempDir,
}

impl World {
    async fn new(hub: Hub) -> Self {
        let hub = Arc::new(Mutex::new(hub));
        let answering = hub.clone();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("token"), TOKEN).unwrap();
        Self {
            hub,
            server: FakeServer::start(move |received| answering.lock().unwrap().answer(received))
                .await,
            directory,
        }
    }

    fn settings(&self) -> GitHubSettings {
        GitHubSettings {
            api: self.server.url(""),
            owner: "harbor".to_owned(),
            repository: "alarms".to_owned(),
            token: SecretSource::File(self.directory.path().join("token")),
            labels: vec!["modelwatch".to_owned()],
            allow_public: false,
            allow_private: vec!["127.0.0.1".to_owned()],
        }
    }

    async fn send(&self, message: &Message) -> Result<(), NotifyError> {
        let links = Links::new(Some("https://watch.example".parse().unwrap()));
        let channel = self.settings().notifier(&Client::default(), &links);
        channel.send(message, testing::NOW).await
    }

    fn issues(&self) -> Vec<Value> {
        self.hub.lock().unwrap().issues.clone()
    }
}

fn resolution(alert: &Message) -> Message {
    Message {
        kind: Kind::Resolved,
        id: "another".to_owned(),
        ..alert.clone()
    }
}

#[tokio::test]
async fn an_alert_opens_one_issue_and_its_resolution_comments_and_closes_it() {
    let world = World::new(Hub::default()).await;
    let alert = testing::alert(vec![testing::signing(138)]);
    for _ in 0..2 {
        // The second time as after a crash between sending and recording.
        world.send(&alert).await.unwrap();
    }
    let issues = world.issues();
    assert_eq!(issues.len(), 1);
    assert_eq!(
        issues[0]["title"],
        "[modelwatch] critical: A signing under a watched identity (01234567)"
    );
    let body = issues[0]["body"].as_str().unwrap();
    assert!(
        body.contains("[Open in modelwatch](<https://watch.example/findings/"),
        "{body}"
    );
    for _ in 0..2 {
        world.send(&resolution(&alert)).await.unwrap();
    }
    assert_eq!(world.issues()[0]["state"], "closed");
    let comments = world.hub.lock().unwrap().comments.clone();
    assert_eq!(comments.len(), 1);
    assert!(
        comments[0].0 == 1 && comments[0].1.contains("It ends the alert"),
        "{comments:?}"
    );
}

#[tokio::test]
async fn an_issue_of_another_account_is_never_taken_for_ours() {
    let alert = testing::alert(vec![testing::signing(138)]);
    let mut hub = Hub::default();
    let forged =
        json!({ "title": "x", "body": body::marker(&alert.key), "labels": ["modelwatch"] });
    hub.open(&forged, OWN + 1);
    let world = World::new(hub).await;
    world.send(&alert).await.unwrap();
    assert_eq!(world.issues().len(), 2, "the alert has an issue of its own");
    world.send(&resolution(&alert)).await.unwrap();
    let states: Vec<Value> = world
        .issues()
        .iter()
        .map(|issue| issue["state"].clone())
        .collect();
    assert_eq!(states, ["open", "closed"]);
}

#[tokio::test]
async fn an_issue_is_found_among_many_and_without_its_label() {
    let alert = testing::alert(vec![testing::signing(138)]);
    let mut hub = Hub {
        sets_no_labels: true,
        ..Hub::default()
    };
    let ours = json!({ "title": "x", "body": body::marker(&alert.key) });
    hub.open(&ours, OWN);
    for _ in 0..250 {
        hub.open(&json!({ "title": "x", "body": "y" }), OWN);
    }
    let world = World::new(hub).await;
    world.send(&alert).await.unwrap();
    assert_eq!(world.issues().len(), 251);
    world.send(&resolution(&alert)).await.unwrap();
    assert_eq!(world.issues()[0]["state"], "closed");
}

#[tokio::test]
async fn a_label_that_was_not_set_is_reported_though_the_alert_is_delivered() {
    let world = World::new(Hub {
        sets_no_labels: true,
        ..Hub::default()
    })
    .await;
    let channel = world
        .settings()
        .notifier(&Client::default(), &Links::default());
    let mut receipt = Receipt::default();
    let alert = testing::alert(vec![testing::signing(1)]);
    channel
        .send_to_rest(&alert, &mut receipt, testing::NOW)
        .await
        .unwrap();
    assert_eq!(world.issues().len(), 1);
    assert!(receipt.complaint.unwrap().contains("write access"));
}

#[tokio::test]
async fn a_public_repository_is_refused_unless_it_is_allowed() {
    let world = World::new(Hub {
        is_public: true,
        ..Hub::default()
    })
    .await;
    let alert = testing::alert(vec![testing::signing(138)]);
    let error = world.send(&alert).await.unwrap_err();
    assert!(matches!(error, NotifyError::Setup { .. }), "{error}");
    assert!(error.to_string().contains("allow_public"), "{error}");
    assert!(world.issues().is_empty());
    let mut settings = world.settings();
    let refused = settings.refused(&Client::default()).await;
    assert_eq!(refused[0].key, "repository");
    settings.allow_public = true;
    assert!(settings.refused(&Client::default()).await.is_empty());
    let channel = settings.notifier(&Client::default(), &Links::default());
    channel.send(&alert, testing::NOW).await.unwrap();
    assert_eq!(world.issues().len(), 1);
}

#[tokio::test]
async fn a_test_leaves_no_open_issue() {
    let world = World::new(Hub::default()).await;
    for test in Message::tests(testing::NOW) {
        world.send(&test).await.unwrap();
    }
    let issues = world.issues();
    assert_eq!((issues.len(), &issues[0]["state"]), (1, &json!("closed")));
}

#[tokio::test]
async fn an_issue_keeps_the_limits_and_contains_no_markup_of_a_signer() {
    let world = World::new(Hub::default()).await;
    let mut messages: Vec<Message> = HOSTILE
        .iter()
        .map(|hostile| testing::alert(vec![testing::hostile(hostile)]))
        .collect();
    messages.push(flood());
    for (number, message) in messages.iter_mut().enumerate() {
        message.key = format!("{number:032}");
        world.send(message).await.unwrap();
    }
    let issues = world.issues();
    assert_eq!(issues.len(), messages.len());
    for (issue, message) in issues.iter().zip(&messages) {
        let (title, body) = (
            issue["title"].as_str().unwrap(),
            issue["body"].as_str().unwrap(),
        );
        assert!(is_own(title), "{title}");
        let own = outside_code(body);
        assert!(is_own(&own), "{own}");
        assert_eq!(body.matches("<!--").count(), 1, "{body}");
        assert!(body.ends_with(&body::marker(&message.key)));
    }
}

#[tokio::test]
async fn errors_contain_no_token_and_both_kinds_of_rate_limits_are_obeyed() {
    let limited = |status, headers, body: &'static str| Answer {
        status,
        headers,
        body: body.to_owned(),
    };
    for (answer, pause) in [
        (
            limited(429, "Retry-After: 30\r\n", ""),
            Some(Duration::from_secs(30)),
        ),
        (
            limited(
                403,
                "Retry-After: 60\r\n",
                r#"{"message":"You have exceeded a secondary rate limit"}"#,
            ),
            Some(Duration::from_mins(1)),
        ),
        (
            limited(
                403,
                "",
                r#"{"message":"API rate limit exceeded for github_pat_0123456789abcdef"}"#,
            ),
            None,
        ),
    ] {
        let server = FakeServer::start(move |_| answer.clone()).await;
        let world = World::new(Hub::default()).await;
        let mut settings = world.settings();
        settings.api = server.url("");
        let channel = settings.notifier(&Client::default(), &Links::default());
        let alert = testing::alert(vec![testing::signing(1)]);
        let error = channel.send(&alert, testing::NOW).await.unwrap_err();
        assert_eq!(error.retry_after(), pause, "{error}");
        assert!(
            !format!("{error} {error:?} {settings:?}").contains("github_pat"),
            "{error}"
        );
    }
}

#[test]
fn the_keys_are_checked() {
    let remarks = |values: &[(&'static str, &str)]| {
        let mut written = Written::new(std::path::Path::new("/"));
        for (key, value) in values {
            let value = match *key {
                "token" => crate::notify::Value::Secret(SecretSource::Env((*value).to_owned())),
                _ => crate::notify::Value::Text((*value).to_owned()),
            };
            written.insert(key, value);
        }
        let settings = read(&mut written);
        let messages: Vec<String> = written
            .into_remarks()
            .into_iter()
            .map(|remark| remark.message)
            .collect();
        (settings, messages.join("; "))
    };
    for (values, message) in [
        (
            &[][..],
            "repository is missing; one of token_env and token_file is missing",
        ),
        (
            &[("repository", "harbor"), ("token", "T")],
            "is not a repository",
        ),
        (
            &[("repository", "harbor/../x"), ("token", "T")],
            "is not a repository",
        ),
        (
            &[("repository", "h/.."), ("token", "T")],
            "is not a repository",
        ),
        (
            &[
                ("repository", "h/a"),
                ("token", "T"),
                ("api", "http://git.example/api/v3"),
            ],
            "in the clear",
        ),
    ] {
        let (settings, messages) = remarks(values);
        assert!(
            settings.is_none() && messages.contains(message),
            "{messages}"
        );
    }
    for (api, repository) in [
        ("https://api.github.com", "https://github.com/harbor/alarms"),
        (
            "https://git.example/api/v3/",
            "https://git.example/harbor/alarms",
        ),
    ] {
        let (settings, messages) = remarks(&[
            ("repository", "harbor/alarms"),
            ("token", "T"),
            ("api", api),
        ]);
        assert_eq!(
            settings.unwrap().repository().unwrap().as_str(),
            repository,
            "{messages}"
        );
    }
}
