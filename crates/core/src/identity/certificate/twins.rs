//! The same certificate in other bytes.
//!
//! A CA signs the TBSCertificate; no signature covers the bytes around it, so anyone who has a certificate can write
//! them differently. Anyone can also compute the other ECDSA signature of the same CA, `(r, n - s)`. A hash of the
//! whole certificate matches none of these. So a certificate that is searched by its hash is searched in each of its
//! forms.

use crate::identity::curve::other_halves;
use crate::identity::{ber, der};

/// Each DER certificate of this TBSCertificate, with the algorithm in it, with this signature and with the other one
/// that verifies, if there is one. `outer_algorithm` is the algorithm beside the signature, which counts if the
/// TBSCertificate has none.
pub(super) fn of(tbs: &[u8], outer_algorithm: &[u8], signature: &[u8]) -> Vec<Vec<u8>> {
    let algorithm = algorithm_in(tbs);
    let algorithm = algorithm.as_deref().unwrap_or(outer_algorithm);
    let with = |signature: &[u8]| {
        let mut content = Vec::with_capacity(tbs.len() + algorithm.len() + signature.len() + 8);
        content.extend_from_slice(tbs);
        content.extend_from_slice(algorithm);
        content.extend(der::encode(der::BIT_STRING, &[&[0], signature].concat()));
        der::encode(der::SEQUENCE, &content)
    };
    let Some((r, s)) = ecdsa(signature) else {
        return vec![with(signature)];
    };
    let pair = |s: &[u8]| der::encode(der::SEQUENCE, &[number(r), number(s)].concat());
    let other = other_halves(r, s);
    [s].into_iter()
        .chain(other.iter().map(Vec::as_slice))
        .map(|s| with(&pair(s)))
        .collect()
}

/// The AlgorithmIdentifier in the TBSCertificate, which the CA signed.
fn algorithm_in(tbs: &[u8]) -> Option<Vec<u8>> {
    let (tbs, _) = ber::expect(tbs, der::SEQUENCE)?;
    let mut fields = tbs.content;
    if let Some((version, rest)) = ber::read(fields)
        && version.tag() == der::constructed(0)
    {
        fields = rest;
    }
    let (_serial, fields) = ber::expect(fields, der::INTEGER)?;
    let (algorithm, _) = ber::expect(fields, der::SEQUENCE)?;
    ber::element_to_der(&algorithm)
}

/// The numbers of an Ecdsa-Sig-Value (RFC 3279 §2.2.3).
fn ecdsa(signature: &[u8]) -> Option<(&[u8], &[u8])> {
    let (pair, _) = ber::read(signature).filter(|(pair, _)| pair.tag() == der::SEQUENCE)?;
    let (r, rest) = ber::expect(pair.content, der::INTEGER)?;
    let (s, _) = ber::expect(rest, der::INTEGER)?;
    Some((ber::unsigned(r.content), ber::unsigned(s.content)))
}

fn number(number: &[u8]) -> Vec<u8> {
    let sign = number.first().is_none_or(|first| first & 0x80 != 0);
    der::encode(
        der::INTEGER,
        &[&vec![0; usize::from(sign)], number].concat(),
    )
}
