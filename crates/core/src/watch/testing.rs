//! Watches and signers for the tests of this module.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::LazyLock;

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, CustomExtension, KeyPair, SanType};

use super::{Conditions, Glob, SanRegex, Watch};
use crate::identity::{Certificate, Extension, Signer};

/// Conditions, written down in a line.
#[derive(Default)]
pub(super) struct Builder(Conditions);

pub(super) fn conditions() -> Builder {
    Builder::default()
}

impl Builder {
    pub(super) fn san(mut self, san: &str) -> Self {
        self.0.san.push(san.to_owned());
        self
    }

    pub(super) fn glob(mut self, glob: &str) -> Self {
        self.0.san_glob.push(Glob::new(glob));
        self
    }

    pub(super) fn regex(mut self, regex: &str) -> Self {
        self.0.san_regex.push(SanRegex::new(regex).unwrap());
        self
    }

    pub(super) fn issuer(mut self, issuer: &str) -> Self {
        self.0.issuer.push(issuer.to_owned());
        self
    }

    pub(super) fn extension(mut self, extension: Extension, value: &str) -> Self {
        let values = self.0.extension.entry(extension).or_default();
        values.push(value.to_owned());
        self
    }

    pub(super) fn extension_glob(mut self, extension: Extension, glob: &str) -> Self {
        let globs = self.0.extension_glob.entry(extension).or_default();
        globs.push(Glob::new(glob));
        self
    }

    pub(super) fn key(mut self, digest: [u8; 32]) -> Self {
        self.0.key_sha256.push(digest);
        self
    }

    pub(super) fn certificate(mut self, digest: [u8; 32]) -> Self {
        self.0.certificate_sha256.push(digest);
        self
    }

    pub(super) fn build(self) -> Conditions {
        self.0
    }
}

pub(super) fn watch(name: &str, conditions: Builder) -> Watch {
    Watch::new(name, conditions.build())
}

static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate().unwrap());

/// A certificate as Fulcio issues them: SANs with `@` and no scheme are mail addresses, others URIs.
pub(super) fn certificate(sans: &[&str], extensions: &[(u64, &str)]) -> Certificate {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for san in sans {
        let text = Ia5String::try_from(*san).unwrap();
        params.subject_alt_names.push(if san.contains("://") {
            SanType::URI(text)
        } else {
            SanType::Rfc822Name(text)
        });
    }
    for (number, value) in extensions {
        // Up to .6 the value is the text itself, from .8 on a DER UTF8String.
        let mut content = Vec::new();
        if *number >= 8 {
            content.extend([0x0c, u8::try_from(value.len()).unwrap()]);
        }
        content.extend(value.as_bytes());
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(
                &[1, 3, 6, 1, 4, 1, 57264, 1, *number],
                content,
            ));
    }
    let der = params.self_signed(&*KEY).unwrap().der().to_vec();
    Certificate::parse(der).unwrap()
}

pub(super) fn signer(sans: &[&str], extensions: &[(u64, &str)]) -> Signer {
    Signer::Certificate(Box::new(certificate(sans, extensions)))
}

pub(super) const GITHUB: &str = "https://token.actions.githubusercontent.com";
