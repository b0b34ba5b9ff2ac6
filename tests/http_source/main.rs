//! Reading over real connections: what servers do wrong, and the recorded log over both ways.

#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

mod ct;
mod log;
mod merkle;
mod outgoing;
mod server;

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use modelwatch::http::{AddressPolicy, Client, HttpError, Retry, Settings};

use server::{Answer, Server};

/// The defaults, with short delays between retries.
fn settings() -> Settings {
    Settings {
        retry: Retry {
            first_delay: Duration::from_millis(2),
            ..Retry::default()
        },
        ..Settings::default()
    }
}

fn client() -> Client {
    Client::new(settings())
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn get(server: &Server, limit_bytes: usize) -> Result<Option<Bytes>, HttpError> {
    client().get(&server.url("file"), limit_bytes).await
}

#[tokio::test]
async fn a_request_names_the_client_and_accepts_gzip() {
    let server = Server::start(|_| Answer::ok("body")).await;
    assert_eq!(
        get(&server, 4).await.unwrap().as_deref(),
        Some(&b"body"[..])
    );
    let head = server.requests()[0].head.to_ascii_lowercase();
    assert!(head.contains("user-agent: modelwatch/"), "{head}");
    assert!(head.contains("accept-encoding: gzip"), "{head}");
}

#[tokio::test]
async fn a_compressed_body_is_unpacked() {
    let server =
        Server::start(|_| Answer::ok(gzipped(b"a body")).with("Content-Encoding: gzip")).await;
    let body = get(&server, 100).await.unwrap();
    assert_eq!(body.as_deref(), Some(&b"a body"[..]));
}

#[tokio::test]
async fn the_limit_counts_what_a_body_unpacks_to() {
    let bomb = gzipped(&vec![0; 50_000_000]);
    assert!(bomb.len() < 100_000);
    let server =
        Server::start(move |_| Answer::ok(bomb.clone()).with("Content-Encoding: gzip")).await;
    let body = get(&server, 100_000).await;
    assert!(
        matches!(
            body,
            Err(HttpError::TooLarge {
                limit_bytes: 100_000,
                ..
            })
        ),
        "{body:?}"
    );
    assert_eq!(server.paths().len(), 1, "it would not get shorter");
}

#[tokio::test]
async fn a_body_may_reach_the_limit_and_not_exceed_it_announced_or_not() {
    let server = Server::start(|_| Answer::ok(vec![7; 1000])).await;
    assert_eq!(get(&server, 1000).await.unwrap().unwrap().len(), 1000);
    let body = get(&server, 999).await;
    assert!(matches!(body, Err(HttpError::TooLarge { .. })), "{body:?}");

    let server = Server::start(|_| Answer::Endless(vec![7; 1000])).await;
    let body = get(&server, 1_000_000).await;
    assert!(matches!(body, Err(HttpError::TooLarge { .. })), "{body:?}");
}

#[tokio::test]
async fn only_404_and_410_mean_absent() {
    for (status, absent) in [
        (404, true),
        (410, true),
        (401, false),
        (403, false),
        (204, false),
    ] {
        let server = Server::start(move |_| Answer::status(status)).await;
        match get(&server, 100).await {
            Ok(None) => assert!(absent, "{status}"),
            Err(HttpError::Status {
                status: reported, ..
            }) => {
                assert!(!absent, "{status}");
                assert_eq!(reported, status);
            }
            other => panic!("{status}: {other:?}"),
        }
        assert_eq!(server.paths().len(), 1, "{status} is final");
    }
}

#[tokio::test]
async fn temporary_errors_are_retried() {
    for status in [429, 500, 502, 503, 504] {
        let server = Server::start(move |request| match request.earlier {
            0 | 1 => Answer::status(status),
            _ => Answer::ok("at last"),
        })
        .await;
        assert_eq!(
            get(&server, 100).await.unwrap().as_deref(),
            Some(&b"at last"[..])
        );
        assert_eq!(server.paths().len(), 3, "{status}");
    }
}

#[tokio::test]
async fn a_storm_of_503_ends_after_five_tries() {
    let server = Server::start(|_| Answer::status(503)).await;
    let body = get(&server, 100).await;
    assert!(
        matches!(body, Err(HttpError::Status { status: 503, .. })),
        "{body:?}"
    );
    assert_eq!(server.paths().len(), 5);
}

#[tokio::test]
async fn cut_and_broken_bodies_are_read_again_and_never_taken_for_whole() {
    for broken in ["cut", "gzip cut", "not gzip"] {
        let packed = gzipped(&(0..=255).collect::<Vec<u8>>());
        let answer = move || match broken {
            "cut" => Answer::Cut(b"half of i".to_vec()),
            "gzip cut" => Answer::ok(&packed[..packed.len() - 9]).with("Content-Encoding: gzip"),
            _ => Answer::ok("plain").with("Content-Encoding: gzip"),
        };
        let again = answer.clone();
        let server = Server::start(move |request| match request.earlier {
            0 => answer(),
            _ => Answer::ok("the whole"),
        })
        .await;
        let body = get(&server, 1000).await.unwrap();
        assert_eq!(body.as_deref(), Some(&b"the whole"[..]), "{broken}");

        let server = Server::start(move |_| again()).await;
        let body = get(&server, 1000).await;
        assert!(
            matches!(body, Err(HttpError::Body { .. })),
            "{broken}: {body:?}"
        );
        assert_eq!(server.paths().len(), 5, "{broken}");
    }
}

#[tokio::test]
async fn a_request_without_an_answer_is_ended_and_repeated() {
    let impatient = Client::new(Settings {
        idle_timeout: Duration::from_millis(100),
        ..settings()
    });
    let server = Server::start(|_| Answer::Never).await;
    let body = impatient.get(&server.url("file"), 100).await;
    assert!(matches!(body, Err(HttpError::Timeout { .. })), "{body:?}");
    assert_eq!(server.paths().len(), 5);
}

#[tokio::test]
async fn a_dead_host_is_an_error_that_names_it() {
    let url = "http://127.0.0.1:9/checkpoint?token=secret"
        .parse()
        .unwrap();
    let error = client().get(&url, 100).await.unwrap_err();
    assert!(matches!(error, HttpError::Connection { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("http://127.0.0.1:9/checkpoint?"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_time_to_wait_that_is_too_long_is_not_waited_for() {
    let server = Server::start(|_| Answer::status(429).with("Retry-After: 3600")).await;
    let body = get(&server, 100).await;
    let Err(HttpError::RateLimited {
        status: 429,
        retry_after,
        ..
    }) = body
    else {
        panic!("{body:?}");
    };
    assert_eq!(retry_after, Duration::from_hours(1));
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn redirects_are_followed_on_the_host_and_nowhere_else() {
    let server = Server::start(|request| match request.path.as_str() {
        "/file" => Answer::status(302).with("Location: /moved"),
        "/loop" => Answer::status(301).with("Location: /loop"),
        _ => Answer::ok("moved here"),
    })
    .await;
    assert_eq!(
        get(&server, 100).await.unwrap().as_deref(),
        Some(&b"moved here"[..])
    );
    let circle = client().get(&server.url("loop"), 100).await;
    assert!(
        matches!(circle, Err(HttpError::Redirect { .. })),
        "{circle:?}"
    );

    let elsewhere = Server::start(|_| Answer::ok("elsewhere")).await;
    let to = format!(
        "Location: http://localhost:{}/",
        elsewhere.url.port().unwrap()
    );
    let server = Server::start(move |_| Answer::status(302).with(&to)).await;
    let body = get(&server, 100).await;
    assert!(matches!(body, Err(HttpError::Redirect { .. })), "{body:?}");
    assert_eq!(elsewhere.paths().len(), 0, "the other host was never asked");
    assert_eq!(server.paths().len(), 1);
}

async fn post(server: &Server, host: &str, policy: &AddressPolicy) -> Result<u16, HttpError> {
    let mut url = server.url("services/T0/SECRET");
    url.set_host(Some(host)).unwrap();
    let headers = [
        ("content-type", "application/json"),
        ("webhook-id", "msg_1"),
    ];
    let (body, limit) = (Bytes::from_static(b"{}"), Duration::from_secs(5));
    let reply = client().post(&url, &headers, body, limit, policy).await?;
    Ok(reply.status)
}

#[tokio::test]
async fn private_hosts_get_no_post_unless_they_are_allowed_by_name() {
    let server = Server::start(|_| Answer::status(202)).await;
    // `localhost` is resolved, the others are literal addresses.
    for host in ["localhost", "127.0.0.1", "127.1"] {
        let refused = post(&server, host, &AddressPolicy::default()).await;
        assert!(
            matches!(refused, Err(HttpError::ForbiddenAddress { .. })),
            "{refused:?}"
        );
    }
    let other = AddressPolicy::allowing(["chat.example"]);
    assert!(post(&server, "localhost", &other).await.is_err());
    assert_eq!(server.paths().len(), 0, "not even a connection's worth");

    let allowed = AddressPolicy::allowing(["127.0.0.1"]);
    assert_eq!(post(&server, "127.0.0.1", &allowed).await.unwrap(), 202);
    assert!(post(&server, "localhost", &allowed).await.is_err());
}

#[tokio::test]
async fn a_post_is_made_once_and_its_reply_is_handed_over_as_it_is() {
    let policy = AddressPolicy::allowing(["127.0.0.1"]);
    let server = Server::start(|request| match request.earlier {
        0 => Answer::status(503).with("Retry-After: 17"),
        1 => Answer::status(307).with("Location: /elsewhere"),
        _ => Answer::ok(vec![b'x'; 100_000]),
    })
    .await;
    let url = server.url("hook");
    let body = Bytes::from_static(b"{}");
    let mut replies = Vec::new();
    for _ in 0..3 {
        let limit = Duration::from_secs(5);
        let reply = client().post(&url, &[], body.clone(), limit, &policy).await;
        replies.push(reply.unwrap());
    }
    assert_eq!(
        replies.iter().map(|r| r.status).collect::<Vec<_>>(),
        [503, 307, 200]
    );
    assert_eq!(replies[0].retry_after, Some(Duration::from_secs(17)));
    assert_eq!(replies[2].body.len(), modelwatch::http::REPLY_LIMIT_BYTES);
    assert_eq!(server.paths(), ["/hook", "/hook", "/hook"]);
}

#[tokio::test]
async fn a_post_without_a_reply_ends_in_time_and_does_not_show_its_path() {
    let policy = AddressPolicy::allowing(["127.0.0.1"]);
    let server = Server::start(|_| Answer::Never).await;
    let url = server.url("services/SECRET");
    let limit = Duration::from_millis(50);
    let error = client().post(&url, &[], Bytes::new(), limit, &policy).await;
    let error = error.unwrap_err();
    assert!(matches!(error, HttpError::Timeout { .. }), "{error:?}");
    assert!(!error.to_string().contains("SECRET"), "{error}");
    let illegal = [("x-secret", "line\nbreak")];
    let error = client()
        .post(&url, &illegal, Bytes::new(), limit, &policy)
        .await;
    assert!(
        matches!(error, Err(HttpError::InvalidRequest { .. })),
        "{error:?}"
    );
}
