//! The authorities whose timestamps count.

use std::ops::RangeInclusive;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::signer::{self, hash_named};
use super::token::Token;
use super::verified_path::VerifiedPath;
use super::{TimestampError, signer::SignerCertificate};
use crate::certificate;

/// 1.3.6.1.5.5.7.3.8, the content of the object identifier.
const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// Authorities whose timestamps count; none of others do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authorities {
    authorities: Vec<Authority>,
}

/// A timestamp authority that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The only certificate that may sign, in DER; `None`: any that leads to a root.
    signer: Option<Vec<u8>>,
    intermediates: Vec<Vec<u8>>,
    roots: Vec<Vec<u8>>,
    /// First and last second of Unix time at which it is trusted.
    period: (Option<i64>, Option<i64>),
    /// Of an authority with one signer.
    verified: VerifiedPath,
}

/// A timestamp that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamped {
    /// When the signature existed, in seconds of Unix time.
    pub time: i64,
    /// The subject of the certificate that signed the timestamp, escaped and shortened.
    pub authority: String,
}

impl Authority {
    /// The authority of a chain that begins with the certificate that signs and ends with the root, as a trusted root of
    /// Sigstore has it, and the seconds of Unix time between which it is trusted.
    ///
    /// # Errors
    ///
    /// [`TimestampError::NoRoot`] for an empty chain, [`TimestampError::Chain`] for what is no certificate.
    pub fn from_chain(
        chain: &[Vec<u8>],
        period: (Option<i64>, Option<i64>),
    ) -> Result<Self, TimestampError> {
        for der in chain {
            certificate::read(der)?;
        }
        let (signer, intermediates, root) = match chain {
            [] => return Err(TimestampError::NoRoot),
            [only] => (only, &[][..], only),
            [signer, intermediates @ .., root] => (signer, intermediates, root),
        };
        Ok(Self {
            signer: Some(signer.clone()),
            intermediates: intermediates.to_vec(),
            roots: vec![root.clone()],
            period,
            verified: VerifiedPath::default(),
        })
    }
}

impl Authorities {
    /// Trusts every authority that has a certificate by one of the roots in these PEM files. Other certificates in them help
    /// to find the way.
    ///
    /// # Errors
    ///
    /// [`TimestampError::Chain`] and [`TimestampError::NoRoot`].
    pub fn from_pem<F: AsRef<[u8]>>(files: &[F]) -> Result<Self, TimestampError> {
        let mut authority = Authority {
            signer: None,
            intermediates: Vec::new(),
            roots: Vec::new(),
            period: (None, None),
            verified: VerifiedPath::default(),
        };
        for file in files {
            for der in certificate::all_of_pem(file.as_ref())? {
                let parsed = certificate::read(&der)?;
                if parsed.subject().as_raw() == parsed.issuer().as_raw() {
                    authority.roots.push(der);
                } else {
                    authority.intermediates.push(der);
                }
            }
        }
        if authority.roots.is_empty() {
            return Err(TimestampError::NoRoot);
        }
        Ok(Self {
            authorities: vec![authority],
        })
    }

    /// Trusts one more.
    pub fn push(&mut self, authority: Authority) {
        self.authorities.push(authority);
    }

    /// Trusts these as well.
    pub fn extend(&mut self, others: Self) {
        self.authorities.extend(others.authorities);
    }

    /// Whether no authority is trusted.
    pub const fn is_empty(&self) -> bool {
        self.authorities.is_empty()
    }

    /// Verifies that one of the authorities has made `token` (a TimeStampResp or the token in it) over `message`.
    ///
    /// # Errors
    ///
    /// [`TimestampError`], which names the check that failed.
    pub fn verify(&self, token: &[u8], message: &[u8]) -> Result<Stamped, TimestampError> {
        let token = Token::parse(token)?;
        check_imprint(&token, message)?;
        self.judge(&token)
            .unwrap_or(Err(TimestampError::UnknownAuthority))
    }

    /// As [`verify`](Self::verify), for a token that was parsed. `None` if it names a signer that is not one of the
    /// authorities, and whose certificate in the token was not issued by one of them: nothing of it was verified then.
    ///
    /// # Errors
    ///
    /// [`TimestampError`], if the token names one of the authorities.
    #[cfg(feature = "sigstore")]
    pub(crate) fn verify_own(
        &self,
        token: &Token<'_>,
        message: &[u8],
    ) -> Result<Option<Stamped>, TimestampError> {
        let Some(judged) = self.judge(token) else {
            return Ok(None);
        };
        check_imprint(token, message)?;
        judged.map(Some)
    }

    /// Who has made the token; `None` if it names none of the authorities. Of several that it may name, the error is the
    /// last one's.
    fn judge(&self, token: &Token<'_>) -> Option<Result<Stamped, TimestampError>> {
        let mut judged = None;
        for authority in &self.authorities {
            for signer in authority.signers(token) {
                match authority.judge(token, &signer) {
                    Ok(()) => {
                        return Some(Ok(Stamped {
                            time: token.info.time,
                            authority: signer.shown(),
                        }));
                    }
                    Err(why) => judged = Some(Err(why)),
                }
            }
        }
        judged
    }
}

impl Authority {
    /// The certificates that may be the signer's.
    fn signers<'a>(&'a self, token: &Token<'a>) -> Vec<SignerCertificate<'a>> {
        let own = self.signer.iter().map(Vec::as_slice);
        let others = self.intermediates.iter().chain(&self.roots);
        let others = others
            .map(Vec::as_slice)
            .chain(token.embedded.iter().copied());
        let others = others.take(if self.signer.is_some() { 0 } else { usize::MAX });
        let mut found: Vec<SignerCertificate<'a>> = Vec::new();
        for der in own.chain(others) {
            let Some(certificate) = SignerCertificate::parse(der) else {
                continue;
            };
            let is_new = found.iter().all(|known| known.der != der);
            if is_new && certificate.is_named_by(&token.signer.id) {
                found.push(certificate);
            }
        }
        found
    }

    fn judge(
        &self,
        token: &Token<'_>,
        signer: &SignerCertificate<'_>,
    ) -> Result<(), TimestampError> {
        signer::check_attributes(token, signer.der)?;
        signer.verify(token)?;
        signer.check_usage()?;
        self.check_path(token, signer)?;
        let time = token.info.time;
        let (from, until) = self.period;
        if from.is_some_and(|from| time < from) || until.is_some_and(|until| time > until) {
            return Err(TimestampError::OutsidePeriod { time });
        }
        Ok(())
    }

    /// The way from the signer to a root, each valid at the time of the token.
    fn check_path(
        &self,
        token: &Token<'_>,
        signer: &SignerCertificate<'_>,
    ) -> Result<(), TimestampError> {
        let path = |why: webpki::Error| TimestampError::Path(why.to_string());
        let time = token.info.time;
        if self.signer.is_some() && self.verified.holds_at(time) {
            return Ok(());
        }
        let at = u64::try_from(time).unwrap_or_default();
        let at = rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_secs(at));
        let helpers = self.intermediates.iter().map(Vec::as_slice);
        // A token's own certificates are for those whose trusted file has roots alone.
        let carried = token.embedded.iter().copied();
        let carried = carried.take(if self.signer.is_some() { 0 } else { usize::MAX });
        let helpers: Vec<_> = helpers
            .chain(carried)
            .map(rustls_pki_types::CertificateDer::from)
            .collect();
        let roots: Vec<_> = self
            .roots
            .iter()
            // The library does not look at the validity of a root.
            .filter(|root| {
                SignerCertificate::parse(root).is_some_and(|root| root.is_valid_at(time))
            })
            .map(|root| rustls_pki_types::CertificateDer::from(root.as_slice()))
            .collect();
        if roots.is_empty() {
            return Err(TimestampError::Path(
                "no root is valid at the time of the timestamp".to_owned(),
            ));
        }
        let anchors = roots.iter().map(anchor_from_trusted_cert);
        let anchors: Vec<_> = anchors.collect::<Result<_, _>>().map_err(path)?;
        let leaf = rustls_pki_types::CertificateDer::from(signer.der);
        let leaf = EndEntityCert::try_from(&leaf).map_err(path)?;
        leaf.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchors,
            &helpers,
            at,
            KeyUsage::required_if_present(TIME_STAMPING),
            None,
            None,
        )
        .map_err(path)?;
        if self.signer.is_some() {
            self.verified.record(time, self.validity());
        }
        Ok(())
    }

    /// The seconds of Unix time at which every certificate of the authority is valid.
    fn validity(&self) -> Option<RangeInclusive<i64>> {
        let certificates = self.signer.iter();
        let mut certificates = certificates.chain(&self.intermediates).chain(&self.roots);
        certificates.try_fold(i64::MIN..=i64::MAX, |all, der| {
            let validity = certificate::read(der).ok()?.validity().clone();
            let (from, until) = (
                validity.not_before.timestamp(),
                validity.not_after.timestamp(),
            );
            Some(*all.start().max(&from)..=*all.end().min(&until))
        })
    }
}

pub(super) fn check_imprint(token: &Token<'_>, message: &[u8]) -> Result<(), TimestampError> {
    let hash = hash_named(token.info.hash).ok_or(TimestampError::Unsupported(
        "another hash function than SHA-256, SHA-384 or SHA-512",
    ))?;
    verify_slices_are_equal(hash.of(message).as_ref(), token.info.imprint)
        .map_err(|_| TimestampError::Imprint)
}
