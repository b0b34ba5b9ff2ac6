//! The timestamp authority (RFC 3161).

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SignatureAlgorithm, SigningKey as _, date_time_ymd,
};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{SIGNED_AT, base64, der, sha256};

/// A timestamp, and what is wrong with it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fault by itself")]
pub struct Stamp {
    /// Seconds after the signing.
    pub after: i64,
    /// By an authority that is not trusted.
    pub by_another: bool,
    /// Over something else.
    pub over_another: bool,
    /// The signature is not over the attributes.
    pub wrong_signature: bool,
    /// The attributes have the digest of something else.
    pub wrong_digest: bool,
    /// The attributes name another certificate.
    pub other_certificate: bool,
    /// The token carries the certificates of its signer.
    pub embeds: bool,
    pub nonce: Option<Vec<u8>>,
    /// Over a message with this digest, whatever the message.
    pub over: Option<[u8; 32]>,
    /// The time has a fraction of a second.
    pub has_fraction: bool,
    /// The status of the response.
    pub status: u8,
}

impl Default for Stamp {
    fn default() -> Self {
        Self {
            after: 10,
            by_another: false,
            over_another: false,
            wrong_signature: false,
            wrong_digest: false,
            other_certificate: false,
            embeds: true,
            nonce: None,
            over: None,
            has_fraction: false,
            status: 0,
        }
    }
}

pub struct StampAuthority {
    key: KeyPair,
    /// The signer's certificate, the intermediate, the root.
    chain: Vec<Vec<u8>>,
    other: Option<Box<StampAuthority>>,
}

/// What is wrong with the authority's own certificate.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault by itself")]
pub struct Flaws {
    pub usage_not_critical: bool,
    pub also_for_code: bool,
    pub no_usage: bool,
    /// It expired before anything was signed.
    pub expired: bool,
}

impl StampAuthority {
    pub fn new() -> Self {
        let mut authority = Self::with(&rcgen::PKCS_ECDSA_P256_SHA256, Flaws::default());
        let other = Self::with(&rcgen::PKCS_ECDSA_P256_SHA256, Flaws::default());
        authority.other = Some(Box::new(other));
        authority
    }

    pub fn with(algorithm: &'static SignatureAlgorithm, flaws: Flaws) -> Self {
        let base = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            params.not_before = date_time_ymd(2025, 1, 1);
            params.not_after = date_time_ymd(2035, 1, 1);
            // Python's cryptography requires it.
            params.use_authority_key_identifier_extension = true;
            params
        };
        let root_key = KeyPair::generate().unwrap();
        let mut root = base("fake timestamp root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
        let middle_key = KeyPair::generate().unwrap();
        let mut middle = base("fake timestamp intermediate");
        middle.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        middle.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        middle.custom_extensions = vec![usage(false, false)];
        let issuer = Issuer::from_params(&root, &root_key);
        let middle_der = middle
            .signed_by(&middle_key, &issuer)
            .unwrap()
            .der()
            .to_vec();
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut leaf = base("fake timestamp authority");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if !flaws.no_usage {
            leaf.custom_extensions = vec![usage(!flaws.usage_not_critical, flaws.also_for_code)];
        }
        if flaws.expired {
            leaf.not_after = date_time_ymd(2025, 2, 1);
        }
        let issuer = Issuer::from_params(&middle, &middle_key);
        let leaf_der = leaf.signed_by(&key, &issuer).unwrap().der().to_vec();
        Self {
            key,
            chain: vec![leaf_der, middle_der, root_der],
            other: None,
        }
    }

    pub fn trusted(&self, period: &Value) -> Value {
        let chain = self.chain.iter();
        let chain: Vec<_> = chain.map(|der| json!({"rawBytes": base64(der)})).collect();
        json!({
            "subject": {"organization": "fake.example", "commonName": "tsa"},
            "uri": "https://tsa.fake.example/api/v1/timestamp",
            "certChain": {"certificates": chain},
            "validFor": period,
        })
    }

    /// The chain in PEM; from its `from`th certificate on, the signer's own being the first.
    pub fn pem(&self, from: usize) -> String {
        self.chain[from..]
            .iter()
            .map(|der| super::log::pem(der))
            .collect()
    }

    /// A TimeStampResp.
    pub fn stamp(&self, message: &[u8], stamp: &Stamp) -> Vec<u8> {
        if stamp.by_another {
            let other = self.other.as_ref().unwrap();
            let honest = Stamp {
                by_another: false,
                nonce: stamp.nonce.clone(),
                ..*stamp
            };
            return other.stamp(message, &honest);
        }
        let over = match stamp.over {
            Some(digest) => digest,
            None if stamp.over_another => sha256(b"another"),
            None => sha256(message),
        };
        let info = tst_info(&over, stamp);
        let digest = if stamp.wrong_digest {
            sha256(b"another")
        } else {
            sha256(&info)
        };
        let certificate = if stamp.other_certificate {
            b"another"
        } else {
            &self.chain[0][..]
        };
        let attributes = attributes(&digest, &sha256(certificate));
        let message = if stamp.wrong_signature {
            &b"another"[..]
        } else {
            &attributes
        };
        let signature = self.key.sign(message).unwrap();
        let (_, leaf) = X509Certificate::from_der(&self.chain[0]).unwrap();
        let sid = [
            leaf.issuer().as_raw().to_vec(),
            der(0x02, leaf.tbs_certificate.raw_serial()),
        ]
        .concat();
        // The implicit tag in place of the SET's.
        let mut implicit = attributes;
        implicit[0] = 0xa0;
        let fields = [
            der(0x02, &[1]),
            der(0x30, &sid),
            der(0x30, &SHA256),
            implicit,
            der(0x30, &signature_algorithm(self.key.algorithm())),
            der(0x04, &signature),
        ];
        let content = [der(0x06, TST_INFO), der(0xa0, &der(0x04, &info))];
        let mut data = vec![
            der(0x02, &[3]),
            der(0x31, &der(0x30, &SHA256)),
            der(0x30, &content.concat()),
        ];
        if stamp.embeds {
            data.push(der(0xa0, &self.chain[..2].concat()));
        }
        data.push(der(0x31, &der(0x30, &fields.concat())));
        let token = [
            der(0x06, SIGNED_DATA),
            der(0xa0, &der(0x30, &data.concat())),
        ];
        let status = der(0x30, &der(0x02, &[stamp.status]));
        if stamp.status > 1 {
            return der(0x30, &status);
        }
        der(0x30, &[status, der(0x30, &token.concat())].concat())
    }
}

const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
const SHA256: [u8; 11] = [6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];

fn signature_algorithm(algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
    let oid: &[u8] = if *algorithm == rcgen::PKCS_ECDSA_P256_SHA256 {
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]
    } else if *algorithm == rcgen::PKCS_ECDSA_P384_SHA384 {
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]
    } else if *algorithm == rcgen::PKCS_ECDSA_P521_SHA512 {
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4]
    } else if *algorithm == rcgen::PKCS_ED25519 {
        &[0x2b, 0x65, 0x70]
    } else {
        // rsaEncryption: the hash is the signer's digest algorithm.
        return [
            der(0x06, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]),
            vec![5, 0],
        ]
        .concat();
    };
    der(0x06, oid)
}

fn tst_info(over: &[u8; 32], stamp: &Stamp) -> Vec<u8> {
    let imprint = [der(0x30, &SHA256), der(0x04, over)].concat();
    let mut time = generalized(SIGNED_AT + stamp.after);
    if stamp.has_fraction {
        time = time.replace('Z', ".25Z");
    }
    let mut fields = vec![
        der(0x02, &[1]),
        der(0x06, &[0x2a, 3, 4]),
        der(0x30, &imprint),
        der(0x02, &[42]),
        der(0x18, time.as_bytes()),
    ];
    if let Some(nonce) = &stamp.nonce {
        fields.push(der(0x02, nonce));
    }
    der(0x30, &fields.concat())
}

fn generalized(time: i64) -> String {
    let time = jiff::Timestamp::from_second(time).unwrap();
    time.strftime("%Y%m%d%H%M%SZ").to_string()
}

/// A SET of attributes, sorted as DER requires.
fn attributes(digest: &[u8; 32], certificate: &[u8; 32]) -> Vec<u8> {
    let attribute =
        |oid: &[u8], value: Vec<u8>| der(0x30, &[der(0x06, oid), der(0x31, &value)].concat());
    let id = der(0x30, &der(0x30, &der(0x30, &der(0x04, certificate))));
    let mut all = [
        attribute(
            &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3],
            der(0x06, TST_INFO),
        ),
        attribute(
            &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4],
            der(0x04, digest),
        ),
        attribute(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 47], id),
    ];
    all.sort();
    der(0x31, &all.concat())
}

/// An extended key usage with timeStamping.
fn usage(is_critical: bool, for_code: bool) -> CustomExtension {
    let mut purposes = der(0x06, &[0x2b, 6, 1, 5, 5, 7, 3, 8]);
    if for_code {
        purposes.extend(der(0x06, &[0x2b, 6, 1, 5, 5, 7, 3, 3]));
    }
    let mut usage = CustomExtension::from_oid_content(&[2, 5, 29, 37], der(0x30, &purposes));
    usage.set_criticality(is_critical);
    usage
}
