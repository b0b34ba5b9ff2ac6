//! The certificate for one signature (Fulcio, API version 2), and whether it is for the identity of the token.

use bytes::Bytes;
use model_signing::sigstore::{CertifiedName, EphemeralKey, Identity, IdentityToken, NameKind};

use secrecy::{ExposeSecret as _, SecretString};

use super::network::{Network, address};
use crate::identity::Extension;

/// Longest answer in bytes: a chain of some certificates in PEM.
const MAX_ANSWER_BYTES: usize = 256 << 10;

/// Requests a certificate. The token is sent in a header, and is never part of a message.
pub(super) fn request(
    network: &Network,
    authority: &str,
    token: &IdentityToken,
    key: &EphemeralKey,
) -> anyhow::Result<Bytes> {
    let url = address(authority, "api/v2/signingCert")?;
    let bearer = SecretString::from(format!("Bearer {}", token.expose_secret()));
    let headers = [("authorization", bearer.expose_secret())];
    let answer = network.submit(&url, &headers, key.request()?, MAX_ANSWER_BYTES)?;
    anyhow::ensure!(!answer.is_duplicate(), "answered 409");
    Ok(answer.body)
}

/// That the certificate names the identity of the token, and no other. Answers a warning if only the certificate
/// authority can tell.
pub(super) fn check_identity(
    identity: &Identity,
    token: &IdentityToken,
) -> anyhow::Result<Option<String>> {
    anyhow::ensure!(
        identity.issuer == token.provider() || identity.issuer == token.issuer(),
        "the certificate names the identity provider {:?}, and the identity token is by {:?}",
        identity.issuer,
        token.provider()
    );
    let [name] = identity.names.as_slice() else {
        anyhow::bail!(
            "the certificate has {} names, not one",
            identity.names.len()
        );
    };
    let wrong = || {
        anyhow::anyhow!(
            "the certificate is for {:?}, and the identity token is for {:?}",
            name.text,
            token.name().to_string()
        )
    };
    match token.name() {
        CertifiedName::Email(address) => {
            anyhow::ensure!(
                name.kind == NameKind::Email && name.text == address,
                wrong()
            );
            Ok(None)
        }
        CertifiedName::Uri(uri) => {
            anyhow::ensure!(name.kind == NameKind::Uri && name.text == uri, wrong());
            Ok(None)
        }
        CertifiedName::Undecided { subject, email } => {
            let subject_in_certificate =
                identity.extension(Extension::TokenSubject.number().into());
            if let Some(found) = subject_in_certificate {
                anyhow::ensure!(found == subject, wrong());
                return Ok(None);
            }
            let fits = match name.kind {
                NameKind::Email => email.is_none_or(|email| email == name.text),
                // Fulcio adds the domain that it is configured with.
                NameKind::UserName => {
                    name.text == subject || name.text.starts_with(&format!("{subject}!"))
                }
                _ => return Ok((name.text != subject).then(|| format!(
                    "the certificate is for {:?}; whether that is the identity of the token of {subject:?}, only the \
                     certificate authority can tell",
                    name.text
                ))),
            };
            anyhow::ensure!(fits, wrong());
            Ok(None)
        }
        other => anyhow::bail!("the name {other} of the identity token is of an unknown kind"),
    }
}
