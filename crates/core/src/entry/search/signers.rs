//! Finds certificates and keys at any position in bytes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::found::Found;
use crate::identity::{Certificate, Key, Signer};

/// The remaining bytes that may be copied and hashed: nested structures could otherwise be read again and again.
///
/// Each kind has its own limit, so that any number of one kind cannot prevent the reading of another. The limit for
/// keys of usual length is so large that no leaf of a tiled log can reach it.
pub(super) struct Effort {
    keys: usize,
    long_keys: usize,
    certificates: usize,
    texts: usize,
    is_spent: bool,
}

/// Longest usual key: RSA of 8,192 bits with its encoding.
const USUAL_KEY_BYTES: usize = 1200;

/// What an attempt costs at least: a key has several forms, and each is hashed.
const LEAST_COST: usize = 256;

/// Most bytes of each kind, however long the leaf is.
const MOST_EFFORT: usize = 256 << 20;

impl Effort {
    pub(super) fn of(leaf_bytes: usize) -> Self {
        let times = |factor| {
            let bytes = leaf_bytes.saturating_mul(factor).min(MOST_EFFORT);
            bytes.saturating_add(1 << 20)
        };
        Self {
            keys: times(1024),
            long_keys: times(64),
            certificates: times(128),
            texts: times(512),
            is_spent: false,
        }
    }

    /// Whether something was not read because the effort for its kind was spent.
    pub(super) fn is_spent(&self) -> bool {
        self.is_spent
    }

    fn takes_key(&mut self, bytes: usize) -> bool {
        let left = if bytes <= USUAL_KEY_BYTES {
            &mut self.keys
        } else {
            &mut self.long_keys
        };
        Self::takes(left, bytes, &mut self.is_spent)
    }

    fn takes_certificate(&mut self, bytes: usize) -> bool {
        Self::takes(&mut self.certificates, bytes, &mut self.is_spent)
    }

    fn takes_text(&mut self, bytes: usize) -> bool {
        Self::takes(&mut self.texts, bytes, &mut self.is_spent)
    }

    fn takes(left: &mut usize, bytes: usize, is_spent: &mut bool) -> bool {
        let rest = left.checked_sub(bytes.max(LEAST_COST));
        *is_spent |= rest.is_none();
        *left = rest.unwrap_or(*left);
        rest.is_some()
    }
}

/// Calls `found` for every certificate and key in `bytes`: X.509, SubjectPublicKeyInfo and PKCS#1 by their DER, OpenPGP
/// by its packets, SSH by its blobs, and keys in text forms.
///
/// Nothing is skipped because it is inside of something that was read: the signature of a certificate or a number of a
/// key can contain anything, another key too.
pub(super) fn find(bytes: &[u8], effort: &mut Effort, found: &mut dyn FnMut(Found<'_>)) {
    let mut reported = Reported::default();
    for at in memchr::memchr_iter(SEQUENCE, bytes) {
        der(bytes, at, effort, &mut reported, found);
    }
    for at in memchr::memchr3_iter(0x99, 0x98, 0xc6, bytes)
        .chain(memchr::memchr3_iter(0xb9, 0xb8, 0xce, bytes))
    {
        pgp(bytes, at, effort, found);
    }
    for name in ["ssh-", "ecdsa-sha2-"] {
        for at in memchr::memmem::find_iter(bytes, name) {
            ssh(bytes, at, effort, found);
            // Types of security keys begin with `sk-`.
            if let Some(at) = at.checked_sub(3) {
                ssh(bytes, at, effort, found);
            }
        }
    }
    for algorithm in ["Ed", "ED"] {
        for at in memchr::memmem::find_iter(bytes, algorithm) {
            minisign(bytes.get(at..at + MINISIGN_BYTES), effort, found);
        }
    }
    // The key alone, as Rekor stored it first.
    minisign(Some(bytes).filter(|bytes| bytes.len() == 32), effort, found);
    texts(bytes, effort, found);
}

/// Keys that were reported with the structure around them, by their positions: a certificate with its key, and a
/// SubjectPublicKeyInfo with its PKCS#1 key, are one signer and not two.
#[derive(Default)]
struct Reported(BTreeMap<usize, [u8; 32]>);

impl Reported {
    fn add(&mut self, at: usize, signer: &Signer) {
        self.0.insert(at, identity(signer));
    }

    fn has(&self, at: usize, signer: &Signer) -> bool {
        self.0
            .get(&at)
            .is_some_and(|reported| *reported == identity(signer))
    }
}

/// A value that is equal for all forms of one key.
fn identity(signer: &Signer) -> [u8; 32] {
    signer
        .canonical_key_sha256()
        .unwrap_or_else(|| signer.key_sha256())
}

/// Keys in text forms: OpenPGP's armour with its names, lines and certificates of OpenSSH, TUF.
fn texts(bytes: &[u8], effort: &mut Effort, found: &mut dyn FnMut(Found<'_>)) {
    let has = |mark: &[u8]| memchr::memmem::find(bytes, mark).is_some();
    let mut keys = Vec::new();
    if has(b"-----BEGIN PGP PUBLIC KEY") && effort.takes_text(bytes.len()) {
        keys.extend(Key::found_in_pgp(bytes).0);
    }
    // The beginning of the base64 of every blob whose first field is shorter than 64 KiB.
    if has(b" AAAA") && effort.takes_text(bytes.len()) {
        keys.extend(Key::from_ssh(bytes).unwrap_or_default());
    }
    if has(b"\"keyval\"") && effort.takes_text(bytes.len()) {
        keys.extend(Key::from_tuf(bytes));
    }
    for key in keys {
        found(Found::Signer(Signer::Key(key)));
    }
}

/// A key of minisign: two octets of algorithm, eight of its id, 32 of Ed25519.
const MINISIGN_BYTES: usize = 42;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
const VERSION: u8 = 0xa0;
const CONSTRUCTED: u8 = 0x20;

/// One element: its tag, its content, and where it ends.
struct Element {
    tag: u8,
    start: usize,
    end: usize,
}

/// The element at a position. Its length may be encoded with more bytes than necessary: some parsers accept that.
fn element(bytes: &[u8], at: usize) -> Option<Element> {
    let tag = *bytes.get(at)?;
    let first = *bytes.get(at + 1)?;
    let (length, start) = match first {
        0..=0x7f => (usize::from(first), at + 2),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let octets = bytes.get(at + 2..at + 2 + count)?;
            let length = octets
                .iter()
                .fold(0, |length, octet| length << 8 | usize::from(*octet));
            (length, at + 2 + count)
        }
        _ => return None,
    };
    let end = start.checked_add(length)?;
    (end <= bytes.len()).then_some(Element { tag, start, end })
}

fn element_of(bytes: &[u8], at: usize, tag: u8) -> Option<Element> {
    element(bytes, at).filter(|element| element.tag == tag)
}

/// The certificate or key that begins there.
fn der(
    bytes: &[u8],
    at: usize,
    effort: &mut Effort,
    reported: &mut Reported,
    found: &mut dyn FnMut(Found<'_>),
) -> Option<()> {
    let whole = element_of(bytes, at, SEQUENCE)?;
    let inside = bytes.get(..whole.end)?;
    let first = element(inside, whole.start)?;
    let exact = bytes.get(at..whole.end)?;
    match first.tag {
        SEQUENCE if is_algorithm(inside, &first) => {
            let bits = bit_string(inside, first.end)?;
            if !effort.takes_key(exact.len()) {
                return None;
            }
            let key = Signer::Key(Key::from_spki(exact.to_vec()).ok()?);
            // The number of unused bits precedes the octets.
            let octets = bits.start.checked_add(1)?;
            if inside.get(octets) == Some(&SEQUENCE) {
                reported.add(octets, &key);
            }
            if !reported.has(at, &key) {
                found(Found::Signer(key));
            }
        }
        SEQUENCE if let Some(key_at) = key_of_certificate(inside, &first) => {
            if !effort.takes_certificate(exact.len()) {
                return None;
            }
            match Certificate::parse_of_any_size(exact.to_vec()) {
                Ok(certificate) => {
                    let signer = Signer::Certificate(Box::new(certificate));
                    reported.add(key_at, &signer);
                    found(Found::Signer(signer));
                }
                Err(_) => found(Found::Certificate(exact)),
            }
        }
        INTEGER => {
            let exponent = element_of(inside, first.end, INTEGER)?;
            if exponent.end != whole.end || !effort.takes_key(exact.len()) {
                return None;
            }
            let key = Signer::Key(Key::from_pkcs1(exact).ok()?);
            if !reported.has(at, &key) {
                found(Found::Signer(key));
            }
        }
        _ => {}
    }
    Some(())
}

/// Whether the content of a SEQUENCE begins as that of an AlgorithmIdentifier.
fn is_algorithm(bytes: &[u8], sequence: &Element) -> bool {
    let inside = bytes.get(..sequence.end);
    inside.is_some_and(|inside| element_of(inside, sequence.start, OID).is_some())
}

/// The BIT STRING at a place, in one part or several.
fn bit_string(bytes: &[u8], at: usize) -> Option<Element> {
    element(bytes, at).filter(|element| element.tag & !CONSTRUCTED == BIT_STRING)
}

/// The position of the key of a certificate whose first element this is; `None` if it is not a TBSCertificate up to its
/// key (RFC 5280 §4.1).
fn key_of_certificate(bytes: &[u8], tbs: &Element) -> Option<usize> {
    let inside = bytes.get(..tbs.end)?;
    let mut at = tbs.start;
    if let Some(version) = element_of(inside, at, VERSION) {
        at = version.end;
    }
    // Serial number, algorithm, issuer, validity, subject.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        at = element_of(inside, at, tag)?.end;
    }
    let key = element_of(inside, at, SEQUENCE)?;
    let inside = inside.get(..key.end)?;
    let algorithm = element_of(inside, key.start, SEQUENCE)?;
    let is_key = is_algorithm(inside, &algorithm) && bit_string(inside, algorithm.end).is_some();
    is_key.then_some(at)
}

/// The OpenPGP key packet at this position; a subkey counts as a primary key (RFC 9580 §5.5).
fn pgp(
    bytes: &[u8],
    at: usize,
    effort: &mut Effort,
    found: &mut dyn FnMut(Found<'_>),
) -> Option<()> {
    let octet = |at: usize| bytes.get(at).copied().map(usize::from);
    let (start, length) = match (bytes.get(at)?, octet(at + 1)?) {
        (0x99 | 0xb9, high) => (at + 3, high << 8 | octet(at + 2)?),
        (0x98 | 0xb8, length) | (_, length @ 0..=191) => (at + 2, length),
        (_, high @ 192..=223) => (at + 3, ((high - 192) << 8) + octet(at + 2)? + 192),
        _ => return None,
    };
    let body = bytes.get(start..start.checked_add(length)?)?;
    // Version, four octets of time, and in old keys two of validity; then the algorithm.
    let algorithm = match body.first()? {
        2 | 3 => body.get(7)?,
        4..=6 => body.get(5)?,
        _ => return None,
    };
    let known = matches!(algorithm, 1..=3 | 16..=19 | 22 | 25..=36);
    if !known || !effort.takes_key(body.len()) {
        return None;
    }
    let high = u16::try_from(body.len()).ok()?.to_be_bytes();
    let packet = [&[0x99], &high[..], body].concat();
    for key in Key::found_in_pgp(&packet).0 {
        found(Found::Signer(Signer::Key(key)));
    }
    Some(())
}

/// The minisign key in these octets, if their number matches.
fn minisign(octets: Option<&[u8]>, effort: &mut Effort, found: &mut dyn FnMut(Found<'_>)) {
    let Some(octets) = octets.filter(|octets| effort.takes_key(octets.len())) else {
        return;
    };
    let line;
    let file = if octets.len() == MINISIGN_BYTES {
        line = STANDARD.encode(octets);
        line.as_bytes()
    } else {
        octets
    };
    if let Ok(key) = Key::from_minisign(file) {
        found(Found::Signer(Signer::Key(key)));
    }
}

/// The SSH key whose type is named there (RFC 4253 §6.6).
fn ssh(
    bytes: &[u8],
    at: usize,
    effort: &mut Effort,
    found: &mut dyn FnMut(Found<'_>),
) -> Option<()> {
    let start = at.checked_sub(4)?;
    let mut end = start;
    let mut field = || {
        let length = bytes.get(end..end.checked_add(4)?)?.first_chunk()?;
        let content = end + 4;
        end = content.checked_add(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        bytes.get(content..end)
    };
    let kind = field()?;
    let fields = match kind {
        b"ssh-ed25519" => 1,
        b"ssh-rsa" | b"sk-ssh-ed25519@openssh.com" => 2,
        b"sk-ecdsa-sha2-nistp256@openssh.com" => 3,
        b"ssh-dss" => 4,
        kind if kind.starts_with(b"ecdsa-sha2-") && !kind.contains(&b'@') => 2,
        _ => return None,
    };
    for _ in 0..fields {
        field()?;
    }
    let blob = bytes.get(start..end)?;
    if !effort.takes_key(blob.len()) {
        return None;
    }
    let line = [kind, b" ", STANDARD.encode(blob).as_bytes()].concat();
    for key in Key::from_ssh(&line).ok()? {
        found(Found::Signer(Signer::Key(key)));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<[u8; 32]> {
        let mut keys = Vec::new();
        find(bytes, &mut Effort::of(bytes.len()), &mut |found| {
            if let Found::Signer(signer) = found {
                keys.push(signer.key_sha256());
            }
        });
        keys
    }

    fn amid_junk(bytes: &[u8]) -> Vec<u8> {
        [b"0\x820\x99\xc6 junk ", bytes, b"0junk\x99\xff"].concat()
    }

    const SPKI: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x33\xcf\xa4\x75\xcf\xca\x4b\x0b\x55\xca\xee\x42\x83\x28\x90\x76\x90\x51\x53\x34\xce\xff\xb0\x90\x68\x4b\x0a\x10\x80\x33\x72\xa6";

    #[test]
    fn keys_of_every_kind_are_found_amid_junk() {
        let spki = Key::from_spki(SPKI.to_vec()).expect("a key");
        assert_eq!(keys(&amid_junk(SPKI)), [spki.key_sha256()]);
        let pkcs1 = b"\x30\x06\x02\x01\x0f\x02\x01\x03";
        let rsa = Key::from_pkcs1(pkcs1).expect("a key");
        assert_eq!(keys(&amid_junk(pkcs1)), [rsa.key_sha256()]);

        let packets = include_bytes!("../../../../../tests/data/keys/one.pgp");
        for key in Key::from_pgp(packets).expect("keys") {
            assert!(
                keys(&amid_junk(packets)).contains(&key.key_sha256()),
                "{key:?}"
            );
        }

        for line in [
            &include_bytes!("../../../../../tests/data/keys/ed25519.pub")[..],
            include_bytes!("../../../../../tests/data/keys/rsa.pub"),
        ] {
            let key = Key::from_ssh(line).expect("a key").remove(0);
            assert_eq!(keys(&amid_junk(key.bytes())), [key.key_sha256()]);
            assert!(keys(&amid_junk(line)).contains(&key.key_sha256()));
        }

        let (_, octets) = SPKI.split_at(SPKI.len() - 32);
        for algorithm in ["Ed", "ED"] {
            let minisign = [algorithm.as_bytes(), &[7; 8], octets].concat();
            let line = STANDARD.encode(&minisign);
            let key = Key::from_minisign(line.as_bytes()).expect("a key");
            assert_eq!(keys(&amid_junk(&minisign)), [key.key_sha256()]);
        }
        let key = Key::from_minisign(octets).expect("a key");
        assert_eq!(keys(octets), [key.key_sha256()]);
    }

    #[test]
    fn a_cut_key_is_no_key_and_hides_nothing() {
        let packets = include_bytes!("../../../../../tests/data/keys/one.pgp");
        for bytes in [SPKI, packets] {
            for length in 0..bytes.len() {
                keys(&bytes[..length]);
            }
        }
        assert!(keys(&SPKI[..SPKI.len() - 1]).is_empty());
    }

    #[test]
    fn structures_one_inside_the_other_are_not_read_without_end() {
        // Each of them has the structure of a certificate, and holds all that follow.
        let mut bytes = Vec::new();
        for _ in 0..20_000 {
            let certificate = b"\x30\x83\x00\xff\x00\x30\x83\x00\xf0\x00\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00\x30\x0a\x30\x04\x06\x02\x2a\x03\x03\x02\x00\x00";
            bytes.extend_from_slice(certificate);
        }
        let mut effort = Effort::of(bytes.len());
        find(&bytes, &mut effort, &mut |_| {});
        assert!(effort.is_spent());
    }

    #[test]
    fn a_key_is_found_inside_of_whatever_was_read_around_it() {
        let spki = Key::from_spki(SPKI.to_vec()).expect("a key").key_sha256();
        let encode = |tag: u8, content: &[u8]| {
            let length = u8::try_from(content.len()).expect("short");
            let long: &[u8] = if length < 0x80 { &[] } else { &[0x81] };
            [&[tag], long, &[length], content].concat()
        };
        // A key of an unknown algorithm; RSA in its canonical form, and alone; the signature of a certificate.
        let unknown = [
            b"\x30\x03\x06\x01\x2a",
            &encode(3, &[b"\0", SPKI].concat())[..],
        ];
        let number = [&[0x7f; 60], SPKI].concat();
        let rsa = encode(0x30, &[&encode(2, &number)[..], b"\x02\x01\x03"].concat());
        let algorithm = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
        let info = [&algorithm[..], &encode(3, &[b"\0", &rsa[..]].concat())].concat();
        let tbs = b"\x30\x3b\x02\x01\x01\x30\x03\x06\x01\x2a\x30\x00\x30\x1e\x17\x0d260101000000Z\x17\x0d260101001000Z\x30\x00\x30\x0d\x30\x05\x06\x03\x2b\x65\x70\x03\x04\x00abc";
        let signed = [
            &tbs[..],
            b"\x30\x03\x06\x01\x2a",
            &encode(3, &[b"\0", SPKI].concat()),
        ]
        .concat();
        let certificate = encode(0x30, &signed);
        Certificate::parse_strict(certificate.clone()).expect("a certificate");
        for around in [
            encode(0x30, &unknown.concat()),
            rsa,
            encode(0x30, &info),
            certificate,
        ] {
            let keys = keys(&around);
            assert!(keys.contains(&spki), "{around:02x?}");
            assert!(keys.len() <= 3, "{keys:02x?}");
        }
    }

    #[test]
    fn a_key_of_rsa_and_that_of_a_certificate_are_handed_over_once() {
        let pkcs1 = b"\x30\x06\x02\x01\x0f\x02\x01\x03";
        let rsa = Key::from_pkcs1(pkcs1).expect("a key");
        assert_eq!(keys(rsa.bytes()), [rsa.key_sha256()]);
        // The same octets in a key of another algorithm are another key.
        let other = b"\x30\x10\x30\x03\x06\x01\x2a\x03\x09\x00\x30\x06\x02\x01\x0f\x02\x01\x03";
        assert!(keys(other).contains(&rsa.key_sha256()));
    }

    #[test]
    fn no_decoys_spend_what_a_key_of_a_usual_length_needs() {
        let spki = Key::from_spki(SPKI.to_vec()).expect("a key").key_sha256();
        for decoy in [
            // A certificate as far as its empty key, one with a key, a key of an unknown algorithm, a packet of OpenPGP.
            &b"\x30\x82\x7f\xff\x30\x82\x7f\xf0\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00\x30\x00"[..],
            b"\x30\x82\x7f\xff\x30\x82\x7f\xf0\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00\x30\x0a\x30\x04\x06\x02\x2a\x03\x03\x02\x00\x00",
            b"\x30\x82\x7f\xff\x30\x03\x06\x01\x2a\x03\x82\x7f\xf0\x00",
            b"\x30\x82\x04\x9f\x30\x03\x06\x01\x2a\x03\x82\x04\x90\x00",
            b"\x99\x7f\xff\x04\x00\x00\x00\x00\x01",
        ] {
            let mut bytes = decoy.repeat(40_000 / decoy.len());
            bytes.resize(bytes.len() + 0x8000, 0);
            bytes.extend(SPKI);
            assert!(keys(&bytes).contains(&spki), "{decoy:02x?}");
        }
    }
}
