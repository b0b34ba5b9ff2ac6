//! What the present trusted root makes of a certificate that was found.

use jiff::Timestamp;

use super::view::View;
use crate::identity::{Certificate, CertificateError, Chain, SctState};

/// A certificate under the present trusted root.
#[derive(Debug)]
pub struct Certified {
    /// Its serial number, hex.
    pub serial: String,
    /// From when until when it is valid.
    pub valid: (Timestamp, Timestamp),
    /// Whether its signatures lead to a CA of the trusted root.
    pub chain: Chain,
    /// The CAs above it, the one that issued it first.
    pub path: Vec<Ca>,
    /// Its SCTs; `None` stands for one that cannot be read.
    pub scts: Vec<Option<Sct>>,
    /// What is unusual about it, in words; raw.
    pub anomalies: Vec<String>,
}

/// A certificate authority of the trusted root.
#[derive(Debug)]
pub struct Ca {
    /// SHA-256 of its certificate, hex.
    pub sha256: String,
    /// From when until when its certificate is valid.
    pub valid: (Timestamp, Timestamp),
}

/// What an SCT states.
#[derive(Debug)]
pub struct Sct {
    /// The id of the log, hex.
    pub log_id: String,
    /// The address of the log, if the trusted root has it; raw.
    pub url: Option<String>,
    /// When the log promised to include the certificate.
    pub at: Option<Timestamp>,
    /// Whether it counts.
    pub state: SctState,
}

impl View {
    /// The certificate under the present trusted root.
    ///
    /// # Errors
    ///
    /// It cannot be read at all.
    pub fn certified(&self, der: &[u8]) -> Result<Certified, CertificateError> {
        let certificate = Certificate::parse(der.to_vec())?;
        let mut certified = Certified {
            serial: hex::encode(certificate.serial()),
            valid: (certificate.not_before(), certificate.not_after()),
            chain: Chain::Unknown,
            path: Vec::new(),
            scts: Vec::new(),
            anomalies: Vec::new(),
        };
        let anomalies = match self.rules.trust() {
            None => certificate.anomalies().to_vec(),
            Some(trust) => {
                let root = trust.root();
                let authorities = root.authorities();
                let path = authorities.path(&certificate);
                certified.path = path.into_iter().map(Ca::of).collect();
                let scts = authorities.scts(&certificate).into_iter();
                let scts = scts.map(|sct| {
                    sct.map(|sct| Sct {
                        log_id: hex::encode(sct.log_id),
                        url: root.ct_url(&sct.log_id).map(ToOwned::to_owned),
                        at: sct.at,
                        state: sct.state,
                    })
                });
                certified.scts = scts.collect();
                let assessment = authorities.judge(&certificate);
                certified.chain = assessment.chain;
                assessment.anomalies
            }
        };
        certified.anomalies = anomalies.iter().map(ToString::to_string).collect();
        Ok(certified)
    }
}

impl Ca {
    fn of(certificate: &Certificate) -> Self {
        Self {
            sha256: certificate.sha256().map(hex::encode).unwrap_or_default(),
            valid: (certificate.not_before(), certificate.not_after()),
        }
    }
}

impl Sct {
    /// What its state means.
    pub fn meaning(&self) -> &'static str {
        match self.state {
            SctState::Verified => "its signature verifies with the key in the trusted root",
            SctState::Untimely => {
                "its signature verifies, but at that time the trusted root does not trust the log"
            }
            SctState::Invalid => "its signature does NOT verify",
            SctState::UnknownLog => "the trusted root does not contain that log",
            SctState::Unchecked => "the key of that log is of a kind that cannot be checked here",
        }
    }

    /// Whether it counts.
    pub fn is_verified(&self) -> bool {
        self.state == SctState::Verified
    }
}
