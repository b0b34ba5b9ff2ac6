//! The walk from a signer's certificate to a trusted one, step by step as OpenSSL does it: the first issuer that
//! matches is taken, trusted ones before those of the bundle, and no step is taken back.

use x509_parser::time::ASN1Time;

use super::parsed::Certificate;
use super::{ChainError, TrustStore, constraints, signature};
use crate::key::PublicKey;

/// Most certificates between the signer's and the last: OpenSSL's default.
const MAX_DEPTH: usize = 100;

/// At which instant certificates must be valid, and what else is asked of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// As the reference implementation: every certificate of the chain must have been valid when the signer's became
    /// valid. Nothing says when the signature was made, so whoever has the key of an expired certificate can still sign.
    Reference,
    /// Every certificate must be valid at this instant (seconds of Unix time), SHA-1 and RSA keys below 2048 bits are
    /// refused, and a signer's certificate with an extended key usage must have codeSigning among them.
    StrictAt(i64),
}

/// A way that was found, and whose every step has been verified.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) key: PublicKey,
    /// The signer's certificate does not have a key usage: only its extended key usage says what it is for.
    pub(crate) lacks_key_usage: bool,
    /// First and last instant at which all of its certificates are valid, in seconds of Unix time.
    pub(crate) validity: (i64, i64),
}

/// Finds and verifies the way from `leaf` to a certificate of `store`, with the help of `untrusted` ones.
pub(crate) fn walk(
    leaf: &[u8],
    untrusted: &[Vec<u8>],
    store: &TrustStore,
    strictness: Strictness,
) -> Result<Path, ChainError> {
    // Every one of them must be readable, needed or not.
    let untrusted = parsed(untrusted)?;
    let trusted = parsed(store.certificates())?;
    let leaf = Certificate::parse(leaf)?;
    let key = PublicKey::from_spki_der(leaf.x509.public_key().raw).map_err(ChainError::LeafKey)?;
    let at = match strictness {
        Strictness::Reference => leaf.not_before(),
        Strictness::StrictAt(now) => now,
    };
    let path = build(&leaf, &untrusted, &trusted, at)?;
    check_extensions(&path)?;
    check_signatures(&path, at)?;
    constraints::check(&path)?;
    check_usage(&leaf)?;
    if strictness != Strictness::Reference {
        check_strictly(&path)?;
    }
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
    // Once a trusted certificate is on the way, the bundle's are no longer asked.
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
        let is_last = depth + 1 == path.len();
        check_ca(certificate, is_last).map_err(|reason| ChainError::NotCa {
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
        Some(_) => Err("its basic constraints say so"),
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
fn check_signatures(path: &[&Certificate<'_>], at: i64) -> Result<(), ChainError> {
    for (depth, certificate) in path.iter().enumerate().rev() {
        // A root's signature on itself proves nothing: that it is trusted is why the walk ends here.
        if let Some(issuer) = path.get(depth + 1) {
            signature::verify(certificate, issuer)?;
        }
        if !certificate.is_valid_at(at) {
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

/// A key usage with digitalSignature, or an extended one with codeSigning: the rule of the reference.
fn check_usage(leaf: &Certificate<'_>) -> Result<(), ChainError> {
    let signs = leaf
        .key_usage
        .as_ref()
        .is_some_and(x509_parser::extensions::KeyUsage::digital_signature);
    let signs_code = leaf
        .extended_key_usage
        .as_ref()
        .is_some_and(|usage| usage.code_signing);
    if signs || signs_code {
        Ok(())
    } else {
        Err(ChainError::Usage)
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
    match path
        .first()
        .and_then(|leaf| leaf.extended_key_usage.as_ref())
    {
        Some(usage) if !usage.code_signing => Err(ChainError::Purpose),
        _ => Ok(()),
    }
}
