//! Curves that a key spells out in numbers instead of naming them (SpecifiedECDomain of SEC 1).

use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::{BitStringRef, OctetStringRef, UintRef};
use pkcs8::der::{self, Decode as _, Reader as _, SliceReader};

use super::curve::Curve;
use super::error::KeyError;

const PRIME_FIELD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.1.1");

/// The curve, if every one of the numbers is that of one that model signatures may use.
///
/// Every one: with a generator of their choice on the right curve, attackers have a private key for any public key.
pub(super) fn curve(parameters: &[u8]) -> Result<Curve, KeyError> {
    if P256.is(parameters) == Ok(true) {
        Ok(Curve::P256)
    } else if P384.is(parameters) == Ok(true) {
        Ok(Curve::P384)
    } else if P521.is(parameters) == Ok(true) {
        Ok(Curve::P521)
    } else {
        Err(KeyError::UnsupportedCurve {
            curve: "that is given in other numbers than theirs".to_owned(),
        })
    }
}

/// y² = x³ + ax + b over a prime field of N bytes, and a point of prime order on it.
struct Domain<const N: usize> {
    prime: [u8; N],
    a: [u8; N],
    b: [u8; N],
    x: [u8; N],
    y: [u8; N],
    order: [u8; N],
}

impl<const N: usize> Domain<N> {
    fn is(&self, parameters: &[u8]) -> der::Result<bool> {
        let mut reader = SliceReader::new(parameters)?;
        let same = reader.sequence(|domain| -> der::Result<bool> {
            u8::decode(domain)?;
            let prime = domain.sequence(|field| -> der::Result<bool> {
                let kind = <ObjectIdentifier>::decode(field)?;
                Ok(kind == PRIME_FIELD && same(UintRef::decode(field)?.as_bytes(), &self.prime))
            })?;
            let coefficients = domain.sequence(|curve| -> der::Result<bool> {
                let a = same(<&OctetStringRef>::decode(curve)?.as_bytes(), &self.a);
                let b = same(<&OctetStringRef>::decode(curve)?.as_bytes(), &self.b);
                // The seed, from which b was computed: of no consequence.
                Option::<BitStringRef<'_>>::decode(curve)?;
                Ok(a && b)
            })?;
            let generator = match <&OctetStringRef>::decode(domain)?.as_bytes().split_first() {
                Some((4, point)) => point == [self.x, self.y].concat(),
                Some((form, x)) => {
                    let odd = self.y.last().is_some_and(|last| last & 1 == 1);
                    *form == if odd { 3 } else { 2 } && x == self.x
                }
                None => false,
            };
            let order = same(UintRef::decode(domain)?.as_bytes(), &self.order);
            let cofactor = Option::<UintRef<'_>>::decode(domain)?;
            let cofactor = cofactor.is_none_or(|cofactor| cofactor.as_bytes() == [1]);
            Ok(prime && coefficients && generator && order && cofactor)
        })?;
        reader.finish()?;
        Ok(same)
    }
}

/// Whether two numbers are the same; old writers left out leading zeros where they do not belong.
fn same(number: &[u8], expected: &[u8]) -> bool {
    let significant = |bytes: &[u8]| {
        bytes
            .iter()
            .position(|byte| *byte != 0)
            .unwrap_or(bytes.len())
    };
    number
        .iter()
        .skip(significant(number))
        .eq(expected.iter().skip(significant(expected)))
}

// FIPS 186-4, D.1.2.3 to D.1.2.5.

const P256: Domain<32> = Domain {
    prime: hex(b"ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"),
    a: hex(b"ffffffff00000001000000000000000000000000fffffffffffffffffffffffc"),
    b: hex(b"5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"),
    x: hex(b"6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
    y: hex(b"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"),
    order: hex(b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
};

const P384: Domain<48> = Domain {
    prime: hex(b"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff"),
    a: hex(b"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000fffffffc"),
    b: hex(b"b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef"),
    x: hex(b"aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7"),
    y: hex(b"3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f"),
    order: hex(b"ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"),
};

const P521: Domain<66> = Domain {
    prime: hex(b"01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    a: hex(b"01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffc"),
    b: hex(b"0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00"),
    x: hex(b"00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66"),
    y: hex(b"011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650"),
    order: hex(b"01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"),
};

const fn hex<const N: usize, const DIGITS: usize>(text: &[u8; DIGITS]) -> [u8; N] {
    assert!(DIGITS == 2 * N);
    let mut bytes = [0; N];
    let mut i = 0;
    while i < DIGITS {
        let digit = match text[i] {
            digit @ b'0'..=b'9' => digit - b'0',
            letter => letter - b'a' + 10,
        };
        bytes[i / 2] = bytes[i / 2] << 4 | digit;
        i += 1;
    }
    bytes
}
