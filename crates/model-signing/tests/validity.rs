//! When a certificate may verify a signature, and for what it must be, in every combination.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use model_signing::certificate::{TrustStore, ValidAt};
use model_signing::key::PrivateKey;
use model_signing::sign::{self, CertificateSigner, KeySigner, Material, SignError, Signer};
use model_signing::verify::{self, Opened, Options, Verifier, VerifyError, Warning};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// 2026-06-01.
const NOW: i64 = 1_780_272_000;
/// 2025-03-01.
const BEFORE: i64 = 1_740_787_200;
/// 2026-12-15.
const AFTER: i64 = 1_797_292_800;

/// The validity of a certificate, seen from [`NOW`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    /// 2024-01-01 to 2025-06-01.
    Expired,
    /// 2025-01-01 to 2027-01-01.
    Valid,
    /// 2026-12-01 to 2028-01-01.
    Future,
}

const SPANS: [Span; 3] = [Span::Expired, Span::Valid, Span::Future];

impl Span {
    fn dates(self) -> [(i32, u8); 2] {
        match self {
            Self::Expired => [(2024, 1), (2025, 6)],
            Self::Valid => [(2025, 1), (2027, 1)],
            Self::Future => [(2026, 12), (2028, 1)],
        }
    }

    fn contains(self, instant: i64) -> bool {
        match instant {
            BEFORE => self != Self::Future,
            NOW => self == Self::Valid,
            AFTER => self != Self::Expired,
            _ => unreachable!("one of the three"),
        }
    }
}

fn params(name: &str, span: Span) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let [from, until] = span
        .dates()
        .map(|(year, month)| date_time_ymd(year, month, 1));
    params.not_before = from;
    params.not_after = until;
    params
}

fn authority(name: &str, span: Span) -> CertificateParams {
    let mut params = params(name, span);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// A root, an intermediate and the keys of all three.
struct Chain {
    root: Certificate,
    intermediate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    key: KeyPair,
}

impl Chain {
    fn new(intermediate: Span, root: Span) -> Self {
        let root_key = KeyPair::generate().unwrap();
        let root_params = authority("root", root);
        let root = root_params.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(root_params, root_key);
        let key = KeyPair::generate().unwrap();
        let params = authority("intermediate", intermediate);
        let intermediate = params.signed_by(&key, &root_issuer).unwrap();
        Self {
            root,
            intermediate,
            issuer: Issuer::new(params, key),
            key: KeyPair::generate().unwrap(),
        }
    }

    fn leaf(&self, params: &CertificateParams) -> Certificate {
        params.signed_by(&self.key, &self.issuer).unwrap()
    }

    fn private(&self) -> KeySigner {
        let pem = self.key.serialize_pem();
        KeySigner::new(PrivateKey::from_pem(pem.as_bytes(), None).unwrap())
    }

    /// A signature as any tool could write it, whatever the certificate is.
    fn signature(&self, leaf: &Certificate) -> Vec<u8> {
        let key = self.private();
        let signer = Unchecked {
            material: Material::Certificates {
                key: key.material().key().clone(),
                chain: vec![leaf.der().to_vec(), self.intermediate.der().to_vec()],
            },
            key,
        };
        sign::bundle(b"{}", &signer).unwrap()
    }

    fn verify(&self, file: &[u8], valid_at: ValidAt, strict: bool) -> Result<Opened, VerifyError> {
        let store = TrustStore::from_pem(&[self.root.pem()]).unwrap();
        let options = Options {
            now: NOW,
            valid_at,
            strict,
        };
        verify::open(file, &Verifier::Certificates(store), &options)
    }

    fn signer(&self, leaf: &Certificate) -> Result<CertificateSigner<KeySigner>, SignError> {
        let chain = [
            self.intermediate.pem().into_bytes(),
            self.root.pem().into_bytes(),
        ];
        let signer = CertificateSigner::new(self.private(), leaf.pem().as_bytes(), &chain)?;
        signer.check(NOW, false)?;
        Ok(signer)
    }
}

struct Unchecked {
    key: KeySigner,
    material: Material,
}

impl Signer for Unchecked {
    fn material(&self) -> &Material {
        &self.material
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.key.sign(message)
    }
}

#[test]
fn every_certificate_must_be_valid_at_the_instant_that_counts() {
    for intermediate in SPANS {
        for root in SPANS {
            let chain = Chain::new(intermediate, root);
            for leaf in SPANS {
                let spans = [leaf, intermediate, root];
                let mut params = params("leaf", leaf);
                params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
                let certificate = chain.leaf(&params);
                let file = chain.signature(&certificate);
                let within = |instant| spans.iter().all(|span| span.contains(instant));
                let verdict = |valid_at| chain.verify(&file, valid_at, false);

                assert_eq!(verdict(ValidAt::Present).is_ok(), within(NOW), "{spans:?}");
                assert_eq!(chain.signer(&certificate).is_ok(), within(NOW), "{spans:?}");
                for instant in [BEFORE, NOW, AFTER] {
                    let given = verdict(ValidAt::Given(instant));
                    assert_eq!(given.is_ok(), within(instant), "{spans:?} at {instant}");
                    let expired = spans.contains(&Span::Expired);
                    let warnings = match (within(NOW), expired) {
                        (true, _) => vec![],
                        (false, expired) => vec![Warning::NotValidNow { expired }],
                    };
                    if let Ok(opened) = given {
                        assert_eq!(opened.warnings, warnings, "{spans:?} at {instant}");
                    }
                    let proven = verdict(ValidAt::Proven(vec![instant]));
                    let is_valid = within(NOW) || within(instant);
                    assert_eq!(proven.is_ok(), is_valid, "{spans:?} proven at {instant}");
                    if let Ok(opened) = proven {
                        assert_eq!(opened.warnings, [], "{spans:?} proven at {instant}");
                    }
                }
                let several = verdict(ValidAt::Proven(vec![AFTER, BEFORE]));
                let is_valid = within(BEFORE) || within(NOW) || within(AFTER);
                assert_eq!(several.is_ok(), is_valid, "{spans:?}");
                let allowed = verdict(ValidAt::AllowExpired);
                assert_eq!(allowed.is_ok(), !spans.contains(&Span::Future), "{spans:?}");
            }
        }
    }
}

#[test]
fn an_error_names_the_certificate_that_is_not_valid_and_the_instant() {
    let chain = Chain::new(Span::Expired, Span::Valid);
    let file = chain.signature(&chain.leaf(&params("leaf", Span::Valid)));
    assert_eq!(
        chain
            .verify(&file, ValidAt::Present, false)
            .unwrap_err()
            .to_string(),
        "certificate chain: \"CN=intermediate\" is valid from Jan  1 00:00:00 2024 +00:00 to Jun  1 00:00:00 2025 +00:00, \
         not at Jun  1 00:00:00 2026 +00:00"
    );
}

#[test]
fn usages_that_are_there_must_allow_it_to_sign_and_one_must_be_there() {
    use ExtendedKeyUsagePurpose::{Any, CodeSigning, EmailProtection, ServerAuth, TimeStamping};
    use KeyUsagePurpose::{
        ContentCommitment, CrlSign, DataEncipherment, DecipherOnly, DigitalSignature, EncipherOnly,
        KeyAgreement, KeyCertSign, KeyEncipherment,
    };
    let all = [
        DigitalSignature,
        ContentCommitment,
        KeyEncipherment,
        DataEncipherment,
        KeyAgreement,
        KeyCertSign,
        CrlSign,
        EncipherOnly,
        DecipherOnly,
    ];
    let key_usages: Vec<Vec<KeyUsagePurpose>> = std::iter::once(vec![])
        .chain(all.map(|one| vec![one]))
        .chain([
            vec![DigitalSignature, KeyEncipherment],
            vec![ContentCommitment, KeyAgreement],
            vec![KeyEncipherment, DataEncipherment, KeyAgreement, CrlSign],
        ])
        .collect();
    let extended_key_usages = [
        vec![],
        vec![CodeSigning],
        vec![Any],
        vec![ServerAuth],
        vec![EmailProtection, TimeStamping],
        vec![ServerAuth, CodeSigning],
        vec![ServerAuth, Any],
    ];
    let chain = Chain::new(Span::Valid, Span::Valid);
    for key_usage in &key_usages {
        for extended in &extended_key_usages {
            let mut params = params("leaf", Span::Valid);
            params.key_usages.clone_from(key_usage);
            params.extended_key_usages.clone_from(extended);
            let leaf = chain.leaf(&params);
            let file = chain.signature(&leaf);
            let key_usage_signs = key_usage
                .iter()
                .any(|usage| matches!(usage, DigitalSignature | ContentCommitment));
            let extended_signs = extended
                .iter()
                .any(|usage| matches!(usage, CodeSigning | Any));
            let reason = if !key_usage.is_empty() && !key_usage_signs {
                Some("has neither digitalSignature nor contentCommitment")
            } else if !extended.is_empty() && !extended_signs {
                Some("has neither codeSigning nor anyExtendedKeyUsage")
            } else if key_usage.is_empty() && extended.is_empty() {
                Some("has neither a key usage nor an extended key usage")
            } else {
                None
            };
            let what = format!("{key_usage:?} {extended:?}");
            for strict in [false, true] {
                match (chain.verify(&file, ValidAt::Present, strict), reason) {
                    (Ok(opened), None) => {
                        let warned = opened.warnings.contains(&Warning::NoKeyUsage);
                        assert_eq!(warned, key_usage.is_empty(), "{what}");
                    }
                    (Err(error), Some(reason)) => {
                        assert!(error.to_string().contains(reason), "{what}: {error}");
                    }
                    (verdict, _) => panic!("{what}: {verdict:?}"),
                }
            }
            // What cannot be verified is not signed either.
            match (chain.signer(&leaf).map(drop), reason) {
                (Ok(()), None) => {}
                (Err(error), Some(reason)) => {
                    assert!(error.to_string().contains(reason), "{what}: {error}");
                }
                (verdict, _) => panic!("{what}: {verdict:?}"),
            }
        }
    }
}

#[test]
fn a_signer_gives_what_leads_on_from_its_certificate() {
    let chain = Chain::new(Span::Valid, Span::Valid);
    let stranger = Chain::new(Span::Valid, Span::Valid);
    let mut params = params("leaf", Span::Valid);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let leaf = chain.leaf(&params).pem();
    let intermediate = chain.intermediate.pem();
    let root = chain.root.pem();
    let full = format!("{leaf}{intermediate}");
    let check = |certificate: &str, others: &[&str]| {
        let others: Vec<_> = others.iter().map(|pem| pem.as_bytes().to_vec()).collect();
        let signer = CertificateSigner::new(chain.private(), certificate.as_bytes(), &others)?;
        signer.check(NOW, false)?;
        let Material::Certificates { chain, .. } = signer.material() else {
            panic!("not certificates")
        };
        Ok::<_, SignError>(chain.len())
    };
    // The verifier may have the intermediate certificate, or the root may be the issuer.
    assert_eq!(check(&leaf, &[]).unwrap(), 1);
    assert_eq!(check(&leaf, &[&intermediate]).unwrap(), 2);
    assert_eq!(check(&leaf, &[&root, &intermediate]).unwrap(), 3);
    // The certificate of the server, and what leads on from it, in one file.
    assert_eq!(check(&full, &[]).unwrap(), 2);
    assert_eq!(check(&full, &[&root]).unwrap(), 3);
    let missing = "\"CN=leaf\" is issued by \"CN=intermediate\", whose certificate is not among those that were given";
    for others in [
        vec![root.as_str()],
        vec![&root, &stranger.root.pem()],
        vec![&leaf],
    ] {
        let error = check(&leaf, &others).unwrap_err().to_string();
        assert!(error.starts_with(missing), "{error}");
    }
    let [one, other] = [Chain::new(Span::Valid, Span::Valid), stranger].map(|stranger| {
        check(&full, &[&stranger.root.pem()])
            .unwrap_err()
            .to_string()
    });
    // A name is no proof: a certificate of the same name that did not issue it.
    assert_eq!(one, other);
    assert_eq!(
        one,
        "the signature of \"CN=root\" on \"CN=intermediate\" does not verify"
    );
    let stranger = Chain::new(Span::Valid, Span::Valid);
    let error = check(&leaf, &[&stranger.intermediate.pem()]).unwrap_err();
    assert!(error.to_string().contains("CN=intermediate"), "{error}");
    let error = check(&stranger.root.pem(), &[]).unwrap_err();
    assert!(matches!(error, SignError::KeyMismatch), "{error}");
}
