//! The path from a signer's certificate to a trusted one, built as OpenSSL does it: the first issuer that matches is
//! taken, trusted ones before those of the bundle, and no step is taken back.

use x509_parser::time::ASN1Time;

use super::error::ChainError;
use super::parsed::Certificate;
use super::{TrustStore, constraints, signature};
use crate::key::PublicKey;

/// Most certificates between the signer's and the last: OpenSSL's default.
const MAX_DEPTH: usize = 100;

/// The instant at which every certificate of a chain must be valid. Instants are in seconds of Unix time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValidAt {
    /// The present: [`Rules::now`].
    Present,
    /// An instant that the verifier names. Nothing proves that the signature was made then.
    Given(i64),
    /// Instants at which trusted timestamp authorities saw the signature. The chain must be valid at the present, or at
    /// one of them.
    Proven(Vec<i64>),
    /// Certificates may have expired before the present, but none may begin after it. Nothing proves that the signature
    /// was made before they expired.
    AllowExpired,
}

/// The requirements for the certificates of a chain, and for a signature: [`crate::verify::Options`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The present, in seconds of Unix time.
    pub now: i64,
    /// When the certificates of the chain must be valid.
    pub valid_at: ValidAt,
    /// Refuse what is accepted only because the reference implementation accepts it: SHA-1 and RSA keys below 2048 bits
    /// in the chain, and a signature of version 0.2 over the wrong encoding.
    pub strict: bool,
}

/// A path that was found, and whose every step has been verified.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) key: PublicKey,
    /// The signer's certificate does not have a key usage: only its extended key usage states its purpose.
    pub(crate) lacks_key_usage: bool,
    /// First and last instant at which all of its certificates are valid, in seconds of Unix time.
    pub(crate) validity: (i64, i64),
}

/// When certificates are compared with their validity.
#[derive(Debug, Clone, Copy)]
struct Instant {
    at: i64,
    /// The end of a validity does not count.
    allow_expired: bool,
}

impl Instant {
    fn is_within(self, certificate: &Certificate<'_>) -> bool {
        certificate.is_valid_at(self.at)
            || (self.allow_expired && certificate.not_before() <= self.at)
    }
}

impl Rules {
    /// Certificates must be valid at `now`, in seconds of Unix time.
    pub fn at_present(now: i64, strict: bool) -> Self {
        Self {
            now,
            valid_at: ValidAt::Present,
            strict,
        }
    }

    /// The instants to try, in this order; one of them has to do.
    fn instants(&self) -> Vec<Instant> {
        let exactly = |at| Instant {
            at,
            allow_expired: false,
        };
        match &self.valid_at {
            ValidAt::Present => vec![exactly(self.now)],
            ValidAt::Given(at) => vec![exactly(*at)],
            ValidAt::Proven(times) => std::iter::once(self.now)
                .chain(times.iter().copied())
                .map(exactly)
                .collect(),
            ValidAt::AllowExpired => vec![Instant {
                at: self.now,
                allow_expired: true,
            }],
        }
    }

    /// The first path that holds at one of the instants; if none does, what was wrong at the last of them.
    fn judge<'c, 'd>(
        &self,
        find: impl Fn(i64) -> Result<Vec<&'c Certificate<'d>>, ChainError>,
    ) -> Result<Path, ChainError>
    where
        'd: 'c,
    {
        let mut outcome = Err(ChainError::NoCertificate);
        for instant in self.instants() {
            outcome = find(instant.at).and_then(|path| {
                check_path(&path, instant, self.strict)?;
                found(&path)
            });
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

/// Finds and verifies the path from `leaf` to a certificate of `store`, with the help of `untrusted` ones.
pub(crate) fn walk(
    leaf: &[u8],
    untrusted: &[Vec<u8>],
    store: &TrustStore,
    rules: &Rules,
) -> Result<Path, ChainError> {
    // Every one of them must be readable, needed or not.
    let untrusted = parsed(untrusted)?;
    let trusted = parsed(store.certificates())?;
    let leaf = Certificate::parse(leaf)?;
    rules.judge(|at| build(&leaf, &untrusted, &trusted, at))
}

/// Whether a signature with these certificates could be verified by anyone, as far as that can be known without the
/// roots that its verifiers trust: `chain` has the signer's certificate first.
///
/// If a self-signed certificate is among them, the path has to reach it; otherwise the path may end at any issuer.
pub(crate) fn check_for_signing(chain: &[Vec<u8>], rules: &Rules) -> Result<Path, ChainError> {
    let parsed = parsed(chain)?;
    let Some((leaf, others)) = parsed.split_first() else {
        return Err(ChainError::NoCertificate);
    };
    rules.judge(|at| build_to_sign(leaf, others, at))
}

/// What holds of a path that was checked.
fn found(path: &[&Certificate<'_>]) -> Result<Path, ChainError> {
    let Some(leaf) = path.first() else {
        return Err(ChainError::NoCertificate);
    };
    let key = PublicKey::from_spki_der(leaf.x509.public_key().raw).map_err(ChainError::LeafKey)?;
    let validities = || path.iter().map(|certificate| certificate.x509.validity());
    let from = validities().map(|validity| validity.not_before.timestamp());
    let until = validities().map(|validity| validity.not_after.timestamp());
    Ok(Path {
        key,
        lacks_key_usage: leaf.key_usage.is_none(),
        validity: (
            from.max().unwrap_or_default(),
            until.min().unwrap_or_default(),
        ),
    })
}

/// All rules but how the path was found.
fn check_path(path: &[&Certificate<'_>], instant: Instant, strict: bool) -> Result<(), ChainError> {
    check_extensions(path)?;
    check_signatures(path, instant)?;
    constraints::check(path)?;
    if let Some(leaf) = path.first() {
        check_usage(leaf)?;
    }
    if strict {
        check_strictly(path)?;
    }
    Ok(())
}

fn parsed(certificates: &[Vec<u8>]) -> Result<Vec<Certificate<'_>>, ChainError> {
    certificates
        .iter()
        .map(|der| Certificate::parse(der))
        .collect()
}

/// The certificates from `leaf` to a self-signed trusted one. Nothing but names and key identifiers has been compared.
fn build<'c, 'd>(
    leaf: &'c Certificate<'d>,
    untrusted: &'c [Certificate<'d>],
    trusted: &'c [Certificate<'d>],
    at: i64,
) -> Result<Vec<&'c Certificate<'d>>, ChainError> {
    let mut path = vec![leaf];
    // Once the path contains a trusted certificate, those of the bundle are no longer used.
    let mut from_store = false;
    let mut last = leaf;
    loop {
        if path.len() > MAX_DEPTH {
            return Err(ChainError::TooLong { limit: MAX_DEPTH });
        }
        if last.is_self_signed() {
            // One that calls itself as a trusted one does must be that very certificate.
            let is_trusted = from_store || trusted.iter().any(|trusted| trusted.der == last.der);
            return if is_trusted {
                Ok(path)
            } else {
                Err(ChainError::UntrustedRoot {
                    subject: last.shown(),
                })
            };
        }
        let issuer = match best_issuer(last, trusted, &path, at) {
            Some(issuer) => {
                from_store = true;
                Some(issuer)
            }
            None if from_store => None,
            None => best_issuer(last, untrusted, &path, at),
        };
        let Some(issuer) = issuer else {
            return Err(ChainError::NoIssuer {
                subject: last.shown(),
                issuer: last.shown_issuer(),
                from_store,
            });
        };
        path.push(issuer);
        last = issuer;
    }
}

/// The certificates from `leaf` as far up as `others` lead.
fn build_to_sign<'c, 'd>(
    leaf: &'c Certificate<'d>,
    others: &'c [Certificate<'d>],
    at: i64,
) -> Result<Vec<&'c Certificate<'d>>, ChainError> {
    let mut path = vec![leaf];
    let mut last = leaf;
    while !last.is_self_signed() {
        if path.len() > MAX_DEPTH {
            return Err(ChainError::TooLong { limit: MAX_DEPTH });
        }
        let Some(issuer) = best_issuer(last, others, &path, at) else {
            let is_cut_short = path.len() == 1 && !others.is_empty()
                || others.iter().any(Certificate::is_self_signed);
            if is_cut_short {
                return Err(ChainError::MissingIssuer {
                    subject: last.shown(),
                    issuer: last.shown_issuer(),
                });
            }
            break;
        };
        path.push(issuer);
        last = issuer;
    }
    Ok(path)
}

/// The first possible issuer that is valid at that instant; failing that, the one that expires last.
fn best_issuer<'c, 'd>(
    subject: &Certificate<'d>,
    candidates: &'c [Certificate<'d>],
    path: &[&Certificate<'d>],
    at: i64,
) -> Option<&'c Certificate<'d>> {
    let mut best: Option<&Certificate<'_>> = None;
    for candidate in candidates {
        // No certificate is on the way twice, so the walk ends.
        if path.iter().any(|earlier| earlier.der == candidate.der)
            || !subject.is_likely_issued_by(candidate)
        {
            continue;
        }
        if candidate.is_valid_at(at) {
            return Some(candidate);
        }
        let until =
            |certificate: &Certificate<'_>| certificate.x509.validity().not_after.timestamp();
        if best.is_none_or(|best| until(candidate) > until(best)) {
            best = Some(candidate);
        }
    }
    best
}

/// CA flags, path lengths and critical extensions.
fn check_extensions(path: &[&Certificate<'_>]) -> Result<(), ChainError> {
    let mut cas_below = 0;
    for (depth, certificate) in path.iter().enumerate() {
        let subject = || certificate.shown();
        if let Some(oid) = &certificate.not_understood {
            return Err(ChainError::UnknownCritical {
                subject: subject(),
                oid: oid.clone(),
            });
        }
        if depth == 0 {
            continue;
        }
        let is_root = depth + 1 == path.len() && certificate.is_self_signed();
        check_ca(certificate, is_root).map_err(|reason| ChainError::NotCa {
            subject: subject(),
            reason,
        })?;
        let constraints = certificate.basic_constraints.as_ref();
        if let Some(allowed) = constraints.and_then(|it| it.path_len_constraint)
            && cas_below > allowed
        {
            return Err(ChainError::PathLength {
                subject: subject(),
                allowed,
                found: cas_below,
            });
        }
        // Roll-over certificates of one CA count once.
        if !certificate.is_self_issued() {
            cas_below += 1;
        }
    }
    Ok(())
}

/// Why the certificate is no CA, if it is none.
fn check_ca(certificate: &Certificate<'_>, is_root: bool) -> Result<(), &'static str> {
    if !certificate.may_sign_certificates() {
        return Err("its key usage lacks keyCertSign");
    }
    match &certificate.basic_constraints {
        Some(constraints) if constraints.ca => Ok(()),
        Some(_) => Err("by its basic constraints"),
        // Roots from before that extension existed: version 1, or a key usage that allows it.
        None if is_root
            && (certificate.x509.version().0 == 0 || certificate.key_usage.is_some()) =>
        {
            Ok(())
        }
        None => Err("it has no basic constraints"),
    }
}

/// Times and signatures, from the root down.
fn check_signatures(path: &[&Certificate<'_>], instant: Instant) -> Result<(), ChainError> {
    for (depth, certificate) in path.iter().enumerate().rev() {
        // A root's signature on itself proves nothing: that it is trusted is why the walk ends here.
        if let Some(issuer) = path.get(depth + 1) {
            signature::verify(certificate, issuer)?;
        }
        if !instant.is_within(certificate) {
            let at = instant.at;
            let validity = certificate.x509.validity();
            return Err(ChainError::NotValid {
                subject: certificate.shown(),
                at: ASN1Time::from_timestamp(at)
                    .map_or_else(|_| format!("second {at}"), |time| time.to_string()),
                not_before: validity.not_before.to_string(),
                not_after: validity.not_after.to_string(),
            });
        }
    }
    Ok(())
}

/// A key usage and an extended key usage that are there must allow it to sign, and one of the two must be there.
fn check_usage(leaf: &Certificate<'_>) -> Result<(), ChainError> {
    if let Some(usage) = &leaf.key_usage
        && !usage.digital_signature()
        && !usage.non_repudiation()
    {
        return Err(ChainError::KeyUsage);
    }
    match &leaf.extended_key_usage {
        Some(usage) if !usage.code_signing && !usage.any => Err(ChainError::Purpose),
        None if leaf.key_usage.is_none() => Err(ChainError::NoUsage),
        _ => Ok(()),
    }
}

fn check_strictly(path: &[&Certificate<'_>]) -> Result<(), ChainError> {
    for pair in path.windows(2) {
        if let [subject, issuer] = pair
            && let Some(algorithm) = signature::weakness(subject, issuer)
        {
            return Err(ChainError::Weak {
                subject: subject.shown(),
                algorithm,
            });
        }
    }
    Ok(())
}
