#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::http::Settings;

/// The platform in an environment of these variables, on a machine of this name.
fn ambient(variables: &[(&str, &str)], machine: &str, credentials: &str) -> Ambient {
    let variables: HashMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let name = directory.path().join("product_name");
    if !machine.is_empty() {
        std::fs::write(&name, format!("{machine}\n")).unwrap();
    }
    let environment = Environment::new(
        move |name| {
            // The file lives as long as the environment.
            let _ = &directory;
            variables.get(name).cloned()
        },
        name,
        credentials,
    );
    Ambient(environment)
}

fn http() -> Client {
    let mut settings = Settings::default();
    settings.retry.tries = 1;
    Client::new(settings)
}

/// A server that answers the requests in turn, and keeps their text.
async fn server(answers: Vec<(u16, &'static str)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    tokio::spawn(async move {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8192];
            let mut length = 0;
            // The requests of these tests come in one or two pieces: the head, and a body that ends with a brace.
            loop {
                length += stream.read(&mut request[length..]).await.unwrap();
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                if text.ends_with("\r\n\r\n") && text.starts_with("GET") || text.ends_with('}') {
                    keep.lock().unwrap().push(text);
                    break;
                }
            }
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (host, seen)
}

#[test]
fn the_first_platform_of_the_order_counts() {
    use Platform::{Buildkite, CircleCi, GitHub, GitLab, GoogleCloud};
    let all = [
        ("CIRCLECI", "true"),
        ("GITLAB_CI", "true"),
        ("BUILDKITE", "true"),
        ("GITHUB_ACTIONS", "true"),
    ];
    for (count, machine, platform, workflow) in [
        (4, "Google", Some(GitHub), Some(GitHub)),
        (3, "Google", Some(GoogleCloud), Some(Buildkite)),
        (3, "", Some(Buildkite), Some(Buildkite)),
        (2, "KVM", Some(GitLab), Some(GitLab)),
        (1, "", Some(CircleCi), Some(CircleCi)),
        (0, "Google Compute Engine", Some(GoogleCloud), None),
        (0, "Googleplex", None, None),
        (0, "", None, None),
    ] {
        let ambient = ambient(&all[..count], machine, "");
        assert_eq!(ambient.platform(), platform, "{count} {machine}");
        assert_eq!(ambient.workflow(), workflow, "{count} {machine}");
    }
    for variable in ["GCE_METADATA_HOST", "GOOGLE_SERVICE_ACCOUNT_NAME"] {
        assert_eq!(
            ambient(&[(variable, "x")], "", "").platform(),
            Some(GoogleCloud)
        );
    }
    for no in ["", " ", "0", "false"] {
        assert_eq!(
            ambient(&[("GITHUB_ACTIONS", no)], "", "").platform(),
            None,
            "{no:?}"
        );
    }
}

#[test]
fn only_a_variable_of_the_job_cannot_be_renewed() {
    assert!(!Platform::GitLab.is_renewable());
    assert!(Platform::GitHub.is_renewable() && Platform::GoogleCloud.is_renewable());
}

#[tokio::test]
async fn github_gives_a_token_for_the_audience_to_who_has_its_credentials() {
    let (host, seen) = server(vec![(200, r#"{"count":1,"value":"t0ken"}"#)]).await;
    let url = format!("http://{host}/a?api-version=2.0&audience=other");
    let ambient = ambient(
        &[
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret"),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", &url),
        ],
        "",
        "",
    );
    let token = ambient
        .token(Platform::GitHub, "sig store", &http())
        .await
        .unwrap();
    assert_eq!(token.expose_secret(), "t0ken");
    let request = seen.lock().unwrap()[0].to_ascii_lowercase();
    assert!(
        request.starts_with("get /a?api-version=2.0&audience=sig+store http/1.1"),
        "{request}"
    );
    assert!(
        request.contains("authorization: bearer s3cret"),
        "{request}"
    );
}

#[tokio::test]
async fn what_github_answers_instead_of_a_token_is_an_error_without_its_credentials() {
    for (status, body, reason) in [
        (200, r#"{"value":""}"#, "the answer has no token"),
        (200, r#"{"value":7}"#, "the answer has no token"),
        (200, "s3cret", "not a JSON object"),
        (
            401,
            r#"{"message":"Bearer s3cret is wrong"}"#,
            "answered 401: Bearer […] is wrong",
        ),
        (404, r#"{"message":"s3cret"}"#, "answered 404"),
        (302, "s3cret", "answered 302"),
        (500, "", "answered 500"),
        (429, "s3cret", "answered 429"),
    ] {
        let (host, _) = server(vec![(status, body)]).await;
        let url = format!("http://{host}/a");
        let ambient = ambient(
            &[
                ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret"),
                ("ACTIONS_ID_TOKEN_REQUEST_URL", &url),
            ],
            "",
            "",
        );
        let error = ambient
            .token(Platform::GitHub, "sigstore", &http())
            .await
            .unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            shown.contains(reason) && !shown.contains("s3cret"),
            "{status} {body}: {shown}"
        );
    }
}

#[tokio::test]
async fn a_job_without_permission_gets_the_line_that_gives_it() {
    for variables in [
        &[][..],
        &[("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret")],
        &[
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", ""),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x.invalid"),
        ],
    ] {
        let error = ambient(variables, "", "")
            .token(Platform::GitHub, "sigstore", &http())
            .await;
        assert!(error.unwrap_err().to_string().contains("id-token: write"));
    }
    let error = ambient(&[], "", "")
        .token(Platform::GitLab, "sigstore", &http())
        .await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("SIGSTORE_ID_TOKEN: {aud: sigstore}"),
        "{error}"
    );
    // The credentials of the job are sent under TLS alone.
    let ambient = ambient(
        &[
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret"),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://x.invalid/"),
        ],
        "",
        "",
    );
    let error = ambient
        .token(Platform::GitHub, "sigstore", &http())
        .await
        .unwrap_err();
    assert!(matches!(error, OidcError::Url { .. }), "{error}");
}

#[tokio::test]
async fn gitlab_has_the_token_in_a_variable_named_after_the_audience() {
    let ambient = ambient(&[("OUR_CLIENT_ID_TOKEN", "t0ken")], "", "");
    let token = ambient
        .token(Platform::GitLab, "our-client", &http())
        .await
        .unwrap();
    assert_eq!(token.expose_secret(), "t0ken");
}

#[tokio::test]
async fn google_gives_the_token_of_the_machine() {
    let (host, seen) = server(vec![(200, "t0ken\n")]).await;
    // A proxy that does not exist: the metadata server is never asked through one.
    let ambient = ambient(&[("GCE_METADATA_HOST", &host)], "", "");
    let token = ambient
        .token(Platform::GoogleCloud, "sigstore", &http())
        .await
        .unwrap();
    assert_eq!(token.expose_secret(), "t0ken");
    let request = seen.lock().unwrap()[0].to_ascii_lowercase();
    let path = "get /computemetadata/v1/instance/service-accounts/default/identity?audience=sigstore&format=full ";
    assert!(request.starts_with(path), "{request}");
    assert!(request.contains("metadata-flavor: google"), "{request}");
}

#[tokio::test]
async fn google_impersonates_the_service_account_that_is_named() {
    let (host, seen) = server(vec![
        (200, r#"{"access_token":"access-s3cret","expires_in":60}"#),
        (200, r#"{"token":"t0ken"}"#),
        (200, r#"{"access_token":"access-s3cret"}"#),
        (403, r#"{"error":{"message":"access-s3cret may not"}}"#),
    ])
    .await;
    let variables = [
        ("GCE_METADATA_HOST", host.as_str()),
        ("GOOGLE_SERVICE_ACCOUNT_NAME", "a@p.iam/x"),
    ];
    let ambient = ambient(&variables, "", &format!("http://{host}/"));
    let token = ambient
        .token(Platform::GoogleCloud, "sigstore", &http())
        .await
        .unwrap();
    assert_eq!(token.expose_secret(), "t0ken");
    let request = seen.lock().unwrap()[1].clone();
    assert!(
        request.starts_with("POST /v1/projects/-/serviceAccounts/a@p.iam%2Fx:generateIdToken "),
        "{request}"
    );
    assert!(
        request
            .to_ascii_lowercase()
            .contains("authorization: bearer access-s3cret"),
        "{request}"
    );
    assert!(
        request.contains(r#""audience":"sigstore""#) && request.contains(r#""includeEmail":true"#),
        "{request}"
    );
    let error = ambient
        .token(Platform::GoogleCloud, "sigstore", &http())
        .await
        .unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains("answered 403 […] may not") && !shown.contains("s3cret"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_machine_without_a_service_account_is_named() {
    let (host, _) = server(vec![(404, "")]).await;
    let ambient = ambient(&[("GCE_METADATA_HOST", &host)], "", "");
    let error = ambient
        .token(Platform::GoogleCloud, "sigstore", &http())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("without a service account"),
        "{error}"
    );
}
