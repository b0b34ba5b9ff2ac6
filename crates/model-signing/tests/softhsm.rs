//! Signing with keys in a token: SoftHSM2, which is a whole PKCS#11 token in software.
//!
//! SoftHSM reads where its tokens are from its environment when its module is loaded. So each test makes tokens of its
//! own and starts itself again, with that environment, as [`child`].
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model_signing::key::PublicKey;
use model_signing::pkcs11::{TokenSigner, Uri};
use model_signing::sign::{self, CertificateSigner, SignError, Signer};
use model_signing::verify::{self, Options, Verifier};
use tempfile::TempDir;

/// Set where SoftHSM must be there: without it the tests say nothing, and then that is an error.
const REQUIRED: &str = "MODELWATCH_REQUIRE_SOFTHSM";
const CHILD_URI: &str = "MODEL_SIGNING_TEST_URI";
const CHILD_CERTIFICATE: &str = "MODEL_SIGNING_TEST_CERTIFICATE";
const PIN: &str = "pin & ünïcode";
const PAYLOAD: &[u8] = b"{}";

/// Tokens in a directory of their own.
struct Hsm {
    directory: TempDir,
}

impl Hsm {
    /// Without any token; `None` if SoftHSM is not installed and need not be.
    fn new() -> Option<Self> {
        let installed = Command::new("softhsm2-util")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if installed.is_err() {
            assert!(
                env::var_os(REQUIRED).is_none(),
                "softhsm2-util is not installed"
            );
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let tokens = directory.path().join("tokens");
        fs::create_dir(&tokens).unwrap();
        let configuration = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\n",
            tokens.display()
        );
        fs::write(directory.path().join("softhsm2.conf"), configuration).unwrap();
        fs::write(directory.path().join("pin"), format!("{PIN}\n")).unwrap();
        Some(Self { directory })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, arguments: &[&str]) {
        let mut command = Command::new("softhsm2-util");
        let output = command
            .args(arguments)
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn token(&self, label: &str) {
        self.run(&[
            "--init-token",
            "--free",
            "--label",
            label,
            "--pin",
            PIN,
            "--so-pin",
            "12345678",
        ]);
    }

    /// A new key in the token, and its public half.
    fn key(
        &self,
        token: &str,
        label: &str,
        id: &str,
        algorithm: &'static EcdsaSigningAlgorithm,
    ) -> PublicKey {
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap();
        let base64 = STANDARD.encode(document.as_ref());
        let file = self.path(&format!("{id}.key"));
        fs::write(
            &file,
            format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n"),
        )
        .unwrap();
        let file = file.to_str().unwrap();
        self.run(&[
            "--import", file, "--token", token, "--label", label, "--id", id, "--pin", PIN,
        ]);
        PublicKey::from_spki_der(pair.public_key().as_der().unwrap().as_ref()).unwrap()
    }

    /// The result of a process that signs with the key of `path`, the part of a URI before the question mark: a
    /// signature file, or the error.
    fn sign(&self, path: &str, pin: &str, certificate: Option<&Path>) -> Result<Vec<u8>, String> {
        let uri = format!("pkcs11:{path}?module-name=softhsm2{pin}");
        let mut child = Command::new(env::current_exe().unwrap());
        child
            .args([
                "--exact",
                "child",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"))
            .env(CHILD_URI, uri);
        if let Some(certificate) = certificate {
            child.env(CHILD_CERTIFICATE, certificate);
        }
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let word = |name: &str| {
            let line = said.lines().find_map(|line| line.split_once(name));
            line.map(|(_, rest)| rest.to_owned())
        };
        match word("SIGNED ") {
            Some(file) => Ok(file.into_bytes()),
            None => Err(word("REFUSED ").unwrap_or_else(|| panic!("{said}"))),
        }
    }

    /// Removes the public half of every key from the first token.
    fn remove_public_keys(&self) {
        let status = Command::new(env::current_exe().unwrap())
            .args(["--exact", "remover", "--ignored", "--test-threads=1"])
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"))
            .status();
        assert!(status.unwrap().success());
    }

    fn pin_file(&self) -> String {
        format!("&pin-source=file://{}", self.path("pin").display())
    }
}

/// The process that removes public keys.
#[test]
#[ignore = "started by another test, with the environment that it needs"]
fn remover() {
    use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
    use cryptoki::object::{Attribute, ObjectClass};
    use cryptoki::session::UserType;
    use cryptoki::types::RawAuthPin;

    let directories = [
        "/usr/lib/softhsm",
        "/usr/lib64/pkcs11",
        "/usr/lib64/softhsm",
        "/usr/lib/x86_64-linux-gnu/softhsm",
        "/usr/lib/aarch64-linux-gnu/softhsm",
        "/usr/local/lib/softhsm",
    ];
    let modules = directories.map(|directory| Path::new(directory).join("libsofthsm2.so"));
    let module = modules.iter().find(|path| path.exists()).unwrap();
    let module = Pkcs11::new(module).unwrap();
    module
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    let pin = RawAuthPin::new(Box::new(PIN.as_bytes().to_vec()));
    session.login_with_raw(UserType::User, &pin).unwrap();
    let public = [Attribute::Class(ObjectClass::PUBLIC_KEY)];
    let keys = session.find_objects(&public).unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        session.destroy_object(key).unwrap();
    }
}

/// The process that loads the module.
#[test]
#[ignore = "started by the other tests, with the environment that it needs"]
fn child() {
    let uri: Uri = env::var(CHILD_URI).unwrap().parse().unwrap();
    let opened = match env::var_os(CHILD_CERTIFICATE) {
        Some(file) => TokenSigner::open_for_certificate(&uri, &fs::read(file).unwrap()),
        None => TokenSigner::open(&uri).map_err(SignError::from),
    };
    let signed = opened
        .map_err(|error| error.to_string())
        .and_then(|signer| {
            let signer: Box<dyn Signer> = match env::var_os(CHILD_CERTIFICATE) {
                Some(file) => {
                    let signer = CertificateSigner::new(signer, &fs::read(file).unwrap(), &[]);
                    Box::new(signer.map_err(|error| error.to_string())?)
                }
                None => Box::new(signer),
            };
            sign::bundle(PAYLOAD, &*signer).map_err(|error| error.to_string())
        });
    match signed {
        Ok(file) => println!("\nSIGNED {}", String::from_utf8(file).unwrap()),
        Err(error) => println!("\nREFUSED {error}"),
    }
}

fn verified(file: &[u8], key: PublicKey) -> bool {
    let options = Options::at_present(0, true);
    verify::open(file, &Verifier::Key(key), &options).is_ok_and(|opened| opened.payload == PAYLOAD)
}

#[test]
fn a_token_signs_on_every_curve_and_is_found_by_name_or_id() {
    let Some(hsm) = Hsm::new() else { return };
    hsm.token("Tökén");
    for (id, algorithm) in [
        ("a1", &signature::ECDSA_P256_SHA256_ASN1_SIGNING),
        ("a2ff00", &signature::ECDSA_P384_SHA384_ASN1_SIGNING),
        ("a3", &signature::ECDSA_P521_SHA512_ASN1_SIGNING),
    ] {
        let label = format!("schlüssel {id}");
        let key = hsm.key("Tökén", &label, id, algorithm);
        let pin = hsm.pin_file();
        let digits = id
            .as_bytes()
            .chunks(2)
            .map(|hex| str::from_utf8(hex).unwrap());
        let escaped = digits.fold(String::new(), |escaped, hex| escaped + "%" + hex);
        for path in [
            format!("token=Tökén;object={label}"),
            format!("token=T%c3%b6k%C3%A9n;object={}", label.replace(' ', "%20")),
            format!("token=Tökén;id={escaped}"),
            format!(
                "model=SoftHSM%20v2;manufacturer=SoftHSM%20project;id={escaped};object={label};type=private"
            ),
        ] {
            let file = hsm
                .sign(&path, &pin, None)
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(verified(&file, key.clone()), "{path}");
        }
    }
}

#[test]
fn the_error_names_what_a_token_does_not_have() {
    let Some(hsm) = Hsm::new() else { return };
    let algorithm = &signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    hsm.token("one");
    hsm.token("twice");
    hsm.token("twice");
    hsm.key("one", "key", "01", algorithm);
    hsm.key("one", "double", "02", algorithm);
    hsm.key("one", "double", "03", algorithm);
    let pin = hsm.pin_file();
    let given = "&pin-value=pin%20%26%20%C3%BCn%C3%AFcode";
    for (path, pin, error) in [
        (
            "token=no;object=key",
            &*pin,
            "no token fits the URI; there are: ",
        ),
        (
            "token=one;serial=0;object=key",
            &pin,
            "no token fits the URI; there are: ",
        ),
        (
            "token=one;slot-id=4294967296;object=key",
            &pin,
            "no token fits the URI; there are: ",
        ),
        (
            "token=twice;object=key",
            &pin,
            "2 tokens fit the URI; add `serial` to it: ",
        ),
        (
            "token=one;object=no",
            &pin,
            "no private key in the token fits the URI; there are: \"object=double;id=%02\", \"object=double;id=%03\", \"object=key;id=%01\"",
        ),
        (
            "token=one;object=key;id=%02",
            given,
            "no private key in the token fits the URI",
        ),
        (
            "token=one;object=double",
            given,
            "2 private keys in the token fit the URI; add `id` to it, or `object`",
        ),
        (
            "token=one;object=key",
            "",
            "no private key in the token fits the URI; without a PIN, private keys are invisible",
        ),
        (
            "token=one;object=key",
            "&pin-value=0000",
            "the token refuses the PIN",
        ),
        (
            "token=one;object=key",
            "&pin-source=/no/pin",
            "pin-source /no/pin: ",
        ),
        ("token=one;object=key;library-version=99", &pin, "module "),
    ] {
        let said = hsm.sign(path, pin, None).unwrap_err();
        assert!(said.starts_with(error), "{path}: {said}");
    }
    assert!(hsm.sign("token=one;object=key", given, None).is_ok());
}

#[test]
fn a_certificate_must_be_for_the_key_in_the_token() {
    let Some(hsm) = Hsm::new() else { return };
    hsm.token("one");
    let algorithm = &signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    hsm.key("one", "key", "01", algorithm);
    hsm.key("one", "other", "02", algorithm);
    let pair = rcgen::KeyPair::from_pem(&fs::read_to_string(hsm.path("01.key")).unwrap()).unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new())
        .unwrap()
        .self_signed(&pair)
        .unwrap();
    let file = hsm.path("certificate.pem");
    fs::write(&file, certificate.pem()).unwrap();

    let pin = hsm.pin_file();
    let signed = hsm.sign("token=one;object=key", &pin, Some(&file)).unwrap();
    let signed = verify::SignatureFile::parse(&signed).unwrap();
    assert_eq!(signed.certificates(), [certificate.der().to_vec()]);
    let error = hsm
        .sign("token=one;object=other", &pin, Some(&file))
        .unwrap_err();
    let other_key = "the private key in the token is not that of the public key or the certificate";
    assert_eq!(error, other_key);

    // The certificate has the public key: the token need not have it.
    hsm.remove_public_keys();
    let error = hsm.sign("token=one;object=key", &pin, None).unwrap_err();
    assert!(error.starts_with("the token has no public key"), "{error}");
    let signed = hsm.sign("token=one;object=key", &pin, Some(&file)).unwrap();
    let signed = verify::SignatureFile::parse(&signed).unwrap();
    assert_eq!(signed.certificates(), [certificate.der().to_vec()]);
    let error = hsm.sign("token=one;object=other", &pin, Some(&file));
    assert_eq!(error.unwrap_err(), other_key);
}
