//! The keys and anchors of a trusted root, parsed once and not for each bundle.

use std::fmt;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, Der, TrustAnchor};
use sigstore_verify::crypto::{SigningScheme, VerificationKey};
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::TimeRange;
use webpki::anchor_from_trusted_cert;

/// What a trusted root holds, besides timestamp authorities.
pub(super) struct Known {
    anchors: Vec<Anchor>,
    /// At the place of each log in the root; `None` for a key that is not supported.
    logs: Vec<Option<VerificationKey>>,
    ct_logs: Vec<CtLog>,
}

/// A certificate of a certificate authority: each one of its chain is trusted.
struct Anchor {
    certificate: TrustAnchor<'static>,
    /// When the root trusts the authority.
    window: Option<TimeRange>,
    /// The seconds of Unix time at which all certificates of the authority are valid; `None` if one cannot be read.
    period: Option<RangeInclusive<i64>>,
}

/// A certificate transparency log that signs as RFC 6962 §2.1.4 requires, with P-256 and SHA-256.
pub(super) struct CtLog {
    pub(super) id: [u8; 32],
    pub(super) key: VerificationKey,
    window: Option<TimeRange>,
}

impl Known {
    /// `periods` are those of the certificate authorities, in the order of the root.
    pub(super) fn of(root: &TrustedRoot, periods: &[Option<RangeInclusive<i64>>]) -> Self {
        let mut anchors = Vec::new();
        for (authority, period) in root.certificate_authorities.iter().zip(periods) {
            for certificate in &authority.cert_chain.certificates {
                let der = CertificateDer::from(certificate.raw_bytes.as_bytes());
                if let Ok(anchor) = anchor_from_trusted_cert(&der) {
                    anchors.push(Anchor {
                        certificate: anchor.to_owned(),
                        window: authority.valid_for,
                        period: period.clone(),
                    });
                }
            }
        }
        let logs = root.tlogs.iter();
        let ct_logs = root.ctlogs.iter().filter_map(|log| {
            Some(CtLog {
                id: log.log_id.key_id.as_bytes().try_into().ok()?,
                key: VerificationKey::from_spki(&log.public_key.raw_bytes)
                    .ok()
                    .filter(|key| key.scheme() == SigningScheme::EcdsaP256Sha256)?,
                window: log.public_key.valid_for,
            })
        });
        Self {
            anchors,
            logs: logs
                .map(|log| VerificationKey::from_spki(&log.public_key.raw_bytes).ok())
                .collect(),
            ct_logs: ct_logs.collect(),
        }
    }

    /// The anchors of the authorities that are trusted, and all of whose certificates are valid, at each of these seconds of
    /// Unix time.
    pub(super) fn anchors_at(&self, times: &[(i64, Timestamp)]) -> Vec<TrustAnchor<'_>> {
        let holds = |anchor: &&Anchor| {
            times.iter().all(|(seconds, at)| {
                anchor.window.is_none_or(|window| window.contains(*at))
                    && anchor
                        .period
                        .as_ref()
                        .is_some_and(|period| period.contains(seconds))
            })
        };
        let held = self.anchors.iter().filter(holds);
        held.map(|Anchor { certificate, .. }| TrustAnchor {
            subject: Der::from_slice(&certificate.subject),
            subject_public_key_info: Der::from_slice(&certificate.subject_public_key_info),
            name_constraints: certificate
                .name_constraints
                .as_ref()
                .map(|der| Der::from_slice(der)),
        })
        .collect()
    }

    /// The key of the log at this place in the root.
    pub(super) fn log(&self, place: usize) -> Option<&VerificationKey> {
        self.logs.get(place)?.as_ref()
    }

    /// The certificate transparency log with this id, if it is trusted at that moment.
    pub(super) fn ct_log(&self, id: [u8; 32], at: Timestamp) -> Option<&CtLog> {
        let mut found = self.ct_logs.iter().filter(|log| log.id == id);
        found
            .next()
            .filter(|log| log.window.is_none_or(|window| window.contains(at)))
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Known").finish_non_exhaustive()
    }
}
