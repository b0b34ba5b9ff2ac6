//! The certificate authority, and the log that promises to log what it issues.

use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm,
    SigningKey as _, date_time_ymd,
};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{IDENTITY, ISSUER, base64, der, sha256};

/// What is in the certificate of a signer, and what is wrong with it.
pub struct Leaf {
    pub algorithm: &'static SignatureAlgorithm,
    pub names: Vec<SanType>,
    /// The issuer as UTF8String, and as raw text.
    pub issuer: Option<String>,
    pub issuer_raw: Option<String>,
    /// Further extensions of Fulcio, as UTF8String.
    pub extensions: Vec<(u64, String)>,
    pub key_usages: Vec<KeyUsagePurpose>,
    pub extended: Vec<ExtendedKeyUsagePurpose>,
    /// Seconds after the day of signing at which it becomes valid, and how many it is valid.
    pub valid_from: u64,
    pub valid_seconds: u64,
    /// Issued by another authority of the same name.
    pub by_another: bool,
    pub sct: Sct,
    /// Bytes of the certificate, and as many in place of them, for the log and the authority as for the signer.
    pub replaced: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The certificate's timestamp.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sct {
    Right,
    Missing,
    Twice,
    /// By a log that is not trusted, under the id of the trusted one.
    Forged,
    /// By a log that is not trusted.
    Unknown,
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            algorithm: &PKCS_ECDSA_P256_SHA256,
            names: vec![SanType::URI(Ia5String::try_from(IDENTITY).unwrap())],
            issuer: Some(ISSUER.to_owned()),
            issuer_raw: Some(ISSUER.to_owned()),
            extensions: vec![(15, "463804977".to_owned()), (20, "release".to_owned())],
            key_usages: vec![KeyUsagePurpose::DigitalSignature],
            extended: vec![ExtendedKeyUsagePurpose::CodeSigning],
            valid_from: 0,
            valid_seconds: 600,
            by_another: false,
            sct: Sct::Right,
            replaced: Vec::new(),
        }
    }
}

pub struct Authority {
    root: (CertificateParams, KeyPair),
    intermediate: (CertificateParams, KeyPair),
    other: KeyPair,
    chain: Vec<Vec<u8>>,
}

const FULCIO: [u64; 8] = [1, 3, 6, 1, 4, 1, 57264, 1];

/// P-384, as the authorities of Sigstore have.
fn ca_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()
}

fn ca(name: &str, depth: u8, years: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    // Python's cryptography requires it.
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(depth));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(2025 + years, 1, 1);
    params
}

impl Authority {
    pub fn new() -> Self {
        Self::valid_for_years(10)
    }

    /// An authority whose root is valid for so many years from 2025-01-01 on; zero: it has expired at the signing.
    pub fn valid_for_years(years: i32) -> Self {
        let root_key = ca_key();
        let mut root = ca("fake root", 1, years);
        if years == 0 {
            root.not_after = date_time_ymd(2025, 2, 1);
        }
        let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
        let key = ca_key();
        let mut intermediate = ca("fake intermediate", 0, 10);
        intermediate.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let issuer = Issuer::from_params(&root, &root_key);
        let intermediate_der = intermediate
            .signed_by(&key, &issuer)
            .unwrap()
            .der()
            .to_vec();
        Self {
            chain: vec![intermediate_der, root_der],
            root: (root, root_key),
            intermediate: (intermediate, key),
            other: ca_key(),
        }
    }

    /// The chain as a trusted root has it: the issuing certificate first.
    pub fn chain(&self) -> Vec<Value> {
        let chain = self.chain.iter();
        chain.map(|der| json!({"rawBytes": base64(der)})).collect()
    }

    pub fn issue(&self, key: &impl PublicKeyData, leaf: &Leaf, ct: &KeyPair) -> Vec<u8> {
        let (issuer, issuer_key) = &self.intermediate;
        let issuer_key = if leaf.by_another {
            &self.other
        } else {
            issuer_key
        };
        let issuer = Issuer::from_params(issuer, issuer_key);
        // The log signs the certificate without its own timestamp (RFC 6962 §3.2).
        let params = params(leaf);
        let before = params.signed_by(key, &issuer).unwrap().der().to_vec();
        if leaf.sct == Sct::Missing {
            return before;
        }
        let before = tbs(&before, leaf);
        let issuer_hash = sha256(&issuer_key.subject_public_key_info());
        let other = KeyPair::generate().unwrap();
        let (signs, id) = match leaf.sct {
            Sct::Forged => (&other, ct),
            Sct::Unknown => (&other, &other),
            _ => (ct, ct),
        };
        let id = sha256(&id.subject_public_key_info());
        let sct = sct(signs, &id, &issuer_hash, &before);
        let one = [&(sct.len() as u16).to_be_bytes()[..], &sct].concat();
        let all = if leaf.sct == Sct::Twice {
            [one.clone(), one].concat()
        } else {
            one
        };
        let list = [&(all.len() as u16).to_be_bytes()[..], &all].concat();
        let mut params = params;
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(
                &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2],
                der(0x04, &list),
            ));
        let whole = params.signed_by(key, &issuer).unwrap().der().to_vec();
        if leaf.replaced.is_empty() {
            return whole;
        }
        let tbs = tbs(&whole, leaf);
        let signature = [vec![0], issuer_key.sign(&tbs).unwrap()].concat();
        // 1.2.840.10045.4.3.3, ECDSA with SHA-384.
        let algorithm = der(0x30, &der(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]));
        der(0x30, &[tbs, algorithm, der(0x03, &signature)].concat())
    }
}

/// What is signed of a certificate, with the replacements of the signer's.
fn tbs(certificate: &[u8], leaf: &Leaf) -> Vec<u8> {
    let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
    let mut tbs = parsed.tbs_certificate.as_ref().to_vec();
    for (from, to) in &leaf.replaced {
        assert_eq!(from.len(), to.len());
        let mut windows = tbs.windows(from.len());
        let at = windows.position(|bytes| bytes == from).unwrap();
        tbs[at..at + to.len()].copy_from_slice(to);
    }
    tbs
}

fn params(leaf: &Leaf) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from(4711_u64));
    params.subject_alt_names.clone_from(&leaf.names);
    params.key_usages.clone_from(&leaf.key_usages);
    params.extended_key_usages.clone_from(&leaf.extended);
    params.not_before = date_time_ymd(2025, 6, 1) + Duration::from_secs(leaf.valid_from);
    params.not_after = params.not_before + Duration::from_secs(leaf.valid_seconds);
    let mut extension = |number: u64, content: Vec<u8>| {
        let oid = [&FULCIO[..], &[number]].concat();
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(&oid, content));
    };
    if let Some(issuer) = &leaf.issuer_raw {
        extension(1, issuer.clone().into_bytes());
    }
    if let Some(issuer) = &leaf.issuer {
        extension(8, der(0x0c, issuer.as_bytes()));
    }
    for (number, value) in &leaf.extensions {
        extension(*number, der(0x0c, value.as_bytes()));
    }
    params
}

/// SignedCertificateTimestamp (RFC 6962 §3.2).
fn sct(key: &KeyPair, log_id: &[u8; 32], issuer_hash: &[u8; 32], tbs: &[u8]) -> Vec<u8> {
    let time = (super::SIGNED_AT as u64 * 1000).to_be_bytes();
    let mut message = vec![0, 0];
    message.extend(time);
    message.extend([0, 1]);
    message.extend(issuer_hash);
    message.extend(&(tbs.len() as u32).to_be_bytes()[1..]);
    message.extend(tbs);
    message.extend([0, 0]);
    let signature = key.sign(&message).unwrap();
    let mut sct = vec![0];
    sct.extend(log_id);
    sct.extend(time);
    sct.extend([0, 0, 4, 3]);
    sct.extend((signature.len() as u16).to_be_bytes());
    sct.extend(signature);
    sct
}
