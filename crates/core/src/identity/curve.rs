//! Elliptic curves that signers use: by name or by their parameters, and their points in one form.
//!
//! All numbers here are public, so arithmetic need not take constant time.

use num_bigint::BigUint;

use super::ber;
use super::der;

/// `prime-field`, 1.2.840.10045.1.1 (RFC 3279 §2.3.5).
const PRIME_FIELD: &[u8] = b"\x2a\x86\x48\xce\x3d\x01\x01";

/// A curve over a prime field (SEC 2; RFC 5639 for Brainpool's). Numbers in hexadecimal, as long as the prime.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Curve {
    /// Content of its object identifier.
    pub oid: &'static [u8],
    /// Its name in SSH (RFC 5656 §10.1), if SSH has one.
    pub ssh: Option<&'static str>,
    prime: &'static str,
    a: &'static str,
    b: &'static str,
    /// Compressed.
    generator: &'static str,
    order: &'static str,
}

/// The curves of X.509, SSH and OpenPGP.
static CURVES: [Curve; 8] = [
    Curve {
        oid: b"\x2b\x81\x04\x00\x21",
        ssh: None,
        prime: "ffffffffffffffffffffffffffffffff000000000000000000000001",
        a: "fffffffffffffffffffffffffffffffefffffffffffffffffffffffe",
        b: "b4050a850c04b3abf54132565044b0b7d7bfd8ba270b39432355ffb4",
        generator: "02b70e0cbd6bb4bf7f321390b94a03c1d356c21122343280d6115c1d21",
        order: "ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d",
    },
    Curve {
        oid: b"\x2a\x86\x48\xce\x3d\x03\x01\x07",
        ssh: Some("nistp256"),
        prime: "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        a: "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc",
        b: "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
        generator: "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        order: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    },
    Curve {
        oid: b"\x2b\x81\x04\x00\x22",
        ssh: Some("nistp384"),
        prime: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
        a: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000fffffffc",
        b: "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
        generator: "03aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
        order: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    },
    Curve {
        oid: b"\x2b\x81\x04\x00\x23",
        ssh: Some("nistp521"),
        prime: "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        a: "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffc",
        b: "0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
        generator: "0200c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66",
        order: "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
    },
    Curve {
        oid: b"\x2b\x81\x04\x00\x0a",
        ssh: None,
        prime: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
        a: "0000000000000000000000000000000000000000000000000000000000000000",
        b: "0000000000000000000000000000000000000000000000000000000000000007",
        generator: "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        order: "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
    },
    Curve {
        oid: b"\x2b\x24\x03\x03\x02\x08\x01\x01\x07",
        ssh: None,
        prime: "a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377",
        a: "7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9",
        b: "26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6",
        generator: "038bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262",
        order: "a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7",
    },
    Curve {
        oid: b"\x2b\x24\x03\x03\x02\x08\x01\x01\x0b",
        ssh: None,
        prime: "8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53",
        a: "7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8c7dd22ce2826",
        b: "04a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb4390295dbc9943ab78696fa504c11",
        generator: "031d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aaef87b2e247d4af1e",
        order: "8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565",
    },
    Curve {
        oid: b"\x2b\x24\x03\x03\x02\x08\x01\x01\x0d",
        ssh: None,
        prime: "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3",
        a: "7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca",
        b: "3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94cadc083e67984050b75ebae5dd2809bd638016f723",
        generator: "0281aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b1f78e2d0d48d50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f822",
        order: "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069",
    },
];

impl Curve {
    /// The curve with that object identifier.
    pub fn named(oid: &[u8]) -> Option<&'static Self> {
        CURVES.iter().find(|curve| curve.oid == oid)
    }

    /// The curve with that name in SSH.
    pub fn of_ssh(name: &[u8]) -> Option<&'static Self> {
        CURVES
            .iter()
            .find(|curve| curve.ssh.is_some_and(|ssh| ssh.as_bytes() == name))
    }

    /// The curve with these ECParameters (RFC 3279 §2.3.5), where `content` is the content of the SEQUENCE. Every
    /// number must be the curve's: with another generator, an attacker can know a private key for the point of another
    /// person's key.
    pub fn explicit(content: &[u8]) -> Option<&'static Self> {
        let (_version, rest) = ber::expect(content, der::INTEGER)?;
        let (field, rest) = ber::expect(rest, der::SEQUENCE)?;
        let (kind, prime) = ber::expect(field.content, der::OID)?;
        let (prime, _) = ber::expect(prime, der::INTEGER)?;
        let (curve, rest) = ber::expect(rest, der::SEQUENCE)?;
        let (a, b) = ber::expect(curve.content, der::OCTET_STRING)?;
        let (b, _seed) = ber::expect(b, der::OCTET_STRING)?;
        let (generator, rest) = ber::expect(rest, der::OCTET_STRING)?;
        let (order, _cofactor) = ber::expect(rest, der::INTEGER)?;
        let numbers = [
            ber::unsigned(prime.content),
            ber::unsigned(a.content),
            ber::unsigned(b.content),
            ber::unsigned(order.content),
        ];
        let known = CURVES.iter().find(|known| {
            let own = [known.prime, known.a, known.b, known.order].map(bytes);
            own.iter().map(|n| ber::unsigned(n)).eq(numbers)
        })?;
        let generates = known.point(generator.content) == known.point(&bytes(known.generator));
        (kind.content == PRIME_FIELD && generates).then_some(known)
    }

    /// The number of octets of a coordinate.
    pub fn octets(&self) -> usize {
        self.prime.len() / 2
    }

    /// A point (SEC 1 §2.3.3) in its uncompressed form: for a compressed one the other coordinate is computed, a hybrid
    /// one has both, and bytes after it are ignored. `None` if it is malformed, or if no point of the curve has that
    /// coordinate.
    pub fn point(&self, encoded: &[u8]) -> Option<Vec<u8>> {
        let (form, coordinates) = encoded.split_first()?;
        match form {
            4 | 6 | 7 => {
                let both = coordinates.get(..2 * self.octets())?;
                Some([&[4], both].concat())
            }
            2 | 3 => {
                let x = coordinates.get(..self.octets())?;
                let y = self.ordinate(x, form & 1 == 1)?;
                Some([&[4], x, &y].concat())
            }
            _ => None,
        }
    }

    /// The compressed form of a point in its uncompressed one.
    pub fn compressed(&self, uncompressed: &[u8]) -> Option<Vec<u8>> {
        let x = uncompressed.get(1..=self.octets())?;
        let odd = uncompressed.last()? & 1;
        Some([&[2 | odd], x].concat())
    }

    /// The second coordinate of the point with this first one, the odd or the even one of the two.
    fn ordinate(&self, x: &[u8], odd: bool) -> Option<Vec<u8>> {
        let prime = number(self.prime);
        let x = BigUint::from_bytes_be(x);
        if x >= prime {
            return None;
        }
        let square =
            (x.modpow(&BigUint::from(3u8), &prime) + number(self.a) * &x + number(self.b)) % &prime;
        let root = square_root(&square, &prime)?;
        let y = if root.bit(0) == odd {
            root
        } else {
            &prime - root
        };
        let y = y.to_bytes_be();
        let zeros = self.octets().checked_sub(y.len())?;
        Some([vec![0; zeros], y].concat())
    }
}

/// A square root modulo a prime, by Tonelli and Shanks; `None` if there is none.
fn square_root(square: &BigUint, prime: &BigUint) -> Option<BigUint> {
    let one = BigUint::from(1u8);
    let less = prime - &one;
    let twos = less.trailing_zeros()?;
    let odd = &less >> twos;
    let mut root = square.modpow(&((&odd + &one) >> 1), prime);
    // For most curves `twos` is 1: then the root is found already, or there is none.
    let mut rest = square.modpow(&odd, prime);
    let mut order = twos;
    let mut factor = if twos == 1 {
        less
    } else {
        non_residue(prime)?.modpow(&odd, prime)
    };
    while rest != one {
        // The least power of two to which `rest` is one.
        let (mut power, mut count) = (rest.clone(), 0);
        while power != one {
            power = &power * &power % prime;
            count += 1;
            if count == order {
                return None;
            }
        }
        for _ in count + 1..order {
            factor = &factor * &factor % prime;
        }
        root = root * &factor % prime;
        factor = &factor * &factor % prime;
        rest = rest * &factor % prime;
        order = count;
    }
    Some(root)
}

/// The least number that is not a square modulo a prime.
fn non_residue(prime: &BigUint) -> Option<BigUint> {
    let less = prime - 1u8;
    let half = &less >> 1;
    (2u8..=u8::MAX)
        .map(BigUint::from)
        .find(|number| number.modpow(&half, prime) == less)
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal).expect("the table has whole octets")
}

fn number(hexadecimal: &str) -> BigUint {
    BigUint::from_bytes_be(&bytes(hexadecimal))
}

/// The other value of an ECDSA signature's second number that verifies as well, `n - s`, for each order that both
/// numbers are below and that has the length of the longer one: the signature does not contain the curve of the key.
pub(super) fn other_halves(r: &[u8], s: &[u8]) -> Vec<Vec<u8>> {
    let (r, s) = (ber::unsigned(r), ber::unsigned(s));
    let length = r.len().max(s.len());
    let s_number = BigUint::from_bytes_be(s);
    let orders = CURVES.iter().filter(|curve| {
        // A number is a byte shorter once in 256 times; both are two bytes shorter in one of four billion.
        let octets = curve.octets();
        (octets.saturating_sub(1)..=octets).contains(&length)
    });
    orders
        .map(|curve| number(curve.order))
        .filter(|order| s_number < *order)
        .map(|order| (order - &s_number).to_bytes_be())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generator_is_a_point_in_every_form() {
        for curve in &CURVES {
            let compressed = bytes(curve.generator);
            let point = curve.point(&compressed).expect("on the curve");
            assert_eq!(point.len(), 1 + 2 * curve.octets());
            assert_eq!(curve.point(&point), Some(point.clone()));
            assert_eq!(curve.compressed(&point), Some(compressed.clone()));
            let hybrid = [&[6], point.get(1..).unwrap_or_default(), b"more"].concat();
            assert_eq!(curve.point(&hybrid), Some(point.clone()));
            // The other one with that coordinate.
            let mut other = compressed;
            if let Some(form) = other.first_mut() {
                *form ^= 1;
            }
            assert_ne!(curve.point(&other), Some(point));
            assert!(curve.point(&other).is_some());
        }
    }

    #[test]
    fn half_of_all_coordinates_are_of_no_point() {
        for curve in &CURVES {
            let points = (0u8..64).filter(|x| {
                let mut encoded = vec![0; 1 + curve.octets()];
                encoded[0] = 2;
                encoded[curve.octets()] = *x;
                curve.point(&encoded).is_some()
            });
            assert!((16..48).contains(&points.count()));
            let beyond = [&[2], bytes(curve.prime).as_slice()].concat();
            assert_eq!(curve.point(&beyond), None);
        }
        assert_eq!(CURVES[0].point(b""), None);
        assert_eq!(CURVES[0].point(b"\x04x"), None);
        assert_eq!(CURVES[0].point(b"\x02x"), None);
        assert_eq!(CURVES[0].point(&[5; 200]), None);
    }
}
