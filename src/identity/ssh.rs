//! SSH public keys as OpenSSH writes them: `ssh-ed25519 AAAA… comment`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest comment, in bytes; usual ones are a user and a host.
const MAX_COMMENT_BYTES: usize = 2048;

/// Longest name of a type of keys (RFC 4250 §4.6.1).
const MAX_TYPE_BYTES: usize = 64;

/// A public key of OpenSSH.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SshKey<'a> {
    /// What `ssh-keygen -l` hashes (RFC 4253 §6.6).
    pub blob: Vec<u8>,
    /// Whatever its maker wrote behind it; nothing covers it.
    pub comment: Option<std::borrow::Cow<'a, str>>,
}

/// Reads the first key of a file. `None` if it holds no such line.
pub(super) fn read(file: &[u8]) -> Option<SshKey<'_>> {
    let mut lines = file.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"))?;
    let (kind, rest) = word(line);
    let (base64, comment) = word(rest);
    let blob = STANDARD.decode(base64).ok()?;
    // What kind of key it is, the blob says; the word before it must say the same, or readers could disagree.
    let (length, named) = blob.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let known = kind.len() <= MAX_TYPE_BYTES && named.get(..length) == Some(kind);
    if !known || comment.len() > MAX_COMMENT_BYTES {
        return None;
    }
    let comment = (!comment.is_empty()).then(|| String::from_utf8_lossy(comment));
    Some(SshKey { blob, comment })
}

/// Whether the blob is that of a certificate, which names its key inside.
pub(super) fn is_certificate(blob: &[u8]) -> bool {
    const MARK: &[u8] = b"-cert-v0";
    let kind = blob.get(4..).unwrap_or_default();
    let kind = kind
        .get(..MAX_TYPE_BYTES.min(kind.len()))
        .unwrap_or_default();
    let end = kind.iter().position(|byte| *byte == b'@').unwrap_or(0);
    kind.get(..end)
        .is_some_and(|kind| kind.windows(MARK.len()).any(|window| window == MARK))
}

/// The first word and what follows it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(u8::is_ascii_whitespace);
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (word, rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x03key";

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
            let read = read(text.as_bytes()).expect("a key");
            assert_eq!(read.blob, BLOB);
            assert_eq!(read.comment.as_deref(), expected, "{comment:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = format!(" {}", "x".repeat(MAX_COMMENT_BYTES + 1));
        for text in [
            String::new(),
            "\n#\n".to_owned(),
            "ssh-ed25519".to_owned(),
            "ssh-ed25519 !".to_owned(),
            line("ssh-ed25519", b"\0\0\0", ""),
            line("ssh-ed25519", b"\xff\xff\xff\xffssh-ed25519", ""),
            line("ssh-rsa", BLOB, ""),
            line("", BLOB, ""),
            line("ssh-ed25519", BLOB, &long),
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_certificate_is_told_from_a_key_by_its_type() {
        let certificate = b"\0\0\0\x20ssh-ed25519-cert-v01@openssh.com\0\0\0\0";
        assert!(is_certificate(certificate));
        for other in [BLOB, b"", b"\0\0\0\x1ask-ssh-ed25519@openssh.com\0\0\0\0"] {
            assert!(!is_certificate(other), "{other:02x?}");
        }
    }
}
