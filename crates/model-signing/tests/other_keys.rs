//! Signatures with keys that do not sign here, but elsewhere: Ed25519 and RSA.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use aws_lc_rs::encoding::{AsBigEndian as _, AsDer as _, Curve25519SeedBin, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RsaEncoding,
};
use ed25519_dalek::Digest as _;
use model_signing::certificate::TrustStore;
use model_signing::key::{KeyError, PublicKey};
use model_signing::sign::{self, Material, SignError, Signer};
use model_signing::verify::{self, Options, Verifier};
use rcgen::{CertificateParams, KeyUsagePurpose};

/// Signs with the given function.
struct By<F> {
    material: Material,
    sign: F,
}

impl<F: Fn(&[u8]) -> Vec<u8>> Signer for By<F> {
    fn material(&self) -> &Material {
        &self.material
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok((self.sign)(message))
    }
}

fn rsa_signature(pair: &RsaKeyPair, padding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(padding, &SystemRandom::new(), message, &mut signature)
        .unwrap();
    signature
}

fn rsa(size: KeySize) -> (RsaKeyPair, PublicKey) {
    let pair = RsaKeyPair::generate(size).unwrap();
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let key = PublicKey::from_spki_der(spki.as_ref()).unwrap();
    (pair, key)
}

#[test]
fn rsa_verifies_with_both_paddings_and_one_hash() {
    let (pair, key) = rsa(KeySize::Rsa2048);
    assert_eq!((key.algorithm(), key.curve()), ("RSA", None));
    let encodings: [(&'static dyn RsaEncoding, bool); 4] = [
        (&RSA_PKCS1_SHA256, true),
        (&RSA_PSS_SHA256, true),
        (&RSA_PKCS1_SHA512, false),
        (&RSA_PSS_SHA384, false),
    ];
    for (encoding, is_verified) in encodings {
        let signer = By {
            material: Material::Key(key.clone()),
            sign: |message: &[u8]| rsa_signature(&pair, encoding, message),
        };
        let file = match sign::bundle(b"{}", &signer) {
            Ok(file) => file,
            Err(error) => {
                assert!(!is_verified, "{error}");
                continue;
            }
        };
        assert!(is_verified);
        let verifier = Verifier::Key(key.clone());
        let opened = verify::open(&file, &verifier, &Options::at_present(0, true)).unwrap();
        assert_eq!(opened.payload, b"{}");
        let (_, other) = rsa(KeySize::Rsa2048);
        let verifier = Verifier::Key(other);
        assert!(verify::open(&file, &verifier, &Options::at_present(0, false)).is_err());
    }
    let text = key.to_pem();
    assert_eq!(PublicKey::from_pem(text.as_bytes()).unwrap(), key);
}

#[test]
fn rsa_keys_have_2048_to_4096_bits() {
    let (_, key) = rsa(KeySize::Rsa4096);
    assert_eq!(key.algorithm(), "RSA");
    // The same structure around a number of another length.
    for (bytes, bits) in [(128, 1024), (255, 2040), (513, 4104), (1024, 8192)] {
        let error = PublicKey::from_spki_der(&rsa_spki(bytes)).unwrap_err();
        let algorithm = format!("RSA with {bits} bits");
        assert_eq!(error, KeyError::NotVerified { algorithm });
    }
    assert!(PublicKey::from_spki_der(&rsa_spki(256)).is_ok());
}

/// A SubjectPublicKeyInfo with an RSA modulus of so many bytes, all of them 0xff.
fn rsa_spki(bytes: usize) -> Vec<u8> {
    let modulus = der(0x02, &[&[0][..], &vec![0xff; bytes]].concat());
    let key = der(0x30, &[modulus, vec![0x02, 0x03, 1, 0, 1]].concat());
    let algorithm = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    let bits = der(0x03, &[&[0][..], &key].concat());
    der(0x30, &[&algorithm[..], &bits].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let header = match u8::try_from(length) {
        Ok(short) if short < 0x80 => vec![tag, short],
        Ok(byte) => vec![tag, 0x81, byte],
        Err(_) => {
            let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
            vec![tag, 0x82, high, low]
        }
    };
    [header, content.to_vec()].concat()
}

#[test]
fn ed25519_verifies_for_keys_and_for_certificates() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(&key.serialize_der()).unwrap();
    let public = PublicKey::from_pem(key.public_key_pem().as_bytes()).unwrap();
    assert_eq!(public.algorithm(), "Ed25519");
    assert_eq!(pair.public_key().as_ref().len(), 32);
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let certificate = params.self_signed(&key).unwrap();
    let store = TrustStore::from_pem(&[certificate.pem()]).unwrap();
    for (material, verifier) in [
        (Material::Key(public.clone()), Verifier::Key(public.clone())),
        (
            Material::Certificates {
                key: public.clone(),
                chain: vec![certificate.der().to_vec()],
            },
            Verifier::Certificates(store),
        ),
    ] {
        let seed: Curve25519SeedBin<'_> = pair.seed().unwrap().as_be_bytes().unwrap();
        let seed: [u8; 32] = seed.as_ref().try_into().unwrap();
        let dalek = ed25519_dalek::SigningKey::from_bytes(&seed);
        let pure = |message: &[u8]| pair.sign(message).as_ref().to_vec();
        // As the Go implementation signs.
        let prehashed = |message: &[u8]| {
            let hash = ed25519_dalek::Sha512::new_with_prefix(message);
            dalek
                .sign_prehashed(hash, None)
                .unwrap()
                .to_bytes()
                .to_vec()
        };
        for is_prehashed in [false, true] {
            let signer = By {
                material: material.clone(),
                sign: |message: &[u8]| {
                    if is_prehashed {
                        prehashed(message)
                    } else {
                        pure(message)
                    }
                },
            };
            let file = sign::bundle(b"{}", &signer).unwrap();
            let options = Options::at_present(1_780_272_000, false);
            let opened = verify::open(&file, &verifier, &options).unwrap();
            assert_eq!(opened.key, public);
        }
        // With a context it is a signature for another use.
        let signer = By {
            material: material.clone(),
            sign: |message: &[u8]| {
                let hash = ed25519_dalek::Sha512::new_with_prefix(message);
                dalek
                    .sign_prehashed(hash, Some(b"x"))
                    .unwrap()
                    .to_bytes()
                    .to_vec()
            },
        };
        assert!(sign::bundle(b"{}", &signer).is_err());
        // Another signature than that over the payload.
        let signer = By {
            material,
            sign: |message: &[u8]| pair.sign(&[message, b"x"].concat()).as_ref().to_vec(),
        };
        assert!(sign::bundle(b"{}", &signer).is_err());
    }
}
