//! The signed part of a certificate as a certificate transparency log contains it (RFC 6962 §3.1, §3.2).

use super::der::{self, DerError, Reader};

/// 1.3.6.1.4.1.11129.2.4.2 (RFC 6962 §3.3).
pub(super) const SCT_LIST: &[u8] = b"\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02";
/// 1.3.6.1.4.1.11129.2.4.3 (RFC 6962 §3.1).
pub(super) const PRECERTIFICATE_POISON: &[u8] = b"\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x03";

/// The signed part of a certificate as a log contains it: without SCTs and without poison. And the value of the
/// extension with the SCTs, if there is one.
pub(super) struct Logged<'a> {
    pub(super) tbs: Vec<u8>,
    pub(super) list: Option<&'a [u8]>,
}

impl<'a> Logged<'a> {
    /// Parses a strict TBSCertificate.
    pub(super) fn of(tbs: &'a [u8]) -> Result<Self, DerError> {
        let mut fields = Reader::new(der::only(tbs, der::SEQUENCE)?);
        let (mut before, mut list) = (Vec::new(), None);
        while !fields.is_empty() {
            let field = fields.element()?;
            if field.tag != der::constructed(3) {
                before.extend_from_slice(fields.bytes(&field.whole));
                continue;
            }
            let explicit = fields.bytes(&field.content);
            let mut extensions = Reader::new(der::only(explicit, der::SEQUENCE)?);
            let mut kept = Vec::new();
            while !extensions.is_empty() {
                let extension = extensions.expect(der::SEQUENCE)?;
                let mut parts = extensions.inside(&extension.content);
                let oid = parts.expect(der::OID)?;
                match parts.bytes(&oid.content) {
                    PRECERTIFICATE_POISON => {}
                    SCT_LIST => {
                        parts.optional(der::BOOLEAN)?;
                        let value = parts.expect(der::OCTET_STRING)?;
                        list = Some(parts.bytes(&value.content));
                    }
                    _ => kept.extend_from_slice(extensions.bytes(&extension.whole)),
                }
            }
            if !kept.is_empty() {
                let kept = der::encode(der::SEQUENCE, &kept);
                before.extend(der::encode(der::constructed(3), &kept));
            }
        }
        Ok(Self {
            tbs: der::encode(der::SEQUENCE, &before),
            list,
        })
    }
}
