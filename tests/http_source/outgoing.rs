//! Proxies, credentials, and the addresses in errors.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use modelwatch::http::{
    self, AddressPolicy, Client, CredentialScheme, CredentialSettings, HttpError, ProxyChoice,
    ProxySettings, Settings,
};
use modelwatch::secret::SecretSource;
use url::Url;

use crate::server::{Answer, Server};
use crate::settings;

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

fn through(proxy: &Server) -> Settings {
    Settings {
        proxy: ProxySettings {
            proxy: ProxyChoice::Written(proxy.url.as_str().parse().unwrap()),
            no_proxy: Some(Vec::new()),
        },
        ..settings()
    }
}

async fn post(client: &Client, to: &str, policy: &AddressPolicy) -> Result<u16, HttpError> {
    let (body, limit) = (Bytes::from_static(b"{}"), Duration::from_secs(5));
    let reply = client.post(&url(to), &[], body, limit, policy).await?;
    Ok(reply.status)
}

#[tokio::test]
async fn every_request_goes_through_the_proxy_except_those_to_this_machine() {
    let proxy = Server::start(|_| Answer::ok("by proxy")).await;
    let client = Client::new(through(&proxy));
    let (public, question) = (AddressPolicy::default(), Bytes::from_static(b"{}"));
    // None of these names can be resolved: only the proxy answers.
    let got = client.get(&url("http://log.invalid/a"), 100).await.unwrap();
    assert_eq!(got.as_deref(), Some(&b"by proxy"[..]));
    let answer = client
        .query(&url("http://log.invalid/q"), &question, 100)
        .await;
    assert!(answer.unwrap().found().is_some());
    post(&client, "http://hooks.invalid/h", &public)
        .await
        .unwrap();
    let beat = url("http://beat.invalid/b");
    let policy = AddressPolicy::not_link_local();
    client.get_secret(&beat, 100, &policy).await.unwrap();
    assert_eq!(
        proxy.paths(),
        [
            "http://log.invalid/a",
            "http://log.invalid/q",
            "http://hooks.invalid/h",
            "http://beat.invalid/b"
        ]
    );
    let here = Server::start(|_| Answer::ok("directly")).await;
    let got = client.get(&here.url("file"), 100).await.unwrap();
    assert_eq!(got.as_deref(), Some(&b"directly"[..]));
    assert_eq!(proxy.paths().len(), 4);
}

#[tokio::test]
async fn behind_a_proxy_private_addresses_get_no_post_unless_allowed_by_name() {
    let proxy = Server::start(|_| Answer::ok("")).await;
    let client = Client::new(through(&proxy));
    let public = AddressPolicy::default();
    for host in [
        "10.0.0.7",
        "192.168.1.1:8080",
        "[fd00::7]",
        "localhost",
        "localhost.",
        "a.localhost",
        "127.0.0.1",
        "169.254.169.254",
        "metadata.google.internal",
        "0x0a000007",
    ] {
        let refused = post(&client, &format!("http://{host}/"), &public).await;
        let is = matches!(refused, Err(HttpError::ForbiddenAddress { .. }));
        assert!(is, "{host}: {refused:?}");
    }
    assert!(proxy.paths().is_empty());
    let allowed = AddressPolicy::allowing(["10.0.0.7"]);
    assert_eq!(
        post(&client, "http://10.0.0.7/", &allowed).await.unwrap(),
        200
    );
    assert_eq!(proxy.paths(), ["http://10.0.0.7/"]);
}

#[tokio::test]
async fn a_heartbeat_is_never_sent_to_a_metadata_service() {
    let proxy = Server::start(|_| Answer::ok("")).await;
    for client in [Client::new(through(&proxy)), Client::new(settings())] {
        for host in ["169.254.169.254", "[fe80::1]", "metadata.google.internal"] {
            let to = url(&format!("http://{host}/secret"));
            let policy = AddressPolicy::not_link_local();
            let error = client.get_secret(&to, 100, &policy).await.unwrap_err();
            assert!(
                matches!(error, HttpError::LinkLocalAddress { .. }),
                "{error}"
            );
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
    assert!(proxy.paths().is_empty());
}

fn file(dir: &Path, content: &str) -> PathBuf {
    let path = dir.join(format!("{}", content.len()));
    std::fs::write(&path, content).unwrap();
    path
}

#[tokio::test]
async fn the_proxys_password_comes_from_a_file_and_is_shown_nowhere() {
    let proxy = Server::start(|request| match request.path.as_str() {
        path if path.contains("refused") => Answer::status(407),
        _ => Answer::ok(""),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let address = proxy.url.as_str().replace("http://", "http://bob:s3cret@");
    let path = file(dir.path(), &format!("{address}\n"));
    let settings = Settings {
        proxy: ProxySettings {
            proxy: ProxyChoice::Secret(SecretSource::File(path.clone())),
            no_proxy: Some(Vec::new()),
        },
        ..settings()
    };
    let client = Client::new(settings);
    client.get(&url("http://log.invalid/a"), 100).await.unwrap();
    let head = proxy.requests()[0].head.to_ascii_lowercase();
    assert!(
        head.contains("proxy-authorization: basic ym9ionmzy3jlda=="),
        "{head}"
    );
    let refused = client.get(&url("http://log.invalid/refused"), 100).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("through the proxy http://127.0.0.1:"),
        "{refused}"
    );
    let tunnel = client.get(&url("https://log.invalid/refused"), 100).await;
    let shown = format!(
        "{refused}{:?}{}",
        client.described().await.unwrap(),
        tunnel.unwrap_err()
    );
    assert!(shown.contains(path.to_str().unwrap()), "{shown}");
    assert!(
        !shown.contains("s3cret") && !shown.contains("bob"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_proxy_that_cannot_be_used_is_not_gone_around() {
    let server = Server::start(|_| Answer::ok("")).await;
    let client = Client::new(Settings {
        proxy: ProxySettings {
            proxy: ProxyChoice::Secret(SecretSource::Env("MODELWATCH_NO_SUCH_PROXY".to_owned())),
            no_proxy: None,
        },
        ..settings()
    });
    let error = client.get(&server.url("file"), 100).await.unwrap_err();
    assert!(error.is_setup(), "{error}");
    assert!(
        error.to_string().contains("MODELWATCH_NO_SUCH_PROXY"),
        "{error}"
    );
    assert!(client.prepare().await.is_err());
    assert!(server.paths().is_empty());
}

fn credentials(host: &str, secret: PathBuf) -> CredentialSettings {
    CredentialSettings {
        host: host.to_owned(),
        port: None,
        scheme: None,
        user: Some("bob".to_owned()),
        secret: SecretSource::File(secret),
    }
}

const BOB: &str = "authorization: basic ym9ion";

fn names_bob(request: &crate::server::Request) -> bool {
    request.head.to_ascii_lowercase().contains(BOB)
}

#[tokio::test]
async fn credentials_are_sent_to_their_host_and_a_rotated_one_is_read_again() {
    let server = Server::start(|request| {
        if names_bob(request) {
            Answer::ok("welcome")
        } else {
            Answer::status(401)
        }
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let secret = file(dir.path(), "s3cret");
    let with = |credentials| Settings {
        credentials: vec![credentials],
        ..settings()
    };
    let client = Client::new(with(credentials("127.0.0.1", secret.clone())));
    let got = client.get(&server.url("file"), 100).await.unwrap();
    assert_eq!(got.as_deref(), Some(&b"welcome"[..]));
    std::fs::write(&secret, "rotated").unwrap();
    client.get(&server.url("file"), 100).await.unwrap();
    let heads: Vec<String> = server.requests().into_iter().map(|r| r.head).collect();
    assert_ne!(heads[0], heads[1]);
    // A webhook too.
    let allowed = AddressPolicy::allowing(["127.0.0.1"]);
    let status = post(&client, server.url("hook").as_str(), &allowed).await;
    assert_eq!(status.unwrap(), 200);
    for other in ["localhost", "127.0.0.2"] {
        let client = Client::new(with(credentials(other, secret.clone())));
        let error = client.get(&server.url("file"), 100).await.unwrap_err();
        assert!(
            matches!(error, HttpError::Status { status: 401, .. }),
            "{error}"
        );
    }
    std::fs::remove_file(&secret).unwrap();
    let before = server.paths().len();
    let error = client.get(&server.url("file"), 100).await.unwrap_err();
    assert!(
        error.is_setup() && error.to_string().contains("127.0.0.1"),
        "{error}"
    );
    assert_eq!(server.paths().len(), before, "not asked without them");
}

#[tokio::test]
async fn credentials_are_never_sent_after_a_redirect() {
    let elsewhere = Server::start(|_| Answer::ok("elsewhere")).await;
    let to = format!("Location: {}", elsewhere.url("x"));
    for location in ["Location: /moved".to_owned(), to] {
        let server = Server::start(move |request| match request.path.as_str() {
            "/file" => Answer::status(302).with(&location),
            _ => Answer::ok("moved here"),
        })
        .await;
        let dir = tempfile::tempdir().unwrap();
        let client = Client::new(Settings {
            credentials: vec![credentials("127.0.0.1", file(dir.path(), "s3cret"))],
            ..settings()
        });
        let error = client.get(&server.url("file"), 100).await.unwrap_err();
        assert!(matches!(error, HttpError::Redirect { .. }), "{error}");
        assert_eq!(server.paths(), ["/file"]);
    }
    assert!(elsewhere.paths().is_empty());
}

#[tokio::test]
async fn credentials_leave_this_machine_only_under_tls_unless_http_is_configured() {
    let proxy = Server::start(|_| Answer::ok("")).await;
    let dir = tempfile::tempdir().unwrap();
    let secret = file(dir.path(), "s3cret");
    for (scheme, sent) in [
        (None, false),
        (Some(CredentialScheme::Https), false),
        (Some(CredentialScheme::Http), true),
    ] {
        let client = Client::new(Settings {
            credentials: vec![CredentialSettings {
                scheme,
                ..credentials("log.invalid", secret.clone())
            }],
            ..through(&proxy)
        });
        client.get(&url("http://log.invalid/"), 100).await.unwrap();
        let last = proxy.requests().pop().unwrap();
        assert_eq!(names_bob(&last), sent, "{scheme:?}");
    }
}

#[tokio::test]
async fn no_request_goes_to_a_url_with_a_user() {
    let server = Server::start(|_| Answer::ok("")).await;
    let mut secret = server.url("file");
    secret.set_username("bob").unwrap();
    secret.set_password(Some("s3cret")).unwrap();
    let error = Client::new(settings()).get(&secret, 100).await.unwrap_err();
    assert!(
        error.to_string().contains("[[http.credentials]]"),
        "{error}"
    );
    assert!(!error.to_string().contains("s3cret"), "{error}");
    assert!(server.paths().is_empty());
}

#[tokio::test]
async fn errors_name_the_url_and_the_first_line_of_the_reason() {
    for (status, body, reported) in [
        (
            400,
            r#"{"code":400,"message":"too many\u001b[2J"}"#,
            r": too many\u{1b}[2J",
        ),
        (403, "first\nsecond", ": first"),
        (
            503,
            "<html><title>Under repair</title></html>",
            ": Under repair",
        ),
        (500, "", ""),
    ] {
        let server =
            Server::start(move |_| Answer::Reply(status, Vec::new(), body.as_bytes().to_vec()))
                .await;
        let mut at = server.url("ct/v1/get-entries");
        at.set_query(Some("start=0&end=999"));
        let client = Client::new(Settings {
            retry: http::Retry {
                tries: 1,
                ..http::Retry::default()
            },
            ..Settings::default()
        });
        let error = client.get(&at, 100).await.unwrap_err().to_string();
        assert_eq!(error, format!("{at}: answered {status}{reported}"));
    }
    let server = Server::start(|_| {
        Answer::Reply(
            429,
            vec!["Retry-After: 3600".to_owned()],
            b"slow down".to_vec(),
        )
    })
    .await;
    let error = Client::new(settings()).get(&server.url("a"), 100).await;
    let expected = "answered 429: slow down, retry after 3600 s";
    assert!(error.unwrap_err().to_string().ends_with(expected));
}

#[tokio::test]
async fn headers_are_sent_and_no_redirect_gets_them() {
    let server = Server::start(|request| match request.path.as_str() {
        "/token" => Answer::ok("t0ken"),
        "/absent" => Answer::status(404),
        _ => Answer::Reply(302, vec!["Location: /token".to_owned()], Vec::new()),
    })
    .await;
    let client = Client::new(settings());
    let headers = [("authorization", "Bearer s3cret")];
    let found = client
        .find_with(&server.url("token"), &headers, 100)
        .await
        .unwrap();
    assert_eq!(found.found().as_deref(), Some(&b"t0ken"[..]));
    let head = server.requests()[0].head.to_ascii_lowercase();
    assert!(head.contains("authorization: bearer s3cret"), "{head}");
    let absent = client.find_with(&server.url("absent"), &headers, 100).await;
    assert!(absent.unwrap().found().is_none());
    let moved = client.find_with(&server.url("moved"), &headers, 100).await;
    assert!(
        matches!(moved, Err(HttpError::Status { status: 302, .. })),
        "{moved:?}"
    );
    assert_eq!(server.paths(), ["/token", "/absent", "/moved"]);
    let illegal = client
        .find_with(&server.url("token"), &[("x", "s3cret\n")], 100)
        .await
        .unwrap_err();
    assert!(!illegal.to_string().contains("s3cret"), "{illegal}");
}

#[tokio::test]
async fn the_response_to_a_post_is_whole_or_an_error() {
    let server = Server::start(|request| match request.path.as_str() {
        "/fits" => Answer::ok(vec![b'x'; 100]),
        "/longer" => Answer::ok(vec![b'x'; 101]),
        "/endless" => Answer::Endless(vec![b'x'; 50]),
        "/cut" => Answer::Cut(b"xxx".to_vec()),
        _ => Answer::status(400),
    })
    .await;
    let client = Client::new(settings());
    let ask = async |path: &str| {
        let (url, body) = (server.url(path), Bytes::from_static(b"{}"));
        let policy = AddressPolicy::allowing(["127.0.0.1"]);
        let limit = Duration::from_secs(5);
        client.post_for(&url, &[], body, 100, limit, &policy).await
    };
    assert_eq!(ask("fits").await.unwrap().body.len(), 100);
    for path in ["longer", "endless"] {
        let refused = ask(path).await;
        assert!(
            matches!(refused, Err(HttpError::TooLarge { .. })),
            "{path}: {refused:?}"
        );
    }
    let cut = ask("cut").await;
    assert!(matches!(cut, Err(HttpError::Body { .. })), "{cut:?}");
    let refused = ask("other").await.unwrap();
    assert_eq!((refused.status, refused.body.len()), (400, 19));
    // Never a second time: what it does at the server may have been done.
    assert_eq!(server.paths().len(), 5);
}

#[tokio::test]
async fn a_status_is_the_answer_to_a_post_whatever_its_body() {
    let server = Server::start(|request| match request.path.as_str() {
        "/endless" => Answer::Endless(vec![b'x'; 5_000]),
        "/cut" => Answer::Cut(b"xxx".to_vec()),
        _ => Answer::ok(vec![b'x'; 1_000_000]),
    })
    .await;
    let client = Client::new(settings());
    let policy = AddressPolicy::allowing(["127.0.0.1"]);
    for path in ["endless", "cut", "long"] {
        let answer = post(&client, server.url(path).as_str(), &policy).await;
        assert_eq!(answer.unwrap(), 200, "{path}");
    }
}
