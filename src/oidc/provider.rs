//! What an identity provider publishes about itself (OpenID Connect Discovery 1.0).

use serde_json::{Map, Value};
use url::Url;

use super::endpoint::{cut, object, secure};
use super::error::OidcError;
use crate::http::{Answer, Client};

/// The document of a large provider has 5 KiB.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// An identity provider at which a person can sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    pub(super) issuer: String,
    pub(super) authorization: Url,
    pub(super) token: Url,
    /// Whether a client authenticates itself in the form, because the provider does not read the header.
    pub(super) secret_in_form: bool,
    /// Whether its answers name it (RFC 9207).
    pub(super) names_itself: bool,
}

impl Provider {
    /// Reads the provider's document. `issuer` is its name, as the signing configuration has it: the document must be about
    /// exactly this issuer, and all addresses must be https, unless the issuer itself is on this machine.
    ///
    /// # Errors
    ///
    /// [`OidcError`]: no such document, another issuer, or addresses to which no secret is sent.
    pub async fn discover(http: &Client, issuer: &str) -> Result<Self, OidcError> {
        let own = secure("the identity provider", issuer)?;
        // Discovery §4.1: a slash at the end of the issuer is not doubled.
        let document = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let url = secure("the identity provider", &document)?;
        let failed = |reason: String| OidcError::Answer {
            server: document.clone(),
            reason,
        };
        let body = match http.find(&url, MAX_DOCUMENT_BYTES).await? {
            Answer::Found(body) => body,
            Answer::Absent(absence) => {
                return Err(failed(format!("{absence}: no identity provider is there")));
            }
        };
        let found = object(&document, &body)?;
        let text = |name: &'static str| match found.get(name).and_then(Value::as_str) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(failed(format!("the document has no `{name}`"))),
        };
        let named = text("issuer")?;
        if named != issuer {
            return Err(OidcError::Issuer {
                asked: issuer.to_owned(),
                found: cut(named),
            });
        }
        let endpoint = |what: &'static str| {
            let url = secure(what, text(what)?)?;
            // A provider elsewhere must not lead the browser and the codes to a program of this machine.
            if own.scheme() == "https" && url.scheme() != "https" {
                return Err(OidcError::Url {
                    what,
                    url: cut(url.as_str()),
                });
            }
            Ok(url)
        };
        let provider = Self {
            issuer: issuer.to_owned(),
            authorization: endpoint("authorization_endpoint")?,
            token: endpoint("token_endpoint")?,
            secret_in_form: secret_in_form(&found),
            names_itself: found.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
        };
        // Without PKCE, a reader of the address bar could use the code.
        if lists(&found, "code_challenge_methods_supported", "S256") == Some(false) {
            return Err(failed(
                "the provider does not support PKCE with S256, without which no sign-in is begun"
                    .to_owned(),
            ));
        }
        Ok(provider)
    }
}

/// Whether a list of the document has a value; `None` without the list.
fn lists(document: &Map<String, Value>, list: &str, value: &str) -> Option<bool> {
    let values = document.get(list)?.as_array()?;
    Some(values.iter().any(|found| found == value))
}

/// Discovery §3: without a list, the header is read (`client_secret_basic`).
fn secret_in_form(document: &Map<String, Value>) -> bool {
    let list = "token_endpoint_auth_methods_supported";
    lists(document, list, "client_secret_basic") == Some(false)
        && lists(document, list, "client_secret_post") == Some(true)
}
