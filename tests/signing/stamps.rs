//! Timestamps over signatures by key and certificate: `--tsa-url`, `--resume`, `--tsa-certificate-chain`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use model_signing::key::PrivateKey;
use model_signing::sign::{self, CertificateSigner, KeySigner};
use model_signing::timestamp::attach;
use model_signing::verify::SignatureFile;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use serde_json::Value;

use crate::fake::payload;
use crate::fake::stamp::{Flaws, Stamp, StampAuthority};
use crate::site::Site;

/// How a server answers the requests in turn; the last answer is repeated.
#[derive(Clone, Copy)]
enum Answer {
    Stamp,
    Busy,
    WrongNonce,
    Refusal,
}

fn authority() -> StampAuthority {
    StampAuthority::with(&rcgen::PKCS_RSA_SHA256, Flaws::default())
}

/// A timestamp authority on a port of this machine; its root is written to `tsa.pem`.
fn serve(site: &Site, answers: &'static [Answer]) -> String {
    let authority = authority();
    site.write("tsa.pem", &authority.pem(2));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v1/timestamp", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (count, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            let body = loop {
                let read = stream.read(&mut piece).unwrap();
                request.extend_from_slice(&piece[..read]);
                let head = request.windows(4).position(|four| four == b"\r\n\r\n");
                let Some(end) = head else { continue };
                let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
                assert!(
                    head.contains("content-type: application/timestamp-query"),
                    "{head}"
                );
                let length = head.split("content-length: ").nth(1).unwrap();
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                if request.len() >= end + 4 + length {
                    break request[end + 4..end + 4 + length].to_vec();
                }
            };
            // The digest, the nonce, and the request for certificates are at its end.
            let end = body.len();
            let nonce = body[end - 19..end - 3].to_vec();
            let digest: [u8; 32] = body[end - 53..end - 21].try_into().unwrap();
            let stamp = Stamp {
                over: Some(digest),
                nonce: Some(nonce),
                ..Stamp::default()
            };
            let answer = answers[count.min(answers.len() - 1)];
            let (status, body) = match answer {
                Answer::Stamp => ("201 Created", authority.stamp(b"", &stamp)),
                Answer::Busy => ("503 Busy", b"busy".to_vec()),
                Answer::WrongNonce => {
                    let other = Stamp {
                        nonce: Some(vec![0x41; 16]),
                        ..stamp
                    };
                    ("200 OK", authority.stamp(b"", &other))
                }
                Answer::Refusal => (
                    "200 OK",
                    authority.stamp(b"", &Stamp { status: 2, ..stamp }),
                ),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    url
}

fn site() -> Site {
    let site = Site::new();
    site.write("falcon/weights.bin", "weights");
    site
}

const SIGN: &str = "sign key falcon --private-key keys/p256.key --signature falcon.sig";
const VERIFY: &str = "verify key falcon --public-key keys/p256.pub --signature falcon.sig";

/// The signature verifies with the timestamp of the authority.
fn verify_the_timestamp(site: &Site) {
    let line = format!("{VERIFY} --tsa-certificate-chain tsa.pem --strict");
    site.expect(&line, 0);
}

#[test]
fn a_signature_gets_its_timestamp_and_only_a_trusted_authority_counts() {
    let site = site();
    let url = serve(&site, &[Answer::Stamp]);
    site.expect(&format!("{SIGN} --tsa-url {url} --tsa_url {url}"), 0);
    assert!(!site.at("falcon.sig.incomplete").exists());
    // The reference reads it as before.
    site.expect(VERIFY, 0);
    let report = |line: &str, code| -> Value {
        serde_json::from_str(&site.expect(line, code).stdout).unwrap()
    };
    let trusted = format!("{VERIFY} --tsa-certificate-chain tsa.pem --json");
    let found = report(&trusted, 0);
    let time = "2025-06-01T00:00:10Z";
    assert_eq!(found["timestamps"], serde_json::json!([time, time]));
    assert_eq!(
        report(&format!("{VERIFY} --json"), 0)["timestamps"],
        serde_json::json!([])
    );
    site.write("other.pem", &authority().pem(2));
    let other = format!("{VERIFY} --tsa-certificate-chain other.pem");
    let said = site.expect(&other, 0);
    assert!(
        said.stderr.contains("a timestamp counts for nothing: "),
        "{}",
        said.stderr
    );
    site.expect(&format!("{other} --strict"), 1);
    let key = format!("{VERIFY} --tsa-certificate-chain keys/p256.pub");
    assert!(
        site.expect(&key, 1)
            .stderr
            .contains("--tsa-certificate-chain keys/p256.pub")
    );
}

#[test]
fn an_incomplete_signature_is_never_written_through_a_symlink_or_into_a_pipe() {
    let site = site();
    let url = serve(&site, &[Answer::Refusal, Answer::Refusal]);
    let place = site.at("falcon.sig.incomplete");
    let other = site.at("other");
    fs::write(&other, "of another use").unwrap();
    std::os::unix::fs::symlink(&other, &place).unwrap();
    let failed = site.expect(&format!("{SIGN} --tsa-url {url}"), 1);
    assert!(
        failed.stderr.contains("cannot be left in"),
        "{}",
        failed.stderr
    );
    assert_eq!(fs::read_to_string(&other).unwrap(), "of another use");

    // A second name of a file of another use.
    fs::remove_file(&place).unwrap();
    fs::hard_link(&other, &place).unwrap();
    let failed = site.expect(&format!("{SIGN} --tsa-url {url}"), 1);
    assert!(
        failed.stderr.contains("cannot be left in"),
        "{}",
        failed.stderr
    );
    assert_eq!(fs::read_to_string(&other).unwrap(), "of another use");

    fs::remove_file(&place).unwrap();
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        &place,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
    )
    .unwrap();
    let failed = site.expect(&format!("{SIGN} --tsa-url {url}"), 1);
    assert!(
        failed.stderr.contains("cannot be left in"),
        "{}",
        failed.stderr
    );
}

#[test]
fn without_an_answer_the_signature_is_left_for_resume() {
    let site = site();
    let url = serve(&site, &[Answer::Refusal, Answer::WrongNonce, Answer::Stamp]);
    for said in ["refused: status 2", "nonce"] {
        let failed = site.expect(&format!("{SIGN} --tsa-url {url}"), 1);
        assert!(failed.stderr.contains(said), "{}", failed.stderr);
        assert!(
            failed.stderr.contains("--resume completes it"),
            "{}",
            failed.stderr
        );
        assert!(!site.at("falcon.sig").exists());
    }
    let left = site.at("falcon.sig.incomplete");
    assert_eq!(
        fs::metadata(&left).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!fs::read_to_string(&left).unwrap().contains("PRIVATE"));
    let said = site.expect(&format!("{SIGN} --tsa-url {url} --resume"), 0);
    assert_eq!(said.stdout, "Signing succeeded\n");
    assert!(!left.exists());
    verify_the_timestamp(&site);
    // Nothing is left to be completed.
    site.expect(&format!("{SIGN} --tsa-url {url} --resume"), 1);
    site.expect(&format!("{SIGN} --resume"), 2);
    site.expect(&format!("{SIGN} --tsa-url nowhere"), 2);
}

/// Writes a [`chain`] into files: `PREFIX.key`, `PREFIX.pem` and `PREFIX-root.pem`.
fn certified(site: &Site, prefix: &str, (key, leaf, root): (String, String, String)) {
    site.write(&format!("{prefix}.key"), &key);
    site.write(&format!("{prefix}.pem"), &leaf);
    site.write(&format!("{prefix}-root.pem"), &root);
}

#[test]
fn resume_completes_only_what_the_command_would_sign() {
    let site = site();
    let url = serve(&site, &[Answer::Refusal, Answer::Stamp]);
    site.expect(&format!("{SIGN} --tsa-url {url}"), 1);
    let place = site.at("falcon.sig.incomplete");
    let left = fs::read_to_string(&place).unwrap();
    let resume = |line: &str, said: &str| {
        let failed = site.expect(&format!("{line} --tsa-url {url} --resume"), 1);
        assert!(failed.stderr.contains(said), "{}", failed.stderr);
        assert!(!site.at("falcon.sig").exists());
        assert!(place.exists());
    };
    // Of another key.
    let other_key = SIGN.replace("p256.key", "p384.key");
    resume(&other_key, "is no signature by the key");
    // Of another content: one character of the payload's base64.
    let (head, payload) = left.split_once("\"payload\":\"").unwrap();
    for at in [40, 400] {
        let mut payload = payload.as_bytes().to_vec();
        payload[at] = if payload[at] == b'A' { b'B' } else { b'A' };
        let payload = String::from_utf8(payload).unwrap();
        let changed = format!("{head}\"payload\":\"{payload}");
        fs::write(&place, changed).unwrap();
        resume(SIGN, "is no signature by the key");
    }
    fs::write(&place, &left[..left.len() - 9]).unwrap();
    resume(SIGN, "falcon.sig.incomplete");
    fs::write(&place, &left).unwrap();
    // Of another model, or of this one with other files.
    site.write("eagle/weights.bin", "weights");
    let other_model = SIGN.replace("falcon --", "eagle --");
    resume(
        &other_model,
        "is of another model: \"falcon\", not \"eagle\"",
    );
    site.write("falcon/added.bin", "");
    resume(SIGN, "not signed: \"added.bin\"");
    fs::remove_file(site.at("falcon/added.bin")).unwrap();
    site.expect(&format!("{SIGN} --tsa-url {url} --resume"), 0);
    verify_the_timestamp(&site);
}

#[test]
fn a_signature_in_the_model_is_completed_there() {
    let site = site();
    let url = serve(&site, &[Answer::Refusal, Answer::Stamp]);
    let sign = "sign key falcon --private-key keys/p256.key --signature falcon/model.sig --shard-size 1000000";
    site.write("falcon/empty.bin", "");
    site.expect(&format!("{sign} --tsa-url {url}"), 1);
    site.expect(&format!("{sign} --tsa-url {url} --resume"), 0);
    assert!(!site.at("falcon/model.sig.incomplete").exists());
    let verify = "verify key falcon --public-key keys/p256.pub --signature falcon/model.sig";
    site.expect(verify, 0);
}

#[test]
fn resume_judges_the_certificates_again() {
    let site = site();
    let url = serve(&site, &[Answer::Refusal, Answer::Stamp]);
    certified(&site, "release", chain(4000));
    certified(&site, "other", chain(4000));
    let sign = format!(
        "sign certificate falcon --private-key release.key --signing-certificate release.pem --signature falcon.sig --tsa-url {url}"
    );
    site.expect(&sign, 1);
    // The certificate of another key, and certificates beside the one that was signed with.
    for other in [
        sign.replace("release.pem", "other.pem"),
        format!("{sign} --certificate-chain release-root.pem"),
    ] {
        let failed = site.expect(&format!("{other} --resume"), 1);
        let said = "is no signature by the key and the certificates of this command";
        assert!(failed.stderr.contains(said), "{}", failed.stderr);
    }
    site.expect(&format!("{sign} --resume"), 0);
    let verify =
        "verify certificate falcon --signature falcon.sig --certificate-chain release-root.pem";
    site.expect(verify, 0);

    // It has expired since: a timestamp of today would prove too late a time.
    let expired = chain(2026);
    let key = PrivateKey::from_pem(expired.0.as_bytes(), None).unwrap();
    let signer = CertificateSigner::new(KeySigner::new(key), expired.1.as_bytes(), &[]).unwrap();
    let file = sign::bundle(&payload(), &signer).unwrap();
    fs::write(site.at("falcon.sig.incomplete"), file).unwrap();
    certified(&site, "release", expired);
    let failed = site.expect(&format!("{sign} --resume"), 1);
    assert!(failed.stderr.contains("is valid from"), "{}", failed.stderr);
}

#[test]
fn a_signing_from_the_beginning_leaves_nothing_to_be_completed() {
    let site = site();
    let url = serve(&site, &[Answer::Refusal, Answer::Stamp]);
    site.expect(&format!("{SIGN} --tsa-url {url}"), 1);
    site.write("falcon/weights.bin", "newer weights");
    site.expect(SIGN, 0);
    assert!(!site.at("falcon.sig.incomplete").exists());
    site.expect(&format!("{SIGN} --tsa-url {url} --resume"), 1);
    site.expect(VERIFY, 0);
}

#[test]
fn a_busy_authority_gets_a_second_request() {
    let site = site();
    let url = serve(&site, &[Answer::Busy, Answer::Stamp]);
    site.expect(&format!("{SIGN} --tsa-url {url}"), 0);
    verify_the_timestamp(&site);
}

#[test]
fn a_chain_that_has_expired_since_is_judged_at_the_time_of_the_timestamp() {
    let site = site();
    let authority = authority();
    site.write("tsa.pem", &authority.pem(2));
    site.write("other.pem", &self::authority().pem(2));
    for (name, ends, stamped, code) in [
        ("valid-then", 2026, true, 0),
        ("expired-then", 2025, true, 1),
        ("without", 2026, false, 1),
    ] {
        let (key, leaf, root) = chain(ends);
        site.write("root.pem", &root);
        let key = PrivateKey::from_pem(key.as_bytes(), None).unwrap();
        let signer = CertificateSigner::new(KeySigner::new(key), leaf.as_bytes(), &[]).unwrap();
        let file = sign::bundle(&payload(), &signer).unwrap();
        let parsed = SignatureFile::parse(&file).unwrap();
        let token = authority.stamp(parsed.signature(), &Stamp::default());
        let file = if stamped {
            attach(&file, &[token]).unwrap()
        } else {
            file
        };
        let signature = format!("{name}.sig");
        fs::write(site.at(&signature), file).unwrap();
        let line = format!(
            "verify certificate falcon --signature {signature} --certificate-chain root.pem"
        );
        let said = site.expect(&line, 1);
        assert!(said.stderr.contains("is valid from"), "{}", said.stderr);
        site.expect(&format!("{line} --tsa-certificate-chain other.pem"), 1);
        let trusted = format!("{line} --tsa-certificate-chain tsa.pem");
        let said = site.run(&trusted);
        assert_eq!(said.code, code, "{name}: {}", said.stderr);
        // Nothing is left to warn of.
        if code == 0 {
            site.expect(&format!("{trusted} --strict"), 0);
        }
    }
}

/// A key, its certificate until the first of July of that year (of February in 2025), and the root: PEM.
pub fn chain(ends: i32) -> (String, String, String) {
    let dates = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(ends, if ends == 2025 { 2 } else { 7 }, 1);
    };
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.distinguished_name
        .push(DnType::CommonName, "model root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    dates(&mut root);
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name
        .push(DnType::CommonName, "model signer");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    dates(&mut leaf);
    let issuer = Issuer::from_params(&root, &root_key);
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    (key.serialize_pem(), leaf.pem(), root_pem)
}
