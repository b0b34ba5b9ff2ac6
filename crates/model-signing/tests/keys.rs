//! Keys as tools write them. The files in `tests/data/keys` are OpenSSL's; their names describe them.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;

use model_signing::key::{KeyError, PrivateKey, PublicKey};
use model_signing::sign::{self, KeySigner};
use model_signing::verify::{self, Options, Verifier};

const PASSWORD: &[u8] = b"hunter2";

fn file(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/keys/{name}.pem", env!("CARGO_MANIFEST_DIR"));
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn private(name: &str, password: Option<&[u8]>) -> Result<PrivateKey, KeyError> {
    PrivateKey::from_pem(&file(name), password)
}

#[test]
fn every_form_of_a_private_key_is_the_same_key() {
    for (curve, forms) in [
        (
            "p256",
            &[
                "sec1",
                "sec1-after-parameters",
                "sec1-explicit",
                "sec1-without-public",
                "pkcs8",
                "pkcs8-explicit",
            ][..],
        ),
        (
            "p384",
            &["sec1", "sec1-after-parameters", "sec1-explicit", "pkcs8"],
        ),
        (
            "p521",
            &["sec1", "sec1-after-parameters", "sec1-explicit", "pkcs8"],
        ),
    ] {
        let public = PublicKey::from_pem(&file(&format!("{curve}-public"))).unwrap();
        for form in forms {
            let name = format!("{curve}-{form}");
            let key = private(&name, None).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(*key.public(), public, "{name}");
            // A signature by it is one by that key.
            let signed = sign::bundle(b"{}", &KeySigner::new(key)).unwrap();
            let options = Options::at_present(0, true);
            let opened = verify::open(&signed, &Verifier::Key(public.clone()), &options).unwrap();
            assert_eq!(
                (opened.payload.as_slice(), opened.warnings.as_slice()),
                (&b"{}"[..], &[][..])
            );
            assert_eq!(
                private(&name, Some(PASSWORD)).unwrap_err(),
                KeyError::NotEncrypted
            );
        }
    }
}

#[test]
fn an_encrypted_private_key_needs_its_password() {
    for (curve, forms) in [
        (
            "p256",
            &[
                "pkcs8-aes128",
                "pkcs8-aes256",
                "pkcs8-des3",
                "pkcs8-scrypt",
                "pkcs8-sha1",
                "sec1-aes128",
                "sec1-aes192",
                "sec1-aes256",
                "sec1-des3",
            ][..],
        ),
        ("p384", &["pkcs8-aes256"]),
        ("p521", &["pkcs8-aes256"]),
    ] {
        let public = PublicKey::from_pem(&file(&format!("{curve}-public"))).unwrap();
        for form in forms {
            let name = format!("{curve}-{form}");
            let key =
                private(&name, Some(PASSWORD)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(*key.public(), public, "{name}");
            assert_eq!(
                private(&name, None).unwrap_err(),
                KeyError::PasswordNeeded,
                "{name}"
            );
            for wrong in [&b""[..], b"hunter", b"hunter2 "] {
                assert_eq!(
                    private(&name, Some(wrong)).unwrap_err(),
                    KeyError::WrongPassword,
                    "{name}"
                );
            }
        }
    }
    let error = private("p256-pkcs8-pbes1", Some(PASSWORD)).unwrap_err();
    assert!(
        matches!(error, KeyError::UnsupportedCipher { .. }),
        "{error}"
    );
}

#[test]
fn a_public_key_is_the_same_in_every_form() {
    let plain = String::from_utf8(file("p256-public")).unwrap();
    let key = PublicKey::from_pem(plain.as_bytes()).unwrap();
    assert_eq!(key.to_pem(), plain);
    let other = String::from_utf8(file("p384-public")).unwrap();
    for text in [
        plain.replace('\n', "\r\n"),
        format!("the key of the release manager\n\n{plain}\nsee above\n"),
        format!("{plain}{other}"),
        String::from_utf8(file("p256-public-compressed")).unwrap(),
        String::from_utf8(file("p256-public-explicit")).unwrap(),
    ] {
        let read = PublicKey::from_pem(text.as_bytes()).unwrap();
        assert_eq!((&read, read.hint()), (&key, key.hint()), "{text}");
    }
    for curve in ["p384", "p521"] {
        let read = |form: &str| PublicKey::from_pem(&file(&format!("{curve}-{form}"))).unwrap();
        assert_eq!(read("public"), read("public-compressed"));
    }
}

#[test]
fn the_error_names_the_type_of_a_key_that_is_not_for_models() {
    let public = |name: &str| PublicKey::from_pem(&file(name)).unwrap_err().to_string();
    let error = |name: &str| private(name, None).unwrap_err().to_string();
    let only = "only keys on the elliptic curves P-256, P-384 and P-521 can sign models";
    assert_eq!(
        error("ed25519"),
        format!("a key of the kind Ed25519: {only}")
    );
    // A public key of ML-DSA-65: its number is what matters here.
    let ml_dsa = [
        &b"\x30\x12\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12\x03\x03\x00"[..],
        b"\x01\x02",
    ]
    .concat();
    let said = PublicKey::from_spki_der(&ml_dsa).unwrap_err().to_string();
    assert!(
        said.starts_with("a key of the kind ML-DSA-65, with which models are not verified"),
        "{said}"
    );
    assert!(error("secp256k1").starts_with("a key on the curve secp256k1: "));
    assert_eq!(
        public("p256-pkcs8"),
        "a PEM block \"PRIVATE KEY\", where a PEM block `PUBLIC KEY` is needed"
    );
    assert_eq!(
        error("p256-public"),
        "a PEM block \"PUBLIC KEY\", where a PEM block `PRIVATE KEY` is needed"
    );
    let no_pem = PublicKey::from_pem(&[0x30, 0x59]).unwrap_err().to_string();
    assert_eq!(
        no_pem,
        "no PEM block, where a PEM block `PUBLIC KEY` is needed"
    );
}

#[test]
fn a_curve_in_other_numbers_than_its_own_is_refused() {
    let text = String::from_utf8(file("p256-public-explicit")).unwrap();
    let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).unwrap();
    assert!(PublicKey::from_spki_der(&der).is_ok());
    // The parameters are from byte 16 on, and after them comes the point.
    let differs = |index: &usize| {
        let mut other = der.clone();
        *other.get_mut(*index).unwrap() ^= 1;
        PublicKey::from_spki_der(&other).is_ok()
    };
    let accepted: Vec<usize> = (0..263).filter(differs).collect();
    // The version, of which nothing depends, and the seed with its count of unused bits.
    let seed = der
        .windows(4)
        .position(|window| window == [0xc4, 0x9d, 0x36, 0x08])
        .unwrap();
    let expected: Vec<usize> = [22].into_iter().chain(seed - 1..seed + 20).collect();
    assert_eq!(accepted, expected);
    assert!(PublicKey::from_spki_der(&[&*der, b"\0"].concat()).is_err());
}
