//! Certificates and keys as entries write them down.

use base64::Engine as _;

use super::error::EntryError;
use super::object::Text;
use super::pem::{self, Block, Blocks};
use super::reading::Reading;
use crate::codec::{LENIENT, STANDARD};
use crate::identity::{self, Certificate, Key, KeyFormat, Signer};

/// Strict standard base64 with padding: what canonical entries hold. Anything else is unreadable, and searched.
pub(super) fn base64(text: &str, field: &'static str) -> Result<Vec<u8>, EntryError> {
    STANDARD
        .decode(text)
        .map_err(|_| EntryError::Base64 { field })
}

/// Decodes the base64 of a signature in every form that a log accepts: with line ends, with trailing bits, in the
/// URL-safe alphabet. Anyone can write a copied signature in another form, and it stays the same signature: its form is
/// no evidence about the signer.
fn lenient_base64(text: &[u8], field: &'static str) -> Result<Vec<u8>, EntryError> {
    // As servers write it: nearly every signature, and no copy of its text is needed.
    if let Ok(signature) = LENIENT.decode(text) {
        return Ok(signature);
    }
    let text: Vec<u8> = text
        .iter()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    LENIENT
        .decode(text)
        .map_err(|_| EntryError::Base64 { field })
}

/// A signature. That there is none is a shape that some kinds have, not an error.
pub(super) fn signature(
    text: Option<&Text<'_>>,
    field: &'static str,
) -> Result<Vec<u8>, EntryError> {
    let text = text.ok_or(EntryError::Missing { field })?;
    lenient_base64(text.0.as_bytes(), field)
}

/// A signature of an envelope whose base64 Rekor treated as bytes and encoded again.
pub(super) fn twice_encoded_signature(
    text: Option<&Text<'_>>,
    field: &'static str,
) -> Result<Vec<u8>, EntryError> {
    lenient_base64(&signature(text, field)?, field)
}

/// Reads base64 of a key or certificate in the given format: one signer, or the several of a block of keys, and the
/// errors. Other content of the field is recorded in `reading`.
pub(super) fn signers(
    text: &str,
    format: KeyFormat,
    field: &'static str,
    reading: &mut Reading,
) -> Vec<Result<Signer, EntryError>> {
    let bytes = match base64(text, field) {
        Ok(bytes) => bytes,
        Err(error) => return vec![Err(error)],
    };
    let unreadable = |source| EntryError::Key { field, source };
    match format {
        KeyFormat::Pkix => x509(&bytes, field, reading),
        KeyFormat::Pgp => pgp(&bytes, field),
        KeyFormat::Ssh => match Key::from_ssh(&bytes) {
            Ok(keys) => {
                reading.has_more |= keys.len() > 1 || has_lines(&bytes);
                keys.into_iter().map(|key| Ok(Signer::Key(key))).collect()
            }
            Err(source) => vec![Err(unreadable(source))],
        },
        KeyFormat::Minisign => {
            reading.has_more |= bytes.len() != 32 && has_lines(&bytes);
            let key = Key::from_minisign(&bytes).map(Signer::Key);
            vec![key.map_err(unreadable)]
        }
        KeyFormat::Tuf => {
            let key = Key::other(format, bytes).map(Signer::Key);
            vec![key.map_err(unreadable)]
        }
    }
}

/// Whether a text is not one line: readers differ in which of them they read.
fn has_lines(text: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', text.trim_ascii()).is_some()
}

fn pgp(block: &[u8], field: &'static str) -> Vec<Result<Signer, EntryError>> {
    let (keys, problem) = Key::found_in_pgp(block);
    let keys = keys.into_iter().map(|key| Ok(Signer::Key(key)));
    let problem = problem.map(|source| Err(EntryError::Key { field, source }));
    keys.chain(problem).collect()
}

/// The signer in a PEM field: its only block, or the leaf of a chain of certificates, which comes first.
///
/// A signer is what all parsers read from the field. If it contains anything else, that is a problem in addition:
/// another parser could use that as the signer.
fn x509(
    bytes: &[u8],
    field: &'static str,
    reading: &mut Reading,
) -> Vec<Result<Signer, EntryError>> {
    const PGP: &[u8] = b"-----BEGIN PGP PUBLIC KEY BLOCK-----";
    let Blocks { list, is_all } = pem::read(bytes);
    let mut list = list.into_iter();
    let Some(Block { label, content }) = list.next() else {
        // OpenPGP's armour is no PEM: it has a checksum.
        let armours = memchr::memmem::find_iter(bytes, b"-----BEGIN ").count();
        let of_pgp = memchr::memmem::find_iter(bytes, PGP).count();
        return match of_pgp {
            1.. if of_pgp == armours => pgp(bytes, field),
            _ => vec![Err(EntryError::Pem { field })],
        };
    };
    let key = |read: Result<Key, _>| {
        read.map(Signer::Key)
            .map_err(|source| EntryError::Key { field, source })
    };
    let signer = match label {
        b"CERTIFICATE" => certificate(content, field),
        b"PUBLIC KEY" => key(Key::from_spki(content)),
        b"RSA PUBLIC KEY" => key(Key::from_pkcs1(&content)),
        b"PGP PUBLIC KEY BLOCK" => return pgp(bytes, field),
        _ => Err(EntryError::NoKey { field }),
    };
    if !is_all || !leads_to(&signer, list.as_slice()) {
        let _ = reading.part::<()>(Err(EntryError::Pem { field }));
    }
    vec![signer]
}

/// The signer with this certificate in DER.
pub(super) fn certificate(der: Vec<u8>, field: &'static str) -> Result<Signer, EntryError> {
    Certificate::parse(der)
        .map(|certificate| Signer::Certificate(Box::new(certificate)))
        .map_err(|source| EntryError::Certificate { field, source })
}

/// Whether the blocks are the certificates of the CAs above the signer, each the issuer of the one before: no parser
/// uses one of those as the signer.
fn leads_to(signer: &Result<Signer, EntryError>, blocks: &[Block<'_>]) -> bool {
    if blocks.is_empty() {
        return true;
    }
    let Ok(Signer::Certificate(leaf)) = signer else {
        return false;
    };
    let mut issuer_name = leaf.issuer_name_der().to_vec();
    blocks.iter().all(|block| {
        let Ok(above) = Certificate::parse_strict(block.content.clone()) else {
            return false;
        };
        let is_issuer = block.label == b"CERTIFICATE"
            && above.may_issue()
            && above.subject_name_der() == issuer_name;
        issuer_name = above.issuer_name_der().to_vec();
        is_issuer
    })
}

/// The signers of a PKCS#7 message, which is PEM or bare DER in base64, and the errors in it.
pub(super) fn signers_of_message(
    text: &str,
    field: &'static str,
    reading: &mut Reading,
) -> Vec<Result<Signer, EntryError>> {
    let bytes = match base64(text, field) {
        Ok(bytes) => bytes,
        Err(error) => return vec![Err(error)],
    };
    let blocks = pem::read(&bytes);
    let message = match blocks.list.first() {
        Some(Block {
            label: b"PKCS7" | b"CMS",
            content,
        }) => {
            if !blocks.is_all || blocks.list.len() > 1 {
                let _ = reading.part::<()>(Err(EntryError::Pem { field }));
            }
            content
        }
        _ => &bytes,
    };
    let (certificates, problem) = identity::found_in_pkcs7(message);
    let problem = problem.map(|source| Err(EntryError::Message { field, source }));
    certificates
        .into_iter()
        .map(|der| certificate(der, field))
        .chain(problem)
        .collect()
}
