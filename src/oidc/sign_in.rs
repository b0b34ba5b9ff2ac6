//! One sign-in: the request to the authorization endpoint, and the exchange of its code for a token (RFC 6749 §4.1, RFC 7636,
//! OpenID Connect Core §3.1).

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use model_signing::sigstore::{IdentityToken, MAX_TOKEN_BYTES};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::form_urlencoded::Serializer;
use url::{Url, form_urlencoded};

use super::endpoint::{cut, object, redacted, without};
use super::error::OidcError;
use super::provider::Provider;
use super::random;
use crate::http::{AddressPolicy, Client};

/// Where the answer is shown to the person instead of being sent to a program. Not a standard, but what the providers of
/// Sigstore (Dex) and its clients have.
pub const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// What the token is asked about: the scopes of Sigstore's clients.
const SCOPES: &str = "openid email";
/// Access, identity and refresh token in JSON.
const MAX_ANSWER_BYTES: usize = 4 * MAX_TOKEN_BYTES;
/// How long the exchange may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The client that is registered with the provider.
#[derive(Clone, Debug)]
pub struct OauthClient {
    /// Its name, which is also the audience of its tokens.
    pub id: String,
    /// Its password; a program that its users install has none.
    pub secret: Option<SecretString>,
}

/// One sign-in of a person.
pub struct SignIn<'a> {
    provider: &'a Provider,
    client: &'a OauthClient,
    redirect: String,
    state: String,
    nonce: String,
    verifier: SecretString,
}

impl fmt::Debug for SignIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").finish_non_exhaustive()
    }
}

impl<'a> SignIn<'a> {
    /// Begins a sign-in whose answer goes to `redirect`: to a [`Loopback`](super::Loopback), or [`OUT_OF_BAND`].
    pub fn new(provider: &'a Provider, client: &'a OauthClient, redirect: &str) -> Self {
        Self {
            provider,
            client,
            redirect: redirect.to_owned(),
            state: random::text(),
            nonce: random::text(),
            verifier: SecretString::from(random::text()),
        }
    }

    /// The address for the browser. It has no secret in it: the client's password and the verifier go to the token
    /// endpoint alone.
    pub fn url(&self) -> Url {
        let verifier = self.verifier.expose_secret();
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let mut url = self.provider.authorization.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client.id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("scope", SCOPES)
            .append_pair("state", &self.state)
            .append_pair("nonce", &self.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        url
    }

    /// What the browser must bring back.
    pub(super) fn state(&self) -> &str {
        &self.state
    }

    pub(super) fn provider(&self) -> &Provider {
        self.provider
    }

    /// Exchanges the code for the token, which is by the provider, for this client, and for this sign-in. Whether it is
    /// valid at this time is for the caller to check.
    ///
    /// The code is sent once: after a failure it may have been used.
    ///
    /// # Errors
    ///
    /// [`OidcError`].
    pub async fn token(
        self,
        http: &Client,
        code: &SecretString,
    ) -> Result<IdentityToken, OidcError> {
        let (form, authorization) = self.request(code);
        let mut headers = vec![
            ("content-type", "application/x-www-form-urlencoded"),
            ("accept", "application/json"),
        ];
        if let Some(authorization) = &authorization {
            headers.push(("authorization", authorization.expose_secret()));
        }
        let mut secrets = vec![code.expose_secret(), self.verifier.expose_secret()];
        secrets.extend(self.client.secret.as_ref().map(ExposeSecret::expose_secret));
        let url = &self.provider.token;
        let policy = AddressPolicy::allowing(url.host_str());
        let body = Bytes::copy_from_slice(form.expose_secret().as_bytes());
        let reply = http
            .post_for(url, &headers, body, MAX_ANSWER_BYTES, PATIENCE, &policy)
            .await
            .map_err(|error| without(&secrets, error))?;
        if reply.status != 200 {
            // RFC 6749 §5.2: `error`, and perhaps `error_description`.
            let refusal = object(&reply.name, &reply.body);
            let refusal = refusal.ok().and_then(|object| refusal_in(&object));
            let why = match refusal {
                Some(refusal) => redacted(&secrets, &refusal),
                None => String::new(),
            };
            return Err(OidcError::Answer {
                reason: format!("answered {} to the code {why}", reply.status),
                server: reply.name,
            });
        }
        let answer = object(&reply.name, &reply.body)?;
        if let Some(refusal) = refusal_in(&answer) {
            return Err(OidcError::Denied(redacted(&secrets, &refusal)));
        }
        let Some(token) = answer.get("id_token").and_then(Value::as_str) else {
            return Err(OidcError::Answer {
                server: reply.name,
                reason: "the answer has no `id_token`".to_owned(),
            });
        };
        let token = IdentityToken::parse(token)?;
        self.check(token)
    }

    /// Core §3.1.3.7. The token came from the provider itself, under TLS: its signature need not be verified here.
    fn check(&self, token: IdentityToken) -> Result<IdentityToken, OidcError> {
        if token.issuer() != self.provider.issuer {
            return Err(OidcError::OtherIssuer {
                what: "the identity token",
                found: cut(token.issuer()),
                asked: self.provider.issuer.clone(),
            });
        }
        match token.nonce() {
            Some(nonce) if nonce == self.nonce => Ok(token),
            nonce => Err(OidcError::Nonce(nonce.is_some())),
        }
    }

    /// The form, and the header with the client's password.
    fn request(&self, code: &SecretString) -> (SecretString, Option<SecretString>) {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code.expose_secret())
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("code_verifier", self.verifier.expose_secret())
            .append_pair("client_id", &self.client.id);
        let mut authorization = None;
        match &self.client.secret {
            Some(secret) if self.provider.secret_in_form => {
                form.append_pair("client_secret", secret.expose_secret());
            }
            Some(secret) => {
                // RFC 6749 §2.3.1: both are encoded as in a form first.
                let encoded = |text: &str| -> String {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect()
                };
                let (id, secret) = (encoded(&self.client.id), encoded(secret.expose_secret()));
                let pair = STANDARD.encode(format!("{id}:{secret}"));
                authorization = Some(SecretString::from(format!("Basic {pair}")));
            }
            None => {}
        }
        (SecretString::from(form.finish()), authorization)
    }
}

/// The reason of a refusal.
fn refusal_in(answer: &serde_json::Map<String, Value>) -> Option<String> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    Some(refusal(text("error")?, text("error_description")))
}

/// The reason of a refusal, cut and in quotes.
pub(super) fn refusal(error: &str, description: Option<&str>) -> String {
    let error = cut(error);
    match description {
        Some(description) if !description.is_empty() => {
            format!("{error:?} ({:?})", cut(description))
        }
        _ => format!("{error:?}"),
    }
}
