//! OpenPGP public keys (RFC 9580, before it RFC 4880): their key material and user ids.
//!
//! The packets are split and three kinds are parsed; no signature is verified. Verification would gain nothing: the
//! maker of the key chose even a user id that the key certifies, and some program may accept one that it does not
//! certify. A subkey counts like a primary key, with any primary key: a signature by it verifies with the key of its
//! owner. A general OpenPGP library would be the largest dependency of this program.

use std::borrow::Cow;

use aws_lc_rs::digest::{self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::material::Material;
use super::san::MAX_NAMES;

/// Most keys in one block of which only the packet can be parsed. Keys that can be parsed are not counted.
const MAX_OPAQUE_KEYS: usize = 1024;

/// Longest user id, in bytes: GnuPG makes and imports no longer ones (`MAX_UID_PACKET_LENGTH`).
const MAX_USER_ID_BYTES: usize = 2048;

/// Why bytes are not OpenPGP public keys, or not only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PgpError {
    /// Neither packets nor an armoured block of them.
    #[error("neither OpenPGP packets nor their ASCII armour")]
    Armour,
    /// A packet that ends after the bytes do.
    #[error("packet at byte {at} is cut off")]
    CutOff {
        /// Where it begins.
        at: usize,
    },
    /// No packet begins here.
    #[error("not a packet of a key at byte {at}")]
    Packet {
        /// Where it would begin.
        at: usize,
    },
    /// A packet with a length that is not known in advance, which no part of a key has (RFC 9580 §4.2.1.4).
    #[error("packet at byte {at} comes in parts, or without a length")]
    Length {
        /// Where it begins.
        at: usize,
    },
    /// A secret key, or something else that belongs to no public key.
    #[error("packet of type {tag}, which no public key has")]
    NotPublic {
        /// The type.
        tag: u8,
    },
    /// An unknown version of keys, or a key that is too long for its version.
    #[error("key of version {version} cannot be read")]
    Version {
        /// The version in the packet.
        version: u8,
    },
    /// No key in it, or a user id before the first.
    #[error("no key where one should be")]
    NoKey,
    /// More user ids or longer ones than any key has, or more keys that cannot be read.
    #[error(
        "more than {MAX_OPAQUE_KEYS} keys of unknown algorithms, {MAX_NAMES} user ids or {MAX_USER_ID_BYTES} bytes in one of them"
    )]
    TooMuch,
}

/// One key and its user ids.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PgpKey {
    /// Its packet, framed as for its fingerprint: the same bytes whatever certifications are around it.
    pub framed: Vec<u8>,
    /// In upper-case hex, as `gpg` prints it. `None` before version 4, whose MD5 fingerprint is not unique.
    pub fingerprint: Option<String>,
    /// Of a primary key, each as it is written, with invalid UTF-8 replaced.
    pub user_ids: Vec<String>,
}

/// The content of a block.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub primaries: Vec<PgpKey>,
    pub subkeys: Vec<PgpKey>,
    /// The first part that does not belong to a public key.
    pub problem: Option<PgpError>,
}

/// Reads every primary key and every subkey of packets, or of all armoured blocks of a text.
///
/// What cannot be read ends no reading that could go on: programs differ in what they pass over.
pub(super) fn read(bytes: &[u8]) -> Block {
    let mut block = Block::default();
    let mut names = 0;
    let mut found = false;
    for part in blocks(bytes) {
        found = true;
        let (packets, whole) = unarmour(part);
        block.packets(&packets, &mut names);
        if !whole {
            block.note(PgpError::Armour);
        }
    }
    if bytes.first().is_some_and(|byte| byte & 0x80 != 0) {
        found = true;
        block.packets(bytes, &mut names);
    }
    if !found {
        block.note(PgpError::Armour);
    }
    if block.primaries.is_empty() && block.subkeys.is_empty() {
        block.note(PgpError::NoKey);
    }
    block
}

/// The mail address in a user id of the usual form, `Name (comment) <address>`.
pub(super) fn address(user_id: &str) -> Option<&str> {
    let (_, address) = user_id.trim_end().strip_suffix('>')?.rsplit_once('<')?;
    address.contains('@').then_some(address)
}

/// The body of a key that is framed as for its fingerprint.
pub(super) fn body(framed: &[u8]) -> &[u8] {
    let header = match framed.first() {
        Some(&FRAME_4) => 3,
        _ => 5,
    };
    framed.get(header..).unwrap_or_default()
}

const SECRET_KEY: u8 = 5;
const PUBLIC_KEY: u8 = 6;
const SECRET_SUBKEY: u8 = 7;
const USER_ID: u8 = 13;
const PUBLIC_SUBKEY: u8 = 14;

/// The first octet of a framed key, up to version 4 and of the two after it (RFC 9580 §5.5.4; version 5 as in LibrePGP
/// and GnuPG).
const FRAME_4: u8 = 0x99;
const FRAME_5: u8 = 0x9a;
const FRAME_6: u8 = 0x9b;

impl Block {
    fn note(&mut self, problem: PgpError) {
        self.problem.get_or_insert(problem);
    }

    fn packets(&mut self, bytes: &[u8], names: &mut usize) {
        let mut packets = Packets { bytes, at: 0 };
        // Of the key that a user id follows; none before the first of this block.
        let mut primary: Option<usize> = None;
        loop {
            let at = packets.at;
            let packet = match packets.next() {
                Ok(Some(packet)) => packet,
                Ok(None) => return,
                Err(problem) => return self.note(problem),
            };
            if packet.is_unusual {
                self.note(PgpError::Length { at });
            }
            let tag = packet.tag;
            match tag {
                SECRET_KEY | PUBLIC_KEY | SECRET_SUBKEY | PUBLIC_SUBKEY => {
                    let is_secret = matches!(tag, SECRET_KEY | SECRET_SUBKEY);
                    if is_secret {
                        self.note(PgpError::NotPublic { tag });
                    }
                    let is_primary = matches!(tag, SECRET_KEY | PUBLIC_KEY);
                    let before = self.primaries.len();
                    let used = self.key(&packet.body, is_primary, is_secret || packet.is_unusual);
                    if is_primary {
                        primary = (self.primaries.len() > before).then_some(before);
                    }
                    // After a packet without length anything may follow.
                    if packet.is_endless {
                        packets.at = packet.start + used;
                    }
                }
                USER_ID => {
                    *names += 1;
                    if *names > MAX_NAMES || packet.body.len() > MAX_USER_ID_BYTES {
                        self.note(PgpError::TooMuch);
                        continue;
                    }
                    match primary.and_then(|primary| self.primaries.get_mut(primary)) {
                        Some(key) => key
                            .user_ids
                            .push(String::from_utf8_lossy(&packet.body).into_owned()),
                        None => self.note(PgpError::NoKey),
                    }
                }
                // Reserved; session keys; messages (RFC 9580 §5).
                0 | 1 | 3 | 4 | 8 | 9 | 11 | 18..=20 => self.note(PgpError::NotPublic { tag }),
                // Signatures, images, trust, padding and private packets.
                _ => {}
            }
        }
    }

    /// Adds a key, and returns its length in the body; `cut` drops the bytes after it.
    fn key(&mut self, body: &[u8], is_primary: bool, cut: bool) -> usize {
        let used = Material::of_pgp(body).map(|(_, used)| used);
        let (Some(&version), whole) = (body.first(), used.unwrap_or(body.len())) else {
            self.note(PgpError::NoKey);
            return body.len();
        };
        let opaque = used.is_none();
        // The whole packet, with the frame of its version; if that is not possible, only the key in it.
        let parts = [if cut { whole } else { body.len() }, whole];
        let mut keys = parts.iter().filter_map(|end| body.get(..*end));
        let Some(key) = keys.find_map(PgpKey::of) else {
            self.note(PgpError::Version { version });
            return whole;
        };
        let list = if is_primary {
            &mut self.primaries
        } else {
            &mut self.subkeys
        };
        if opaque && list.len() >= MAX_OPAQUE_KEYS {
            self.note(PgpError::TooMuch);
        } else {
            list.push(key);
        }
        whole
    }
}

impl PgpKey {
    /// The key of a packet's body (RFC 9580 §5.5.4); `None` for an unknown version, or a body that is too long for it.
    fn of(body: &[u8]) -> Option<Self> {
        let version = *body.first()?;
        let (first, hash, length): (u8, Option<&'static Algorithm>, Vec<u8>) = match version {
            2..=4 => {
                let length = u16::try_from(body.len()).ok()?;
                let hash = (version == 4).then_some(&SHA1_FOR_LEGACY_USE_ONLY);
                (FRAME_4, hash, length.to_be_bytes().to_vec())
            }
            5 | 6 => {
                let length = u32::try_from(body.len()).ok()?;
                let first = if version == 5 { FRAME_5 } else { FRAME_6 };
                (first, Some(&SHA256), length.to_be_bytes().to_vec())
            }
            _ => return None,
        };
        let framed = [&[first], length.as_slice(), body].concat();
        let fingerprint =
            hash.map(|hash| hex::encode_upper(digest::digest(hash, &framed).as_ref()));
        Some(Self {
            framed,
            fingerprint,
            user_ids: Vec::new(),
        })
    }
}

struct Packets<'a> {
    bytes: &'a [u8],
    at: usize,
}

struct Packet<'a> {
    tag: u8,
    body: Cow<'a, [u8]>,
    /// Where the body begins.
    start: usize,
    /// Whether its length is not known in advance, which no part of a key has.
    is_unusual: bool,
    /// Whether it extends to the end of the file.
    is_endless: bool,
}

/// A length of the new form (RFC 9580 §4.2.1).
enum Length {
    Whole(usize),
    Part(usize),
}

impl<'a> Packets<'a> {
    /// The next packet; `None` at the end.
    fn next(&mut self) -> Result<Option<Packet<'a>>, PgpError> {
        let at = self.at;
        let cut_off = PgpError::CutOff { at };
        let Some((first, rest)) = self.bytes.get(at..).and_then(<[u8]>::split_first) else {
            return Ok(None);
        };
        if first & 0x80 == 0 {
            return Err(PgpError::Packet { at });
        }
        if first & 0x40 != 0 {
            let packet = self.new_form(first & 0x3f, at + 1).ok_or(cut_off)?;
            return Ok(Some(packet));
        }
        // §4.2.2; type 3 is as long as the file.
        let count = [1, 2, 4, 0][usize::from(first & 3)];
        let length = rest.get(..count).ok_or(cut_off)?;
        let start = at + 1 + count;
        let is_endless = count == 0;
        let length = if is_endless {
            rest.len()
        } else {
            number(length)
        };
        let body = self.body(start, length).ok_or(cut_off)?;
        Ok(Some(Packet {
            tag: (first >> 2) & 0xf,
            body: Cow::Borrowed(body),
            start,
            is_unusual: is_endless,
            is_endless,
        }))
    }

    fn new_form(&mut self, tag: u8, at: usize) -> Option<Packet<'a>> {
        let (length, start) = self.length(at)?;
        let (mut length, mut body) = match length {
            Length::Whole(length) => {
                let body = Cow::Borrowed(self.body(start, length)?);
                return Some(Packet {
                    tag,
                    body,
                    start,
                    is_unusual: false,
                    is_endless: false,
                });
            }
            Length::Part(length) => (length, self.body(start, length)?.to_vec()),
        };
        // §4.2.1.4: the last part has an ordinary length.
        loop {
            let (next, place) = self.length(self.at)?;
            let is_last = matches!(next, Length::Whole(_));
            let (Length::Whole(next) | Length::Part(next)) = next;
            length = length.checked_add(next)?;
            body.extend_from_slice(self.body(place, next)?);
            if is_last {
                break;
            }
        }
        Some(Packet {
            tag,
            body: Cow::Owned(body),
            start,
            is_unusual: true,
            is_endless: false,
        })
    }

    /// The encoded length at this position, and the position of its content.
    fn length(&self, at: usize) -> Option<(Length, usize)> {
        Some(match self.bytes.get(at..)? {
            [one @ 0..=191, ..] => (Length::Whole(usize::from(*one)), at + 1),
            [one @ 192..=223, two, ..] => {
                let length = (usize::from(*one) - 192) * 256 + usize::from(*two) + 192;
                (Length::Whole(length), at + 2)
            }
            [255, a, b, c, d, ..] => (Length::Whole(number(&[*a, *b, *c, *d])), at + 5),
            [one @ 224..=254, ..] => (Length::Part(1 << (one & 0x1f)), at + 1),
            _ => return None,
        })
    }

    /// That many bytes from there on; the next packet follows them.
    fn body(&mut self, start: usize, length: usize) -> Option<&'a [u8]> {
        let body = self.bytes.get(start..)?.get(..length)?;
        self.at = start + length;
        Some(body)
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Every armoured block of keys in a text (RFC 9580 §6.2), without its first line.
fn blocks(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    const BEGIN: &[u8] = b"-----BEGIN PGP ";
    let starts: Vec<usize> = memchr::memmem::find_iter(text, BEGIN).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([text.len()]).collect();
    starts
        .into_iter()
        .zip(ends)
        .filter_map(move |(start, end)| {
            let part = text.get(start + BEGIN.len()..end)?;
            let label = memchr::memmem::find(part, b"-----")?;
            // `PUBLIC KEY BLOCK`; Rekor accepts `PRIVATE KEY BLOCK` too.
            let is_key = part.get(..label)?.ends_with(b"KEY BLOCK");
            part.get(label + 5..).filter(|_| is_key)
        })
}

/// The content of an armoured block, and whether it contains nothing else. Its checksum is ignored, as the standard
/// requires; the log's hash covers the whole text. GnuPG ignores characters that are not base64.
fn unarmour(block: &[u8]) -> (Vec<u8>, bool) {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let end = memchr::memmem::find(block, b"-----END ");
    let mut whole = end.is_some();
    let block = block.get(..end.unwrap_or(block.len())).unwrap_or(block);
    let mut lines = block
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .peekable();
    // Headers have a colon, which no base64 has, and end with an empty line.
    while lines
        .next_if(|line| line.is_empty() || line.contains(&b':'))
        .is_some()
    {}
    let mut base64 = Vec::with_capacity(block.len());
    // A checksum is on a separate line.
    for line in lines.take_while(|line| !(line.starts_with(b"=") && line.len() > 2)) {
        for byte in line {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => base64.push(*byte),
                b'=' | b' ' | b'\t' | b'\r' => {}
                _ => whole = false,
            }
        }
    }
    if base64.len() % 4 == 1 {
        whole = false;
        base64.pop();
    }
    (LENIENT.decode(base64).unwrap_or_default(), whole)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use base64::engine::general_purpose::STANDARD;

    /// A key of version 4 without content.
    const KEY: &[u8] = b"\xc6\x06\x04\0\0\0\0\x01";

    /// The body of an Ed25519 key.
    const ED25519: &[u8] =
        b"\x04\0\0\0\0\x16\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01\x01\x07\x40@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";

    fn packets(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(body.len()).unwrap();
        [&[0xc0 | tag, length], body].concat()
    }

    fn names(bytes: &[u8]) -> Vec<Vec<String>> {
        let block = read(bytes);
        block
            .primaries
            .into_iter()
            .map(|key| key.user_ids)
            .collect()
    }

    #[test]
    fn each_key_has_the_user_ids_that_follow_it() {
        let long = [b'x'; 300];
        let ring = packets(&[
            KEY,
            b"\xcd\x03one",
            b"\xc2\x01s",
            b"\xcd\x03two",
            // The same in the old form of headers: one, two and four octets of length.
            b"\x98\x06\x04\0\0\0\0\x02",
            b"\xb5\0\x05three",
            b"\xb6\0\0\0\x04four",
            // Two and five octets of length in the new form.
            b"\xcd\xc0\x6c",
            &long,
            b"\xcd\xff\0\0\0\x01\xff",
            b"\xfc\x01p",
        ]);
        let read = names(&ring);
        assert_eq!(read[0], ["one", "two"]);
        assert_eq!(read[1], ["three", "four", &"x".repeat(300), "\u{fffd}"]);
    }

    #[test]
    fn every_subkey_is_a_key_under_any_primary_key() {
        for (parts, primaries, subkeys) in [
            (vec![KEY, &packet(14, ED25519)], 1, 1),
            (vec![KEY, b"\xb8\x06\x04\0\0\0\0\x02", KEY], 2, 1),
            // Without any primary key.
            (vec![&packet(14, ED25519)], 0, 1),
        ] {
            let block = read(&packets(&parts));
            assert_eq!(
                (block.primaries.len(), block.subkeys.len()),
                (primaries, subkeys)
            );
            assert_eq!(block.problem, None);
        }
    }

    #[test]
    fn a_key_is_found_whatever_the_form_of_its_packet() {
        let length = u8::try_from(ED25519.len()).unwrap();
        let (first, second) = ED25519.split_at(32);
        let rest = u8::try_from(second.len()).unwrap();
        let alone = read(&packet(6, ED25519));
        for (bytes, problem) in [
            ([&[0x98, length], ED25519].concat(), None),
            ([&[0x9a, 0, 0, 0, length], ED25519].concat(), None),
            // In two parts, and without a length, before another key.
            (
                [&[0xc6, 0xe5], first, &[rest], second].concat(),
                Some(PgpError::Length { at: 0 }),
            ),
            (
                [&[0x9b], ED25519, KEY].concat(),
                Some(PgpError::Length { at: 0 }),
            ),
            // A secret key begins with the public one.
            (
                packet(5, &[ED25519, b"\0secret"].concat()),
                Some(PgpError::NotPublic { tag: 5 }),
            ),
        ] {
            let block = read(&bytes);
            assert_eq!(block.primaries[0], alone.primaries[0], "{bytes:02x?}");
            assert_eq!(block.problem, problem, "{bytes:02x?}");
        }
    }

    #[test]
    fn a_value_that_is_no_public_key_is_reported_and_hides_no_key() {
        let name = [b"\xcd\xff\0\0\x08\x01".as_slice(), &[b'x'; 2049]].concat();
        let many = packets(&[KEY, &b"\xcd\x01n".repeat(MAX_NAMES + 1)]);
        for (bytes, problem, keys) in [
            (Vec::new(), PgpError::Armour, 0),
            (b"AAAA".to_vec(), PgpError::Armour, 0),
            (b"\xc2\x01s".to_vec(), PgpError::NoKey, 0),
            (b"\xcd\x03one".to_vec(), PgpError::NoKey, 0),
            (b"\xc6\x00".to_vec(), PgpError::NoKey, 0),
            (b"\xc6".to_vec(), PgpError::CutOff { at: 0 }, 0),
            (b"\xc6\xc0".to_vec(), PgpError::CutOff { at: 0 }, 0),
            (b"\xc6\x05\x04".to_vec(), PgpError::CutOff { at: 0 }, 0),
            (
                b"\xc6\xff\xff\xff\xff\xff".to_vec(),
                PgpError::CutOff { at: 0 },
                0,
            ),
            (packets(&[KEY, b"\x99\0"]), PgpError::CutOff { at: 8 }, 1),
            (
                packets(&[KEY, b"\xcd\xe1xx"]),
                PgpError::CutOff { at: 8 },
                1,
            ),
            (packets(&[KEY, b"\xb7xx"]), PgpError::Length { at: 8 }, 1),
            (packets(&[KEY, b"text"]), PgpError::Packet { at: 8 }, 1),
            (
                packets(&[b"\xcb\x01x", KEY]),
                PgpError::NotPublic { tag: 11 },
                1,
            ),
            (
                packets(&[b"\xc6\x01\x07", KEY]),
                PgpError::Version { version: 7 },
                1,
            ),
            (packets(&[KEY, &name, KEY]), PgpError::TooMuch, 2),
            (many, PgpError::TooMuch, 1),
            (
                KEY.repeat(MAX_OPAQUE_KEYS + 1),
                PgpError::TooMuch,
                MAX_OPAQUE_KEYS,
            ),
        ] {
            let block = read(&bytes);
            assert_eq!(block.problem, Some(problem), "{bytes:02x?}");
            assert_eq!(block.primaries.len(), keys, "{bytes:02x?}");
        }
    }

    #[test]
    fn no_number_of_keys_hides_one() {
        let own: Vec<u8> = ED25519
            .iter()
            .map(|byte| byte ^ u8::from(*byte == b'@'))
            .collect();
        let block = read(&packets(&[
            &packet(6, ED25519).repeat(5000),
            &packet(14, &own),
        ]));
        assert_eq!((block.primaries.len(), block.subkeys.len()), (5000, 1));
        assert_eq!(block.problem, None);
    }

    #[test]
    fn a_key_before_version_4_has_no_fingerprint() {
        for (version, length) in [
            (2, None),
            (3, None),
            (4, Some(40)),
            (5, Some(64)),
            (6, Some(64)),
        ] {
            let key = read(&[0xc6, 2, version, 0]).primaries.remove(0);
            assert_eq!(key.fingerprint.map(|text| text.len()), length, "{version}");
        }
    }

    #[test]
    fn armour_is_taken_off_with_its_headers_and_its_checksum() {
        let base64 = STANDARD.encode(packets(&[KEY, b"\xcd\x03one"]));
        let (first, second) = base64.split_at(8);
        let begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
        let end = "-----END PGP PUBLIC KEY BLOCK-----";
        let block = format!("{begin}\n\n{base64}\n{end}\n");
        for (text, problem) in [
            (block.clone(), None),
            (
                format!(
                    "text\r\n{begin}\r\nVersion: 1\r\n\r\n{first}\r\n{second}\r\n=AAAA\r\n{end}"
                ),
                None,
            ),
            (format!("\u{feff}{block}"), Some(PgpError::Packet { at: 1 })),
            (format!("{begin}\n\n{base64}\n"), Some(PgpError::Armour)),
            (
                format!("{begin}\n\n{base64}!\n{end}\n"),
                Some(PgpError::Armour),
            ),
            (
                format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{base64}\n{end}\n"),
                None,
            ),
        ] {
            assert_eq!(names(text.as_bytes()), [["one"]], "{text}");
            if text.starts_with('\u{feff}') {
                assert!(read(text.as_bytes()).problem.is_some());
            } else {
                assert_eq!(read(text.as_bytes()).problem, problem, "{text}");
            }
        }
        let several = format!("{block}text\n{block}-----BEGIN PGP SIGNATURE-----\n{block}");
        assert_eq!(names(several.as_bytes()).len(), 3);
        let other = format!("-----BEGIN PGP SIGNATURE-----\n\n{base64}\n{end}");
        assert_eq!(read(other.as_bytes()).problem, Some(PgpError::Armour));
    }

    #[test]
    fn a_user_id_of_the_usual_form_holds_an_address() {
        for (user_id, expected) in [
            ("Ann <ann@harbor.example>", Some("ann@harbor.example")),
            (
                "Ann (work) <ann@harbor.example> ",
                Some("ann@harbor.example"),
            ),
            ("<a@b> Ann <ann@harbor.example>", Some("ann@harbor.example")),
            ("ann@harbor.example", None),
            ("Ann <harbor>", None),
            ("Ann ann@harbor.example>", None),
            ("<ann@harbor.example> Ann", None),
        ] {
            assert_eq!(address(user_id), expected, "{user_id}");
        }
    }
}
