//! Google Cloud: the metadata server of the machine, and the impersonation of a service account.

use std::time::Duration;

use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::endpoint::{MAX_ANSWER_BYTES, object, redacted, secure, token_in, without};
use super::environment::Environment;
use super::error::OidcError;
use super::platform::Platform;
use crate::http::{self, AddressPolicy, Answer, Client, ProxyChoice, ProxySettings};

/// How long the answer to the impersonation may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Without it, the metadata server gives no answer: a browser that is led there does not send it.
const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");

/// cloud.google.com, "Detect if a VM is running in Compute Engine": by the firmware's name, or as the client libraries
/// do by the variable that names the metadata server.
pub(super) fn is_here(environment: &Environment) -> bool {
    environment.is_set("GOOGLE_SERVICE_ACCOUNT_NAME")
        || environment.is_set("GCE_METADATA_HOST")
        || environment.is_machine(&["Google", "Google Compute Engine"])
}

/// cloud.google.com, "Get an ID token": from the metadata server, or for another service account with the access token
/// that is there.
pub(super) async fn token(
    environment: &Environment,
    audience: &str,
    http: &Client,
) -> Result<SecretString, OidcError> {
    // The server has a link-local address: no proxy can reach it, and none may see its tokens.
    let direct = Client::new(http::Settings {
        proxy: ProxySettings {
            proxy: ProxyChoice::Direct,
            no_proxy: None,
        },
        ..http::Settings::default()
    });
    let Some(account) = environment.variable("GOOGLE_SERVICE_ACCOUNT_NAME") else {
        let mut url = metadata(environment, "identity")?;
        url.query_pairs_mut()
            .append_pair("audience", audience)
            .append_pair("format", "full");
        let answer = direct.find_with(&url, &[FLAVOR], MAX_ANSWER_BYTES).await?;
        return text(answer);
    };
    let mut url = metadata(environment, "token")?;
    url.query_pairs_mut()
        .append_pair("scopes", "https://www.googleapis.com/auth/cloud-platform");
    let answer = direct.find_with(&url, &[FLAVOR], MAX_ANSWER_BYTES).await?;
    let access = token_in(Platform::GoogleCloud, answer, "access_token")?;
    impersonated(environment, &account, audience, &access, http).await
}

/// iamcredentials.googleapis.com, `projects.serviceAccounts.generateIdToken`.
async fn impersonated(
    environment: &Environment,
    account: &str,
    audience: &str,
    access: &SecretString,
    http: &Client,
) -> Result<SecretString, OidcError> {
    let base = secure("the credentials service", &environment.google_credentials)?;
    let mut url = base;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty()
            .extend(["v1", "projects", "-", "serviceAccounts"])
            .push(&format!("{account}:generateIdToken"));
    }
    let bearer = SecretString::from(format!("Bearer {}", access.expose_secret()));
    let headers = [
        ("authorization", bearer.expose_secret()),
        ("content-type", "application/json"),
    ];
    let body = json!({ "audience": audience, "includeEmail": true }).to_string();
    let policy = AddressPolicy::allowing(url.host_str());
    let secrets = [access.expose_secret()];
    let reply = http
        .post_for(
            &url,
            &headers,
            Bytes::from(body),
            MAX_ANSWER_BYTES,
            PATIENCE,
            &policy,
        )
        .await
        .map_err(|error| without(&secrets, error))?;
    let failed = |reason: String| OidcError::Ambient {
        platform: Platform::GoogleCloud,
        reason,
    };
    if reply.status != 200 {
        let why = redacted(&secrets, reply.message.as_deref().unwrap_or_default());
        return Err(failed(format!(
            "no token for the service account {account:?}: {} answered {} {why}",
            reply.name, reply.status
        )));
    }
    match object(&reply.name, &reply.body)?.get("token") {
        Some(Value::String(token)) if !token.is_empty() => Ok(SecretString::from(token.as_str())),
        _ => Err(failed("the answer has no token (`token`)".to_owned())),
    }
}

fn metadata(environment: &Environment, what: &str) -> Result<Url, OidcError> {
    let host = environment.variable("GCE_METADATA_HOST");
    let host = host.as_deref().unwrap_or("metadata.google.internal");
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/{what}");
    Url::parse(&url).map_err(|_| OidcError::Ambient {
        platform: Platform::GoogleCloud,
        reason: format!("GCE_METADATA_HOST is not a host: {host:?}"),
    })
}

/// The token, which is the whole answer.
fn text(answer: Answer<Bytes>) -> Result<SecretString, OidcError> {
    let failed = |reason: String| OidcError::Ambient {
        platform: Platform::GoogleCloud,
        reason,
    };
    match answer {
        Answer::Found(body) => match std::str::from_utf8(&body) {
            Ok(token) => Ok(SecretString::from(token.trim())),
            Err(_) => Err(failed("the answer is no text".to_owned())),
        },
        Answer::Absent(absence) => Err(failed(format!(
            "{absence} (a machine without a service account has no identity)"
        ))),
    }
}
