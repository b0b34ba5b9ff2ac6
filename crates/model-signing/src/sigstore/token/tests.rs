use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;
const GITHUB: &str = "https://token.actions.githubusercontent.com";
const SIGSTORE: &str = "https://oauth2.sigstore.dev/auth";

fn base64(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn jwt(claims: &Value) -> String {
    let header = json!({"alg": "RS256", "typ": "JWT"});
    format!("{}.{}.c2ln", base64(&header), base64(claims))
}

/// The claims of a person, with some of them changed; `null` removes one.
fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": SIGSTORE, "sub": "subject", "aud": "sigstore", "iat": NOW - 10, "exp": NOW + 50,
        "email": "owner@falcon.example", "email_verified": true,
        "federated_claims": {"connector_id": "https://accounts.google.com"},
    });
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

fn token(changes: &Value) -> IdentityToken {
    IdentityToken::parse(&jwt(&claims(changes))).expect("a token")
}

#[test]
fn a_token_of_a_person_gives_the_address_and_the_provider_behind_the_issuer() {
    let token = token(&json!({}));
    assert_eq!(token.check("sigstore", NOW), Ok(()));
    assert_eq!(token.subject(), "owner@falcon.example");
    assert_eq!(
        token.name(),
        CertifiedName::Email("owner@falcon.example".to_owned())
    );
    assert_eq!(token.issuer(), SIGSTORE);
    assert_eq!(token.provider(), "https://accounts.google.com");
    assert_eq!((token.expires(), token.nonce()), (NOW + 50, None));
}

#[test]
fn only_the_issuers_of_sigstore_pass_on_another_provider() {
    let token = token(&json!({"iss": "https://accounts.google.com"}));
    assert_eq!(token.provider(), "https://accounts.google.com");
    let token = self::token(
        &json!({"iss": "https://dex.example", "federated_claims": {"connector_id": GITHUB}}),
    );
    assert_eq!(token.provider(), "https://dex.example");
}

#[test]
fn a_token_of_a_workflow_gives_the_uri_by_the_rules_of_its_issuer() {
    for (claims, name) in [
        (
            json!({"iss": GITHUB, "job_workflow_ref": "o/r/.github/workflows/w.yml@refs/tags/v1"}),
            "https://github.com/o/r/.github/workflows/w.yml@refs/tags/v1",
        ),
        (
            json!({"iss": "https://token.actions.githubusercontent.com/acme", "job_workflow_ref": "o/r/w@x"}),
            "https://github.com/o/r/w@x",
        ),
        (
            json!({"iss": "https://gitlab.com", "ci_config_ref_uri": "gitlab.com/g/p//.gitlab-ci.yml@refs/heads/main"}),
            "https://gitlab.com/g/p//.gitlab-ci.yml@refs/heads/main",
        ),
        (
            json!({"iss": "https://agent.buildkite.com", "organization_slug": "o", "pipeline_slug": "p"}),
            "https://buildkite.com/o/p",
        ),
        (
            json!({"iss": "https://oidc.circleci.com/org/1", "oidc.circleci.com/project-id": "a",
                   "oidc.circleci.com/pipeline-definition-id": "b"}),
            "https://circleci.com/api/v2/projects/a/pipeline-definitions/b",
        ),
        (
            json!({"iss": "https://oidc.codefresh.io", "account_name": "a", "pipeline_name": "p/q", "account_id": 7, "pipeline_id": "i"}),
            "https://g.codefresh.io/a/p/q:7/i",
        ),
    ] {
        let token = token(&claims);
        assert_eq!(
            token.name(),
            CertifiedName::Uri(name.to_owned()),
            "{claims}"
        );
        assert_eq!(token.subject(), "subject", "{claims}");
        assert_eq!(token.check("sigstore", NOW), Ok(()), "{claims}");
    }
}

#[test]
fn where_the_certificate_authority_decides_both_names_are_shown() {
    let other = token(&json!({"iss": "https://idp.example"}));
    assert_eq!(other.name().to_string(), "owner@falcon.example or subject");
    let other = token(&json!({"iss": "https://idp.example", "email": null}));
    assert_eq!(other.name().to_string(), "subject");
    assert_eq!(other.subject(), "subject");
    // A workflow whose claims do not fill the template.
    let token = token(&json!({"iss": GITHUB, "job_workflow_ref": ""}));
    assert!(matches!(token.name(), CertifiedName::Undecided { .. }));
}

#[test]
fn an_audience_may_be_one_of_several_and_must_be_equal() {
    for (audience, fits) in [
        (json!("sigstore"), true),
        (json!(["other", "sigstore"]), true),
        (json!("Sigstore"), false),
        (json!("sigstore "), false),
        (json!("https://sigstore"), false),
        (json!([]), false),
        (json!(["other"]), false),
    ] {
        let checked = token(&json!({"aud": audience})).check("sigstore", NOW);
        assert_eq!(checked.is_ok(), fits, "{audience}: {checked:?}");
        if let Err(error) = checked {
            assert!(matches!(error, TokenError::Audience { .. }), "{error}");
        }
    }
    let other = token(&json!({"aud": "our-client"}));
    assert_eq!(other.check("our-client", NOW), Ok(()));
    let error = other.check("sigstore", NOW).expect_err("another audience");
    assert!(error.to_string().contains("--client-id"), "{error}");
}

#[test]
fn a_token_is_valid_from_nbf_until_the_second_before_exp() {
    let at = |changes: Value| token(&changes).check("sigstore", NOW);
    assert_eq!(at(json!({"exp": NOW + 1})), Ok(()));
    assert_eq!(
        at(json!({"exp": 1_800_000_000.5})),
        Err(TokenError::Expired { at: NOW, now: NOW })
    );
    assert!(matches!(
        at(json!({"exp": NOW})),
        Err(TokenError::Expired { .. })
    ));
    assert!(matches!(
        at(json!({"exp": i64::MIN})),
        Err(TokenError::Expired { .. })
    ));
    assert_eq!(at(json!({"nbf": NOW + LEEWAY, "exp": NOW + 90})), Ok(()));
    for begins in [
        json!({"nbf": NOW + LEEWAY + 1}),
        json!({"iat": NOW + 3600}),
        json!({"nbf": i64::MAX}),
    ] {
        let error = at(begins.clone()).expect_err("not valid yet");
        assert!(
            matches!(error, TokenError::NotYetValid { .. }),
            "{begins}: {error}"
        );
    }
}

#[test]
fn an_address_must_have_been_verified() {
    for (verified, accepted) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(false), false),
        (json!("false"), false),
        (json!(1), false),
        (Value::Null, false),
    ] {
        for issuer in [SIGSTORE, "https://idp.example"] {
            let token = token(&json!({"iss": issuer, "email_verified": verified}));
            let checked = token.check("sigstore", NOW);
            assert_eq!(
                checked.is_ok(),
                accepted,
                "{issuer} {verified}: {checked:?}"
            );
        }
    }
    // A workflow's certificate has no address.
    let workflow = token(&json!({"iss": GITHUB, "email_verified": false}));
    assert_eq!(workflow.check("sigstore", NOW), Ok(()));
    let none = token(&json!({"email": null})).check("sigstore", NOW);
    assert_eq!(none, Err(TokenError::Missing("email")));
}

#[test]
fn what_is_no_signed_jwt_is_named_and_never_quoted() {
    let good = jwt(&claims(&json!({})));
    let parts: Vec<&str> = good.split('.').collect();
    let with =
        |header: &str, payload: &str, signature: &str| format!("{header}.{payload}.{signature}");
    let header = |json: Value| with(&base64(&json), parts[1], "c2ln");
    let payload = |json: Value| with(parts[0], &base64(&json), "c2ln");
    for (raw, error) in [
        (
            String::new(),
            TokenError::Format("it has not the three parts of one"),
        ),
        (
            "s3cret".to_owned(),
            TokenError::Format("it has not the three parts of one"),
        ),
        (with(parts[0], parts[1], ""), TokenError::Unsigned),
        (header(json!({"alg": "none"})), TokenError::Unsigned),
        (header(json!({"alg": "None"})), TokenError::Unsigned),
        (
            header(json!({})),
            TokenError::Format("its header names no algorithm"),
        ),
        (
            header(json!([])),
            TokenError::Format("its header is not a JSON object"),
        ),
        (format!("{good}.x.y"), TokenError::Encrypted),
        (
            with(parts[0], "s3cret!", "x"),
            TokenError::Format("its claims are no JSON object"),
        ),
        (
            payload(json!("s3cret")),
            TokenError::Format("its claims are no JSON object"),
        ),
        (
            with(parts[0], &format!("{}=", parts[1]), "x"),
            TokenError::Format("its claims are no JSON object"),
        ),
        (
            payload(claims(&json!({"iss": null}))),
            TokenError::Missing("iss"),
        ),
        (
            payload(claims(&json!({"sub": ""}))),
            TokenError::Claim("sub", "a text"),
        ),
        (
            payload(claims(&json!({"sub": 7}))),
            TokenError::Claim("sub", "a text"),
        ),
        (
            payload(claims(&json!({"aud": null}))),
            TokenError::Missing("aud"),
        ),
        (
            payload(claims(&json!({"aud": [7]}))),
            TokenError::Claim("aud", "a text or a list of texts"),
        ),
        (
            payload(claims(&json!({"aud": vec!["a"; 65]}))),
            TokenError::Claim("aud", "a text or a list of texts"),
        ),
        (
            payload(claims(&json!({"exp": null}))),
            TokenError::Missing("exp"),
        ),
        (
            payload(claims(&json!({"exp": "soon"}))),
            TokenError::Claim("exp", "a number of seconds"),
        ),
        (
            payload(claims(&json!({"exp": 1e300}))),
            TokenError::Claim("exp", "a number of seconds"),
        ),
        (
            payload(claims(&json!({"exp": u64::MAX}))),
            TokenError::Claim("exp", "a number of seconds"),
        ),
        ("x".repeat(MAX_TOKEN_BYTES + 1), TokenError::TooLong),
    ] {
        let found = IdentityToken::parse(&raw).expect_err("no token");
        assert_eq!(found, error);
        assert!(!found.to_string().contains("s3cret"), "{found}");
    }
}

#[test]
fn deep_json_is_refused_without_recursion() {
    let deep = URL_SAFE_NO_PAD.encode("[".repeat(MAX_TOKEN_BYTES / 2));
    let raw = format!("{}.{deep}.x", base64(&json!({"alg": "RS256"})));
    assert!(IdentityToken::parse(&raw).is_err());
}

#[test]
fn white_space_around_a_token_does_not_belong_to_it_and_debug_shows_no_secret() {
    let raw = jwt(&claims(&json!({"nonce": "n0nce"})));
    let token = IdentityToken::parse(&format!("\n {raw}\r\n")).expect("a token");
    assert_eq!(token.expose_secret(), raw);
    assert_eq!(token.nonce(), Some("n0nce"));
    let shown = format!("{token:?}");
    assert!(shown.contains(SIGSTORE), "{shown}");
    assert!(
        !shown.contains(&raw) && !shown.contains("owner@falcon.example"),
        "{shown}"
    );
}

#[test]
fn a_foreign_audience_is_shown_cut() {
    let long = "a".repeat(10_000);
    let token = token(&json!({"aud": [long, "b", "c", "d", "e"]}));
    let error = token
        .check("sigstore", NOW)
        .expect_err("another audience")
        .to_string();
    assert!(error.len() < 400 && error.contains('…'), "{error}");
}
