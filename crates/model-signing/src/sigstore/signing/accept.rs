//! Whether verifiers will accept the certificate that the authority has issued.

use serde::Deserialize;
use serde_json::{Value, json};

use super::certificate::Certificate;
use super::draft::Draft;
use super::key::EphemeralKey;
use crate::certificate;
use crate::keyless_error::{Check, KeylessError};
use crate::sigstore::attempt::{CLOCK_SKEW_SECONDS, verify_certificate};
use crate::sigstore::trust::Trust;

impl Certificate {
    /// Takes the certificate out of the authority's answer (JSON), and makes the checks of those who verify later: it leads to
    /// an authority that `trust` trusts, has the promise of a certificate transparency log, is for signing, is valid `now` (in
    /// seconds of Unix time), and is for this key. The other certificates of the answer are not used: who verifies has those
    /// of the trusted root.
    ///
    /// # Errors
    ///
    /// [`KeylessError`], which names the check that failed.
    pub fn accept(
        answer: &[u8],
        key: &EphemeralKey,
        trust: &Trust,
        now: i64,
    ) -> Result<Self, KeylessError> {
        let bad = |reason: &str| KeylessError::new(Check::CertificatePath, reason);
        let der = leaf_of(answer)?;
        let read = certificate::read(&der)
            .map_err(|_| bad("what the certificate authority issued is no X.509 certificate"))?;
        if read.public_key().raw != key.spki() {
            return Err(bad(
                "the certificate authority issued a certificate for another key",
            ));
        }
        let certificate = Self::of(der)?;
        // The authority's clock may be some minutes ahead of this machine's.
        let at = now.max(certificate.valid_from()?.min(now + CLOCK_SKEW_SECONDS));
        // A statement of no consequence: the checks are those of a whole bundle, of which the log is left out.
        let payload = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "none", "digest": {"sha256": "0".repeat(64)}}],
            "predicateType": "https://in-toto.io/none",
            "predicate": {},
        })
        .to_string();
        let draft = Draft::sign(payload.into_bytes(), key, certificate.clone())
            .map_err(|error| bad(&error.to_string()))?;
        verify_certificate(&draft.bundle()?, trust, at)?;
        Ok(certificate)
    }
}

/// The first certificate of the chain in the answer.
fn leaf_of(answer: &[u8]) -> Result<Vec<u8>, KeylessError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        signed_certificate_embedded_sct: Option<Signed>,
        signed_certificate_detached_sct: Option<Value>,
    }
    #[derive(Deserialize)]
    struct Signed {
        chain: Chain,
    }
    #[derive(Deserialize)]
    struct Chain {
        certificates: Vec<String>,
    }
    let bad = |check, reason: String| KeylessError::new(check, reason);
    let answer: Answer = serde_json::from_slice(answer).map_err(|error| {
        bad(
            Check::CertificatePath,
            format!("the certificate authority's answer has no certificate: {error}"),
        )
    })?;
    let signed = match (
        answer.signed_certificate_embedded_sct,
        answer.signed_certificate_detached_sct,
    ) {
        (Some(signed), _) => signed,
        (None, Some(_)) => {
            return Err(bad(
                Check::CertificateTransparency,
                "the certificate authority issued a certificate without its timestamp in it, which no bundle can hold"
                    .to_owned(),
            ));
        }
        (None, None) => {
            return Err(bad(
                Check::CertificatePath,
                "the certificate authority's answer has no certificate".to_owned(),
            ));
        }
    };
    let first = signed.chain.certificates.first();
    let first = first.map_or("", String::as_str);
    let all = certificate::all_of_pem(first.as_bytes())
        .map_err(|error| bad(Check::CertificatePath, error.to_string()))?;
    all.into_iter().next().ok_or_else(|| {
        bad(
            Check::CertificatePath,
            "the certificate authority's answer has no certificate".to_owned(),
        )
    })
}
