//! Curves that a key spells out in numbers instead of naming them (SpecifiedECDomain of SEC 1).

use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::{BitStringRef, OctetStringRef, UintRef};
use pkcs8::der::{self, Decode as _, Reader as _, SliceReader};

use super::{Curve, KeyError};

/// The curve, if every one of the numbers is P-256's; other curves are never written in this way any more.
///
/// Every one: a generator of somebody's choice on the right curve would make any public key his.
pub(super) fn curve(parameters: &[u8]) -> Result<Curve, KeyError> {
    match is_p256(parameters) {
        Ok(true) => Ok(Curve::P256),
        _ => Err(KeyError::UnsupportedCurve {
            curve: "that is given in numbers other than those of P-256".to_owned(),
        }),
    }
}

fn is_p256(parameters: &[u8]) -> der::Result<bool> {
    let mut reader = SliceReader::new(parameters)?;
    let is_p256 = reader.sequence(|domain| -> der::Result<bool> {
        u8::decode(domain)?;
        let prime = domain.sequence(|field| -> der::Result<bool> {
            <ObjectIdentifier>::decode(field)?;
            Ok(UintRef::decode(field)?.as_bytes() == P256_PRIME)
        })?;
        let coefficients = domain.sequence(|curve| -> der::Result<bool> {
            let a = <&OctetStringRef>::decode(curve)?.as_bytes() == P256_A;
            let b = <&OctetStringRef>::decode(curve)?.as_bytes() == P256_B;
            // The seed, from which b was computed: of no consequence.
            Option::<BitStringRef<'_>>::decode(curve)?;
            Ok(a && b)
        })?;
        let generator = match <&OctetStringRef>::decode(domain)?.as_bytes().split_first() {
            Some((4, point)) => point == [P256_X, P256_Y].concat(),
            // Compressed: the last bit of y is 1.
            Some((3, x)) => x == P256_X,
            _ => false,
        };
        let order = UintRef::decode(domain)?.as_bytes() == P256_ORDER;
        let cofactor = Option::<UintRef<'_>>::decode(domain)?;
        let cofactor = cofactor.is_none_or(|cofactor| cofactor.as_bytes() == [1]);
        Ok(prime && coefficients && generator && order && cofactor)
    })?;
    reader.finish()?;
    Ok(is_p256)
}

// FIPS 186-4, D.1.2.3.
const P256_PRIME: [u8; 32] =
    hex(b"ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
const P256_A: [u8; 32] = hex(b"ffffffff00000001000000000000000000000000fffffffffffffffffffffffc");
const P256_B: [u8; 32] = hex(b"5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b");
const P256_X: [u8; 32] = hex(b"6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296");
const P256_Y: [u8; 32] = hex(b"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5");
const P256_ORDER: [u8; 32] =
    hex(b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

const fn hex(text: &[u8; 64]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 64 {
        let digit = match text[i] {
            digit @ b'0'..=b'9' => digit - b'0',
            letter => letter - b'a' + 10,
        };
        bytes[i / 2] = bytes[i / 2] << 4 | digit;
        i += 1;
    }
    bytes
}
