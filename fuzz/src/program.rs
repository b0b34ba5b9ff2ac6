//! The parsers of the program. None may panic on any bytes, and each satisfies its documentation.

use std::path::Path;
use std::time::Duration;

use modelwatch::entry::{self, Digest, Found, HashAlgorithm, Signing, Statement};
use modelwatch::escape;
use modelwatch::evidence::{self, Anchor, Files, Outcome};
use modelwatch::expect;
use modelwatch::identity::{
    Anomaly, Certificate, Key, SanType, Signer, found_in_pkcs7, signers_of_pkcs7,
};
use modelwatch::source::ct;
use modelwatch::source::rekor_v1::answer;
use modelwatch::source::rekor_v1::ids::IdReader;
use modelwatch::trust::{RepositorySettings, Settings, SourceSettings, TrustUpdater, TrustedRoot};
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// A directory of evidence: each file begins with the line `=== NAME`. Checked as it is, and with a list of its files that is
/// correct, as a forger would write it. No log of it is one of the embedded trusted root, so nothing holds by that.
pub fn evidence(bytes: &[u8]) {
    let anchor = Anchor {
        name: "the embedded trusted root".to_owned(),
        root: TrustedRoot::embedded().expect("it is part of the program"),
        log_keys: Vec::new(),
        public_key: None,
    };
    let mut files = Files::new();
    let mut name = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if let Some(new) = line.strip_prefix(b"=== ") {
            let new = String::from_utf8_lossy(new).trim_end().to_owned();
            files.insert(new.clone(), Vec::new());
            name = Some(new);
        } else if let Some(file) = name.as_ref().and_then(|name| files.get_mut(name)) {
            file.extend_from_slice(line);
        }
    }
    // A leaf of Rekor ends without a line feed.
    if let Some(leaf) = files.get_mut("leaf") {
        leaf.pop();
    }
    let check = |files: &Files| match evidence::check(files, &anchor) {
        Ok(checked) => assert_ne!(checked.outcome, Outcome::Holds),
        Err(refused) => assert!(!refused.to_string().is_empty()),
    };
    check(&files);
    let lines: Vec<String> = files
        .iter()
        .filter(|(name, _)| !["evidence.json", evidence::SIGNATURE].contains(&name.as_str()))
        .map(|(name, bytes)| {
            let hash = tlog::Hash::new(Sha256::digest(bytes).into()).to_hex();
            format!("    {name:?}: \"{hash}\"")
        })
        .collect();
    for log_type in ["rekor-v1", "rekor-v2", "ct-static", "ct-rfc6962"] {
        let list = format!(
            "{{\n  \"format\": 1,\n  \"log_type\": \"{log_type}\",\n  \"files\": {{\n{}\n  }}\n}}\n",
            lines.join(",\n")
        );
        let mut files = files.clone();
        files.insert("evidence.json".to_owned(), list.into_bytes());
        check(&files);
    }
}

/// A leaf, parsed and searched: no signer in it is lost, and no search is long.
pub fn entry(leaf: &[u8]) {
    if let Ok(entry) = entry::parse(leaf) {
        let signings = entry.signings.iter().map(|signing| signing.ordinal);
        let unreadable = entry.unreadable.iter().map(entry::Unreadable::ordinal);
        let mut ordinals: Vec<u32> = signings.chain(unreadable).collect();
        let count = ordinals.len();
        assert!(count > 0 || entry.kind.name() == "rfc3161");
        ordinals.sort_unstable();
        ordinals.dedup();
        assert_eq!(ordinals.len(), count, "an ordinal is there twice");
        for unreadable in &entry.unreadable {
            assert!(!unreadable.to_string().is_empty());
        }
        for signing in &entry.signings {
            let signed_as = expect::SignedAs::of(&entry.kind, signing);
            assert_eq!(signed_as.is_some(), signing.signature.is_some());
            assert!(signed_as.is_none_or(|signed_as| signed_as.leaves.len() <= 2));
        }
    }
    let (mut visited, mut first, mut signers) = (0, None, Vec::new());
    entry::search(leaf, &mut |found| match found {
        Found::Bytes(bytes) => {
            visited += bytes.len();
            first.get_or_insert(bytes.len());
        }
        Found::Certificate(der) => assert!(der.starts_with(b"\x30")),
        Found::Signer(signer) => signers.push(signer),
    });
    assert_eq!(first, Some(leaf.len()));
    let most = 200 * leaf.len() + 8192;
    assert!(visited <= most, "{visited} of {}", leaf.len());
    if let Ok(entry) = entry::parse(leaf) {
        for signing in entry.signings {
            // A signer that the parser finds in its place, a search finds at any position. Its canonical form may be
            // another.
            if let Signer::Certificate(certificate) = &signing.signer
                && certificate.irregularity().is_none()
            {
                assert!(signers.contains(&signing.signer), "{signing:?}");
            }
        }
    }
}

/// A leaf of a CT log, and something beside it: its length in the first two bytes.
pub fn certificate_leaf(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return;
    };
    let (leaf, beside) = rest
        .split_at_checked(usize::from(u16::from_be_bytes(*length)))
        .unwrap_or((rest, &[]));
    if let Ok(entry) = entry::parse_certificate(leaf, Some(beside)) {
        assert_eq!(entry.signings.len(), 1);
        let certificate = entry.signings[0].signer.certificate();
        let certificate = certificate.expect("a CT log holds certificates");
        let precertificate = entry.kind == entry::Kind::PRECERTIFICATE;
        assert_eq!(certificate.sha256().is_none(), precertificate);
        assert!(certificate.logged_sha256().is_some() || !precertificate);
    }
}

/// OpenPGP, SSH, minisign and TUF keys, a SubjectPublicKeyInfo, a PKCS#7 message: the results of each are well formed.
pub fn key(bytes: &[u8]) {
    let (keys, problem) = Key::found_in_pgp(bytes);
    assert!(!keys.is_empty() || problem.is_some());
    for key in &keys {
        assert!(key.names().iter().all(|name| name.kind == SanType::Pgp));
        let is_hex = |text: &str| {
            let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'A'..=b'F');
            matches!(text.len(), 40 | 64) && text.bytes().all(is_digit)
        };
        assert!(key.fingerprint().is_none_or(is_hex));
    }
    let ssh = Key::from_ssh(bytes).unwrap_or_default();
    for key in &ssh {
        assert!(key.names().len() <= 1);
        let is_digest = |text: &str| text.starts_with("SHA256:") && text.len() == 50;
        assert!(key.fingerprint().is_some_and(is_digest));
    }
    let others = [
        Key::from_spki(bytes.to_vec()),
        Key::from_pkcs1(bytes),
        Key::from_minisign(bytes),
    ];
    let tuf = Key::from_tuf(bytes);
    let all = keys.iter().chain(&ssh).chain(&tuf);
    for key in all.chain(others.iter().flatten()) {
        let hashes = key.hashes();
        assert_eq!(hashes.first(), Some(&key.key_sha256()));
        // The canonical form of a canonical form is itself.
        if let Some(canonical) = key.canonical_sha256() {
            assert!(hashes.contains(&canonical));
        }
    }
    let (signers, problem) = found_in_pkcs7(bytes);
    assert!(signers.is_empty() || problem.is_some() || signers_of_pkcs7(bytes).is_ok());
    for signer in signers_of_pkcs7(bytes).unwrap_or_default() {
        let mut places = bytes.windows(signer.len());
        assert!(places.any(|place| place == signer));
    }
}

/// A data tile of a static-ct log, its width in the first byte as one less; and an answer of a log of RFC 6962.
pub fn data_tile(bytes: &[u8]) {
    let Some((width, tile)) = bytes.split_first() else {
        return;
    };
    let width = u16::from(*width) + 1;
    if let Ok(leaves) = ct::data_tile(&tile.to_vec().into(), 7, width) {
        assert_eq!(leaves.len(), usize::from(width));
        // Each leaf has two bytes that the tile omits; the rest is beside it.
        let whole: usize = leaves
            .iter()
            .map(|(index, leaf)| leaf.len() - 2 + leaves.beside(index).map_or(0, <[u8]>::len))
            .sum();
        assert_eq!(whole, tile.len());
    }
    if let Ok(leaves) = ct::entries(tile, 7, usize::from(width)) {
        assert!((1..=usize::from(width)).contains(&leaves.len()));
    }
}

/// An answer of a Rekor v1 server to any request: its trees, entries, a proof, ids of its index, an error message.
pub fn v1_answer(json: &[u8]) {
    if let Ok(trees) = answer::trees(json) {
        assert!(!trees.is_empty());
    }
    if let Ok(entries) = answer::entries(json) {
        for entry in entries {
            let id = entry.id.to_string();
            assert_eq!(id.parse(), Ok(entry.id));
            if let Some(inclusion) = entry.inclusion {
                assert!(inclusion.local < inclusion.tree_size);
                assert!(inclusion.hashes.len() <= 64);
            }
        }
    }
    if let Ok(hashes) = answer::proof(json) {
        assert!(hashes.len() <= 64);
    }
    // Cut at any place, it has the same name.
    let ids = |piece: usize| {
        let (mut reader, mut ids) = (IdReader::default(), Vec::new());
        let fed = json
            .chunks(piece)
            .try_for_each(|piece| reader.feed(piece, &mut ids));
        let is_whole = fed.is_ok() && reader.end().is_ok();
        (ids, is_whole)
    };
    let (whole, is_whole) = ids(json.len().max(1));
    // Each takes at least its 64 digits and its quotes in the answer.
    assert!(whole.iter().flatten().count() * 66 <= json.len());
    assert_eq!(ids(7), (whole, is_whole));
    let _ = answer::complaint(&String::from_utf8_lossy(json));
}

/// Data that a log serves beside an entry as the signed content: by its hash it is that, or it is ignored.
pub fn attestation(payload: &[u8]) {
    // RFC 8410 §10.1.
    let spki = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x19\xbf\x44\x09\x69\x84\xcd\xfe\x85\x41\xba\xc1\x67\xdc\x3b\x96\xc8\x50\x86\xaa\x30\xb6\xb6\xcb\x0c\x5c\x38\xad\x70\x31\x66\xe1";
    let signing = |signed: &[u8]| Signing {
        ordinal: 0,
        digest: Digest::new(HashAlgorithm::Sha256, &Sha256::digest(signed)),
        signer: Signer::Key(Key::from_spki(spki.to_vec()).expect("a key")),
        signature: None,
    };
    if let Some(statement) = Statement::signed(&signing(payload), payload) {
        assert!(statement.to_string().len() < payload.len() + 1000);
        assert_eq!(statement.is_of_a_model(), statement.is_of_a_model());
    }
    assert!(Statement::signed(&signing(b"something else"), payload).is_none());
}

/// The cache of a TUF repository, as on disk: nothing in it is used that the compiled-in root does not cover.
pub fn tuf_cache(bytes: &[u8]) {
    let cache = std::env::temp_dir().join(format!("modelwatch-{}.tuf.json", std::process::id()));
    std::fs::write(&cache, bytes).expect("a temporary file");
    let opened = TrustUpdater::open(Settings {
        source: SourceSettings::Tuf {
            repository: RepositorySettings::PublicGood,
            cache: cache.clone(),
        },
        monitor_config: None,
        refresh: Duration::from_secs(1),
        ignore: Vec::new(),
    });
    if let Ok(updater) = opened {
        let known = updater.known();
        assert_eq!(known.trust.is_some(), known.update.is_some());
    }
    std::fs::remove_file(&cache).expect("it was there");
}

/// A certificate: strict DER or reported as irregular, and with the same content as `x509-parser` reads, if that can
/// parse it too.
pub fn certificate(der: &[u8]) {
    let read = Certificate::parse(der.to_vec());
    let strict = Certificate::parse_strict(der.to_vec());
    let certificate = match (read, strict) {
        (Ok(read), Ok(strict)) => {
            assert_eq!(read, strict);
            assert_eq!(read.irregularity(), None);
            read
        }
        (Ok(read), Err(error)) => {
            assert_eq!(read.irregularity(), Some(error));
            assert!(read.anomalies().contains(&Anomaly::NotDer));
            read
        }
        (Err(error), strict) => {
            assert_eq!(strict, Err(error));
            return;
        }
    };
    for anomaly in certificate.anomalies() {
        assert!(!anomaly.to_string().is_empty());
    }
    assert_eq!(certificate.der(), der);
    assert_eq!(certificate.hashes().first(), certificate.sha256().as_ref());
    assert_eq!(
        certificate.key_hashes().first(),
        Some(&certificate.key_sha256())
    );
    assert!(!certificate.spki_der().is_empty() && !certificate.issuer_name_der().is_empty());
    if let Ok((_, theirs)) = X509Certificate::from_der(der) {
        assert_eq!(certificate.serial(), theirs.raw_serial());
        // Its slices end where it stopped reading.
        assert!(certificate.spki_der().starts_with(theirs.public_key().raw));
        assert!(
            certificate
                .issuer_name_der()
                .starts_with(theirs.issuer().as_raw())
        );
        assert!(
            certificate
                .subject_name_der()
                .starts_with(theirs.subject().as_raw())
        );
        let times = [certificate.not_before(), certificate.not_after()];
        let validity = theirs.validity();
        let theirs_times = [validity.not_before, validity.not_after].map(|time| time.timestamp());
        assert_eq!(times.map(jiff::Timestamp::as_second), theirs_times);
        let names =
            theirs
                .extensions()
                .iter()
                .filter_map(|extension| match extension.parsed_extension() {
                    ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
                    _ => None,
                });
        // Tags are compared as a whole here, with the bit for constructed: an element with that bit is not used as a
        // name.
        let texts = names.flatten().filter_map(|name| match name {
            GeneralName::RFC822Name(text) => Some((SanType::Email, *text)),
            GeneralName::DNSName(text) => Some((SanType::Dns, *text)),
            GeneralName::URI(text) => Some((SanType::Uri, *text)),
            _ => None,
        });
        let missing = texts.filter(|(kind, text)| {
            !certificate
                .sans()
                .iter()
                .any(|san| san.kind == *kind && san.value == *text)
        });
        assert!(
            missing.count() == 0 || certificate.anomalies().contains(&Anomaly::UnknownNameType)
        );
    }
}

/// A trusted root.
pub fn trusted_root(json: &[u8]) {
    if let Ok(root) = TrustedRoot::parse(json) {
        let again = TrustedRoot::parse(json).expect("it was read before");
        assert_eq!(
            root.authorities().fingerprint(),
            again.authorities().fingerprint()
        );
    }
}

/// A bundle to register.
pub fn expectation(bundle: &[u8]) {
    if let Ok(expectation) = expect::from_bundle(bundle) {
        let mut hashes = expectation.leaf_hashes.clone();
        assert!(!hashes.is_empty());
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), expectation.leaf_hashes.len());
    }
}

/// A configuration: there is one unless a problem is an error, and every problem can be shown.
pub fn config(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    let some_are_there = |path: &Path| path.as_os_str().len().is_multiple_of(2);
    let (config, problems) =
        modelwatch::config::validate(text, Path::new("modelwatch.toml"), &some_are_there);
    assert_eq!(config.is_some(), !problems.has_errors());
    assert_eq!(problems.to_string().is_empty(), problems.iter().len() == 0);
}

/// A string from a log: the escaped text contains no misleading character, and can be reversed.
pub fn escape(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let terminal = escape::terminal(&text);
    assert_eq!(unescaped(&terminal), text);
    let header = escape::header(&text);
    assert!(header.chars().count() <= escape::MAX_HEADER_CHARS && !header.contains("=?"));
    let html = escape::html(&text);
    assert!(!html.contains(['<', '>', '"', '\'']));
    let chat = escape::chat(&text);
    let inside = chat
        .strip_prefix('`')
        .and_then(|rest| rest.strip_suffix('`'));
    let inside = inside.expect("a code span");
    assert!(!inside.contains(['`', '<', '>', '&']) && !inside.starts_with('@'));
    assert_eq!(unescaped(inside), if text.is_empty() { " " } else { &text });
    for shown in [&*terminal, &*header, &*html, &*chat] {
        assert!(!shown.chars().any(is_forbidden), "{shown:?}");
    }
    assert!(escape::truncate(&text, 5).chars().count() <= 5);
}

/// Control characters, line breaks, and characters that reorder or hide text: an independent, shorter list.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{ad}' | '\u{feff}' | '\u{200b}'..='\u{200f}'
        )
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e0fff}')
}

/// The original of an escaped text.
fn unescaped(shown: &str) -> String {
    let mut text = String::new();
    let mut rest = shown;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        if let Some(after) = after.strip_prefix('\\') {
            text.push('\\');
            rest = after;
        } else {
            let number = after
                .strip_prefix("u{")
                .and_then(|rest| rest.split_once('}'));
            let (number, after) = number.expect("a backslash begins an escape");
            let number = u32::from_str_radix(number, 16).expect("hex");
            text.push(char::from_u32(number).expect("a character"));
            rest = after;
        }
    }
    text + rest
}
