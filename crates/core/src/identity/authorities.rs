//! The CAs of the trusted root, and the verification of certificate chains.

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::certificate::KeyId;
use super::key::sha256;
use super::sct;
use super::signature::{KeyType, verify_certificate};
use super::{Anomaly, Certificate, CertificateError, CtLog, SignatureError, StatedSct};

/// Whether the trusted root covers a signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub enum Chain {
    /// Signatures lead from the certificate to a CA of the trusted root.
    Trusted,
    /// They do not: anyone may have written it.
    Untrusted,
    /// There is no certificate, only a key.
    None,
    /// There is no trusted root.
    Unknown,
}

impl Chain {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Untrusted => "untrusted",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The assessment of a signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// Whether its chain is trusted.
    pub chain: Chain,
    /// The anomalies of its certificate.
    pub anomalies: Vec<Anomaly>,
}

impl Assessment {
    /// A bare key makes no claim that could be checked.
    pub(super) fn of_key() -> Self {
        Self {
            chain: Chain::None,
            anomalies: Vec::new(),
        }
    }

    /// A certificate, when no trusted root is configured.
    pub(super) fn without_authorities(certificate: &Certificate) -> Self {
        Self {
            chain: Chain::Unknown,
            anomalies: certificate.anomalies().to_vec(),
        }
    }
}

/// A CA of the trusted root with the path above it.
#[derive(Debug, Clone)]
pub struct AuthorityChain {
    /// DER, the issuing CA first and its root last.
    pub certificates: Vec<Vec<u8>>,
    /// From when and until when the trusted root trusts it.
    pub valid_for: (Option<Timestamp>, Option<Timestamp>),
}

/// Why the CAs of a trusted root cannot be used. Positions count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// A chain without certificates.
    #[error("certificate authority {chain} has no certificates")]
    Empty {
        /// Which chain.
        chain: usize,
    },
    /// A certificate that cannot be read.
    #[error("certificate {certificate} of certificate authority {chain}: {source}")]
    Certificate {
        /// Which chain.
        chain: usize,
        /// Which certificate of it.
        certificate: usize,
        /// The problem.
        source: CertificateError,
    },
    /// Not a CA, or not for signing certificates.
    #[error(
        "certificate {certificate} of certificate authority {chain} may not issue certificates"
    )]
    NotAnAuthority {
        /// Which chain.
        chain: usize,
        /// Which certificate of it.
        certificate: usize,
    },
    /// The next certificate has another name than this one's issuer.
    #[error(
        "certificate {certificate} of certificate authority {chain} was not issued by the next one"
    )]
    NotIssuedByNext {
        /// Which chain.
        chain: usize,
        /// Which certificate of it.
        certificate: usize,
    },
    /// The next certificate's key (for the last one: its own) did not sign this one.
    #[error("certificate {certificate} of certificate authority {chain}: {source}")]
    Signature {
        /// Which chain.
        chain: usize,
        /// Which certificate of it.
        certificate: usize,
        /// The problem.
        source: SignatureError,
    },
}

/// The CAs of a trusted root. Their paths were verified when this was made.
#[derive(Debug, Clone)]
pub struct Authorities {
    cas: Vec<Authority>,
    /// Listed, and left out.
    unusable: Vec<Unusable>,
    ct_logs: Vec<CtLog>,
    unchecked_ct_logs: Vec<[u8; 32]>,
    fingerprint: [u8; 32],
}

/// A certificate of a CA that is listed and cannot be used, as far as its names can be read.
#[derive(Debug, Clone)]
struct Unusable {
    name_der: Vec<u8>,
    key_id: Option<KeyId>,
    key_sha256: [u8; 32],
    sha256: [u8; 32],
}

#[derive(Debug, Clone)]
struct Authority {
    certificate: Certificate,
    valid_for: (Option<Timestamp>, Option<Timestamp>),
}

impl Authorities {
    /// Verifies each chain: every certificate may issue certificates and was signed by the next; the last one, if it
    /// names itself as its issuer, by itself. Chains that do not verify are returned by their index, with the reason.
    /// They are kept: a certificate that names one of them is neither trusted nor untrusted, because it cannot be
    /// checked.
    pub fn usable_of(chains: Vec<AuthorityChain>) -> (Self, Vec<(usize, AuthorityError)>) {
        let (mut cas, mut unusable, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for (place, chain) in chains.into_iter().enumerate() {
            let valid_for = chain.valid_for;
            match verified_path(place, &chain.certificates) {
                Ok(path) => cas.extend(path.into_iter().map(|certificate| Authority {
                    certificate,
                    valid_for,
                })),
                Err(error) => {
                    left_out.push((place, error));
                    unusable.extend(chain.certificates.into_iter().filter_map(Unusable::of));
                }
            }
        }
        let fingerprint = fingerprint(&cas, &unusable);
        let authorities = Self {
            cas,
            unusable,
            ct_logs: Vec::new(),
            unchecked_ct_logs: Vec::new(),
            fingerprint,
        };
        (authorities, left_out)
    }

    /// Adds the CT logs, one of which must have issued an SCT for each certificate of these CAs. Without any, SCTs are
    /// not required, and a missing or invalid one is no anomaly.
    #[must_use]
    pub fn with_ct_logs(mut self, ct_logs: Vec<CtLog>) -> Self {
        self.ct_logs = ct_logs;
        self
    }

    /// Adds the ids of CT logs whose SCTs cannot be verified, because the algorithms of their keys are not supported:
    /// such an SCT is neither missing nor invalid.
    #[must_use]
    pub fn with_unchecked_ct_logs(mut self, ids: Vec<[u8; 32]>) -> Self {
        self.unchecked_ct_logs = ids;
        self
    }

    /// Whether one of these CAs issued the certificate, and its anomalies.
    ///
    /// Time never makes a chain untrusted: a stolen or misused CA key that signs outside its validity must raise an
    /// alert, so it is an anomaly. CAs may share a name (a forged one always has the same): each is tried.
    pub fn judge(&self, certificate: &Certificate) -> Assessment {
        let mut anomalies = certificate.anomalies().to_vec();
        let mut issuers = self
            .cas
            .iter()
            .filter(|authority| {
                authority.certificate.subject_name_der() == certificate.issuer_name_der()
                    && issued_by_trusted_ca(certificate, &authority.certificate)
            })
            .peekable();
        let Some(issuer) = issuers.peek() else {
            let is_undecided = self.names_unusable(certificate);
            if is_undecided && !self.has_ct_logs() {
                anomalies.retain(|anomaly| *anomaly != Anomaly::NoSct);
            }
            return Assessment {
                chain: if is_undecided {
                    Chain::Unknown
                } else {
                    Chain::Untrusted
                },
                anomalies,
            };
        };
        let issuer_spki = issuer.certificate.spki_der();
        if certificate.issuer_key_sha256().is_some() {
            if !certificate.precertificate_holds(issuer_spki) {
                anomalies.push(Anomaly::OtherPrecertificate);
            }
        } else if self.has_ct_logs() {
            let (logs, unchecked) = (&self.ct_logs, &self.unchecked_ct_logs);
            anomalies.extend(sct::anomaly(certificate, issuer_spki, logs, unchecked));
        } else {
            anomalies.retain(|anomaly| *anomaly != Anomaly::NoSct);
        }
        // One CA may be listed several times, each with another time.
        if !issuers.any(|authority| authority.covers(certificate.not_before())) {
            anomalies.push(Anomaly::OutsideAuthorityValidity);
        }
        Assessment {
            chain: Chain::Trusted,
            anomalies,
        }
    }

    /// The CAs above a certificate: the one that issued it first, each issued by the next one, the last one by itself or by a CA
    /// that is not listed. Empty: none of these CAs issued it.
    ///
    /// CAs that are listed twice, or several that could have issued it, give the first one: the result depends on the order in
    /// the trusted root alone.
    pub fn path(&self, certificate: &Certificate) -> Vec<&Certificate> {
        let mut path: Vec<&Certificate> = Vec::new();
        let mut below = certificate;
        while let Some(above) = self.cas.iter().map(|ca| &ca.certificate).find(|ca| {
            ca.subject_name_der() == below.issuer_name_der()
                && issued_by_trusted_ca(below, ca)
                && path.iter().all(|known| known.der() != ca.der())
        }) {
            path.push(above);
            below = above;
        }
        path
    }

    /// What the SCTs in a certificate of one of these CAs state; `None` stands for one that cannot be read. Empty: there is
    /// none, their list cannot be read, or none of these CAs issued the certificate.
    pub fn scts(&self, certificate: &Certificate) -> Vec<Option<StatedSct>> {
        let Some(issuer) = self.path(certificate).first().copied() else {
            return Vec::new();
        };
        let (logs, unchecked) = (&self.ct_logs, &self.unchecked_ct_logs);
        sct::stated(certificate, issuer.spki_der(), logs, unchecked).unwrap_or_default()
    }

    /// The id of the key that signed a certificate according to the certificate itself, if none of these CAs has a key
    /// of that id. Nothing is verified, so that this is cheap for every certificate in a log. `None` if it names its
    /// own key.
    pub fn unknown_issuer(&self, certificate: &Certificate) -> Option<[u8; 20]> {
        let id = certificate.authority_key_id()?;
        let named = |authority: &Authority| {
            authority.certificate.subject_key_id().is_none()
                && authority.certificate.subject_name_der() == certificate.issuer_name_der()
        };
        let known = certificate.subject_key_id() == Some(id)
            || self.has_key_id(&id)
            || self.names_unusable(certificate)
            || self.cas.iter().any(named);
        (!known).then_some(id)
    }

    /// Whether the certificate names as its issuer a CA that is listed and cannot be used. A certificate that names the
    /// key of a usable CA was checked with that key, whatever the names.
    fn names_unusable(&self, certificate: &Certificate) -> bool {
        if let Some(key) = certificate.issuer_key_sha256() {
            return self.unusable.iter().any(|ca| ca.key_sha256 == *key);
        }
        let id = certificate.authority_key_id();
        let name = certificate.issuer_name_der();
        self.unusable.iter().any(|ca| {
            id.is_some() && ca.key_id == id
                || ca.name_der == name && !id.is_some_and(|id| self.has_key_id(&id))
        })
    }

    /// Whether certificates must have an SCT.
    const fn has_ct_logs(&self) -> bool {
        !self.ct_logs.is_empty() || !self.unchecked_ct_logs.is_empty()
    }

    /// Whether one of these CAs calls its key so.
    pub fn has_key_id(&self, id: &[u8; 20]) -> bool {
        self.cas
            .iter()
            .any(|authority| authority.certificate.subject_key_id().as_ref() == Some(id))
    }

    /// Changes when the CAs or their times change, but not with their order; assessments under another fingerprint must
    /// be repeated.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

impl Authority {
    fn covers(&self, moment: Timestamp) -> bool {
        let (from, until) = self.valid_for;
        from.is_none_or(|from| from <= moment)
            && until.is_none_or(|until| moment <= until)
            && self.certificate.not_before() <= moment
            && moment <= self.certificate.not_after()
    }
}

/// Whether a CA has signed a certificate; or a precertificate, according to the log, which accepted it only with the
/// CA's signature. The leaf contains the hash of the CA's key.
fn issued_by_trusted_ca(certificate: &Certificate, authority: &Certificate) -> bool {
    match certificate.issuer_key_sha256() {
        Some(key) => *key == authority.key_sha256(),
        None => signed_by(certificate, authority).is_ok(),
    }
}

fn signed_by(issued: &Certificate, authority: &Certificate) -> Result<(), SignatureError> {
    verify_certificate(
        authority.spki_der(),
        issued.signature_algorithm_der(),
        issued.tbs_der(),
        &issued.signature(),
    )
}

/// The certificates of a chain: every one may issue certificates and was signed by the next; the last one, if it names
/// itself as its issuer, by itself.
fn verified_path(
    chain: usize,
    certificates: &[Vec<u8>],
) -> Result<Vec<Certificate>, AuthorityError> {
    let mut path = Vec::with_capacity(certificates.len());
    for (certificate, der) in certificates.iter().enumerate() {
        let read = Certificate::parse_strict(der.clone()).map_err(|source| {
            AuthorityError::Certificate {
                chain,
                certificate,
                source,
            }
        })?;
        if !read.may_issue() {
            return Err(AuthorityError::NotAnAuthority { chain, certificate });
        }
        path.push(read);
    }
    let last = path
        .len()
        .checked_sub(1)
        .ok_or(AuthorityError::Empty { chain })?;
    for (certificate, issued) in path.iter().enumerate() {
        let above = path.get(certificate + 1).unwrap_or(issued);
        if issued.issuer_name_der() != above.subject_name_der() {
            // The last one need not be self-signed: it is trusted because it is in the trusted root.
            if certificate == last {
                continue;
            }
            return Err(AuthorityError::NotIssuedByNext { chain, certificate });
        }
        signed_by(issued, above).map_err(|source| AuthorityError::Signature {
            chain,
            certificate,
            source,
        })?;
    }
    // A path without a signature to verify may have a key that none can be verified with.
    for (certificate, issued) in path.iter().enumerate() {
        KeyType::of(issued.spki_der()).map_err(|source| AuthorityError::Signature {
            chain,
            certificate,
            source,
        })?;
    }
    Ok(path)
}

impl Unusable {
    /// The names of a CA, also of an irregular certificate; `None` if it cannot be parsed at all.
    fn of(der: Vec<u8>) -> Option<Self> {
        let certificate = Certificate::parse(der).ok()?;
        Some(Self {
            name_der: certificate.subject_name_der().to_vec(),
            key_id: certificate.subject_key_id(),
            key_sha256: certificate.key_sha256(),
            sha256: sha256(certificate.der()),
        })
    }
}

fn fingerprint(authorities: &[Authority], unusable: &[Unusable]) -> [u8; 32] {
    let mut rows: Vec<_> = authorities
        .iter()
        .map(|authority| {
            let moment = |t: Option<Timestamp>| t.map(Timestamp::as_microsecond);
            let (from, until) = authority.valid_for;
            (
                sha256(authority.certificate.der()),
                moment(from),
                moment(until),
            )
        })
        .collect();
    rows.sort_unstable();
    let mut context = Context::new(&SHA256);
    for (certificate, from, until) in rows {
        context.update(&certificate);
        for bound in [from, until] {
            context.update(&[u8::from(bound.is_some())]);
            context.update(&bound.unwrap_or_default().to_be_bytes());
        }
    }
    let mut unusable: Vec<_> = unusable.iter().map(|ca| ca.sha256).collect();
    unusable.sort_unstable();
    for certificate in unusable {
        context.update(b"unusable");
        context.update(&certificate);
    }
    context
        .finish()
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}
