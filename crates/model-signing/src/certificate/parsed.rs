//! A certificate with the extensions that decide whether it may lead to another.

use std::collections::HashSet;

use x509_parser::extensions::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, GeneralName, KeyUsage,
    ParsedExtension,
};
use x509_parser::prelude::X509Certificate;

use super::error::ChainError;
use super::limits::Limits;
use super::x509::{malformed, read};
use super::{name, scheme};

/// Extensions that OpenSSL takes for understood when they are critical.
const UNDERSTOOD: &[&str] = &[
    "2.16.840.1.113730.1.1", // netscape certificate type
    "2.5.29.15",             // key usage
    "2.5.29.17",             // subject alternative name
    "2.5.29.19",             // basic constraints
    "2.5.29.30",             // name constraints
    "2.5.29.31",             // CRL distribution points
    "2.5.29.32",             // certificate policies
    "2.5.29.33",             // policy mappings
    "2.5.29.36",             // policy constraints
    "2.5.29.37",             // extended key usage
    "2.5.29.54",             // inhibit any policy
    "1.3.6.1.5.5.7.48.1.5",  // OCSP no check
];

pub(super) struct Certificate<'a> {
    pub(super) der: &'a [u8],
    pub(super) x509: X509Certificate<'a>,
    pub(super) key_usage: Option<KeyUsage>,
    pub(super) extended_key_usage: Option<ExtendedKeyUsage<'a>>,
    pub(super) basic_constraints: Option<BasicConstraints>,
    /// The names that it may certify, if they are limited.
    pub(super) limits: Option<Limits<'a>>,
    pub(super) alternative_names: Vec<GeneralName<'a>>,
    /// The first critical extension that is not understood here.
    pub(super) not_understood: Option<String>,
    key_id: Option<&'a [u8]>,
    authority: Option<AuthorityKeyIdentifier<'a>>,
}

impl<'a> Certificate<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, ChainError> {
        let x509 = read(der)?;
        let mut certificate = Self {
            der,
            key_usage: None,
            extended_key_usage: None,
            basic_constraints: None,
            limits: None,
            alternative_names: Vec::new(),
            not_understood: None,
            key_id: None,
            authority: None,
            x509: x509.clone(),
        };
        let mut seen = HashSet::new();
        for extension in x509.extensions() {
            // Two readers could each take another one of them.
            if !seen.insert(extension.oid.clone()) {
                return Err(malformed(der, "an extension is there twice"));
            }
            let oid = extension.oid.to_id_string();
            if extension.critical && !UNDERSTOOD.contains(&oid.as_str()) {
                certificate.not_understood.get_or_insert(oid);
            }
            match extension.parsed_extension() {
                ParsedExtension::KeyUsage(usage) => certificate.key_usage = Some(*usage),
                ParsedExtension::ExtendedKeyUsage(usage) => {
                    certificate.extended_key_usage = Some(usage.clone());
                }
                ParsedExtension::BasicConstraints(constraints) => {
                    certificate.basic_constraints = Some(constraints.clone());
                }
                ParsedExtension::NameConstraints(constraints) => {
                    certificate.limits = Some(Limits::new(constraints.clone(), extension.value));
                }
                ParsedExtension::SubjectAlternativeName(names) => {
                    certificate
                        .alternative_names
                        .clone_from(&names.general_names);
                }
                ParsedExtension::SubjectKeyIdentifier(id) => certificate.key_id = Some(id.0),
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    certificate.authority = Some(id.clone());
                }
                ParsedExtension::ParseError { .. } => {
                    return Err(malformed(der, "an extension is malformed"));
                }
                _ => {}
            }
        }
        Ok(certificate)
    }

    pub(super) fn shown(&self) -> String {
        name::shown(self.x509.subject())
    }

    pub(super) fn shown_issuer(&self) -> String {
        name::shown(self.x509.issuer())
    }

    pub(super) fn not_before(&self) -> i64 {
        self.x509.validity().not_before.timestamp()
    }

    pub(super) fn is_valid_at(&self, time: i64) -> bool {
        let validity = self.x509.validity();
        (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&time)
    }

    /// Subject and issuer have one name.
    pub(super) fn is_self_issued(&self) -> bool {
        name::same(self.x509.subject(), self.x509.issuer())
    }

    /// It may have issued itself, by all that can be seen without verifying a signature.
    pub(super) fn is_self_signed(&self) -> bool {
        self.is_likely_issued_by(self)
    }

    /// What can be seen without verifying a signature: the names, the key identifiers, the kind of key.
    pub(super) fn is_likely_issued_by(&self, issuer: &Certificate<'_>) -> bool {
        if !name::same(self.x509.issuer(), issuer.x509.subject()) {
            return false;
        }
        if let Some(authority) = &self.authority {
            let other_key = match (&authority.key_identifier, issuer.key_id) {
                (Some(wanted), Some(has)) => wanted.0 != has,
                _ => false,
            };
            let serial = issuer.x509.tbs_certificate.raw_serial();
            let other_serial = authority
                .authority_cert_serial
                .is_some_and(|wanted| wanted != serial);
            let names = authority.authority_cert_issuer.iter().flatten();
            let mut directory_names = names.filter_map(|name| match name {
                GeneralName::DirectoryName(name) => Some(name),
                _ => None,
            });
            let other_name = directory_names
                .next()
                .is_some_and(|name| !name::same(name, issuer.x509.issuer()));
            if other_key || other_serial || other_name {
                return false;
            }
        }
        scheme::fits_key(&self.x509, issuer.x509.public_key())
    }

    /// Its key usage, if it has one, allows it to sign certificates.
    pub(super) fn may_sign_certificates(&self) -> bool {
        self.key_usage.as_ref().is_none_or(KeyUsage::key_cert_sign)
    }
}
