//! SSH public keys and certificates, as OpenSSH and RFC 4716 write them.
//!
//! A line is `ssh-ed25519 AAAA… comment`; before the key there may be options, a host or principals, as in OpenSSH's
//! `authorized_keys`, `known_hosts` and `allowed_signers`. Go's `ssh.ParseAuthorizedKey`, with which Rekor reads keys,
//! searches the key after options, and in the next line if there is none in this one.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Longest comment that is kept, in bytes; usual ones are a user and a host. The key counts with any text after it.
const MAX_COMMENT_BYTES: usize = 2048;

/// Longest name of a type of keys (RFC 4250 §4.6.1).
const MAX_TYPE_BYTES: usize = 64;

/// Base64, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A public key, or a certificate of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshKey<'a> {
    /// The key as it is in the file: what `ssh-keygen -l` hashes (RFC 4253 §6.6), unless it is a certificate.
    pub blob: Vec<u8>,
    /// The text after it, by the maker of the key; nothing covers it.
    pub comment: Option<Cow<'a, str>>,
}

/// Reads every key of a file, each once; empty if there is none.
pub(super) fn read(file: &[u8]) -> Vec<SshKey<'_>> {
    let mut keys: Vec<SshKey<'_>> = Vec::new();
    let mut blobs = std::collections::HashSet::new();
    let mut take = |key: SshKey<'static>| {
        if blobs.insert(key.blob.clone()) {
            keys.push(key);
        }
    };
    let mut lines = file.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    while let Some(line) = lines.next() {
        if line.starts_with(b"---- BEGIN SSH2") {
            if let Some(key) = block(&mut lines) {
                take(key);
            }
        } else if !line.starts_with(b"#")
            && let Some(key) = in_line(line)
        {
            take(key);
        }
    }
    keys
}

/// The key of one line.
fn in_line(line: &[u8]) -> Option<SshKey<'static>> {
    let (mut before, mut rest) = (&b""[..], line);
    while !rest.is_empty() {
        let (word, after) = split_word(rest);
        if let Some(blob) = decode(word)
            && is_key(&blob, before)
        {
            return Some(SshKey {
                blob,
                comment: comment(after),
            });
        }
        (before, rest) = (word, after);
    }
    None
}

/// The key of a block of RFC 4716 §3.2, whose first line is read already.
fn block<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> Option<SshKey<'static>> {
    let (mut base64, mut comment_line) = (Vec::new(), &b""[..]);
    let mut in_header = false;
    for line in lines {
        if line.starts_with(b"---- END") {
            break;
        }
        // A header has a colon, which base64 has not, and continues in the next line after a backslash.
        if in_header || line.contains(&b':') {
            if let Some(text) = line.strip_prefix(b"Comment:") {
                comment_line = text.trim_ascii();
            }
            in_header = line.ends_with(b"\\");
        } else {
            base64.extend_from_slice(line);
        }
    }
    let blob = decode(&base64).filter(|blob| is_key(blob, b""))?;
    let unquoted = comment_line
        .strip_prefix(b"\"")
        .and_then(|text| text.strip_suffix(b"\""));
    Some(SshKey {
        blob,
        comment: comment(unquoted.unwrap_or(comment_line)),
    })
}

fn decode(word: &[u8]) -> Option<Vec<u8>> {
    // Four octets of length, of which the first three are zero.
    word.starts_with(b"AAAA")
        .then(|| BASE64.decode(word).ok())
        .flatten()
}

fn comment(text: &[u8]) -> Option<Cow<'static, str>> {
    let text = text.get(..MAX_COMMENT_BYTES).unwrap_or(text);
    (!text.is_empty()).then(|| Cow::Owned(String::from_utf8_lossy(text).into_owned()))
}

/// Whether a blob is that of a key: of a known type, or of the type in the word before it.
fn is_key(blob: &[u8], word: &[u8]) -> bool {
    let Some((kind, _)) = string(blob).filter(|(kind, _)| kind.len() <= MAX_TYPE_BYTES) else {
        return false;
    };
    let families: [&[u8]; 5] = [b"ssh-", b"ecdsa-", b"sk-", b"rsa-sha2-", b"webauthn-sk-"];
    !kind.is_empty() && (kind == word || families.iter().any(|family| kind.starts_with(family)))
}

/// The first word and what follows it.
fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(u8::is_ascii_whitespace);
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (word, rest.trim_ascii())
}

/// A string (RFC 4251 §5): its length in four octets, and its octets; and what follows it.
pub(super) fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Strings, one behind the other.
pub(super) fn blob(strings: &[&[u8]]) -> Vec<u8> {
    let mut blob = Vec::new();
    for string in strings {
        let length = u32::try_from(string.len()).unwrap_or(u32::MAX);
        blob.extend(length.to_be_bytes());
        blob.extend_from_slice(string);
    }
    blob
}

/// The parts of a type's name: `sk-ssh-ed25519-cert-v01@openssh.com`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind<'a> {
    /// The algorithm, without the marks below.
    pub algorithm: &'a [u8],
    /// Whether it is a certificate: the fields of the key come first in it, or after a nonce.
    pub is_certificate: bool,
    /// Whether a nonce precedes the fields of the key (certificates of version 1).
    pub has_nonce: bool,
    /// Whether the key is on a token; its application follows it.
    is_on_token: bool,
}

impl<'a> Kind<'a> {
    pub fn of(name: &'a [u8]) -> Self {
        let end = name.iter().position(|byte| *byte == b'@');
        let name = name.get(..end.unwrap_or(name.len())).unwrap_or(name);
        let (name, version) = match name.split_last_chunk::<9>() {
            Some((name, b"-cert-v01")) => (name, Some(1)),
            Some((name, b"-cert-v00")) => (name, Some(0)),
            _ => (name, None),
        };
        let on_token = [&b"webauthn-sk-"[..], b"sk-"]
            .into_iter()
            .find_map(|prefix| name.strip_prefix(prefix));
        Self {
            algorithm: on_token.unwrap_or(name),
            is_certificate: version.is_some(),
            has_nonce: version == Some(1),
            is_on_token: on_token.is_some(),
        }
    }

    /// How many strings make up a key of this type, in its certificate too.
    fn fields(&self) -> Option<usize> {
        let own = match self.algorithm {
            b"ssh-ed25519" | b"ssh-ed448" => 1,
            b"ssh-rsa" | b"rsa-sha2-256" | b"rsa-sha2-512" => 2,
            b"ssh-dss" => 4,
            name if name.starts_with(b"ecdsa-sha2-") => 2,
            _ => return None,
        };
        Some(own + usize::from(self.is_on_token))
    }
}

/// The blob of the key inside a certificate, without the CA's statements: `ssh-keygen -l` hashes it. `None` for input
/// that is not a certificate, or of an unknown type.
pub(super) fn without_certificate(certificate: &[u8]) -> Option<Vec<u8>> {
    let (name, mut rest) = string(certificate)?;
    let kind = Kind::of(name);
    let count = kind.fields().filter(|_| kind.is_certificate)?;
    if kind.has_nonce {
        (_, rest) = string(rest)?;
    }
    let key = rest;
    for _ in 0..count {
        (_, rest) = string(rest)?;
    }
    let key = key.get(..key.len().checked_sub(rest.len())?)?;
    let plain = match (kind.is_on_token, kind.algorithm) {
        (true, algorithm) => [b"sk-", algorithm, b"@openssh.com"].concat(),
        // Certificates name the hash of their signatures; a key does not (RFC 8332 §3).
        (false, b"rsa-sha2-256" | b"rsa-sha2-512") => b"ssh-rsa".to_vec(),
        (false, algorithm) => algorithm.to_vec(),
    };
    Some([blob(&[&plain]).as_slice(), key].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    const BLOB: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x03key";
    const OTHER: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x05other";

    fn line(kind: &str, blob: &[u8], comment: &str) -> String {
        format!("{kind} {}{comment}\n", STANDARD.encode(blob))
    }

    #[test]
    fn the_first_key_of_a_file_is_read_with_its_comment() {
        for (comment, expected) in [
            ("", None),
            (" ", None),
            (" ann@harbor", Some("ann@harbor")),
            ("\tann of the  harbor \r", Some("ann of the  harbor")),
        ] {
            let text = format!("# keys\n\n{}ssh-rsa x", line("ssh-ed25519", BLOB, comment));
            let [key] = &read(text.as_bytes())[..] else {
                panic!("a key")
            };
            assert_eq!(key.blob, BLOB);
            assert_eq!(key.comment.as_deref(), expected, "{comment:?}");
        }
    }

    #[test]
    fn text_before_a_key_does_not_hide_it() {
        let key = line("ssh-ed25519", BLOB, " ann@harbor");
        for before in [
            "",
            "no-pty,command=\"echo  AAAA\" ",
            "ann@harbor.example namespaces=\"file,git\" ",
            "@cert-authority *.harbor.example ",
            "first line\nsecond ",
            "# a comment\n\t ",
            "ssh-rsa AAAA! ",
            "\u{feff}",
        ] {
            let text = format!("{before}{key}");
            let keys = read(text.as_bytes());
            assert_eq!(keys.len(), 1, "{before}");
            assert_eq!(keys[0].blob, BLOB);
            assert_eq!(keys[0].comment.as_deref(), Some("ann@harbor"));
        }
    }

    #[test]
    fn every_line_has_its_key_and_no_key_is_there_twice() {
        let one = line("ssh-ed25519", BLOB, " one");
        let two = line("restrict ssh-ed25519", OTHER, " two");
        let file = format!("{one}\n{two}{one}ssh-ed25519 AAAA\n");
        let blobs: Vec<_> = read(file.as_bytes()).into_iter().map(|k| k.blob).collect();
        assert_eq!(blobs, [BLOB, OTHER]);
    }

    #[test]
    fn a_long_comment_hides_no_key_and_a_type_need_not_be_named() {
        let long = format!(" {}", "x".repeat(MAX_COMMENT_BYTES + 1));
        for text in [
            line("ssh-ed25519", BLOB, &long),
            line("ssh-rsa", BLOB, ""),
            line("", BLOB, ""),
            line("ssh-ed25519", BLOB, "").replace('=', ""),
        ] {
            assert_eq!(read(text.as_bytes())[0].blob, BLOB, "{text}");
        }
    }

    #[test]
    fn a_block_of_rfc_4716_is_read() {
        let base64 = STANDARD.encode(BLOB);
        let (first, second) = base64.split_at(20);
        for (headers, comment) in [
            ("", None),
            (
                "Comment: \"ann of the harbor\"\n",
                Some("ann of the harbor"),
            ),
            (
                "Subject: ann\nComment: ann\nx-long: one \\\ntwo\n",
                Some("ann"),
            ),
        ] {
            let text = format!(
                "---- BEGIN SSH2 PUBLIC KEY ----\n{headers}{first}\n{second}\n---- END SSH2 PUBLIC KEY ----\n"
            );
            let keys = read(text.as_bytes());
            assert_eq!(keys[0].blob, BLOB, "{headers}");
            assert_eq!(keys[0].comment.as_deref(), comment);
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            String::new(),
            "\n#\n".to_owned(),
            "ssh-ed25519".to_owned(),
            "ssh-ed25519 !".to_owned(),
            line("ssh-ed25519", b"\0\0\0", ""),
            line("ssh-ed25519", b"\xff\xff\xff\xffssh-ed25519", ""),
            line("ssh-ed25519", b"\0\0\0\0", ""),
            line("other", b"\0\0\0\x05thing", ""),
            "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA".to_owned(),
        ] {
            assert_eq!(read(text.as_bytes()), [], "{text}");
        }
    }

    #[test]
    fn a_certificate_is_distinguished_from_a_key_by_its_type() {
        for (name, algorithm, certificate, nonce) in [
            ("ssh-ed25519", "ssh-ed25519", false, false),
            (
                "ssh-ed25519-cert-v01@openssh.com",
                "ssh-ed25519",
                true,
                true,
            ),
            ("ssh-rsa-cert-v00@openssh.com", "ssh-rsa", true, false),
            (
                "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
                "ecdsa-sha2-nistp256",
                true,
                true,
            ),
            ("sk-ssh-ed25519@openssh.com", "ssh-ed25519", false, false),
        ] {
            let kind = Kind::of(name.as_bytes());
            assert_eq!(kind.algorithm, algorithm.as_bytes(), "{name}");
            assert_eq!((kind.is_certificate, kind.has_nonce), (certificate, nonce));
        }
    }

    #[test]
    fn the_key_is_taken_out_of_its_certificate() {
        let certificate = blob(&[
            b"sk-ssh-ed25519-cert-v01@openssh.com",
            b"nonce",
            b"key",
            b"ssh:",
        ]);
        let certificate = [certificate.as_slice(), b"\0\0\0\0\0\0\0\x01more"].concat();
        let key = blob(&[b"sk-ssh-ed25519@openssh.com", b"key", b"ssh:"]);
        assert_eq!(without_certificate(&certificate), Some(key.clone()));
        assert_eq!(without_certificate(&key), None);
        assert_eq!(
            without_certificate(certificate.get(..50).unwrap_or_default()),
            None
        );
    }
}
