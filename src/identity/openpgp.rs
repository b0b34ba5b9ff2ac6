//! OpenPGP public keys (RFC 9580, before it RFC 4880), as far as they say what they are and what they call themselves.
//!
//! Packets are told apart and three kinds of them are read; no signature is verified. That costs nothing: even a user
//! id that the key certifies is the claim of whoever made the key, and one that it does not certify might be taken for
//! its own by somebody. A general OpenPGP library would be the largest dependency of this program for that.

use aws_lc_rs::digest::{self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::MAX_NAMES;

/// Most keys in one block. A signature needs one; keyrings of a distribution have some dozens.
const MAX_KEYS: usize = 64;

/// Longest user id, in bytes: GnuPG makes and imports none that is longer (`MAX_UID_PACKET_LENGTH`).
const MAX_USER_ID_BYTES: usize = 2048;

/// Why bytes are not OpenPGP public keys.
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
    /// No packet begins here, or one whose length is not known in advance, which no part of a key has.
    #[error("no packet of a key at byte {at}")]
    Packet {
        /// Where it would begin.
        at: usize,
    },
    /// A secret key, or something else that belongs to no public key.
    #[error("packet of type {tag}, which no public key has")]
    NotPublic {
        /// The type.
        tag: u8,
    },
    /// A version of keys that we do not know, or a key that is too long for its version.
    #[error("key of version {version} cannot be read")]
    Version {
        /// The version it says.
        version: u8,
    },
    /// No key in it, or a user id before the first.
    #[error("no key where one should be")]
    NoKey,
    /// More keys, more user ids or longer ones than any key has.
    #[error(
        "more than {MAX_KEYS} keys, {MAX_NAMES} user ids or {MAX_USER_ID_BYTES} bytes in one of them"
    )]
    TooMuch,
}

/// One primary key and what it calls itself; of its subkeys nothing is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Primary {
    /// Its packet, framed as for its fingerprint: the same bytes whatever is certified, added or left out around it.
    pub framed: Vec<u8>,
    /// In upper-case hex, as `gpg` prints it. `None` before version 4, whose MD5 distinguishes nothing.
    pub fingerprint: Option<String>,
    /// Each as it is written, what is no UTF-8 replaced.
    pub user_ids: Vec<String>,
}

/// Reads every primary key of a block, armoured or not.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Primary>, PgpError> {
    let unarmoured;
    let packets = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) {
        bytes
    } else {
        unarmoured = unarmour(bytes).ok_or(PgpError::Armour)?;
        &unarmoured
    };
    let mut packets = Packets {
        bytes: packets,
        at: 0,
    };
    let mut keys: Vec<Primary> = Vec::new();
    let mut names = 0;
    while let Some((tag, body)) = packets.next()? {
        match tag {
            PUBLIC_KEY if keys.len() == MAX_KEYS => return Err(PgpError::TooMuch),
            PUBLIC_KEY => keys.push(Primary::of(body)?),
            USER_ID => {
                names += 1;
                if names > MAX_NAMES || body.len() > MAX_USER_ID_BYTES {
                    return Err(PgpError::TooMuch);
                }
                let key = keys.last_mut().ok_or(PgpError::NoKey)?;
                key.user_ids
                    .push(String::from_utf8_lossy(body).into_owned());
            }
            // Reserved; session keys; secret keys; messages (RFC 9580 §5).
            0 | 1 | 3..=5 | 7..=9 | 11 | 18..=20 => return Err(PgpError::NotPublic { tag }),
            // Signatures, subkeys, images, trust, padding and what is private to a program.
            _ => {}
        }
    }
    if keys.is_empty() {
        return Err(PgpError::NoKey);
    }
    Ok(keys)
}

/// The mail address in a user id of the usual form, `Name (comment) <address>`.
pub(super) fn address(user_id: &str) -> Option<&str> {
    let (_, address) = user_id.trim_end().strip_suffix('>')?.rsplit_once('<')?;
    address.contains('@').then_some(address)
}

const PUBLIC_KEY: u8 = 6;
const USER_ID: u8 = 13;

impl Primary {
    /// The key of a packet's body (RFC 9580 §5.5.4; version 5 as LibrePGP and GnuPG have it).
    fn of(body: &[u8]) -> Result<Self, PgpError> {
        let version = *body.first().ok_or(PgpError::NoKey)?;
        let unreadable = PgpError::Version { version };
        let (first, hash, length): (u8, Option<&'static Algorithm>, Vec<u8>) = match version {
            2..=4 => {
                let length = u16::try_from(body.len()).map_err(|_| unreadable)?;
                let hash = (version == 4).then_some(&SHA1_FOR_LEGACY_USE_ONLY);
                (0x99, hash, length.to_be_bytes().to_vec())
            }
            5 | 6 => {
                let length = u32::try_from(body.len()).map_err(|_| unreadable)?;
                let first = if version == 5 { 0x9a } else { 0x9b };
                (first, Some(&SHA256), length.to_be_bytes().to_vec())
            }
            _ => return Err(unreadable),
        };
        let framed = [&[first], length.as_slice(), body].concat();
        let fingerprint =
            hash.map(|hash| hex::encode_upper(digest::digest(hash, &framed).as_ref()));
        Ok(Self {
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

impl<'a> Packets<'a> {
    /// The type and the body of the next packet; `None` at the end.
    fn next(&mut self) -> Result<Option<(u8, &'a [u8])>, PgpError> {
        let at = self.at;
        let cut_off = PgpError::CutOff { at };
        let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) else {
            return Ok(None);
        };
        let (tag, length, header) = match rest {
            [first, ..] if first & 0x80 == 0 => return Err(PgpError::Packet { at }),
            // RFC 9580 §4.2.1; 224 to 254 begin a part of a message.
            [first, rest @ ..] if first & 0x40 != 0 => {
                let (length, count) = match rest {
                    [one @ 0..=191, ..] => (usize::from(*one), 1),
                    [one @ 192..=223, two, ..] => {
                        ((usize::from(*one) - 192) * 256 + usize::from(*two) + 192, 2)
                    }
                    [255, a, b, c, d, ..] => (number(&[*a, *b, *c, *d]), 5),
                    [224..=254, ..] => return Err(PgpError::Packet { at }),
                    _ => return Err(cut_off),
                };
                (first & 0x3f, length, 1 + count)
            }
            // §4.2.2; type 3 is as long as the file.
            [first, rest @ ..] => {
                let count = match first & 3 {
                    0 => 1,
                    1 => 2,
                    2 => 4,
                    _ => return Err(PgpError::Packet { at }),
                };
                let length = rest.get(..count).map(number).ok_or(cut_off)?;
                ((first >> 2) & 0xf, length, 1 + count)
            }
            [] => return Ok(None),
        };
        let body = rest.get(header..).and_then(|rest| rest.get(..length));
        let body = body.ok_or(cut_off)?;
        self.at = at + header + length;
        Ok(Some((tag, body)))
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// The content of the first armoured block (RFC 9580 §6.2). Its checksum is not looked at: the standard says so, and
/// here the log's hash covers the whole text.
fn unarmour(text: &[u8]) -> Option<Vec<u8>> {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.find(|line| *line == b"-----BEGIN PGP PUBLIC KEY BLOCK-----")?;
    let mut base64 = Vec::new();
    // Headers have a colon, which no base64 has, and end with an empty line.
    let body = lines.skip_while(|line| line.is_empty() || line.contains(&b':'));
    for line in body {
        if line.starts_with(b"=") || line.starts_with(b"-----END ") {
            return STANDARD.decode(base64).ok();
        }
        base64.extend_from_slice(line);
    }
    None
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    /// A key of version 4 with nothing in it.
    const KEY: &[u8] = b"\xc6\x06\x04\0\0\0\0\x01";

    fn packets(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    fn names(bytes: &[u8]) -> Result<Vec<Vec<String>>, PgpError> {
        Ok(read(bytes)?.into_iter().map(|key| key.user_ids).collect())
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
        let read = names(&ring).unwrap();
        assert_eq!(read[0], ["one", "two"]);
        assert_eq!(read[1], ["three", "four", &"x".repeat(300), "\u{fffd}"]);
    }

    #[test]
    fn what_is_no_public_key_is_refused_and_said() {
        let name = [b"\xcd\xff\0\0\x08\x01".as_slice(), &[b'x'; 2049]].concat();
        let many = packets(&[KEY, &b"\xcd\x01n".repeat(MAX_NAMES + 1)]);
        for (bytes, error) in [
            (Vec::new(), PgpError::Armour),
            (b"AAAA".to_vec(), PgpError::Armour),
            (b"\xc2\x01s".to_vec(), PgpError::NoKey),
            (b"\xcd\x03one".to_vec(), PgpError::NoKey),
            (b"\xc6\x00".to_vec(), PgpError::NoKey),
            (b"\xc6".to_vec(), PgpError::CutOff { at: 0 }),
            (b"\xc6\xc0".to_vec(), PgpError::CutOff { at: 0 }),
            (b"\xc6\x05\x04".to_vec(), PgpError::CutOff { at: 0 }),
            (
                b"\xc6\xff\xff\xff\xff\xff".to_vec(),
                PgpError::CutOff { at: 0 },
            ),
            (packets(&[KEY, b"\x99\0"]), PgpError::CutOff { at: 8 }),
            (packets(&[KEY, b"\xcd\xe1xx"]), PgpError::Packet { at: 8 }),
            (packets(&[KEY, b"\xb7xx"]), PgpError::Packet { at: 8 }),
            (packets(&[KEY, b"text"]), PgpError::Packet { at: 8 }),
            (b"\xc5\x01\x04".to_vec(), PgpError::NotPublic { tag: 5 }),
            (b"\xcb\x01x".to_vec(), PgpError::NotPublic { tag: 11 }),
            (b"\xc6\x01\x07".to_vec(), PgpError::Version { version: 7 }),
            (packets(&[KEY, &name]), PgpError::TooMuch),
            (many, PgpError::TooMuch),
            (KEY.repeat(MAX_KEYS + 1), PgpError::TooMuch),
        ] {
            assert_eq!(read(&bytes), Err(error), "{bytes:02x?}");
        }
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
            let key = read(&[0xc6, 2, version, 0]).unwrap().remove(0);
            assert_eq!(key.fingerprint.map(|text| text.len()), length, "{version}");
        }
    }

    #[test]
    fn armour_is_taken_off_with_its_headers_and_its_checksum() {
        let base64 = STANDARD.encode(packets(&[KEY, b"\xcd\x03one"]));
        let (first, second) = base64.split_at(8);
        let begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
        let end = "-----END PGP PUBLIC KEY BLOCK-----";
        for text in [
            format!("{begin}\n\n{base64}\n{end}\n"),
            format!("text\r\n{begin}\r\nVersion: 1\r\n\r\n{first}\r\n{second}\r\n=AAAA\r\n{end}"),
        ] {
            assert_eq!(names(text.as_bytes()).unwrap(), [["one"]], "{text}");
        }
        for text in [
            format!("{begin}\n\n{base64}\n"),
            format!("{begin}\n\n{base64}!\n{end}\n"),
            format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{base64}\n{end}\n"),
        ] {
            assert_eq!(names(text.as_bytes()), Err(PgpError::Armour), "{text}");
        }
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
