//! One key in every encoding, made by the usual programs; see `tests/data/keys/encodings/make.sh`.
#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::key::sha256;
use super::{Certificate, Key, KeyFormat, ber, der, found_in_pkcs7};

const CURVES: [&str; 8] = [
    "prime256v1",
    "secp384r1",
    "secp521r1",
    "secp224r1",
    "secp256k1",
    "brainpoolP256r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
];
const SSH: [&str; 6] = [
    "prime256v1",
    "secp384r1",
    "secp521r1",
    "rsa",
    "ed25519",
    "dsa",
];

/// RSASSA-PSS-params with SHA-256 and MGF1 with it (RFC 4055 §3.1).
const PSS: &[u8] = b"\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\xa2\x03\x02\x01\x20";

fn data(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/keys/encodings");
    std::fs::read(folder.join(name)).unwrap()
}

/// SHA-256 of the SubjectPublicKeyInfo that openssl writes, which owners usually configure.
fn owned(name: &str) -> [u8; 32] {
    sha256(&data(&format!("{name}.der")))
}

fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    der::encode(tag, &parts.concat())
}

/// AlgorithmIdentifier and key of a SubjectPublicKeyInfo: the contents of both, the key without the octet of unused
/// bits.
fn parts(spki: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (outer, _) = ber::read(spki).unwrap();
    let (algorithm, rest) = ber::read(outer.content).unwrap();
    let (bits, _) = ber::read(rest).unwrap();
    (algorithm.content.to_vec(), bits.content[1..].to_vec())
}

fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let algorithm = der::encode(der::SEQUENCE, algorithm);
    let bits = encode(der::BIT_STRING, &[&[0], key]);
    encode(der::SEQUENCE, &[&algorithm, &bits])
}

#[track_caller]
fn is_found(spki: Vec<u8>, owned: &[u8; 32], how: &str) {
    let as_logged = sha256(&spki);
    let key = Key::from_spki(spki).unwrap_or_else(|error| panic!("{how}: {error}"));
    assert_eq!(key.key_sha256(), as_logged, "{how}");
    assert_eq!(key.hashes()[0], as_logged, "{how}");
    assert!(key.hashes().contains(owned), "{how}");
}

#[test]
fn every_form_of_a_point_and_of_a_curve_is_one_key() {
    for curve in CURVES {
        let owned = owned(curve);
        for form in [
            "",
            ".compressed",
            ".hybrid",
            ".compressed.explicit",
            ".hybrid.explicit",
        ] {
            let bytes = data(&format!("{curve}{form}.der"));
            is_found(bytes.clone(), &owned, &format!("{curve}{form}"));
            let key = Key::from_spki(bytes).unwrap();
            assert_eq!(key.canonical_sha256(), Some(owned), "{curve}{form}");
        }
        // The owner may have configured the hash of the compressed form.
        let compressed = sha256(&data(&format!("{curve}.compressed.der")));
        is_found(data(&format!("{curve}.der")), &compressed, curve);
    }
}

#[test]
fn what_is_added_to_a_key_does_not_hide_it() {
    for name in ["prime256v1", "secp384r1", "rsa", "ed25519", "ed448", "dsa"] {
        let (owned, plain) = (owned(name), data(&format!("{name}.der")));
        let (algorithm, key) = parts(&plain);
        let sequence = |parts: &[&[u8]]| encode(der::SEQUENCE, parts);
        let of_algorithm = der::encode(der::SEQUENCE, &algorithm);
        let bits = encode(der::BIT_STRING, &[&[0], &key]);
        let long = |element: &[u8]| {
            let (read, _) = ber::read(element).unwrap();
            let length = u32::try_from(read.content.len()).unwrap().to_be_bytes();
            [&element[..1], &[0x84], &length, read.content].concat()
        };
        let (first, second) = key.split_at(7);
        let in_parts = encode(
            0x23,
            &[
                &encode(der::BIT_STRING, &[&[0], first]),
                &encode(der::BIT_STRING, &[&[0], second]),
            ],
        );
        for (how, spki) in [
            (
                "a further element in the algorithm",
                spki(&[&algorithm[..], b"\x02\x01\x07"].concat(), &key),
            ),
            (
                "two of them",
                spki(&[&algorithm[..], b"\x05\0\x04\x03abc"].concat(), &key),
            ),
            (
                "an element behind the key",
                sequence(&[&of_algorithm, &bits, b"\x04\x01x"]),
            ),
            ("bytes behind everything", [&plain[..], b"more"].concat()),
            (
                "bytes behind the key in its bits",
                spki(&algorithm, &[&key[..], b"more"].concat()),
            ),
            ("a long outer length", long(&plain)),
            (
                "a long length of the algorithm",
                sequence(&[&long(&of_algorithm), &bits]),
            ),
            (
                "a long length of the key",
                sequence(&[&of_algorithm, &long(&bits)]),
            ),
            (
                "no outer length",
                [b"\x30\x80", &of_algorithm[..], &bits, b"\0\0"].concat(),
            ),
            (
                "no length of the algorithm",
                sequence(&[b"\x30\x80", &algorithm, b"\0\0", &bits]),
            ),
            ("bits in parts", sequence(&[&of_algorithm, &in_parts])),
        ] {
            is_found(spki, &owned, &format!("{name}: {how}"));
        }
        // Go shifts the octets to the right. Only where the first bits are zero can they be shifted to the left before.
        if key[0] < 0x80 {
            let left: Vec<u8> = key
                .iter()
                .zip(key[1..].iter().chain([&0]))
                .map(|(a, b)| a << 1 | b >> 7)
                .collect();
            let bits = encode(der::BIT_STRING, &[&[1], &left]);
            is_found(
                sequence(&[&of_algorithm, &bits]),
                &owned,
                &format!("{name}: shifted"),
            );
        }
        // Others use them without a shift.
        let bits = encode(der::BIT_STRING, &[&[3], &key]);
        is_found(
            sequence(&[&of_algorithm, &bits]),
            &owned,
            &format!("{name}: unused bits"),
        );
    }
}

#[test]
fn an_algorithm_by_another_name_is_the_same_key() {
    let (of_point, point) = parts(&data("prime256v1.der"));
    let curve = &of_point[9..];
    for oid in [
        &b"\x06\x05\x2b\x81\x04\x01\x0c"[..],
        b"\x06\x05\x2b\x81\x04\x01\x0d",
    ] {
        is_found(
            spki(&[oid, curve].concat(), &point),
            &owned("prime256v1"),
            "ECDH, ECMQV",
        );
    }
    let (rsa, ed25519) = (parts(&data("rsa.der")).1, parts(&data("ed25519.der")).1);
    let pkcs1 = |arc: u8| [b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01", &[arc][..]].concat();
    for (how, algorithm) in [
        ("without parameters", pkcs1(1)),
        ("for PSS alone", pkcs1(10)),
        ("for PSS with SHA-256 alone", [&pkcs1(10), PSS].concat()),
        ("for OAEP", pkcs1(7)),
        (
            "by the name of X.509 of 1988",
            b"\x06\x04\x55\x08\x01\x01\x02\x02\x08\x00".to_vec(),
        ),
    ] {
        is_found(spki(&algorithm, &rsa), &owned("rsa"), how);
    }
    is_found(
        spki(b"\x06\x03\x2b\x65\x70\x05\x00", &ed25519),
        &owned("ed25519"),
        "NULL",
    );
    let gnupg = b"\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01";
    is_found(spki(gnupg, &ed25519), &owned("ed25519"), "OpenPGP's name");
}

#[test]
fn a_number_is_the_same_with_and_without_zeros_before_it() {
    let (algorithm, key) = parts(&data("rsa.der"));
    let (numbers, _) = ber::read(&key).unwrap();
    let (modulus, rest) = ber::read(numbers.content).unwrap();
    let (exponent, _) = ber::read(rest).unwrap();
    let number = |zeros: usize, content: &[u8]| {
        encode(der::INTEGER, &[&vec![0; zeros], ber::unsigned(content)])
    };
    for (zeros, more) in [
        (0, &b""[..]),
        (1, b""),
        (2, b""),
        (300, b""),
        (1, b"\x02\x01\x07"),
    ] {
        let numbers = [
            number(zeros, modulus.content),
            number(zeros, exponent.content),
        ]
        .concat();
        let key = encode(der::SEQUENCE, &[&numbers, more]);
        is_found(
            spki(&algorithm, &key),
            &owned("rsa"),
            &format!("{zeros} zeros"),
        );
        let alone = Key::from_pkcs1(&key).unwrap();
        assert_eq!(alone.key_sha256(), owned("rsa"));
    }
    // The owner may also have the hash of the PKCS#1 key.
    is_found(data("rsa.der"), &sha256(&data("rsa.pkcs1.der")), "PKCS#1");
    assert_eq!(
        Key::from_pkcs1(&data("rsa.pkcs1.der"))
            .unwrap()
            .key_sha256(),
        owned("rsa")
    );
    // It may be in the place of a SubjectPublicKeyInfo; a signature may not.
    is_found(data("rsa.pkcs1.der"), &owned("rsa"), "PKCS#1 in its place");
    let certificate = Certificate::parse(data("certificate.secp384r1.der")).unwrap();
    assert!(Key::from_spki(certificate.signature().into_owned()).is_err());
}

#[test]
fn a_curve_with_another_generator_is_another_curve() {
    let bytes = data("prime256v1.hybrid.explicit.der");
    // The generator's first coordinate; with another one, an attacker can know a private key for the point of another
    // person's key.
    let at = bytes
        .windows(4)
        .position(|w| w == b"\x6b\x17\xd1\xf2")
        .unwrap();
    let mut other = bytes;
    other[at] ^= 1;
    let key = Key::from_spki(other).unwrap();
    assert!(!key.hashes().contains(&owned("prime256v1")));
}

#[test]
fn a_key_of_an_unknown_algorithm_is_the_same_key_with_additions() {
    // ML-DSA-44 by its identifier (RFC 9881), with too short a key.
    let algorithm = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11";
    let plain = spki(algorithm, b"key");
    for other in [
        spki(&[&algorithm[..], b"\x05\0"].concat(), b"key"),
        spki(&[&algorithm[..], b"\x05\0\x02\x01\x01"].concat(), b"key"),
        [&plain[..], b"more"].concat(),
    ] {
        is_found(other, &sha256(&plain), "ML-DSA");
    }
}

#[test]
fn an_ssh_key_its_certificate_and_its_lines_are_one_key() {
    for name in SSH {
        let owned = owned(name);
        let line = data(&format!("{name}.pub"));
        let text = String::from_utf8(line.clone()).unwrap();
        let blob = STANDARD.decode(text.split(' ').nth(1).unwrap()).unwrap();
        let options = format!("restrict,command=\"a b\" {text}");
        let principals = format!("# signers\nowner@harbor.example namespaces=\"file\" {text}");
        for (how, file) in [
            ("alone", line.clone()),
            ("behind options", options.into_bytes()),
            ("behind principals", principals.into_bytes()),
            ("in a certificate", data(&format!("{name}-cert.pub"))),
        ] {
            let keys = Key::from_ssh(&file).unwrap();
            let [key] = keys.as_slice() else {
                panic!("{name} {how}: {} keys", keys.len())
            };
            assert_eq!(key.canonical_sha256(), Some(owned), "{name} {how}");
            // By the SubjectPublicKeyInfo, and by the blob that `ssh-keygen -l` hashes.
            assert!(key.hashes().contains(&owned), "{name} {how}");
            assert!(key.hashes().contains(&sha256(&blob)), "{name} {how}");
            let fingerprint = Key::from_ssh(&line).unwrap().remove(0);
            assert_eq!(key.fingerprint(), fingerprint.fingerprint(), "{name} {how}");
        }
        // If the owner configured the blob's hash, the same key in another wrapping is found.
        is_found(data(&format!("{name}.der")), &sha256(&blob), name);
    }
    let keys = Key::from_ssh(&data("ed25519.rfc4716")).unwrap();
    assert_eq!(keys[0].canonical_sha256(), Some(owned("ed25519")));
}

#[test]
fn a_key_on_a_token_is_the_key_on_it() {
    for (name, kind) in [
        ("ed25519", "sk-ssh-ed25519@openssh.com"),
        ("prime256v1", "sk-ecdsa-sha2-nistp256@openssh.com"),
    ] {
        let plain = data(&format!("{name}.pub"));
        let text = String::from_utf8(plain).unwrap();
        let blob = STANDARD.decode(text.split(' ').nth(1).unwrap()).unwrap();
        let (_, fields) = super::ssh::string(&blob).unwrap();
        let on_token = [
            &super::ssh::blob(&[kind.as_bytes()])[..],
            fields,
            &super::ssh::blob(&[b"ssh:"]),
        ];
        let line = format!("{kind} {}", STANDARD.encode(on_token.concat()));
        let key = Key::from_ssh(line.as_bytes()).unwrap().remove(0);
        assert_eq!(key.canonical_sha256(), Some(owned(name)));
    }
}

fn openpgp(owner: &str) -> Vec<[u8; 32]> {
    let file: serde_json::Value = serde_json::from_slice(&data("openpgp.json")).unwrap();
    let hashes = file[owner].as_array().unwrap().iter();
    hashes
        .map(|hash| {
            hex::decode(hash.as_str().unwrap())
                .unwrap()
                .try_into()
                .unwrap()
        })
        .collect()
}

#[test]
fn every_key_of_an_openpgp_key_is_found_by_its_subject_public_key_info() {
    for (file, owner) in [
        ("owner.asc", "owner"),
        ("owner.pgp", "owner"),
        ("thief.asc", "thief"),
    ] {
        let keys = Key::from_pgp(&data(file)).unwrap();
        let canonical: Vec<_> = keys
            .iter()
            .map(|key| key.canonical_sha256().unwrap())
            .collect();
        assert_eq!(canonical, openpgp(owner), "{file}");
    }
    let both = Key::from_pgp(&data("both.asc")).unwrap();
    assert_eq!(both.len(), openpgp("owner").len() + openpgp("thief").len());
}

#[test]
fn a_subkey_under_a_thiefs_key_is_the_owners_even_with_another_date() {
    let owner = Key::from_pgp(&data("owner.pgp")).unwrap();
    let stolen = &owner[1];
    let under = Key::from_pgp(&data("thief.asc")).unwrap();
    let thief = under
        .iter()
        .find(|key| key.canonical_sha256() == stolen.canonical_sha256());
    assert_eq!(thief.unwrap().format(), KeyFormat::Pgp);
    // The fingerprint covers the date, which an attacker can choose.
    let mut body = super::openpgp::body(stolen.bytes()).to_vec();
    body[4] ^= 1;
    let packet = [&[0xce, u8::try_from(body.len()).unwrap()], &body[..]].concat();
    let other = Key::from_pgp(&packet).unwrap().remove(0);
    assert_ne!(other.fingerprint(), stolen.fingerprint());
    assert_ne!(other.key_sha256(), stolen.key_sha256());
    assert!(other.hashes().contains(&stolen.canonical_sha256().unwrap()));
}

#[test]
fn openpgp_keys_of_every_version_are_the_same_key() {
    let key = parts(&data("ed25519.der")).1;
    let curve = b"\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01";
    let legacy = |prefix: &[u8]| {
        let bits = u16::try_from((prefix.len() + 32) * 8 - 1)
            .unwrap()
            .to_be_bytes();
        [&curve[..], &bits, prefix, &key].concat()
    };
    let length = |field: &[u8]| u32::try_from(field.len()).unwrap().to_be_bytes();
    let with = legacy(b"\x40");
    for body in [
        [b"\x04\0\0\0\0\x16", &with[..]].concat(),
        // Without the octet before the point, and as an ECDSA key.
        [b"\x04\0\0\0\0\x16", &legacy(b"")[..]].concat(),
        [b"\x04\0\0\0\0\x13", &with[..]].concat(),
        [b"\x05\0\0\0\0\x16", &length(&with)[..], &with].concat(),
        // RFC 9580 §5.5.5.9, in both versions.
        [b"\x06\0\0\0\0\x1b", &length(&key)[..], &key].concat(),
        [b"\x04\0\0\0\0\x1b", &key[..]].concat(),
        // Bytes behind it.
        [b"\x04\0\0\0\0\x16", &with[..], b"more"].concat(),
    ] {
        let packet = [&[0xc6, u8::try_from(body.len()).unwrap()], &body[..]].concat();
        let read = Key::from_pgp(&packet).unwrap().remove(0);
        assert_eq!(
            read.canonical_sha256(),
            Some(owned("ed25519")),
            "{body:02x?}"
        );
    }
    // RSA before version 4 has the days of its validity.
    let key = parts(&data("rsa.der")).1;
    let (numbers, _) = ber::read(&key).unwrap();
    let (modulus, rest) = ber::read(numbers.content).unwrap();
    let (exponent, _) = ber::read(rest).unwrap();
    let number = |content: &[u8]| {
        let number = ber::unsigned(content);
        let bits = u16::try_from(number.len() * 8).unwrap().to_be_bytes();
        [&bits[..], number].concat()
    };
    let numbers = [number(modulus.content), number(exponent.content)].concat();
    for before in [
        &b"\x03\0\0\0\0\0\0\x01"[..],
        b"\x02\0\0\0\0\0\0\x03",
        b"\x04\0\0\0\0\x01",
    ] {
        let body = [before, &numbers].concat();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        let packet = [&[0x99], &length[..], &body].concat();
        let read = Key::from_pgp(&packet).unwrap().remove(0);
        assert_eq!(read.canonical_sha256(), Some(owned("rsa")), "{before:02x?}");
    }
}

#[test]
fn a_minisign_key_is_an_ed25519_key_in_every_form() {
    let file = String::from_utf8(data("minisign.pub")).unwrap();
    let line = file.lines().nth(1).unwrap();
    let raw = parts(&data("ed25519.der")).1;
    for form in [
        file.clone().into_bytes(),
        file.replace('\n', "\r\n").into_bytes(),
        line.as_bytes().to_vec(),
        format!(" {line} \n").into_bytes(),
        file.replace('\n', "\r").into_bytes(),
        file.replace(line, &format!("{}\n{}", &line[..20], &line[20..]))
            .into_bytes(),
        STANDARD.decode(line).unwrap(),
        raw.clone(),
    ] {
        let key = Key::from_minisign(&form).unwrap();
        assert_eq!(key.canonical_sha256(), Some(owned("ed25519")));
        // As entries are read.
        let key = Key::other(KeyFormat::Minisign, form.clone()).unwrap();
        assert_eq!(key.key_sha256(), sha256(&form));
        assert!(key.hashes().contains(&owned("ed25519")));
    }
    // The hash of what Rekor stored first may have been taken from a finding.
    is_found(data("ed25519.der"), &sha256(&raw), "the octets alone");
    for other in [&b""[..], b"RWQ", &raw[..31], &line.as_bytes()[..40]] {
        assert!(Key::from_minisign(other).is_err());
        let key = Key::other(KeyFormat::Minisign, b"no key".to_vec()).unwrap();
        assert_eq!(key.hashes(), [key.key_sha256()]);
    }
}

#[test]
fn every_key_of_a_tuf_root_is_found() {
    let point = parts(&data("prime256v1.der")).1;
    let ed25519 = parts(&data("ed25519.der")).1;
    let (compressed, spki) = (parts(&data("secp384r1.compressed.der")).1, data("rsa.der"));
    let key = |bytes: &[u8]| serde_json::json!({"keytype": "x", "keyval": {"public": hex::encode(bytes)}});
    let root = serde_json::json!({
        "signatures": [{"keyid": "ab".repeat(32), "sig": "cd".repeat(32)}],
        "signed": {
            "_type": "root",
            "keys": {"a": key(&ed25519), "b": key(&point), "c": key(&compressed)},
            "delegations": {"keys": {"d": key(&spki), "e": {"KeyVal": {"PUBLIC": "ab".repeat(32)}}}},
        },
    });
    let keys = Key::from_tuf(root.to_string().as_bytes());
    for name in ["ed25519", "prime256v1", "secp384r1", "rsa"] {
        assert!(
            keys.iter()
                .any(|key| key.canonical_sha256() == Some(owned(name))),
            "{name}"
        );
    }
    // Neither key ids nor signatures are keys.
    assert_eq!(keys.len(), 5);
    assert!(Key::from_tuf(b"{").is_empty());
}

#[test]
fn a_certificate_is_the_same_with_the_other_signature_and_in_other_wrappings() {
    for curve in ["prime256v1", "secp384r1", "secp521r1"] {
        let one = data(&format!("certificate.{curve}.der"));
        let two = data(&format!("certificate.{curve}.twin.der"));
        assert_ne!(one, two);
        for (given, owned) in [(&one, &two), (&two, &one), (&one, &one)] {
            let owned = sha256(owned);
            let (outer, _) = ber::read(given).unwrap();
            let (tbs, rest) = ber::read(outer.content).unwrap();
            let tbs = encode(tbs.tag(), &[tbs.content]);
            let (algorithm, bits) = ber::read(rest).unwrap();
            let algorithm = encode(algorithm.tag(), &[algorithm.content]);
            let (read, _) = ber::read(bits).unwrap();
            let signature = &read.content[1..];
            let left: Vec<u8> = signature
                .iter()
                .zip(signature[1..].iter().chain([&0]))
                .map(|(a, b)| a << 2 | b >> 6)
                .collect();
            let shifted = encode(der::BIT_STRING, &[&[2], &left]);
            let with_null = encode(der::SEQUENCE, &[&algorithm[2..], b"\x05\0"]);
            for (how, der) in [
                ("as it is", given.clone()),
                (
                    "without a length",
                    [b"\x30\x80", outer.content, b"\0\0"].concat(),
                ),
                ("with bytes behind it", [&given[..], b"more"].concat()),
                (
                    "with an element behind the signature",
                    encode(der::SEQUENCE, &[outer.content, b"\x05\0"]),
                ),
                (
                    "with unused bits",
                    encode(der::SEQUENCE, &[&tbs, &algorithm, &shifted]),
                ),
                (
                    "with another outer algorithm",
                    encode(der::SEQUENCE, &[&tbs, &with_null, bits]),
                ),
                (
                    "with parts of no length",
                    [
                        b"\x30\x80",
                        &tbs[..],
                        &algorithm,
                        b"\x23\x80",
                        bits,
                        b"\0\0\0\0",
                    ]
                    .concat(),
                ),
            ] {
                let certificate = Certificate::parse(der.clone())
                    .unwrap_or_else(|error| panic!("{curve} {how}: {error}"));
                assert_eq!(certificate.der(), der, "{curve} {how}");
                assert_eq!(certificate.sha256(), Some(sha256(&der)), "{curve} {how}");
                assert!(certificate.hashes().contains(&owned), "{curve} {how}");
                assert_eq!(certificate.sans().len(), 1);
            }
        }
    }
    let precertificate = {
        let certificate = Certificate::parse(data("certificate.prime256v1.der")).unwrap();
        Certificate::parse_logged(certificate.tbs_der(), [0; 32], None).unwrap()
    };
    assert!(precertificate.hashes().is_empty());
}

#[test]
fn the_key_in_a_certificate_is_found_whatever_its_form() {
    let made = |spki: &[u8]| {
        let good = Certificate::parse(data("certificate.prime256v1.der")).unwrap();
        let tbs = good.tbs_der();
        let at = tbs
            .windows(good.spki_der().len())
            .position(|w| w == good.spki_der())
            .unwrap();
        let (header, _) = ber::read(tbs).unwrap();
        let before = tbs.len() - header.content.len();
        let rest = &tbs[at + good.spki_der().len()..];
        let tbs = encode(der::SEQUENCE, &[&tbs[before..at], spki, rest]);
        let bits = encode(der::BIT_STRING, &[&[0], &good.signature()]);
        encode(
            der::SEQUENCE,
            &[&tbs, good.signature_algorithm_der(), &bits],
        )
    };
    for form in ["", ".compressed", ".hybrid.explicit"] {
        let spki = data(&format!("secp384r1{form}.der"));
        let certificate = Certificate::parse(made(&spki)).unwrap();
        assert_eq!(certificate.key_sha256(), sha256(&spki));
        assert!(
            certificate.key_hashes().contains(&owned("secp384r1")),
            "{form}"
        );
    }
}

proptest! {
    #[test]
    fn no_change_of_a_key_makes_a_reader_panic(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..6),
    ) {
        let files = [
            "prime256v1.der", "secp224r1.compressed.explicit.der", "rsa.der", "rsa.pkcs1.der", "dsa.der", "ed448.der",
            "owner.asc", "thief.asc", "owner.pgp", "rsa-cert.pub", "dsa-cert.pub", "ed25519.rfc4716", "minisign.pub",
            "certificate.secp521r1.twin.der",
        ];
        let file: &&str = which.get(&files);
        let mut bytes = data(file);
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        let mut keys = Key::found_in_pgp(&bytes).0;
        keys.extend(Key::from_ssh(&bytes).unwrap_or_default());
        keys.extend(Key::from_tuf(&bytes));
        keys.extend(Key::from_spki(bytes.clone()));
        keys.extend(Key::from_pkcs1(&bytes));
        keys.extend(Key::from_minisign(&bytes));
        for key in keys {
            prop_assert_eq!(key.hashes()[0], key.key_sha256());
            if let Some(canonical) = key.canonical_sha256() {
                prop_assert!(key.hashes().contains(&canonical));
            }
        }
        let _ = found_in_pkcs7(&bytes);
        if let Ok(certificate) = Certificate::parse(bytes) {
            prop_assert_eq!(certificate.hashes().first().copied(), certificate.sha256());
            prop_assert_eq!(certificate.key_hashes()[0], certificate.key_sha256());
        }
    }
}
