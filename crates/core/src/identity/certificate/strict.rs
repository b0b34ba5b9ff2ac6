//! The first parser: strict DER, and the fields of RFC 5280 §4.1 with nothing between them or after them.

use super::claims::{Claims, Parsed};
use super::error::CertificateError;
use super::frame::Frame;
use crate::identity::der::{self, DerError, Reader};
use crate::identity::{general_name, time};

/// Names the part in which DER could not be read.
fn in_part(part: &'static str) -> impl FnOnce(DerError) -> CertificateError {
    move |source| CertificateError::Der { part, source }
}

/// RFC 5280 §4.1.
pub(super) fn read(input: &[u8]) -> Result<Parsed, CertificateError> {
    let mut outer = Reader::new(input);
    let certificate = outer
        .expect(der::SEQUENCE)
        .map_err(in_part("certificate"))?;
    outer.end().map_err(in_part("certificate"))?;
    let mut parts = outer.inside(&certificate.content);
    let tbs = parts
        .expect(der::SEQUENCE)
        .map_err(in_part("tbsCertificate"))?;
    let algorithm = parts
        .expect(der::SEQUENCE)
        .map_err(in_part("signatureAlgorithm"))?;
    let signature = parts.octets_of_bits().map_err(in_part("signature"))?;
    parts.end().map_err(in_part("certificate"))?;

    let mut fields = outer.inside(&tbs.content);
    fields
        .optional(der::constructed(0))
        .map_err(in_part("version"))?;
    let serial = fields
        .expect(der::INTEGER)
        .map_err(in_part("serialNumber"))?;
    fields
        .expect(der::SEQUENCE)
        .map_err(in_part("tbsCertificate.signature"))?;
    let issuer_name = fields.expect(der::SEQUENCE).map_err(in_part("issuer"))?;
    let validity = fields.expect(der::SEQUENCE).map_err(in_part("validity"))?;
    let mut times = outer.inside(&validity.content);
    let mut moment = |part| {
        let element = times.element().map_err(in_part(part))?;
        time::parse(&element, outer.bytes(&element.content)).ok_or(CertificateError::Time { part })
    };
    let (not_before, not_after) = (moment("notBefore")?, moment("notAfter")?);
    times.end().map_err(in_part("validity"))?;
    let subject_name = fields.expect(der::SEQUENCE).map_err(in_part("subject"))?;
    let spki = fields
        .expect(der::SEQUENCE)
        .map_err(in_part("subjectPublicKeyInfo"))?;
    for unique_id in [der::primitive(1), der::primitive(2)] {
        fields
            .optional(unique_id)
            .map_err(in_part("uniqueIdentifier"))?;
    }
    let extensions = fields
        .optional(der::constructed(3))
        .map_err(in_part("extensions"))?;
    fields.end().map_err(in_part("tbsCertificate"))?;
    let mut claims = Claims::default();
    if let Some(explicit) = extensions {
        read_extensions(outer.inside(&explicit.content), &mut claims)?;
    }
    let frame = Frame {
        tbs: tbs.whole,
        serial: serial.content,
        issuer_name: issuer_name.whole,
        subject_name: subject_name.whole,
        spki: spki.whole,
        signature_algorithm: algorithm.whole,
        signature,
        signature_unused_bits: 0,
        not_before,
        not_after,
    };
    claims.look_over(&frame);
    Ok(Parsed { frame, claims })
}

fn read_extensions(mut explicit: Reader<'_>, claims: &mut Claims) -> Result<(), CertificateError> {
    const PART: &str = "extensions";
    let list = explicit.expect(der::SEQUENCE).map_err(in_part(PART))?;
    explicit.end().map_err(in_part(PART))?;
    let mut list = explicit.inside(&list.content);
    while !list.is_empty() {
        let extension = list.expect(der::SEQUENCE).map_err(in_part(PART))?;
        let mut fields = list.inside(&extension.content);
        let oid = fields.expect(der::OID).map_err(in_part(PART))?;
        fields.optional(der::BOOLEAN).map_err(in_part(PART))?;
        let value = fields.expect(der::OCTET_STRING).map_err(in_part(PART))?;
        fields.end().map_err(in_part(PART))?;
        let (oid, value) = (fields.bytes(&oid.content), fields.bytes(&value.content));
        claims.extension(oid, value, general_name::parse)?;
    }
    Ok(())
}
