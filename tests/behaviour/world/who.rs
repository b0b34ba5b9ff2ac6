//! The signers of the tests, and their leaves: generated ones under a CA of the tests, and recorded ones with their
//! known content.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use modelwatch::identity::{Authorities, AuthorityChain};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use serde_json::{Value, json};
use tlog::{Hash, leaf_hash};

pub const GITHUB: &str = "https://token.actions.githubusercontent.com";
pub const GOOGLE: &str = "https://accounts.google.com";
pub const RELEASE: &str = "https://github.com/acme/owl/.github/workflows/release.yml@refs/tags/v1";
pub const BRANCH: &str = "https://github.com/acme/owl/.github/workflows/release.yml@refs/heads/x";
pub const MAIL: &str = "release@acme.example";
pub const OWL: &str = "7701";

/// Who made a signing, known to the test without parsing the leaf.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Who {
    pub san: Option<String>,
    pub issuer: Option<String>,
    /// `source_repository_identifier`.
    pub repository: Option<String>,
    /// Whether a CA of the trusted root issued the certificate.
    pub trusted: bool,
}

/// A leaf and the truth about it.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub bytes: Arc<[u8]>,
    pub hash: Hash,
    /// `None`: a signer that no watch of a test selects, such as a bare key.
    pub who: Option<Who>,
}

impl Leaf {
    /// Of no entry of Rekor's.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self::new(bytes, None)
    }

    fn new(bytes: Vec<u8>, who: Option<Who>) -> Self {
        Self {
            hash: leaf_hash(&bytes),
            bytes: bytes.into(),
            who,
        }
    }
}

/// Those who sign in tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signer {
    /// The owner's workflow, from a tag.
    Release,
    /// The same workflow from a branch: out of shape.
    Branch,
    /// A person of the owner.
    Mail,
    /// The owner's workflow in a certificate that no trusted CA issued.
    Impostor,
    /// Another identity.
    UnknownIssuer,
}

impl Signer {
    pub const ALL: [Self; 5] = [
        Self::Release,
        Self::Branch,
        Self::Mail,
        Self::Impostor,
        Self::UnknownIssuer,
    ];

    pub fn who(self) -> Who {
        let (san, issuer, repository) = match self {
            Self::Release | Self::Impostor => (RELEASE, GITHUB, Some(OWL)),
            Self::Branch => (BRANCH, GITHUB, Some(OWL)),
            Self::Mail => (MAIL, GOOGLE, None),
            Self::UnknownIssuer => ("https://github.com/else/where", GITHUB, Some("9")),
        };
        Who {
            san: Some(san.to_owned()),
            issuer: Some(issuer.to_owned()),
            repository: repository.map(str::to_owned),
            trusted: self != Self::Impostor,
        }
    }

    /// A different signing for every `salt`.
    pub fn signs(self, salt: u64) -> Leaf {
        static CERTIFICATES: OnceLock<HashMap<Signer, Vec<u8>>> = OnceLock::new();
        let certificates = CERTIFICATES.get_or_init(|| {
            Self::ALL
                .into_iter()
                .map(|signer| (signer, certificate(&signer.who())))
                .collect()
        });
        Leaf::new(entry(&certificates[&self], salt), Some(self.who()))
    }
}

/// A signing with its own certificate by a different person for each `number`, from the trusted CA.
pub fn one_of_many(number: u64) -> Leaf {
    let who = Who {
        san: Some(format!("person-{number}@else.example")),
        issuer: Some(GOOGLE.to_owned()),
        repository: None,
        trusted: true,
    };
    Leaf::new(entry(&certificate(&who), number), Some(who))
}

/// An entry of Rekor v1 as a test wrote it.
pub fn written(entry: &Value) -> Leaf {
    Leaf::new(entry.to_string().into_bytes(), None)
}

/// A signing by the release workflow of this payload: an `intoto 0.0.2`, with which a log may serve the payload.
pub fn attested(payload: &[u8]) -> Leaf {
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(certificate(&Signer::Release.who()))
    );
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(payload));
    written(
        &json!({"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": {
            "payloadHash": {"algorithm": "sha256", "value": hash},
            "envelope": {"payloadType": "application/vnd.in-toto+json", "signatures": [
                {"publicKey": STANDARD.encode(pem), "sig": "QUFBQQ=="},
            ]},
        }}}),
    )
}

/// A leaf that cannot be parsed.
pub fn unreadable(salt: u64) -> Leaf {
    Leaf::new(format!("not an entry at all {salt}").into_bytes(), None)
}

/// Recorded leaves of a real log, with the truth from the day they were sent.
pub fn recorded() -> &'static [Leaf] {
    static RECORDED: OnceLock<Vec<Leaf>> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let lines = include_str!("../../data/entries/rekor-v2.jsonl").lines();
        lines
            .map(|line| {
                let line: Value = serde_json::from_str(line).expect("a line of JSON");
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let truth = &line["truth"];
                let who = truth["san"].is_object().then(|| Who {
                    san: text(&truth["san"]["value"]),
                    issuer: text(&truth["issuer"]),
                    repository: text(&truth["ext"]["15"]),
                    trusted: !matches!(truth["chain"].as_str(), Some("self-signed" | "other-ca")),
                });
                let leaf = text(&line["leaf"]).expect("the leaf's text");
                Leaf::new(leaf.into_bytes(), who)
            })
            .collect()
    })
}

/// Many leaves: the recorded ones, repeated.
pub fn other_leaves(count: usize) -> impl Iterator<Item = Leaf> {
    recorded().iter().cycle().take(count).cloned()
}

/// The CA of all signers except the impostor, and that of the recorded leaves.
pub fn authorities() -> Authorities {
    let root: Value = serde_json::from_str(include_str!("../../data/trust/harbor.json"))
        .expect("a trusted root is JSON");
    let mut chains: Vec<AuthorityChain> = root["certificateAuthorities"]
        .as_array()
        .expect("it names its CAs")
        .iter()
        .map(|authority| AuthorityChain {
            certificates: authority["certChain"]["certificates"]
                .as_array()
                .expect("each has a chain")
                .iter()
                .map(|c| c["rawBytes"].as_str().expect("of certificates"))
                .map(|c| STANDARD.decode(c).expect("in base64"))
                .collect(),
            valid_for: (None, None),
        })
        .collect();
    chains.push(AuthorityChain {
        certificates: vec![ca().0.clone()],
        valid_for: (None, None),
    });
    let (authorities, left_out) = Authorities::usable_of(chains);
    assert_eq!(left_out, []);
    authorities
}

/// The certificate of the CA of all signers except the impostor, in DER.
pub fn authority() -> Vec<u8> {
    ca().0.clone()
}

/// The CA of this test run: its certificate, and what issues with it.
fn ca() -> &'static (Vec<u8>, Issuer<'static, KeyPair>) {
    static CA: OnceLock<(Vec<u8>, Issuer<'static, KeyPair>)> = OnceLock::new();
    CA.get_or_init(|| issuer("world CA"))
}

fn issuer(name: &str) -> (Vec<u8>, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2036, 1, 1);
    let certificate = params.self_signed(&key).expect("a CA certificate");
    (certificate.der().to_vec(), Issuer::new(params, key))
}

/// A `hashedrekord 0.0.2` with a different digest for every `salt`.
fn entry(certificate: &[u8], salt: u64) -> Vec<u8> {
    let digest = leaf_hash(format!("artifact {salt}").as_bytes());
    let entry = json!({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
        "data": {"algorithm": "SHA2_256", "digest": digest.to_base64()},
        "signature": {"content": STANDARD.encode(b"not looked at: the log checked it"), "verifier": {
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            "x509Certificate": {"rawBytes": STANDARD.encode(certificate)},
        }},
    }}});
    entry.to_string().into_bytes()
}

/// A signing by another identity on this day of November 2026, a different one for every `salt`; by a trusted CA or
/// not.
pub fn dated(day: u8, trusted: bool, salt: u64) -> Leaf {
    static CERTIFICATES: Mutex<Vec<(u8, bool, Vec<u8>)>> = Mutex::new(Vec::new());
    let who = Who {
        trusted,
        ..Signer::UnknownIssuer.who()
    };
    let mut known = CERTIFICATES.lock().unwrap();
    let place = known
        .iter()
        .position(|(d, t, _)| (*d, *t) == (day, trusted));
    let place = place.unwrap_or_else(|| {
        known.push((day, trusted, certificate_of(&who, day)));
        known.len() - 1
    });
    let (_, _, certificate) = &known[place];
    Leaf::new(entry(certificate, salt), Some(who))
}

/// A certificate with its own key.
#[derive(Debug, Clone)]
pub struct Issued {
    der: Vec<u8>,
    who: Who,
}

/// A certificate for this name, valid for ten minutes from this second on; by the trusted CA, or by another one.
pub fn issue(name: &str, from: Timestamp, trusted: bool) -> Issued {
    issue_for(name, from, trusted, &KeyPair::generate().expect("a key"))
}

/// The same for a key that may have others.
pub fn issue_for(name: &str, from: Timestamp, trusted: bool, key: &KeyPair) -> Issued {
    let who = Who {
        san: Some(name.to_owned()),
        issuer: Some(GITHUB.to_owned()),
        repository: Some(OWL.to_owned()),
        trusted,
    };
    Issued {
        der: certificate_for(&who, from, key),
        who,
    }
}

impl Issued {
    /// The certificate, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// An entry with it, as a test wrote it.
    pub fn leaf(&self, entry: Vec<u8>) -> Leaf {
        Leaf::new(entry, Some(self.who.clone()))
    }

    /// The certificate in other bytes, with a trusted chain or not.
    pub fn in_other_bytes(&self, der: Vec<u8>, trusted: bool) -> Self {
        let who = Who {
            trusted,
            ..self.who.clone()
        };
        Self { der, who }
    }

    /// A signing with it; another one for every `salt`.
    pub fn signs(&self, salt: u64) -> Leaf {
        Leaf::new(entry(&self.der, salt), Some(self.who.clone()))
    }

    /// The same certificate with a signature of its CA that does not verify.
    pub fn spoilt(&self) -> Self {
        let mut der = self.der.clone();
        *der.last_mut().expect("a certificate") ^= 1;
        let who = Who {
            trusted: false,
            ..self.who.clone()
        };
        Self { der, who }
    }

    /// The leaf of a CT log that holds it (RFC 6962 §3.4, `x509_entry`).
    pub fn logged(&self) -> Leaf {
        let length = u32::try_from(self.der.len()).expect("short").to_be_bytes();
        let parts: [&[u8]; 5] = [&[0; 10], &[0; 2], &length[1..], &self.der, &[0; 2]];
        Leaf::new(parts.concat(), Some(self.who.clone()))
    }
}

fn certificate(who: &Who) -> Vec<u8> {
    certificate_of(who, 21)
}

fn certificate_of(who: &Who, day: u8) -> Vec<u8> {
    let key = KeyPair::generate().expect("a key");
    let midnight = format!("2026-11-{day:02}T00:00:00Z");
    certificate_for(who, midnight.parse().expect("a day"), &key)
}

fn certificate_for(who: &Who, from: Timestamp, key: &KeyPair) -> Vec<u8> {
    let name = who.san.as_deref().expect("generated signers have a name");
    let san = name.try_into().expect("an ASCII name");
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.subject_alt_names = vec![if name.contains("://") {
        SanType::URI(san)
    } else {
        SanType::Rfc822Name(san)
    }];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params.use_authority_key_identifier_extension = true;
    let seconds = u64::try_from(from.as_second()).expect("after 1970");
    params.not_before = date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds);
    params.not_after = params.not_before + std::time::Duration::from_mins(10);
    // Only its presence counts: CT logs are not contacted.
    params.custom_extensions = vec![CustomExtension::from_oid_content(
        &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2],
        b"\x04\x02\x00\x00".to_vec(),
    )];
    for (number, value) in [(8, &who.issuer), (15, &who.repository)] {
        if let Some(value) = value {
            params
                .custom_extensions
                .push(CustomExtension::from_oid_content(
                    &[1, 3, 6, 1, 4, 1, 57264, 1, number],
                    utf8_string(value),
                ));
        }
    }
    let unknown_issuer;
    let ca = if who.trusted {
        &ca().1
    } else {
        unknown_issuer = issuer("an untrusted CA").1;
        &unknown_issuer
    };
    params
        .signed_by(key, ca)
        .expect("a certificate")
        .der()
        .to_vec()
}

/// DER of an `UTF8String` of less than 128 bytes.
fn utf8_string(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("short");
    assert!(length < 128, "the long form is not needed here");
    [&[0x0c, length], text.as_bytes()].concat()
}
