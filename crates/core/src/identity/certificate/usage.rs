//! What a certificate may be used for, as `x509-parser` reads it: for extensions that are not strict DER.

use x509_parser::asn1_rs::FromDer as _;
use x509_parser::extensions::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

pub(super) fn allows_certificate_signing(value: &[u8]) -> bool {
    KeyUsage::from_der(value).is_ok_and(|(_, usage)| usage.key_cert_sign())
}

pub(super) fn is_authority(value: &[u8]) -> bool {
    BasicConstraints::from_der(value).is_ok_and(|(_, constraints)| constraints.ca)
}

pub(super) fn allows_code_signing(value: &[u8]) -> bool {
    ExtendedKeyUsage::from_der(value).is_ok_and(|(_, usage)| usage.code_signing || usage.any)
}
