//! Certificates and keys wherever they stand in bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Found;
use crate::identity::{Certificate, Key, Signer};

/// Bytes that may be copied for attempts that come to nothing: structures that are one inside the other could otherwise
/// be read over and over.
pub(super) struct Effort(usize);

impl Effort {
    pub(super) fn of(leaf_bytes: usize) -> Self {
        Self(leaf_bytes.saturating_mul(64).saturating_add(1 << 20))
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0 == 0
    }

    fn takes(&mut self, bytes: usize) -> bool {
        self.0 = self.0.saturating_sub(bytes);
        self.0 > 0
    }
}

/// Hands over every certificate and key in `bytes`: X.509, SubjectPublicKeyInfo and PKCS#1 by their DER, OpenPGP by its
/// packets, SSH by its blobs, and what is written in a form of its own.
pub(super) fn find(bytes: &[u8], effort: &mut Effort, found: &mut dyn FnMut(Found<'_>)) {
    let mut past = 0;
    for at in memchr::memchr_iter(SEQUENCE, bytes) {
        if at >= past
            && let Some(end) = der(bytes, at, effort, found)
        {
            past = end;
        }
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
    texts(bytes, effort, found);
}

/// Keys in a text that has a form of its own: OpenPGP's armour with the names in it, lines and certificates of OpenSSH,
/// minisign, TUF.
fn texts(bytes: &[u8], effort: &mut Effort, found: &mut dyn FnMut(Found<'_>)) {
    let has = |mark: &[u8]| memchr::memmem::find(bytes, mark).is_some();
    let mut keys = Vec::new();
    if has(b"-----BEGIN PGP PUBLIC KEY") && effort.takes(bytes.len()) {
        keys.extend(Key::found_in_pgp(bytes).0);
    }
    // What the base64 of every blob begins with, whose first field is shorter than 64 KiB.
    if has(b" AAAA") && effort.takes(bytes.len()) {
        keys.extend(Key::from_ssh(bytes).unwrap_or_default());
    }
    if has(b"\"keyval\"") && effort.takes(bytes.len()) {
        keys.extend(Key::from_tuf(bytes));
    }
    if bytes.len() == MINISIGN_BYTES && matches!(bytes, [b'E', b'd' | b'D', ..]) {
        keys.extend(Key::from_minisign(STANDARD.encode(bytes).as_bytes()));
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

/// One element: its tag, its content, and where it ends.
struct Element {
    tag: u8,
    start: usize,
    end: usize,
}

/// The element at a place. Its length may be longer than it needs to be: some readers take that.
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

/// The certificate or key that begins there, and where it ends.
fn der(
    bytes: &[u8],
    at: usize,
    effort: &mut Effort,
    found: &mut dyn FnMut(Found<'_>),
) -> Option<usize> {
    let whole = element_of(bytes, at, SEQUENCE)?;
    let inside = bytes.get(..whole.end)?;
    let first = element(inside, whole.start)?;
    let exact = bytes.get(at..whole.end)?;
    let signer = match first.tag {
        SEQUENCE if *inside.get(first.start)? == OID => {
            element_of(inside, first.end, BIT_STRING)?;
            let key = effort
                .takes(exact.len())
                .then(|| Key::from_spki(exact.to_vec()));
            Signer::Key(key?.ok()?)
        }
        SEQUENCE if is_certificate(inside, &first) => {
            let read = effort
                .takes(exact.len())
                .then(|| Certificate::parse(exact.to_vec()));
            let Ok(certificate) = read? else {
                // What is in it is looked at all the same: its key at least.
                found(Found::Certificate(exact));
                return None;
            };
            Signer::Certificate(Box::new(certificate))
        }
        INTEGER => {
            let exponent = element_of(inside, first.end, INTEGER)?;
            let is_key = exponent.end == whole.end && effort.takes(exact.len());
            Signer::Key(is_key.then(|| Key::from_pkcs1(exact))?.ok()?)
        }
        _ => return None,
    };
    found(Found::Signer(signer));
    Some(whole.end)
}

/// Whether the first element of a structure is a TBSCertificate as far as its key (RFC 5280 §4.1).
fn is_certificate(bytes: &[u8], tbs: &Element) -> bool {
    let Some(inside) = bytes.get(..tbs.end) else {
        return false;
    };
    let mut at = tbs.start;
    if let Some(version) = element_of(inside, at, VERSION) {
        at = version.end;
    }
    // Serial number, algorithm, issuer, validity, subject, key.
    [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE]
        .into_iter()
        .all(|tag| match element_of(inside, at, tag) {
            Some(element) => {
                at = element.end;
                true
            }
            None => false,
        })
}

/// The OpenPGP key packet that begins there, a subkey as if it were a primary key (RFC 9580 §5.5).
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
    if !known || !effort.takes(body.len()) {
        return None;
    }
    let high = u16::try_from(body.len()).ok()?.to_be_bytes();
    let packet = [&[0x99], &high[..], body].concat();
    for key in Key::found_in_pgp(&packet).0 {
        found(Found::Signer(Signer::Key(key)));
    }
    Some(())
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
    if !effort.takes(blob.len()) {
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

        let packets = include_bytes!("../../../tests/data/keys/one.pgp");
        for key in Key::from_pgp(packets).expect("keys") {
            assert!(
                keys(&amid_junk(packets)).contains(&key.key_sha256()),
                "{key:?}"
            );
        }

        for line in [
            &include_bytes!("../../../tests/data/keys/ed25519.pub")[..],
            include_bytes!("../../../tests/data/keys/rsa.pub"),
        ] {
            let key = Key::from_ssh(line).expect("a key").remove(0);
            assert_eq!(keys(&amid_junk(key.bytes())), [key.key_sha256()]);
            assert!(keys(&amid_junk(line)).contains(&key.key_sha256()));
        }
    }

    #[test]
    fn what_is_cut_off_is_no_key_and_does_no_harm() {
        let packets = include_bytes!("../../../tests/data/keys/one.pgp");
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
            let certificate = b"\x30\x83\x00\xff\x00\x30\x83\x00\xf0\x00\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00\x30\x00";
            bytes.extend_from_slice(certificate);
        }
        let mut effort = Effort::of(bytes.len());
        find(&bytes, &mut effort, &mut |_| {});
        assert!(effort.is_spent());
    }
}
