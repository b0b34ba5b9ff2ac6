//! Times that were verified here, in a form that `sigstore-verify` takes.
//!
//! Its reader of timestamps supports neither fractions of a second, which RFC 3161 allows and authorities write, nor
//! authorities with RSA, P-521 or Ed25519 keys. [`crate::timestamp`] supports them, and checks more of the authority's
//! certificate. So in place of each timestamp that was verified here, the library gets one with the same second, by an
//! authority whose key exists in this process alone, and which is the only one in the trusted root that the library gets.
//! The timestamps of a bundle never reach the library, so that no bundle brings one by this authority.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sigstore_verify::crypto::SigningScheme;
use sigstore_verify::trust_root::TimestampAuthority;

use super::remembered::remembered;

use crate::keyless_error::{Check, KeylessError};
use crate::timestamp::der::{
    BOOLEAN, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, context, encode,
};

/// SHA-256 (2.16.840.1.101.3.4.2.1), ECDSA with SHA-256 (1.2.840.10045.4.3.2), as AlgorithmIdentifiers.
const HASH: &[u8] = &[
    0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
];
pub(super) const ECDSA: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];
/// 1.2.840.113549.1.9.16.1.4
const TST_INFO: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04,
];
/// SubjectPublicKeyInfo of P-256, up to the uncompressed point.
pub(super) const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const UTC_TIME: u8 = 0x17;
pub(super) const BIT_STRING: u8 = 0x03;
const UTF8_STRING: u8 = 0x0c;
const SERIAL: &[u8] = &[1];

/// A timestamp authority for the verifications of one trusted root.
pub(super) struct Bridge {
    key: EcdsaKeyPair,
    certificate: Vec<u8>,
}

impl Bridge {
    pub(super) fn new() -> Result<Self, KeylessError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| failed())?;
        let mut bridge = Self {
            key,
            certificate: Vec::new(),
        };
        bridge.certificate = bridge.certify()?;
        Ok(bridge)
    }

    /// It as the only authority of a trusted root.
    pub(super) fn authority(&self) -> Result<TimestampAuthority, KeylessError> {
        let chain = json!({"certChain": {"certificates": [{"rawBytes": STANDARD.encode(&self.certificate)}]}});
        serde_json::from_value(chain).map_err(|_| failed())
    }

    /// A timestamp over `message`, at `time` in seconds of Unix time.
    pub(super) fn stamp(&self, message: &[u8], time: i64) -> Result<Vec<u8>, KeylessError> {
        let time = jiff::Timestamp::from_second(time).map_err(|_| failed())?;
        let time = time.strftime("%Y%m%d%H%M%SZ").to_string();
        let imprint = [
            HASH,
            &encode(OCTET_STRING, digest(&SHA256, message).as_ref()),
        ];
        let info = sequence(&[
            &encode(INTEGER, &[1]),
            &encode(OID, &[0x2a, 3, 4]),
            &sequence(&imprint),
            &encode(INTEGER, SERIAL),
            &encode(GENERALIZED_TIME, time.as_bytes()),
        ]);
        let attributes = attributes(digest(&SHA256, &info).as_ref());
        let signature = self.sign(&attributes)?;
        let mut implicit = attributes;
        if let Some(tag) = implicit.first_mut() {
            *tag = context(0);
        }
        let signer = sequence(&[
            &encode(INTEGER, &[1]),
            &sequence(&[&name(), &encode(INTEGER, SERIAL)]),
            HASH,
            &implicit,
            ECDSA,
            &encode(OCTET_STRING, &signature),
        ]);
        let content = encode(context(0), &encode(OCTET_STRING, &info));
        let data = sequence(&[
            &encode(INTEGER, &[3]),
            &encode(SET, HASH),
            &sequence(&[&encode(OID, TST_INFO), &content]),
            &encode(SET, &signer),
        ]);
        // 1.2.840.113549.1.7.2
        let kind = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
        let token = sequence(&[&encode(OID, &kind), &encode(context(0), &data)]);
        let granted = sequence(&[&encode(INTEGER, &[0])]);
        Ok(sequence(&[&granted, &token]))
    }

    /// A certificate for timestamps, alone.
    fn certify(&self) -> Result<Vec<u8>, KeylessError> {
        let validity = sequence(&[
            &encode(UTC_TIME, b"700101000000Z"),
            &encode(GENERALIZED_TIME, b"99991231235959Z"),
        ]);
        // timeStamping, 1.3.6.1.5.5.7.3.8, in a critical extended key usage, 2.5.29.37.
        let purpose = encode(OID, &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08]);
        let usage = sequence(&[
            &encode(OID, &[0x55, 0x1d, 0x25]),
            &encode(BOOLEAN, &[0xff]),
            &encode(OCTET_STRING, &sequence(&[&purpose])),
        ]);
        let spki = [P256_SPKI, self.key.public_key().as_ref()].concat();
        let signed = sequence(&[
            &encode(context(0), &encode(INTEGER, &[2])),
            &encode(INTEGER, SERIAL),
            ECDSA,
            &name(),
            &validity,
            &name(),
            &spki,
            &encode(context(3), &sequence(&[&usage])),
        ]);
        let signature = [&[0][..], &self.sign(&signed)?].concat();
        Ok(sequence(&[&signed, ECDSA, &encode(BIT_STRING, &signature)]))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeylessError> {
        let signature = self.key.sign(&SystemRandom::new(), message);
        let signature = signature.map_err(|_| failed())?.as_ref().to_vec();
        // The library need not verify what this process has just signed.
        if let Some(remembered) = remembered() {
            let key = self.key.public_key().as_ref();
            remembered.record_own(SigningScheme::EcdsaP256Sha256, key, message, &signature);
        }
        Ok(signature)
    }
}

fn failed() -> KeylessError {
    KeylessError::new(Check::Time, "the cryptographic library failed")
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    encode(SEQUENCE, &parts.concat())
}

/// A common name, 2.5.4.3.
fn name() -> Vec<u8> {
    let text = encode(UTF8_STRING, b"verified here");
    let attribute = sequence(&[&encode(OID, &[0x55, 0x04, 0x03]), &text]);
    sequence(&[&encode(SET, &attribute)])
}

/// The content type and the digest of TSTInfo (1.2.840.113549.1.9.3 and .4), in the order of DER.
fn attributes(digest: &[u8]) -> Vec<u8> {
    let attribute = |last: u8, value: &[u8]| {
        let kind = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, last];
        sequence(&[&encode(OID, &kind), &encode(SET, value)])
    };
    let mut all = [
        attribute(3, &encode(OID, TST_INFO)),
        attribute(4, &encode(OCTET_STRING, digest)),
    ];
    all.sort();
    encode(SET, &all.concat())
}
