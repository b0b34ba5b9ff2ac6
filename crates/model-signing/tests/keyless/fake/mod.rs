//! A Sigstore of our own: a certificate authority, a certificate transparency log, logs of Rekor v1 and v2, and a timestamp
//! authority, with real keys and real signatures. Everything that they hand out can be made wrong.
#![allow(
    dead_code,
    reason = "included by several test programs, each of which uses a part"
)]

pub mod authority;
pub mod log;
pub mod stamp;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use authority::{Authority, Leaf};
use log::{Entry, Log};
use stamp::{Stamp, StampAuthority};

/// 2025-06-01T00:00:00Z, when everything is signed that does not have a time of its own.
pub const SIGNED_AT: i64 = 1_748_736_000;
/// A day later: the certificate has long expired.
pub const NOW: i64 = SIGNED_AT + 86_400;

pub const IDENTITY: &str =
    "https://github.com/o/falcon/.github/workflows/release.yml@refs/tags/v1.0.0";
pub const ISSUER: &str = "https://token.actions.githubusercontent.com";

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter();
    digits.fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

pub fn unbase64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn unbase64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digits = (0..text.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// One element in DER.
pub fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match content.len() {
        length @ 0..=0x7f => element.push(length as u8),
        length @ 0x80..=0xff => element.extend([0x81, length as u8]),
        length => element.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    element.extend(content);
    element
}

/// A statement about the model `falcon`, which is the file `weights.bin` with the content `weights`.
pub fn payload() -> Vec<u8> {
    let digest = hex(&sha256(b"weights"));
    let root = hex(&sha256(&sha256(b"weights")));
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "falcon", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false},
            "resources": [{"name": "weights.bin", "algorithm": "sha256", "digest": digest}],
        },
    })
    .to_string()
    .into_bytes()
}

/// Everything that signs.
pub struct Sigstore {
    pub fulcio: Authority,
    pub ct: KeyPair,
    pub rekor_v1: Log,
    pub rekor_v2: Log,
    pub tsa: StampAuthority,
}

/// A signing, and what is wrong with it.
pub struct Signing {
    pub leaf: Leaf,
    pub payload_type: String,
    pub entry: Entry,
    pub entries: usize,
    /// An entry besides, in the log of its version.
    pub also: Option<Entry>,
    pub stamps: Vec<Stamp>,
    /// Signs something else than the payload.
    pub wrong_signature: bool,
    /// Changes the bundle at the end.
    pub change: Box<dyn Fn(&mut Value)>,
}

impl Default for Signing {
    fn default() -> Self {
        Self::v1()
    }
}

impl Signing {
    /// A signing in Rekor v1, whose promise gives the time.
    pub fn v1() -> Self {
        Self {
            leaf: Leaf::default(),
            payload_type: "application/vnd.in-toto+json".to_owned(),
            entry: Entry::default(),
            entries: 1,
            also: None,
            stamps: Vec::new(),
            wrong_signature: false,
            change: Box::new(|_| ()),
        }
    }

    /// A signing in Rekor v2, with a timestamp.
    pub fn v2() -> Self {
        Self {
            entry: Entry {
                is_v2: true,
                ..Entry::default()
            },
            stamps: vec![Stamp::default()],
            ..Self::v1()
        }
    }
}

impl Sigstore {
    pub fn new() -> Self {
        Self {
            fulcio: Authority::new(),
            ct: KeyPair::generate().unwrap(),
            rekor_v1: Log::v1("rekor.fake.example"),
            rekor_v2: Log::v2("log2025-1.fake.example"),
            tsa: StampAuthority::new(),
        }
    }

    pub fn trusted_root(&self) -> Value {
        let period = json!({"start": "2025-01-01T00:00:00Z"});
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self.rekor_v1.trusted(&period), self.rekor_v2.trusted(&period)],
            "certificateAuthorities": [{
                "subject": {"organization": "fake.example", "commonName": "fulcio"},
                "uri": "https://fulcio.fake.example",
                "certChain": {"certificates": self.fulcio.chain()},
                "validFor": period,
            }],
            "ctlogs": [{
                "baseUrl": "https://ct.fake.example",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": base64(self.ct.subject_public_key_info()),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": period,
                },
                "logId": {"keyId": base64(sha256(&self.ct.subject_public_key_info()))},
            }],
            "timestampAuthorities": [self.tsa.trusted(&period)],
        })
    }

    /// Signs a payload; the bundle.
    pub fn sign(&self, payload: &[u8], signing: &Signing) -> Value {
        let key = KeyPair::generate_for(signing.leaf.algorithm).unwrap();
        let certificate = self.fulcio.issue(&key, &signing.leaf, &self.ct);
        let kind = &signing.payload_type;
        let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
        let pae = [head.as_bytes(), payload].concat();
        let signature = if signing.wrong_signature {
            key.sign(b"something else").unwrap()
        } else {
            key.sign(&pae).unwrap()
        };
        let envelope = json!({
            "payload": base64(payload),
            "payloadType": kind,
            "signatures": [{"sig": base64(&signature)}],
        });
        let first = std::iter::repeat_n(&signing.entry, signing.entries);
        let entries: Vec<Value> = first
            .chain(&signing.also)
            .map(|entry| {
                let log = if entry.is_v2 {
                    &self.rekor_v2
                } else {
                    &self.rekor_v1
                };
                log.include(entry, &envelope, payload, &pae, &signature, &certificate)
            })
            .collect();
        let stamps: Vec<Value> = signing
            .stamps
            .iter()
            .map(|stamp| json!({"signedTimestamp": base64(self.tsa.stamp(&signature, stamp))}))
            .collect();
        let mut bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": base64(certificate)},
                "tlogEntries": entries,
                "timestampVerificationData": {"rfc3161Timestamps": stamps},
            },
            "dsseEnvelope": envelope,
        });
        (signing.change)(&mut bundle);
        bundle
    }
}
