//! The URI of a certificate as Go's readers write it.
//!
//! Go's `crypto/x509` parses a URI, and verifiers compare the output of `net/url` (`URIs[0].String()`): without an
//! empty fragment, its scheme in lower case, and with a path or fragment that is escaped again if it contains
//! characters that must be escaped. So for these verifiers a certificate can have a watched name that is not in its
//! bytes.

use std::fmt::Write as _;

/// The other forms of a URI: the output of Go, and this with every unreserved character (RFC 3986 §2.3) decoded. Empty
/// for nearly every URI, and for one that Go cannot parse.
pub(super) fn forms(uri: &str) -> Vec<String> {
    let mut forms = Vec::new();
    if is_plain(uri) {
        return forms;
    }
    let Some(written) = as_go_writes(uri) else {
        return forms;
    };
    let unescaped = with_unreserved(&written);
    for form in [written, unescaped] {
        if form != uri && !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

/// Whether it contains no character that has another form.
fn is_plain(uri: &str) -> bool {
    let scheme = scheme(uri).map_or("", |(scheme, _)| scheme);
    !scheme.bytes().any(|byte| byte.is_ascii_uppercase())
        && uri.bytes().all(|byte| PLAIN[usize::from(byte)])
}

/// The bytes that are never escaped. A table, since each byte of nearly every name in a log is looked up.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0u8;
    loop {
        plain[byte as usize] = byte != b'%' && may_stand(byte, Place::Fragment);
        if byte == u8::MAX {
            break plain;
        }
        byte += 1;
    }
};

/// What `(*url.URL).String` gives of what `url.Parse` reads. `None` if this is an error, or in a certificate would be one.
///
/// An authority is not changed: Go does not change one in ASCII.
fn as_go_writes(uri: &str) -> Option<String> {
    if !uri.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return None;
    }
    let (before, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    let (scheme, rest) = match scheme(before) {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, before),
    };
    let (rest, query) = match rest.find('?') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let mut written = scheme.map_or_else(String::new, |scheme| {
        format!("{}:", scheme.to_ascii_lowercase())
    });
    if scheme.is_some() && !rest.starts_with('/') {
        written.push_str(rest);
    } else {
        let has_authority =
            rest.starts_with("//") && (scheme.is_some() || !rest.starts_with("///"));
        let path = match rest.get(2..) {
            Some(authority) if has_authority => {
                let end = authority.find('/').unwrap_or(authority.len());
                rest.get(2 + end..)?
            }
            _ => rest,
        };
        written.push_str(rest.strip_suffix(path)?);
        written.push_str(&escaped(path, Place::Path)?);
    }
    written.push_str(query);
    if !fragment.is_empty() {
        written.push('#');
        written.push_str(&escaped(fragment, Place::Fragment)?);
    }
    Some(written)
}

/// The scheme and what follows its colon, as `url.getScheme` has it.
fn scheme(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_one = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_one.then_some((scheme, rest))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Path,
    Fragment,
}

/// As in `EscapedPath` and `EscapedFragment`: unchanged if every character is allowed there, otherwise decoded and
/// escaped again. `None` for a `%` that escapes nothing.
fn escaped(text: &str, place: Place) -> Option<String> {
    let meant = unescaped(text)?;
    if text.bytes().all(|byte| may_stand(byte, place)) || (place == Place::Path && text == "*") {
        return Some(text.to_owned());
    }
    let mut escaped = String::with_capacity(text.len());
    for byte in meant {
        let stays = is_unreserved(byte)
            || match place {
                Place::Path => b"$&+,/:;=@".contains(&byte),
                Place::Fragment => b"$&+,/:;=?@!()*".contains(&byte),
            };
        if stays {
            escaped.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    Some(escaped)
}

/// Whether `url.validEncoded` accepts it unescaped.
const fn may_stand(byte: u8, place: Place) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'('
                ..=b',' | b';' | b'=' | b':' | b'@' | b'[' | b']' | b'%' | b'/'
        )
        || (matches!(place, Place::Fragment) && byte == b'?')
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The bytes of percent-encoded text; `None` for a `%` that escapes nothing.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.extend(hex::decode(digits).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    Some(bytes)
}

/// The same with unreserved characters as themselves; other escapes stay.
fn with_unreserved(uri: &str) -> String {
    let mut written = String::with_capacity(uri.len());
    let mut rest = uri;
    while let Some((before, after)) = rest.split_once('%') {
        written.push_str(before);
        let escape = after.get(..2).and_then(|digits| hex::decode(digits).ok());
        match escape.as_deref() {
            Some([byte]) if is_unreserved(*byte) => {
                written.push(char::from(*byte));
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                written.push('%');
                rest = after;
            }
        }
    }
    written.push_str(rest);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_uri_has_no_other_form() {
        for uri in [
            "https://github.com/forge/model/.github/workflows/release.yml@refs/heads/main",
            "https://github.com/forge/model/x@refs/heads/feat(x)!'*",
            "https://gitlab.com/g/p//.gitlab-ci.yml@refs/tags/v1+2",
            "spiffe://example.org/ns/a",
            "s:p",
            "https://example.org/a?b=\"c",
            "https://example.org/a?",
            "https://example.org/a#b?%28",
            "/only/a/path",
            "",
        ] {
            assert_eq!(forms(uri), [""; 0], "{uri}");
        }
    }

    /// The first form is the output of `url.Parse(uri).String()` in Go 1.26, unless that is the URI itself.
    #[test]
    fn the_other_forms_are_those_that_go_writes() {
        for (uri, expected) in [
            (
                "https://h/p@refs/heads/main#",
                &["https://h/p@refs/heads/main"][..],
            ),
            ("HTTPS://h/p", &["https://h/p"]),
            ("https://h/f%6frge/\"x", &["https://h/forge/%22x"]),
            ("https://h/f%6frge/x", &["https://h/forge/x"]),
            ("https://h/a b", &["https://h/a%20b"]),
            ("https://h/%2f\"", &["https://h//%22"]),
            ("https://h/(%28\"", &["https://h/%28%28%22"]),
            ("https://h/a##", &["https://h/a#%23"]),
            ("https://h/a#b\"%6f", &["https://h/a#b%22o"]),
            ("https://h#", &["https://h"]),
            ("https:h/%41#", &["https:h/%41", "https:h/A"]),
            ("/a\"#", &["/a%22"]),
            // What Go does not parse.
            ("https://h/%4\"", &[]),
            ("https://h/%zz\"", &[]),
            ("https://h/\u{7f}#", &[]),
            ("https://h/\u{e9}#", &[]),
        ] {
            assert_eq!(forms(uri), expected, "{uri}");
        }
    }
}
