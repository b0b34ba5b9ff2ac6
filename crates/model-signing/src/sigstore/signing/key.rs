//! The key of one signature, and the request for a certificate for it.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::sigstore::bridge::{BIT_STRING, ECDSA, P256_SPKI, sequence};
use crate::timestamp::der::{BOOLEAN, INTEGER, OCTET_STRING, OID, SET, context, encode};

/// The cryptographic library failed: no random numbers, for example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library cannot make or use a key")]
pub struct KeyFailure;

/// A key on P-256 that signs one model and is then forgotten. It never leaves the memory of the program; the cryptographic
/// library wipes it.
pub struct EphemeralKey(EcdsaKeyPair);

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EphemeralKey")
    }
}

impl EphemeralKey {
    /// A new key.
    ///
    /// # Errors
    ///
    /// [`KeyFailure`].
    pub fn new() -> Result<Self, KeyFailure> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .map(Self)
            .map_err(|_| KeyFailure)
    }

    /// The body of a request for a certificate (Fulcio's API, `POST /api/v2/signingCert`): JSON with a certificate signing
    /// request (RFC 2986), whose signature proves that the sender has the key. The identity is the token's, which is sent
    /// beside it.
    ///
    /// # Errors
    ///
    /// [`KeyFailure`].
    pub fn request(&self) -> Result<String, KeyFailure> {
        let pem = pem("CERTIFICATE REQUEST", &self.certificate_request()?);
        Ok(json!({"certificateSigningRequest": STANDARD.encode(pem)}).to_string())
    }

    /// SubjectPublicKeyInfo in DER.
    pub(super) fn spki(&self) -> Vec<u8> {
        [P256_SPKI, self.0.public_key().as_ref()].concat()
    }

    /// ECDSA with SHA-256, in DER.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFailure> {
        let signature = self.0.sign(&SystemRandom::new(), message);
        Ok(signature.map_err(|_| KeyFailure)?.as_ref().to_vec())
    }

    /// No subject, and the extension that the reference asks for: basicConstraints, critical, not a CA.
    fn certificate_request(&self) -> Result<Vec<u8>, KeyFailure> {
        // 2.5.29.19, in extensionRequest, 1.2.840.113549.1.9.14.
        let constraints = sequence(&[
            &encode(OID, &[0x55, 0x1d, 0x13]),
            &encode(BOOLEAN, &[0xff]),
            &encode(OCTET_STRING, &sequence(&[])),
        ]);
        let extension_request = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
        let attribute = sequence(&[
            &encode(OID, &extension_request),
            &encode(SET, &sequence(&[&constraints])),
        ]);
        let signed = sequence(&[
            &encode(INTEGER, &[0]),
            &sequence(&[]),
            &self.spki(),
            &encode(context(0), &attribute),
        ]);
        let signature = [&[0][..], &self.sign(&signed)?].concat();
        Ok(sequence(&[&signed, ECDSA, &encode(BIT_STRING, &signature)]))
    }
}

/// PEM (RFC 7468) in lines of 64 characters.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, character) in base64.char_indices() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text + &format!("\n-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use x509_parser::certification_request::X509CertificationRequest;
    use x509_parser::prelude::{FromDer as _, ParsedExtension};

    use super::*;

    #[test]
    fn the_request_proves_possession_and_asks_for_no_name() {
        let key = EphemeralKey::new().expect("a key");
        let body: serde_json::Value =
            serde_json::from_str(&key.request().expect("a request")).expect("JSON");
        let pem = body["certificateSigningRequest"].as_str().expect("base64");
        let pem = STANDARD.decode(pem).expect("base64");
        let text = String::from_utf8(pem).expect("PEM");
        assert!(text.lines().all(|line| line.len() <= 64), "{text}");
        let (_, pem) = x509_parser::pem::parse_x509_pem(text.as_bytes()).expect("PEM");
        assert_eq!(pem.label, "CERTIFICATE REQUEST");
        let (rest, request) = X509CertificationRequest::from_der(&pem.contents).expect("DER");
        assert!(rest.is_empty());
        let info = &request.certification_request_info;
        assert_eq!(info.subject.iter().count(), 0);
        assert_eq!(info.subject_pki.raw, key.spki());
        let mut extensions = request.requested_extensions().expect("extensions");
        assert!(matches!(
            extensions.next(),
            Some(ParsedExtension::BasicConstraints(constraints)) if !constraints.ca
        ));
        assert!(extensions.next().is_none());
        let point = info.subject_pki.subject_public_key.data.as_ref();
        aws_lc_rs::signature::UnparsedPublicKey::new(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1,
            point,
        )
        .verify(info.raw, &request.signature_value.data)
        .expect("it is signed with its own key");
    }
}
