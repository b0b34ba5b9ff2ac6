//! The outbox with the real channels, over loopback.

use super::*;
use crate::notify::CHANNEL_TYPES;
use crate::notify::testing::{Answer, FakeServer};
use crate::notify::{ChannelSettings, Links, Value, Written};
use crate::secret::{SecretSource, UrlSource};

/// The settings of a type of channel, as the configuration makes them.
fn settings(name: &str, directory: &tempfile::TempDir, url: &url::Url) -> Arc<dyn ChannelSettings> {
    let of_type = CHANNEL_TYPES.into_iter().find(|known| known.name == name);
    let secret = |file: &str, text: &str| {
        let path = directory.path().join(format!("{name}-{file}"));
        std::fs::write(&path, text).unwrap();
        SecretSource::File(path)
    };
    let mut written = Written::new(directory.path());
    let url = UrlSource::Secret(secret("url", url.as_str()));
    written.insert("url", Value::Url(url));
    written.insert("routing_key", Value::Secret(secret("key", "k")));
    written.insert("allow_private", Value::Texts(vec!["127.0.0.1".to_owned()]));
    (of_type.unwrap().read)(&mut written).unwrap()
}

#[tokio::test]
async fn a_channel_that_is_down_or_asked_to_wait_stops_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let limited = FakeServer::start(|_| Answer {
        status: 429,
        headers: "Retry-After: 1800\r\n",
        body: String::new(),
    })
    .await;
    let broken = FakeServer::start(|_| Answer::new(500, "internal error")).await;
    let well = FakeServer::start(|_| Answer::new(202, "{}")).await;
    let nowhere = {
        // Closed again, so that nothing listens there.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        url::Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap()
    };
    let channels = [
        ("slack", limited.url("/")),
        ("discord", nowhere),
        ("teams", broken.url("/")),
        ("pagerduty", well.url("/")),
        ("webhook", well.url("/")),
    ];
    let store = Arc::new(MemoryStore::default());
    let notifiers = channels.iter().map(|(name, url)| {
        let settings = settings(name, &directory, url);
        let notifier = settings.notifier(&http::Client::default(), &Links::default());
        ((*name).to_owned(), notifier)
    });
    let outbox = Outbox::over(store.clone(), notifiers);
    for (name, _) in &channels {
        store.queue(name, name, testing::NOW);
    }
    let drained = outbox.drain(testing::NOW, BUDGET).await.unwrap();
    assert_eq!((drained.delivered, drained.postponed), (2, 3));
    assert_eq!(well.received().len(), 2);
    let due = |id: &str| {
        store
            .row(id)
            .due
            .map(|due| due.duration_since(testing::NOW).as_secs())
    };
    assert_eq!(due("slack"), Some(1800), "as the server asked");
    assert!(due("discord").is_some_and(|secs| secs < 120));
    assert!(due("teams").is_some_and(|secs| secs < 120));
    assert_eq!((due("pagerduty"), due("webhook")), (None, None));
    // The channel as a whole has to wait, not only this alert.
    store.queue("slack", "later", testing::NOW);
    outbox.drain(minutes(29), BUDGET).await.unwrap();
    assert!(store.row("later").deliveries.is_empty());
    outbox.drain(minutes(31), BUDGET).await.unwrap();
    assert_eq!(
        store.row("later").deliveries.len() + store.row("slack").deliveries.len(),
        2
    );
}

#[tokio::test]
async fn a_template_that_fails_delivers_the_line_and_is_a_finding_until_it_works() {
    let directory = tempfile::tempdir().unwrap();
    let template = directory.path().join("alert.j2");
    let server = FakeServer::start(|_| Answer::new(204, "")).await;
    let of_type = CHANNEL_TYPES
        .into_iter()
        .find(|known| known.name == "webhook");
    let mut written = Written::new(directory.path());
    written.insert("url", Value::Url(UrlSource::Literal(server.url("/"))));
    written.insert("template", Value::File(template.clone()));
    written.insert("allow_private", Value::Texts(vec!["127.0.0.1".to_owned()]));
    let settings = (of_type.unwrap().read)(&mut written).unwrap();
    let store = Arc::new(MemoryStore::default());
    let outbox = || {
        let notifier = settings.notifier(&http::Client::default(), &Links::default());
        Outbox::over(store.clone(), [("hook".to_owned(), notifier)])
    };
    let failing = || store.assessed().last().cloned().unwrap_or_default();
    std::fs::write(&template, "{{ nothing }}").unwrap();
    store.queue("hook", "a", testing::NOW);
    outbox().drain(testing::NOW, BUDGET).await.unwrap();
    assert_eq!(store.row("a").deliveries, [Delivery::Delivered]);
    assert_eq!(server.received()[0].json()["id"], "a");
    let summary = &failing()[0].summary;
    assert!(
        summary.starts_with("the channel hook delivers, but the line without template was sent: "),
        "{summary}"
    );
    assert_eq!(
        failing()[0].except_channel,
        None,
        "the channel itself works"
    );
    let error = outbox().send_test("hook", testing::NOW).await.unwrap_err();
    assert!(error.to_string().contains("alert.j2"), "{error}");
    // A pass without alerts ends nothing, also after a restart.
    outbox().drain(minutes(100), BUDGET).await.unwrap();
    std::fs::write(&template, "{\"id\": {{ id }}}").unwrap();
    store.queue("hook", "b", minutes(101));
    outbox().drain(minutes(101), BUDGET).await.unwrap();
    assert!(failing().is_empty(), "{:?}", failing());
    assert_eq!(server.received().last().unwrap().body, "{\"id\": \"b\"}");
}
