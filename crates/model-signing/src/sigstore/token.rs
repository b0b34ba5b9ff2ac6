//! The identity token: what an identity provider hands to a signer, and a certificate authority turns into a certificate.
//!
//! The signature of the token is not verified here: the certificate authority does that (Fulcio), and a client would have
//! to trust the provider's keys for it. What is checked is what would be refused there, before a model is hashed.

mod claims;
mod error;
mod named;

pub use error::{MAX_TOKEN_BYTES, TokenError};
pub use named::CertifiedName;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use claims::{email, is_true, number, text};

/// The audience that the public certificate authority expects (Fulcio, `config/identity/config.yaml`).
pub const DEFAULT_AUDIENCE: &str = "sigstore";

/// How far the clocks of this machine and of the provider may differ, in seconds, for a token that is not valid yet.
const LEEWAY: i64 = 60;

/// An identity token (OpenID Connect Core §2) whose claims have been read, and whose signature has not been verified.
///
/// The token is a secret until it has expired: it is erased from memory when it is dropped, and `Debug` does not show it.
#[derive(Clone)]
pub struct IdentityToken {
    raw: Zeroizing<String>,
    issuer: String,
    subject: String,
    audience: Vec<String>,
    expires: i64,
    begins: Option<i64>,
    claims: Map<String, Value>,
}

impl IdentityToken {
    /// Reads a token in its compact form (RFC 7519); white space around it does not belong to it.
    ///
    /// # Errors
    ///
    /// [`TokenError`], which never quotes the token: it is no JWT, or lacks one of the claims `iss`, `sub`, `aud` and `exp`.
    pub fn parse(raw: &str) -> Result<Self, TokenError> {
        let raw = raw.trim();
        if raw.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let parts: Vec<&str> = raw.split('.').collect();
        let (header, payload) = match parts.as_slice() {
            [header, payload, signature] if !signature.is_empty() => (header, payload),
            [_, _, _] => return Err(TokenError::Unsigned),
            // RFC 7516 §3.1
            [_, _, _, _, _] => return Err(TokenError::Encrypted),
            _ => return Err(TokenError::Format("it has not the three parts of one")),
        };
        let header = object(header).ok_or(TokenError::Format("its header is not a JSON object"))?;
        match header.get("alg").and_then(Value::as_str) {
            Some(algorithm) if algorithm.eq_ignore_ascii_case("none") => {
                return Err(TokenError::Unsigned);
            }
            Some(_) => {}
            None => return Err(TokenError::Format("its header names no algorithm")),
        }
        let claims = object(payload).ok_or(TokenError::Format("its claims are no JSON object"))?;
        let token = Self {
            raw: Zeroizing::new(raw.to_owned()),
            issuer: text(&claims, "iss")?.to_owned(),
            subject: text(&claims, "sub")?.to_owned(),
            audience: claims::audience(&claims)?,
            expires: number(&claims, "exp")?.ok_or(TokenError::Missing("exp"))?,
            begins: number(&claims, "nbf")?.max(number(&claims, "iat")?),
            claims,
        };
        Ok(token)
    }

    /// Checks what a certificate authority would refuse: a token for another audience, outside of its validity at `now`
    /// (seconds of Unix time), or of an e-mail address that the provider has not verified.
    ///
    /// # Errors
    ///
    /// [`TokenError`]: the first that fails.
    pub fn check(&self, audience: &str, now: i64) -> Result<(), TokenError> {
        if !self.audience.iter().any(|found| found == audience) {
            return Err(TokenError::Audience {
                found: self.audience.clone(),
                needed: audience.to_owned(),
            });
        }
        if now >= self.expires {
            return Err(TokenError::Expired {
                at: self.expires,
                now,
            });
        }
        if let Some(begins) = self
            .begins
            .filter(|begins| *begins > now.saturating_add(LEEWAY))
        {
            return Err(TokenError::NotYetValid { from: begins, now });
        }
        let kind = named::Kind::of(&self.issuer);
        match email(&self.claims) {
            Some(address)
                if kind != named::Kind::Workflow && !is_true(&self.claims, "email_verified") =>
            {
                Err(TokenError::EmailNotVerified(address.to_owned()))
            }
            None if kind == named::Kind::Email => Err(TokenError::Missing("email")),
            _ => Ok(()),
        }
    }

    /// The token, to be sent to the certificate authority and nowhere else.
    pub fn expose_secret(&self) -> &str {
        &self.raw
    }

    /// The claim `iss`: who has issued the token.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The identity provider that the certificate will name: the issuer, or the provider behind it where the issuer only
    /// passes identities on (the claim `federated_claims.connector_id` of Sigstore's own issuers).
    pub fn provider(&self) -> &str {
        let connector = self.claims.get("federated_claims");
        let connector = connector.and_then(|claims| claims.get("connector_id")?.as_str());
        match connector {
            Some(connector) if !connector.is_empty() && named::is_federation(&self.issuer) => {
                connector
            }
            _ => &self.issuer,
        }
    }

    /// What a proof of possession without a certificate request is a signature over (Fulcio, `pkg/challenges`): the e-mail
    /// address where the certificate will have one, otherwise the claim `sub`.
    pub fn subject(&self) -> &str {
        match email(&self.claims) {
            Some(address) if named::Kind::of(&self.issuer) != named::Kind::Workflow => address,
            _ => &self.subject,
        }
    }

    /// The name that the certificate will have, which is public in the log.
    pub fn name(&self) -> CertifiedName {
        named::name(&self.issuer, &self.subject, &self.claims)
    }

    /// The claim `exp`, in seconds of Unix time: the token is not valid any more at that second.
    pub fn expires(&self) -> i64 {
        self.expires
    }

    /// The claim `nonce`, in a token that was requested with one.
    pub fn nonce(&self) -> Option<&str> {
        self.claims.get("nonce").and_then(Value::as_str)
    }
}

impl fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityToken")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// The JSON object in one part of a token.
fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(part).ok()?);
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
