//! Certificates and keys as entries write them down.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::{EntryError, Text};
use crate::identity::{self, Certificate, Key, KeyFormat, Signer};

/// Strict standard base64 with padding: what canonical entries hold. Anything else is unreadable, and searched.
pub(super) fn base64(text: &str, field: &'static str) -> Result<Vec<u8>, EntryError> {
    STANDARD
        .decode(text)
        .map_err(|_| EntryError::Base64 { field })
}

/// A signature. That there is none is a shape that some kinds have, not an error.
pub(super) fn signature(
    text: Option<&Text<'_>>,
    field: &'static str,
) -> Result<Vec<u8>, EntryError> {
    let text = text.ok_or(EntryError::Missing { field })?;
    base64(&text.0, field)
}

/// Reads base64 of whose key it was in the given format: one signer, or the several of a block of keys; and what in it
/// is no key.
pub(super) fn signers(
    text: &str,
    format: KeyFormat,
    field: &'static str,
) -> Vec<Result<Signer, EntryError>> {
    let bytes = match base64(text, field) {
        Ok(bytes) => bytes,
        Err(error) => return vec![Err(error)],
    };
    let unreadable = |source| EntryError::Key { field, source };
    match format {
        KeyFormat::Pkix => match x509(bytes, field) {
            Ok(signers) => signers,
            Err(error) => vec![Err(error)],
        },
        KeyFormat::Pgp => pgp(&bytes, field),
        KeyFormat::Ssh => match Key::from_ssh(&bytes) {
            Ok(keys) => keys.into_iter().map(|key| Ok(Signer::Key(key))).collect(),
            Err(source) => vec![Err(unreadable(source))],
        },
        KeyFormat::Minisign | KeyFormat::Tuf => {
            let key = Key::other(format, bytes).map(Signer::Key);
            vec![key.map_err(unreadable)]
        }
    }
}

fn pgp(block: &[u8], field: &'static str) -> Vec<Result<Signer, EntryError>> {
    let (keys, problem) = Key::found_in_pgp(block);
    let keys = keys.into_iter().map(|key| Ok(Signer::Key(key)));
    let problem = problem.map(|source| Err(EntryError::Key { field, source }));
    keys.chain(problem).collect()
}

/// The first certificate or key of a PEM file (a chain has its leaf first), or DER without PEM around it.
fn x509(
    bytes: Vec<u8>,
    field: &'static str,
) -> Result<Vec<Result<Signer, EntryError>>, EntryError> {
    let certificate = |der| {
        Certificate::parse(der)
            .map(|certificate| vec![Ok(Signer::Certificate(Box::new(certificate)))])
            .map_err(|source| EntryError::Certificate { field, source })
    };
    let key = |read: Result<Key, _>| {
        read.map(|key| vec![Ok(Signer::Key(key))])
            .map_err(|source| EntryError::Key { field, source })
    };
    match pem(&bytes) {
        Some((b"CERTIFICATE", der)) => certificate(der),
        Some((b"PUBLIC KEY", der)) => key(Key::from_spki(der)),
        Some((b"RSA PUBLIC KEY", der)) => key(Key::from_pkcs1(&der)),
        None if find(&bytes, b"-----BEGIN PGP PUBLIC KEY BLOCK-----").is_some() => {
            Ok(pgp(&bytes, field))
        }
        None if bytes.first() == Some(&0x30) => match Key::from_spki(bytes.clone()) {
            Ok(spki) => key(Ok(spki)),
            Err(_) => certificate(bytes),
        },
        Some((b"PGP PUBLIC KEY BLOCK", _)) => Ok(pgp(&bytes, field)),
        Some(_) | None => Err(EntryError::NoKey { field }),
    }
}

/// Those who signed a PKCS#7 message, which is PEM or bare DER in base64; and what in it cannot be read.
pub(super) fn signers_of_message(
    text: &str,
    field: &'static str,
) -> Vec<Result<Signer, EntryError>> {
    let bytes = match base64(text, field) {
        Ok(bytes) => bytes,
        Err(error) => return vec![Err(error)],
    };
    let message = match pem(&bytes) {
        Some((b"PKCS7" | b"CMS", message)) => message,
        _ => bytes,
    };
    let (certificates, problem) = identity::found_in_pkcs7(&message);
    let signer = |der| {
        Certificate::parse(der)
            .map(|certificate| Signer::Certificate(Box::new(certificate)))
            .map_err(|source| EntryError::Certificate { field, source })
    };
    let problem = problem.map(|source| Err(EntryError::Message { field, source }));
    certificates
        .into_iter()
        .map(signer)
        .chain(problem)
        .collect()
}

/// Base64 as PEM files have it: with or without padding, whitespace removed by the caller.
pub(super) const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Label and content of the first PEM block (RFC 7468), which may have text before it and headers in it.
fn pem(text: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const DASHES: &[u8] = b"-----";
    let rest = text.get(find(text, BEGIN)? + BEGIN.len()..)?;
    let label_end = find(rest, DASHES)?;
    let (label, rest) = rest.split_at_checked(label_end)?;
    let rest = rest.get(DASHES.len()..)?;
    let body = rest.get(..find(rest, b"-----END ")?)?;
    let mut base64 = Vec::with_capacity(body.len());
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', body).chain([body.len()]) {
        let line = body.get(start..end)?.trim_ascii();
        start = end + 1;
        // Headers (RFC 1421) have a colon, which no base64 has.
        if !(base64.is_empty() && line.contains(&b':')) {
            base64.extend_from_slice(line);
        }
    }
    Some((label, LENIENT.decode(base64).ok()?))
}

/// A catch-up does this three times for each entry of Rekor v1: byte by byte it would cost more than reading its JSON.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pem_block_is_read_around_text_and_headers() {
        for (text, expected) in [
            ("-----BEGIN A-----\nAAEC\n-----END A-----\n", Some("A")),
            (
                "text\n-----BEGIN A B-----\r\nAA\r\nEC\r\n-----END A B-----",
                Some("A B"),
            ),
            (
                "-----BEGIN A-----\nX: y\n\nAAEC\n-----END A-----",
                Some("A"),
            ),
            ("-----BEGIN A-----AAEC-----END A-----", Some("A")),
            ("-----BEGIN A-----\nAAEC\n", None),
            ("-----BEGIN A-----\nA!EC\n-----END A-----", None),
            ("-----BEGIN ", None),
            ("-----BEGIN A-----\nX: y\nAAEC\n-----END A-----", Some("A")),
        ] {
            let expected = expected.map(|label| (label.as_bytes(), vec![0, 1, 2]));
            assert_eq!(pem(text.as_bytes()), expected, "{text}");
        }
    }
}
