//! The public keys of logs: of the types that `tlog` verifies itself, and of those for which its caller provides the
//! verification.

use std::sync::Arc;

use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA512_ASN1,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use tlog::{ForeignAlgorithm, ForeignKey, KeyError, KeyName, Origin, Verifier, Vkey};

use super::Protocol;

/// Accepted lengths of RSA moduli, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// rsaEncryption (RFC 8017 appendix C).
const RSA: &str = "1.2.840.113549.1.1.1";

/// ECDSA keys on curves other than P-256, each with the hashes that logs sign with: Rekor and CT logs use SHA-256 with
/// every curve (rekor `pkg/util/signed_note.go`, RFC 6962 §2.1.4), other signers use the hash that fits the curve.
const CURVES: [[&dyn VerificationAlgorithm; 2]; 2] = [
    [&ECDSA_P384_SHA256_ASN1, &ECDSA_P384_SHA384_ASN1],
    [&ECDSA_P521_SHA256_ASN1, &ECDSA_P521_SHA512_ASN1],
];

/// Future signature algorithms (FIPS 204 and 205), by the last arc below 2.16.840.1.101.3.4.3.
const FUTURE: &str = "2.16.840.1.101.3.4.3.";

/// A public key of a log: Ed25519, ECDSA P-256, P-384 or P-521, or RSA.
#[derive(Debug, Clone)]
pub struct LogKey {
    spki_der: Vec<u8>,
    /// `None`: `tlog` verifies with it.
    foreign: Option<ForeignKey>,
}

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogKeyError {
    /// Not a public key at all, or a malformed or dangerous one of a known algorithm.
    #[error(transparent)]
    Malformed(KeyError),
    /// An ECDSA key on another curve, or not on its curve.
    #[error("not an ECDSA key on P-256, P-384 or P-521")]
    Curve,
    /// An RSA key that is too short, too long or malformed.
    #[error("not an RSA key of 2,048 to 8,192 bits")]
    Rsa,
    /// Of another algorithm; its object identifier, with its name if it is known.
    #[error("of the algorithm {0}, which is not verified here")]
    Algorithm(String),
    /// A verifier key of another log.
    #[error("the key of {said}, not of {origin}")]
    OtherLog {
        /// The name in the verifier key.
        said: KeyName,
        /// The log's origin.
        origin: Origin,
    },
}

impl LogKey {
    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// See [`LogKeyError`].
    pub fn read(spki_der: &[u8]) -> Result<Self, LogKeyError> {
        let any_name = KeyName::new("log").expect("a word is a name");
        let foreign = match Verifier::from_spki_der(any_name, spki_der) {
            Ok(_) => None,
            Err(KeyError::EcdsaP256) => Some(ecdsa(spki_der).ok_or(LogKeyError::Curve)?),
            Err(KeyError::Unsupported(oid)) if oid == RSA => {
                Some(rsa(spki_der).ok_or(LogKeyError::Rsa)?)
            }
            Err(KeyError::Unsupported(oid)) => return Err(LogKeyError::Algorithm(named(oid))),
            Err(error) => return Err(LogKeyError::Malformed(error)),
        };
        Ok(Self {
            spki_der: spki_der.to_vec(),
            foreign,
        })
    }

    /// The key in a C2SP verifier key (`NAME+ID+KEY`) of a log with this protocol and this origin.
    ///
    /// The name must be the origin, except for logs without a name of their own: Rekor v1 chooses the name of its key
    /// freely, and a log of RFC 6962 is identified by its key.
    ///
    /// # Errors
    /// See [`LogKeyError`].
    pub fn of_vkey(
        text: &str,
        protocol: Protocol,
        origin: Option<&Origin>,
    ) -> Result<Self, LogKeyError> {
        let vkey = Vkey::read(text).map_err(LogKeyError::Malformed)?;
        if let Some(origin) = origin.filter(|_| protocol.needs_origin())
            && origin.as_str() != vkey.name.as_str()
        {
            return Err(LogKeyError::OtherLog {
                said: vkey.name,
                origin: origin.clone(),
            });
        }
        let key = Self::read(&vkey.spki_der().map_err(LogKeyError::Malformed)?)?;
        // The author of the text chose how the id is computed. Each way detects a typing error, which is the purpose of
        // the id.
        let ways = [Self::verifier, Self::rekor_v1, Self::tree_head];
        let mut ids = ways.iter().map(|way| way(&key, vkey.name.clone()).id());
        if !ids.any(|id| vkey.expect_id(id).is_ok()) {
            let computed = key.verifier(vkey.name.clone()).id();
            vkey.expect_id(computed).map_err(LogKeyError::Malformed)?;
        }
        Ok(key)
    }

    /// The SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The key under that name in a note that the log signs as in C2SP signed-note: a Rekor v2 log.
    pub fn verifier(&self, name: KeyName) -> Verifier {
        match &self.foreign {
            None => Verifier::from_spki_der(name, &self.spki_der).expect("it was read before"),
            Some(key) => Verifier::foreign(name, &self.spki_der, key.clone()),
        }
    }

    /// The key under that name in a note of a Rekor v1 log.
    pub fn rekor_v1(&self, name: KeyName) -> Verifier {
        self.verifier(name).identified_by_spki(&self.spki_der)
    }

    /// The key under that name in a note around a tree head of a certificate transparency log.
    pub fn tree_head(&self, name: KeyName) -> Verifier {
        match &self.foreign {
            None => Verifier::tree_head(name, &self.spki_der).expect("it was read before"),
            Some(key) => Verifier::foreign_tree_head(name, &self.spki_der, key.clone()),
        }
    }
}

/// The key of a Rekor v1 log, also one that cannot be used: its signatures are then named and not verified.
pub fn rekor_v1_verifier(name: &KeyName, spki_der: &[u8]) -> Verifier {
    match LogKey::read(spki_der) {
        Ok(key) => key.rekor_v1(name.clone()),
        Err(why) => {
            Verifier::unusable(name.clone(), [0; 32], why.to_string()).identified_by_spki(spki_der)
        }
    }
}

fn ecdsa(spki_der: &[u8]) -> Option<ForeignKey> {
    let keys = CURVES.iter().find_map(|hashes| {
        let keys = hashes.iter().map(|with| parsed(*with, spki_der));
        keys.collect::<Option<Vec<_>>>()
    })?;
    Some(foreign(ForeignAlgorithm::Ecdsa, keys))
}

fn rsa(spki_der: &[u8]) -> Option<ForeignKey> {
    let length = PublicEncryptingKey::from_der(spki_der).ok()?;
    if !RSA_BITS.contains(&length.key_size_bits()) {
        return None;
    }
    let key = parsed(&RSA_PKCS1_2048_8192_SHA256, spki_der)?;
    Some(foreign(ForeignAlgorithm::Rsa, vec![key]))
}

fn parsed(with: &'static dyn VerificationAlgorithm, spki_der: &[u8]) -> Option<ParsedPublicKey> {
    ParsedPublicKey::new(with, spki_der).ok()
}

fn foreign(algorithm: ForeignAlgorithm, keys: Vec<ParsedPublicKey>) -> ForeignKey {
    let keys: Arc<[ParsedPublicKey]> = keys.into();
    ForeignKey::new(algorithm, move |message, signature| {
        keys.iter()
            .any(|key| key.verify_sig(message, signature).is_ok())
    })
}

fn named(oid: String) -> String {
    let name = match oid.strip_prefix(FUTURE) {
        Some("17") => "ML-DSA-44",
        Some("18") => "ML-DSA-65",
        Some("19") => "ML-DSA-87",
        Some("20" | "21" | "22" | "23" | "24" | "25" | "26" | "27" | "28" | "29" | "30" | "31") => {
            "SLH-DSA"
        }
        _ => return oid,
    };
    format!("{oid} ({name})")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA256_ASN1_SIGNING,
        ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
        RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaKeyPair,
    };
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use tlog::Checkpoint;

    use super::*;

    const ORIGIN: &str = "log.example";

    const P384: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEQidrak9yrVL3pr1k/ib3K5gSW28X8mbAo3I6Fc3VwUZIEK+sR0PfrgWrwS+H7UfnmJLBk+/YE8KwEo9u51dbDpSoJEph7Y+6PzGfsXNNlFEmsYaFQbGua3mBd9UvFLA5";
    const P384_SIGNED_NOTE: &str = "MGQCMCqqZkVNMNRmS+IFwMmG29JAT3HpSsICc8otYmp42M//Up8up+6G2d4GgSqpuzttIwIwQXqOaf7OR1YluGLDDPf8Vo9LXxsr3BjAITwhzssr6QmNfB1cYu6U47zi3q7wTZ0Z";
    const P384_SIGNED_HEAD: &str = "MGQCMFRXXXaKTSHRFRMoiBhS4MdqxJoazq851P4d7/YNVzoY1mY1X5PVx7++N9q5A5qWNQIwOUld3x/UaEwUt7s7ns4uVdE8WFuv2YYbhsBQCkkbHxerVvbWpVW7P4jJwsZ9bBAM";

    fn name() -> KeyName {
        KeyName::new(ORIGIN).unwrap()
    }

    /// A checkpoint of an empty tree, with this signature by this key.
    fn opens(key: &Verifier, sign: impl Fn(&[u8]) -> Vec<u8>) -> bool {
        let text = format!("{ORIGIN}\n0\n{}\n", tlog::empty_root().to_base64());
        let line = [key.id().as_bytes(), sign(text.as_bytes()).as_slice()].concat();
        let note = format!("{text}\n— {ORIGIN} {}\n", STANDARD.encode(line));
        let origin = Origin::new(ORIGIN).unwrap();
        Checkpoint::open(note.as_bytes(), &origin, std::slice::from_ref(key)).is_ok()
    }

    /// The same for a CT log: `TreeHeadSignature` of RFC 6962 §3.5, and its signature.
    fn head(algorithm: [u8; 2], sign: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let mut message = vec![0, 1];
        message.extend(7_u64.to_be_bytes());
        message.extend(0_u64.to_be_bytes());
        message.extend(tlog::empty_root().as_bytes());
        let signature = sign(&message);
        let mut bytes = 7_u64.to_be_bytes().to_vec();
        bytes.extend(algorithm);
        bytes.extend(u16::try_from(signature.len()).unwrap().to_be_bytes());
        bytes.extend(signature);
        bytes
    }

    fn ecdsa_pair(with: &'static EcdsaSigningAlgorithm) -> (Vec<u8>, impl Fn(&[u8]) -> Vec<u8>) {
        let pair = EcdsaKeyPair::generate(with).unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let spki = spki.as_ref().to_vec();
        let random = SystemRandom::new();
        (spki, move |text: &[u8]| {
            pair.sign(&random, text).unwrap().as_ref().to_vec()
        })
    }

    #[test]
    fn checkpoints_by_p384_p521_and_rsa_keys_verify_in_every_kind_of_log() {
        for (with, tree_head) in [
            (&ECDSA_P384_SHA384_ASN1_SIGNING, false),
            (&ECDSA_P521_SHA256_ASN1_SIGNING, true),
            (&ECDSA_P521_SHA512_ASN1_SIGNING, false),
        ] {
            let (spki, sign) = ecdsa_pair(with);
            let key = LogKey::read(&spki).unwrap();
            assert!(opens(&key.verifier(name()), &sign), "{with:?}");
            assert!(opens(&key.rekor_v1(name()), &sign), "{with:?}");
            if tree_head {
                let key = key.tree_head(name());
                assert!(opens(&key, |_| head([4, 3], &sign)), "{with:?}");
                assert!(!opens(&key, |_| head([4, 1], &sign)), "{with:?}");
            }
            let (_, another) = ecdsa_pair(with);
            assert!(!opens(&key.verifier(name()), &another), "{with:?}");
        }
        // Made with Python's `cryptography`, which signs with any hash: P-384 with SHA-256, as Rekor and CT logs do.
        let decoded = |text: &str| STANDARD.decode(text).unwrap();
        let key = LogKey::read(&decoded(P384)).unwrap();
        assert!(opens(&key.verifier(name()), |_| decoded(P384_SIGNED_NOTE)));
        assert!(opens(&key.rekor_v1(name()), |_| decoded(P384_SIGNED_NOTE)));
        assert!(!opens(&key.verifier(name()), |_| decoded(P384_SIGNED_HEAD)));
        assert!(opens(&key.tree_head(name()), |_| {
            head([4, 3], |_| decoded(P384_SIGNED_HEAD))
        }));
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let key = LogKey::read(spki.as_ref()).unwrap();
        let random = SystemRandom::new();
        let sign = |with, text: &[u8]| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(with, &random, text, &mut signature).unwrap();
            signature
        };
        let usual = |text: &[u8]| sign(&RSA_PKCS1_SHA256, text);
        assert!(opens(&key.verifier(name()), usual));
        assert!(opens(&key.rekor_v1(name()), usual));
        assert!(opens(&key.tree_head(name()), |_| head([4, 1], usual)));
        assert!(!opens(&key.verifier(name()), |text| {
            sign(&RSA_PKCS1_SHA512, text)
        }));
    }

    #[test]
    fn a_verifier_key_is_that_of_its_log_and_has_its_id() {
        let (spki, _) = ecdsa_pair(&ECDSA_P384_SHA384_ASN1_SIGNING);
        let key = LogKey::read(&spki).unwrap();
        let text = |kind: u8, id: String| {
            let bytes = [&[kind], spki.as_slice()].concat();
            format!("{ORIGIN}+{id}+{}", STANDARD.encode(bytes))
        };
        let v2 = text(2, key.verifier(name()).id().to_string());
        let ct = text(5, key.tree_head(name()).id().to_string());
        let (this, other) = (Origin::new(ORIGIN).unwrap(), Origin::new("other").unwrap());
        for (text, protocol, origin, said) in [
            (&v2, Protocol::RekorV2, Some(&this), None),
            (&ct, Protocol::CtStatic, Some(&this), None),
            (&ct, Protocol::CtRfc6962, Some(&other), None),
            (&v2, Protocol::RekorV1, None, None),
            (
                &v2,
                Protocol::RekorV2,
                Some(&other),
                Some("the key of log.example, not of other"),
            ),
            (
                &text(2, "00000000".into()),
                Protocol::RekorV2,
                Some(&this),
                Some("contains the id 00000000"),
            ),
            (
                &"a+b".to_owned(),
                Protocol::RekorV2,
                Some(&this),
                Some("not a verifier key"),
            ),
        ] {
            match (LogKey::of_vkey(text, protocol, origin), said) {
                (Ok(key), None) => assert_eq!(key.spki_der(), spki),
                (Err(error), Some(said)) => {
                    assert!(error.to_string().contains(said), "{error}");
                }
                (read, said) => panic!("{text}: {read:?}, {said:?}"),
            }
        }
    }

    #[test]
    fn the_error_for_an_unusable_key_has_the_reason() {
        let rsa_1024 = concat!(
            "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDVqPWlnPdJNHYRTtvJDxZDbhkpXFBpWzHG",
            "7PzUSiPwLxw7X9xXtQnCCcNlJb6aHqOGXe1XbQBJ1uEBFz1Fd0RL6h5P7qLYkqNIuQVQbZzA",
            "Bw5wzsXNJVHqX1TUvmbSyx6hj6nn3ZXcFWrGVvRxC0q3fDSp6EJRJ3zBMb8HqUdCawIDAQAB"
        );
        let ml_dsa = "300b0609608648016503040311";
        let ml_dsa = hex::decode(ml_dsa).unwrap();
        // SEQUENCE { AlgorithmIdentifier, BIT STRING }, with one byte in the place of a key.
        let ml_dsa = [&[0x30, 0x11], ml_dsa.as_slice(), &[3, 2, 0, 7]].concat();
        // id-ecPublicKey on secp256k1, with no point.
        let k256 = hex::decode("3015301006072a8648ce3d020106052b8104000a030100").unwrap();
        for (spki, said) in [
            (b"".to_vec(), "not a SubjectPublicKeyInfo in DER"),
            (b"-----BEGIN".to_vec(), "not a SubjectPublicKeyInfo in DER"),
            (
                STANDARD.decode(rsa_1024).unwrap(),
                "not an RSA key of 2,048",
            ),
            (k256, "not an ECDSA key on P-256, P-384 or P-521"),
            (
                ml_dsa,
                "of the algorithm 2.16.840.1.101.3.4.3.17 (ML-DSA-44)",
            ),
        ] {
            let error = LogKey::read(&spki).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
            let key = rekor_v1_verifier(&name(), &spki);
            assert_eq!(key.why_unusable(), Some(error.as_str()));
        }
    }
}
