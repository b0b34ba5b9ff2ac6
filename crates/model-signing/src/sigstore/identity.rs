//! Whom a certificate of Sigstore names: its alternative names, its issuer, and Fulcio's other extensions.

use x509_parser::asn1_rs::Oid;
use x509_parser::prelude::{GeneralName, ParsedExtension, X509Certificate};

use crate::certificate;
use crate::keyless_error::{Check, KeylessError};
use crate::timestamp::der::{self, context};

/// 1.3.6.1.4.1.57264.1, the arc of Fulcio's extensions.
const FULCIO: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1];
/// Its encoding: the bytes of an object identifier below it begin so.
const FULCIO_BYTES: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01];
/// The last arc of the otherName that holds a user name.
const USER_NAME: u64 = 7;
const UTF8_STRING: u8 = 0x0c;
/// The issuer as raw text, deprecated.
const ISSUER_RAW: u64 = 1;
/// The issuer as UTF8String.
const ISSUER: u64 = 8;
/// The extensions before it hold raw text (Fulcio, `docs/oid-info.md`).
const FIRST_IN_DER: u64 = 7;

/// Whom a certificate names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// Every alternative name of the certificate; Fulcio gives one.
    pub names: Vec<Name>,
    /// The identity provider.
    pub issuer: String,
    /// Fulcio's extensions: the last arc of the object identifier, and the text; `None` where it is no text.
    extensions: Vec<(u64, Option<String>)>,
}

/// An alternative name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Name {
    /// What kind of name.
    pub kind: NameKind,
    /// The name as it is.
    pub text: String,
}

/// A kind of alternative name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameKind {
    /// rfc822Name.
    Email,
    /// uniformResourceIdentifier.
    Uri,
    /// Fulcio's otherName: a user name.
    UserName,
    /// A kind that Fulcio does not issue.
    Other,
}

impl NameKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Uri => "uri",
            Self::UserName => "othername",
            Self::Other => "other",
        }
    }
}

impl Identity {
    /// Reads a certificate in DER.
    pub(super) fn read(der: &[u8]) -> Result<Self, KeylessError> {
        match certificate::read(der) {
            Ok(certificate) => Self::of(&certificate),
            Err(_) => Err(KeylessError::new(
                Check::Identity,
                "the certificate is not an X.509 certificate in DER",
            )),
        }
    }

    /// Whom this certificate names.
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Result<Self, KeylessError> {
        let bad = |reason: &str| KeylessError::new(Check::Identity, reason);
        let mut identity = Self {
            names: Vec::new(),
            issuer: String::new(),
            extensions: Vec::new(),
        };
        // Two readers could each take another one of them.
        if certificate.extensions_map().is_err() {
            return Err(bad("the certificate has an extension twice"));
        }
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) => {
                    identity.names = names.general_names.iter().map(name).collect();
                }
                ParsedExtension::ParseError { .. } => {
                    return Err(bad("an extension of the certificate is malformed"));
                }
                _ => {}
            }
            if let Some(number) = below_fulcio(&extension.oid) {
                let text = if number < FIRST_IN_DER {
                    std::str::from_utf8(extension.value).ok()
                } else {
                    utf8_string(extension.value)
                };
                identity.extensions.push((number, text.map(str::to_owned)));
            }
        }
        if identity.names.is_empty() {
            return Err(bad("the certificate has no subject alternative name"));
        }
        identity.issuer = identity.read_issuer()?;
        Ok(identity)
    }

    /// The text of Fulcio's extension with that last arc (`1.3.6.1.4.1.57264.1.N`); the issuer's is 8.
    pub fn extension(&self, number: u64) -> Option<&str> {
        if number == ISSUER {
            return Some(&self.issuer);
        }
        let mut found = self.extensions.iter().filter(|(known, _)| *known == number);
        found.next().and_then(|(_, text)| text.as_deref())
    }

    /// Both encodings of the issuer are equal where both are there: a reader of one of them must not see another issuer
    /// than a reader of the other.
    fn read_issuer(&self) -> Result<String, KeylessError> {
        let bad = |reason: String| KeylessError::new(Check::Issuer, reason);
        let found = |wanted: u64| {
            let mut found = self
                .extensions
                .iter()
                .filter(|(number, _)| *number == wanted);
            match found.next() {
                None => Ok(None),
                Some((_, Some(text))) => Ok(Some(text.clone())),
                Some((_, None)) => Err(bad(format!(
                    "the certificate's extension 1.3.6.1.4.1.57264.1.{wanted} is malformed"
                ))),
            }
        };
        match (found(ISSUER)?, found(ISSUER_RAW)?) {
            (Some(new), Some(old)) if new != old => Err(bad(format!(
                "the certificate names two identity providers: {new:?} and {old:?}"
            ))),
            (Some(issuer), _) | (None, Some(issuer)) if !issuer.is_empty() => Ok(issuer),
            _ => Err(bad("the certificate names no identity provider".to_owned())),
        }
    }
}

/// The last arc of an object identifier that is one below [`FULCIO`].
fn below_fulcio(oid: &Oid<'_>) -> Option<u64> {
    match oid.as_bytes().strip_prefix(FULCIO_BYTES)? {
        [number @ 0..=0x7f] => Some(u64::from(*number)),
        _ => match oid.iter()?.collect::<Vec<u64>>().as_slice() {
            [before @ .., number] if before == FULCIO => Some(*number),
            _ => None,
        },
    }
}

fn name(name: &GeneralName<'_>) -> Name {
    let (kind, text) = match name {
        GeneralName::RFC822Name(text) => (NameKind::Email, (*text).to_owned()),
        GeneralName::URI(text) => (NameKind::Uri, (*text).to_owned()),
        GeneralName::OtherName(oid, value) => {
            let is_user_name = below_fulcio(oid) == Some(USER_NAME);
            match user_name(value) {
                Some(text) if is_user_name => (NameKind::UserName, text.to_owned()),
                _ => (NameKind::Other, name.to_string()),
            }
        }
        other => (NameKind::Other, other.to_string()),
    };
    Name { kind, text }
}

/// The UTF8String in the explicit tag of an otherName's value.
fn user_name(value: &[u8]) -> Option<&str> {
    let explicit = der::only(value, context(0), "the value of an otherName").ok()?;
    utf8_string(explicit.content)
}

fn utf8_string(value: &[u8]) -> Option<&str> {
    let text = der::only(value, UTF8_STRING, "a UTF8String").ok()?;
    std::str::from_utf8(text.content).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    fn the_extensions_of_fulcio_are_those_one_arc_below_its_own() {
        let number = |arcs: &[u64]| below_fulcio(&Oid::from(arcs).unwrap());
        for last in [0, 1, 8, 127, 128, 300, 1 << 40] {
            assert_eq!(number(&[FULCIO, &[last]].concat()), Some(last));
        }
        assert_eq!(number(FULCIO), None);
        assert_eq!(number(&[FULCIO, &[8, 1]].concat()), None);
        assert_eq!(number(&[1, 3, 6, 1, 4, 1, 57264, 2, 8]), None);
        assert_eq!(number(&[1, 3, 6, 1, 4, 1, 57263, 1, 8]), None);
        // One byte of two: 1.3.6.1.4.1.57264.128 begins otherwise.
        assert_eq!(number(&[1, 3, 6, 1, 4, 1, 57264, 129, 8]), None);
    }
}
