//! Sign-ins at an identity provider that does it right, and at those that do not.

use std::time::Duration;

use modelwatch::http::Client;
use modelwatch::oidc::{Loopback, OUT_OF_BAND, OauthClient, OidcError, Provider, SignIn};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use url::Url;

use crate::issuer::{DOCUMENT, Fault, Issuer, TOKEN, basic, browse, visit};

/// Everything secret in these tests has this in it.
const SECRET: &str = "s3cret";

fn client(secret: Option<&str>) -> OauthClient {
    OauthClient {
        id: "sigstore".to_owned(),
        secret: secret.map(SecretString::from),
    }
}

/// Requests are not repeated: each fault stays.
fn http() -> Client {
    let mut settings = modelwatch::http::Settings::default();
    settings.retry.tries = 1;
    Client::new(settings)
}

/// A sign-in of a person who does what the browser shows: the raw token, and the last page.
async fn sign_in(issuer: &Issuer, client: &OauthClient) -> Result<(String, String), OidcError> {
    let http = http();
    let provider = Provider::discover(&http, &issuer.url).await?;
    let loopback = Loopback::bind().await?;
    let sign_in = SignIn::new(&provider, client, &loopback.redirect_uri());
    let address = sign_in.url().to_string();
    let person = tokio::task::spawn_blocking(move || browse(&address));
    let code = loopback.code(&sign_in).await;
    let page = person.await.unwrap();
    let token = match code {
        Ok(code) => sign_in.token(&http, &code).await?,
        Err(error) => {
            assert!(
                page.contains("400 Bad Request") && page.contains("Not signed in"),
                "{page}"
            );
            return Err(error);
        }
    };
    Ok((token.expose_secret().to_owned(), page))
}

#[tokio::test]
async fn a_person_signs_in_and_the_page_points_to_the_terminal() {
    let issuer = Issuer::start(None);
    let (token, page) = sign_in(&issuer, &client(None)).await.unwrap();
    assert_eq!(token.split('.').count(), 3);
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.contains("You can close this page."), "{page}");
    assert!(
        page.contains("Content-Security-Policy: default-src 'none'"),
        "{page}"
    );
    assert!(!page.contains(SECRET), "{page}");
    assert_eq!(issuer.paths(), [DOCUMENT, "/auth", TOKEN]);
    let [_, auth, exchange] = issuer.requests().try_into().unwrap();
    assert!(auth.query["redirect_uri"].starts_with("http://localhost:"));
    assert!(auth.query["redirect_uri"].ends_with("/auth/callback"));
    // 256 bits each, and none twice.
    let values = [
        &auth.query["state"],
        &auth.query["nonce"],
        &auth.query["code_challenge"],
        &exchange.form["code_verifier"],
    ];
    for (at, value) in values.iter().enumerate() {
        assert_eq!(value.len(), 43, "{value}");
        assert!(!values[..at].contains(value));
    }
    assert!(!exchange.form.contains_key("client_secret") && basic(&exchange).is_none());
}

#[tokio::test]
async fn the_secret_of_the_client_goes_to_the_token_endpoint_alone() {
    let secret = "s3cret %+:ä";
    let issuer = Issuer::start(None);
    sign_in(&issuer, &client(Some(secret))).await.unwrap();
    let exchange = issuer.requests().pop().unwrap();
    // RFC 6749 §2.3.1: encoded as in a form first.
    assert_eq!(basic(&exchange).unwrap(), "sigstore:s3cret+%25%2B%3A%C3%A4");
    assert!(!exchange.form.contains_key("client_secret"));
    // A provider that reads it in the form alone.
    let methods = json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]});
    let issuer = Issuer::with(None, json!({}), methods);
    sign_in(&issuer, &client(Some(secret))).await.unwrap();
    let requests = issuer.requests();
    assert_eq!(requests[2].form["client_secret"], secret);
    assert!(basic(&requests[2]).is_none());
    for earlier in &requests[..2] {
        assert!(!format!("{earlier:?}").contains(SECRET), "{earlier:?}");
    }
}

#[tokio::test]
async fn a_code_is_exchanged_out_of_band() {
    let issuer = Issuer::start(None);
    let (http, client) = (http(), client(None));
    let provider = Provider::discover(&http, &issuer.url).await.unwrap();
    let sign_in = SignIn::new(&provider, &client, OUT_OF_BAND);
    let url = sign_in.url();
    assert!(
        url.query()
            .unwrap()
            .contains("redirect_uri=urn%3Aietf%3Awg%3Aoauth%3A2.0%3Aoob")
    );
    let page = tokio::task::spawn_blocking(move || browse(url.as_str()))
        .await
        .unwrap();
    let code = SecretString::from(page.rsplit(' ').next().unwrap());
    let token = sign_in.token(&http, &code).await.unwrap();
    assert_eq!(token.subject(), "owner@falcon.example");
}

/// The error of a sign-in at a provider with a fault: it has no secret in it.
async fn refused(fault: Fault) -> OidcError {
    let issuer = Issuer::start(Some(fault));
    let error = sign_in(&issuer, &client(Some("client-s3cret"))).await;
    let error = error.expect_err(&format!("{fault:?}"));
    for shown in [error.to_string(), format!("{error:?}")] {
        assert!(!shown.contains(SECRET), "{fault:?}: {shown}");
        assert!(
            !shown.contains('\u{1b}') && shown.len() < 1500,
            "{fault:?}: {shown}"
        );
    }
    // No request leads to another host, and the code is sent once.
    let exchanges = issuer.paths().iter().filter(|path| *path == TOKEN).count();
    assert!(exchanges <= 1, "{fault:?}");
    error
}

#[tokio::test]
async fn what_belongs_to_another_sign_in_is_refused() {
    for fault in [Fault::OtherState, Fault::NoState, Fault::TwoStates] {
        assert!(
            matches!(refused(fault).await, OidcError::State),
            "{fault:?}"
        );
    }
    assert!(matches!(
        refused(Fault::OtherNonce).await,
        OidcError::Nonce(true)
    ));
    assert!(matches!(
        refused(Fault::NoNonce).await,
        OidcError::Nonce(false)
    ));
    for fault in [Fault::OtherIssuerInToken, Fault::OtherIssuerInAnswer] {
        let error = refused(fault).await;
        assert!(matches!(error, OidcError::OtherIssuer { .. }), "{error}");
    }
    let error = refused(Fault::OtherIssuerInDocument).await;
    assert!(matches!(error, OidcError::Issuer { .. }), "{error}");
}

#[tokio::test]
async fn a_provider_that_names_itself_must_do_so_in_its_answer() {
    let names = json!({"authorization_response_iss_parameter_supported": true});
    let issuer = Issuer::with(None, json!({}), names);
    let error = sign_in(&issuer, &client(None)).await.unwrap_err();
    assert!(matches!(error, OidcError::OtherIssuer { .. }), "{error}");
}

#[tokio::test]
async fn a_refusal_is_shown_with_its_reason_and_without_its_secrets() {
    let error = refused(Fault::Denied).await.to_string();
    assert!(error.contains("access_denied"), "{error}");
    let error = refused(Fault::DeniedCode).await.to_string();
    assert!(
        error.contains("invalid_grant") && error.contains("[…]"),
        "{error}"
    );
    for (fault, reason) in [
        (Fault::NoPkce, "PKCE"),
        (Fault::HttpEndpoint, "https://"),
        (Fault::NoDocument, "no identity provider is there"),
        (Fault::NoToken, "`id_token`"),
        (Fault::Unsigned, "not signed"),
        (Fault::Html(DOCUMENT), "not a JSON object"),
        (Fault::Html(TOKEN), "not a JSON object"),
        (Fault::Status(TOKEN, 401), "answered 401"),
        (Fault::Status(TOKEN, 429), "answered 429"),
        (Fault::Status(TOKEN, 503), "answered 503"),
        (Fault::Status(DOCUMENT, 429), "answered 429"),
        (Fault::Status(DOCUMENT, 500), "answered 500"),
        (
            Fault::Redirect(DOCUMENT),
            "redirects to https://elsewhere.invalid",
        ),
        (Fault::Redirect(TOKEN), "answered 302"),
        (Fault::Oversized(DOCUMENT), "longer than"),
        (Fault::Oversized(TOKEN), "longer than"),
        (Fault::Cut(DOCUMENT), "body cannot be read"),
        (Fault::Cut(TOKEN), "body cannot be read"),
    ] {
        let error = refused(fault).await.to_string();
        assert!(error.contains(reason), "{fault:?}: {error}");
    }
}

#[tokio::test]
async fn a_token_that_the_authority_would_refuse_is_refused_here() {
    use model_signing::sigstore::{IdentityToken, TokenError};
    for (fault, expected) in [
        (Fault::Expired, "has expired"),
        (Fault::NotYetValid, "not valid before"),
        (Fault::OtherAudience, "\"another\""),
        (Fault::NotVerified, "has not verified the e-mail address"),
    ] {
        let issuer = Issuer::start(Some(fault));
        let (raw, _) = sign_in(&issuer, &client(None)).await.unwrap();
        let token = IdentityToken::parse(&raw).unwrap();
        let now = modelwatch::clock::now().as_second();
        let error: TokenError = token.check("sigstore", now).unwrap_err();
        assert!(error.to_string().contains(expected), "{fault:?}: {error}");
    }
}

#[tokio::test]
async fn an_insecure_provider_is_not_asked() {
    for issuer in [
        "http://idp.example",
        "http://idp.example@127.0.0.1",
        "idp.example",
        "",
    ] {
        let error = Provider::discover(&http(), issuer).await.unwrap_err();
        assert!(matches!(error, OidcError::Url { .. }), "{issuer}: {error}");
    }
}

#[tokio::test]
async fn requests_of_others_are_refused_and_the_sign_in_goes_on() {
    let issuer = Issuer::start(None);
    let (http, client) = (http(), client(None));
    let provider = Provider::discover(&http, &issuer.url).await.unwrap();
    let loopback = Loopback::bind().await.unwrap();
    let sign_in = SignIn::new(&provider, &client, &loopback.redirect_uri());
    let own: Url = loopback.redirect_uri().parse().unwrap();
    let address = sign_in.url().to_string();
    let others = tokio::task::spawn_blocking(move || {
        let port = own.port().unwrap();
        let at = |path: &str| -> Url { format!("http://localhost:{port}{path}").parse().unwrap() };
        let wrong = at("/auth/callback?code=x&state=y");
        let long = "x".repeat(40_000);
        for (url, method, headers, status) in [
            (at("/"), "GET", vec![], 404),
            (at("/favicon.ico"), "GET", vec![], 404),
            (at("/auth/callback/../x?state=y"), "GET", vec![], 404),
            (wrong.clone(), "POST", vec![], 405),
            (wrong.clone(), "HEAD", vec![], 405),
            // A page in the background, and a page whose name leads here.
            (
                wrong.clone(),
                "GET",
                vec![("sec-fetch-mode", "no-cors")],
                403,
            ),
            (wrong.clone(), "GET", vec![("host", "evil.example")], 421),
            (wrong.clone(), "GET", vec![("host", "localhost")], 421),
            (wrong.clone(), "GET", vec![("host", "")], 421),
            // No answer at all.
            (wrong.clone(), "GET", vec![("x", long.as_str())], 0),
        ] {
            let (found, page) = visit(&url, method, &headers);
            assert_eq!(found, status, "{method} {url} {headers:?}: {page}");
        }
        // Connections without a request do not stand in the way.
        let silent: Vec<_> = (0..10)
            .map(|_| std::net::TcpStream::connect(("127.0.0.1", port)).unwrap())
            .collect();
        let page = browse(&address);
        drop(silent);
        page
    });
    let code = loopback.code(&sign_in).await.unwrap();
    assert_eq!(code.expose_secret(), "c0de-s3cret");
    assert!(others.await.unwrap().contains("Signed in"));
    sign_in.token(&http, &code).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_person_who_does_not_come_back_is_not_waited_for_without_end() {
    let issuer = Issuer::start(None);
    let client = client(None);
    // Real requests take no part in the time of the test.
    tokio::time::resume();
    let provider = Provider::discover(&http(), &issuer.url).await.unwrap();
    tokio::time::pause();
    let loopback = Loopback::bind().await.unwrap();
    let sign_in = SignIn::new(&provider, &client, &loopback.redirect_uri());
    let started = tokio::time::Instant::now();
    let error = loopback.code(&sign_in).await.unwrap_err();
    assert!(matches!(error, OidcError::Timeout(_)), "{error}");
    assert_eq!(
        started.elapsed().as_secs(),
        Duration::from_mins(5).as_secs()
    );
    assert!(error.to_string().contains("5 minutes"), "{error}");
}
