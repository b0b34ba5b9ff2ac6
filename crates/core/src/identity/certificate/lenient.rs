//! The second parser, for certificates that are not strict DER: the crate `x509-parser`.
//!
//! It accepts lengths that are longer than necessary, ignores bytes at the end of most structures, and supports more
//! forms of time. It returns slices of the input; their positions, and the length of an element by its own header, are
//! computed here.

use std::ops::Range;

use jiff::Timestamp;
use x509_parser::asn1_rs::{Any, FromDer as _};
use x509_parser::certificate::X509CertificateParser;
use x509_parser::nom::Parser as _;
use x509_parser::time::ASN1Time;

use super::claims::{Claims, Parsed};
use super::frame::Frame;
use crate::identity::der::DerError;
use crate::identity::{Anomaly, San, der, general_name};

/// Reads a certificate of at most [`super::MAX_CERTIFICATE_BYTES`]; `None` if this reader cannot either.
pub(super) fn read(input: &[u8]) -> Option<Parsed> {
    // It does not check the class and the form of the outermost tag, and no other parser accepts another one.
    if input.first() != Some(&der::SEQUENCE) {
        return None;
    }
    // It does not decode extensions: an irrelevant one must not make the certificate unreadable.
    let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
    let (_, read) = parser.parse(input).ok()?;
    let tbs = element(input, place(input, read.tbs_certificate.as_ref())?.start)?;
    // Its slices end where it stopped, which is before the end if bytes remain.
    let whole = |part: &[u8]| element(input, place(input, part)?.start);
    let frame = Frame {
        serial: place(input, read.raw_serial())?,
        issuer_name: whole(read.issuer().as_raw())?,
        subject_name: whole(read.subject().as_raw())?,
        spki: whole(read.public_key().raw)?,
        signature_algorithm: element(input, tbs.end)?,
        signature: place(input, &read.signature_value.data)?,
        signature_unused_bits: read.signature_value.unused_bits,
        tbs,
        not_before: moment(read.validity().not_before)?,
        not_after: moment(read.validity().not_after)?,
    };
    let mut claims = Claims::default();
    for extension in read.extensions() {
        let oid = extension.oid.as_bytes();
        claims.extension(oid, extension.value, names).ok()?;
    }
    claims.look_over(&frame);
    Some(Parsed { frame, claims })
}

/// Where a slice of the input is in it.
fn place(input: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(input.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= input.len()).then_some(start..end)
}

/// The whole element that begins there.
fn element(input: &[u8], start: usize) -> Option<Range<usize>> {
    let (rest, _) = Any::from_der(input.get(start..)?).ok()?;
    Some(start..input.len() - rest.len())
}

fn moment(time: ASN1Time) -> Option<Timestamp> {
    Timestamp::from_second(time.timestamp()).ok()
}

/// Parses a list of names, strictly if that is possible.
fn names(value: &[u8], sans: &mut Vec<San>, anomalies: &mut Vec<Anomaly>) -> Result<(), DerError> {
    let before = (sans.len(), anomalies.len());
    let Err(error) = general_name::parse(value, sans, anomalies) else {
        return Ok(());
    };
    sans.truncate(before.0);
    anomalies.truncate(before.1);
    let (_, list) = Any::from_der(value).map_err(|_| error)?;
    let mut rest = list.data;
    while !rest.is_empty() {
        let (after, name) = Any::from_der(rest).map_err(|_| error)?;
        let split = |content| split_other_name(content).ok_or(error);
        general_name::add(identifier(&name), name.data, split, sans, anomalies)?;
        rest = after;
    }
    Ok(())
}

/// The identifier octet, as in DER; that of a tag of several octets is the first.
fn identifier(element: &Any<'_>) -> u8 {
    let tag = u8::try_from(element.tag().0).unwrap_or(0x1f).min(0x1f);
    (element.class() as u8) << 6 | u8::from(element.header.is_constructed()) << 5 | tag
}

fn split_other_name(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, oid) = Any::from_der(content).ok()?;
    let (_, value) = Any::from_der(rest).ok()?;
    Some((oid.data, value.data))
}
