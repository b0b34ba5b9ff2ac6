//! GitHub Actions.

use secrecy::{ExposeSecret as _, SecretString};

use super::endpoint::{MAX_ANSWER_BYTES, secure, token_in, without};
use super::environment::Environment;
use super::error::OidcError;
use super::platform::Platform;
use crate::http::Client;

/// docs.github.com, "OpenID Connect reference": a request to a URL with a token, both in variables.
pub(super) async fn token(
    environment: &Environment,
    audience: &str,
    http: &Client,
) -> Result<SecretString, OidcError> {
    let required = |name| {
        let hint = "the job needs `permissions: id-token: write`, which jobs for pull requests from forks never have";
        environment.required(Platform::GitHub, name, hint)
    };
    let token = SecretString::from(required("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?);
    let mut url = secure(
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        &required("ACTIONS_ID_TOKEN_REQUEST_URL")?,
    )?;
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "audience")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .append_pair("audience", audience);
    let bearer = SecretString::from(format!("Bearer {}", token.expose_secret()));
    let headers = [
        ("authorization", bearer.expose_secret()),
        ("accept", "application/json"),
    ];
    let answer = http.find_with(&url, &headers, MAX_ANSWER_BYTES).await;
    let answer = answer.map_err(|error| without(&[token.expose_secret()], error))?;
    token_in(Platform::GitHub, answer, "value")
}
