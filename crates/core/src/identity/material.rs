//! A public key, independent of its encoding.
//!
//! One key has many encodings: its owner publishes one, and a thief may sign with the same key in another. So a key is
//! reduced to its numbers here, and written in one form, the canonical one: the SubjectPublicKeyInfo of Go's
//! `x509.MarshalPKIXPublicKey` and OpenSSL. The parser is as lenient as the most lenient known program, in order to
//! find a key; nothing becomes trusted because of it.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::curve::Curve;
use super::{ber, der, ssh};

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Material {
    /// A point on a curve, uncompressed.
    Ec(&'static Curve, Vec<u8>),
    /// Modulus and exponent, without leading zeros.
    Rsa(Vec<u8>, Vec<u8>),
    /// Prime, subgroup's prime, generator and key, without leading zeros.
    Dsa([Vec<u8>; 4]),
    /// A key that is a string of octets of a fixed length (RFC 8410): the content of its object identifier, and the
    /// key.
    Octets(&'static [u8], Vec<u8>),
    /// Of another algorithm: the content of the AlgorithmIdentifier in DER, without the bytes after its parameters, and
    /// the key.
    Other(Vec<u8>, Vec<u8>),
}

/// 1.2.840.10045.2.1 (RFC 5480 §2.1.1).
const EC_PUBLIC_KEY: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
/// `id-ecDH` and `id-ecMQV`, 1.3.132.1.12 and .13 (§2.1.2).
const EC_DH: &[u8] = b"\x2b\x81\x04\x01\x0c";
const EC_MQV: &[u8] = b"\x2b\x81\x04\x01\x0d";
/// 1.2.840.113549.1.1 (RFC 8017 appendix C): `.1` is rsaEncryption; others restrict the use of the key.
const PKCS1: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01";
const RSA_ENCRYPTION: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const RSASSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
/// 2.5.8.1.1, as X.509 of 1988 called RSA; OpenSSL still reads it.
const X500_RSA: &[u8] = b"\x55\x08\x01\x01";
/// 1.2.840.10040.4.1 (RFC 3279 §2.3.2).
const DSA: &[u8] = b"\x2a\x86\x48\xce\x38\x04\x01";
/// 1.3.101.112 (RFC 8410 §3), and as OpenPGP calls the same curve, 1.3.6.1.4.1.11591.15.1 (RFC 9580 §9.2).
const ED25519: &[u8] = b"\x2b\x65\x70";
const ED25519_OF_PGP: &[u8] = b"\x2b\x06\x01\x04\x01\xda\x47\x0f\x01";
const X25519: &[u8] = b"\x2b\x65\x6e";
const X25519_OF_PGP: &[u8] = b"\x2b\x06\x01\x04\x01\x97\x55\x01\x05\x01";
const X448: &[u8] = b"\x2b\x65\x6f";
const ED448: &[u8] = b"\x2b\x65\x71";
const NULL: u8 = 0x05;

/// Longest number of a key, in bytes: no program makes or verifies RSA keys with more bits.
const MAX_NUMBER_BYTES: usize = 64 * 1024;

/// Base64 of a key on a separate line.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Material {
    /// The key in a SubjectPublicKeyInfo, or in a PKCS#1 key in its place; empty if there is none. Two if programs
    /// differ: of a BIT STRING with unused bits, Go shifts the octets to the right, others do not.
    pub fn of_spki(spki: &[u8]) -> Vec<Self> {
        let read = || {
            let (outer, _) = ber::read(spki).filter(|(outer, _)| outer.tag() == der::SEQUENCE)?;
            let (algorithm, rest) = ber::expect(outer.content, der::SEQUENCE)?;
            let (oid, parameters) = ber::expect(algorithm.content, der::OID)?;
            let (bits, _) = ber::expect(rest, der::BIT_STRING)?;
            let (unused, octets) = ber::bits(&bits)?;
            Some((oid.content, parameters, unused, octets))
        };
        let Some((oid, parameters, unused, octets)) = read() else {
            return Self::of_plausible_pkcs1(spki).into_iter().collect();
        };
        let mut keys: Vec<Self> = Self::of_algorithm(oid, parameters, &octets)
            .into_iter()
            .collect();
        if (1..8).contains(&unused) {
            let shifted = der::shifted_right(&octets, unused);
            keys.extend(Self::of_algorithm(oid, parameters, &shifted));
        }
        keys
    }

    /// The key of that algorithm, whose parameters come first in `parameters`.
    fn of_algorithm(oid: &[u8], parameters: &[u8], key: &[u8]) -> Option<Self> {
        let parameter = ber::read(parameters).map(|(parameter, _)| parameter);
        let known = match oid {
            EC_PUBLIC_KEY | EC_DH | EC_MQV => {
                let parameter = parameter?;
                match parameter.tag() {
                    der::OID => Self::on_curve(parameter.content, key),
                    der::SEQUENCE => Curve::explicit(parameter.content)
                        .and_then(|curve| Some(Self::Ec(curve, curve.point(key)?))),
                    _ => None,
                }
            }
            X500_RSA => Self::of_pkcs1(key),
            _ if oid.len() == RSA_ENCRYPTION.len() && oid.starts_with(PKCS1) => Self::of_pkcs1(key),
            DSA => Self::of_dsa(&parameter?, key),
            _ => Self::of_octets(oid, key),
        };
        known.or_else(|| Self::of_other(oid, parameter.as_ref(), key))
    }

    /// A key of an unknown algorithm, or on an unknown curve.
    fn of_other(oid: &[u8], parameter: Option<&ber::Element<'_>>, key: &[u8]) -> Option<Self> {
        let mut algorithm = der::encode(der::OID, oid);
        // Most algorithms have NULL in some programs and nothing in others.
        if let Some(parameter) = parameter.filter(|parameter| parameter.tag() != NULL) {
            algorithm.extend(ber::element_to_der(parameter)?);
        }
        Some(Self::Other(algorithm, key.to_vec()))
    }

    /// A key on the curve of that name, as X.509 and OpenPGP use them.
    fn on_curve(oid: &[u8], key: &[u8]) -> Option<Self> {
        match Curve::named(oid) {
            Some(curve) => Some(Self::Ec(curve, curve.point(key)?)),
            None => Self::of_octets(oid, key),
        }
    }

    /// A key that is a string of octets. OpenPGP puts 0x40 before it (RFC 9580 §11.2.2), and some early writers of
    /// X.509 the header of an OCTET STRING.
    fn of_octets(oid: &[u8], key: &[u8]) -> Option<Self> {
        let (oid, length) = match oid {
            ED25519 | ED25519_OF_PGP => (ED25519, 32),
            X25519 | X25519_OF_PGP => (X25519, 32),
            X448 => (X448, 56),
            ED448 => (ED448, 57),
            _ => return None,
        };
        let key = match key {
            [0x40, key @ ..] if key.len() == length => key,
            [der::OCTET_STRING, inner, key @ ..]
                if key.len() == length && usize::from(*inner) == length =>
            {
                key
            }
            key => key.get(..length)?,
        };
        Some(Self::Octets(oid, key.to_vec()))
    }

    /// A PKCS#1 RSAPublicKey (RFC 8017 §A.1.1).
    pub fn of_pkcs1(key: &[u8]) -> Option<Self> {
        let (numbers, _) = ber::read(key).filter(|(outer, _)| outer.tag() == der::SEQUENCE)?;
        let (modulus, rest) = ber::expect(numbers.content, der::INTEGER)?;
        let (exponent, _) = ber::expect(rest, der::INTEGER)?;
        Self::rsa(modulus.content, exponent.content)
    }

    /// The same where other content is possible: an ECDSA signature is two numbers too, but its second is not that
    /// short.
    fn of_plausible_pkcs1(key: &[u8]) -> Option<Self> {
        let is_plausible = |key: &Self| match key {
            Self::Rsa(modulus, exponent) => modulus.len() >= 64 && exponent.len() <= 8,
            _ => false,
        };
        Self::of_pkcs1(key).filter(is_plausible)
    }

    fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let (modulus, exponent) = (ber::unsigned(modulus), ber::unsigned(exponent));
        let lengths = 1..=MAX_NUMBER_BYTES;
        let is_one = lengths.contains(&modulus.len()) && lengths.contains(&exponent.len());
        is_one.then(|| Self::Rsa(modulus.to_vec(), exponent.to_vec()))
    }

    fn of_dsa(parameters: &ber::Element<'_>, key: &[u8]) -> Option<Self> {
        let (p, rest) = ber::expect(parameters.content, der::INTEGER)?;
        let (q, rest) = ber::expect(rest, der::INTEGER)?;
        let (g, _) = ber::expect(rest, der::INTEGER)?;
        let (y, _) = ber::expect(key, der::INTEGER)?;
        let numbers = [p, q, g, y].map(|number| ber::unsigned(number.content).to_vec());
        Some(Self::Dsa(numbers))
    }

    /// The key in the blob of an SSH key or certificate (RFC 4253 §6.6, OpenSSH `PROTOCOL.certkeys` and
    /// `PROTOCOL.u2f`).
    pub fn of_ssh(blob: &[u8]) -> Option<Self> {
        let (kind, mut fields) = ssh::string(blob)?;
        let kind = ssh::Kind::of(kind);
        if kind.has_nonce {
            (_, fields) = ssh::string(fields)?;
        }
        let mut next = || -> Option<&[u8]> {
            let field;
            (field, fields) = ssh::string(fields)?;
            Some(field)
        };
        match kind.algorithm {
            b"ssh-rsa" | b"rsa-sha2-256" | b"rsa-sha2-512" => {
                let exponent = next()?;
                Self::rsa(next()?, exponent)
            }
            b"ssh-dss" => {
                let numbers = [next()?, next()?, next()?, next()?];
                Some(Self::Dsa(numbers.map(|n| ber::unsigned(n).to_vec())))
            }
            b"ssh-ed25519" => Self::of_octets(ED25519, next()?),
            b"ssh-ed448" => Self::of_octets(ED448, next()?),
            kind if kind.starts_with(b"ecdsa-sha2-") => {
                let curve = Curve::of_ssh(next()?)?;
                Some(Self::Ec(curve, curve.point(next()?)?))
            }
            _ => None,
        }
    }

    /// The key in the body of an OpenPGP public-key packet (RFC 9580 §5.5.2, before it RFC 4880), and its length in the
    /// body.
    pub fn of_pgp(body: &[u8]) -> Option<(Self, usize)> {
        let (version, rest) = body.split_first()?;
        // The time of its creation; before version 4 also its validity in days; from version 5 on also the length of
        // the key, after its algorithm.
        let rest = rest.get(if *version < 4 { 6 } else { 4 }..)?;
        let (algorithm, rest) = rest.split_first()?;
        let mut fields = Fields(rest.get(if *version > 4 { 4 } else { 0 }..)?);
        let key = match algorithm {
            1..=3 => {
                let modulus = fields.number()?;
                Self::rsa(modulus, fields.number()?)?
            }
            17 => {
                let numbers = [
                    fields.number()?,
                    fields.number()?,
                    fields.number()?,
                    fields.number()?,
                ];
                Self::Dsa(numbers.map(|n| ber::unsigned(n).to_vec()))
            }
            18 | 19 | 22 => {
                let length = fields.octets(1)?.first().copied()?;
                let oid = fields.octets(usize::from(length))?;
                let point = fields.number()?;
                if *algorithm == 18 {
                    let length = fields.octets(1)?.first().copied()?;
                    fields.octets(usize::from(length))?;
                }
                Self::on_curve(oid, point)?
            }
            25 => Self::of_octets(X25519, fields.octets(32)?)?,
            26 => Self::of_octets(X448, fields.octets(56)?)?,
            27 => Self::of_octets(ED25519, fields.octets(32)?)?,
            28 => Self::of_octets(ED448, fields.octets(57)?)?,
            _ => return None,
        };
        Some((key, body.len().checked_sub(fields.0.len())?))
    }

    /// The keys in a minisign (or signify) file, or in Rekor's form of one: the line of the key alone, or the 32 octets
    /// of the key, as before version 0.4. Go reads all text after the first line as base64, with line breaks.
    pub fn of_minisign(file: &[u8]) -> Vec<Self> {
        let mut keys: Vec<Self> = of_minisign_lines(file)
            .chain([file.to_vec()])
            .filter_map(|bytes: Vec<u8>| match bytes.as_slice() {
                // Algorithm, key id, key.
                [_, _, rest @ ..] if rest.len() == 40 => Self::of_octets(ED25519, rest.get(8..)?),
                key if key.len() == 32 => Self::of_octets(ED25519, key),
                _ => None,
            })
            .collect();
        keys.dedup();
        keys
    }

    /// A key in the form of TUF (TUF specification §4.2): hexadecimal of an Ed25519 key, of a point, or of a
    /// SubjectPublicKeyInfo.
    pub fn of_tuf(text: &str) -> Vec<Self> {
        let Ok(bytes) = hex::decode(text.trim()) else {
            return Vec::new();
        };
        if bytes.len() == 32 {
            return Self::of_octets(ED25519, &bytes).into_iter().collect();
        }
        if bytes.first() == Some(&der::SEQUENCE) {
            return Self::of_spki(&bytes);
        }
        ["nistp256", "nistp384", "nistp521"]
            .into_iter()
            .filter_map(|name| {
                let curve = Curve::of_ssh(name.as_bytes())?;
                let octets = curve.octets();
                let is_its = [1 + octets, 1 + 2 * octets].contains(&bytes.len());
                let point = curve.point(&bytes).filter(|_| is_its)?;
                Some(Self::Ec(curve, point))
            })
            .collect()
    }

    /// The canonical form: a DER SubjectPublicKeyInfo with a named curve, an uncompressed point, and for RSA with
    /// rsaEncryption and NULL.
    pub fn spki(&self) -> Vec<u8> {
        match self {
            Self::Ec(curve, point) => ec(curve, point),
            Self::Rsa(modulus, exponent) => {
                let null = der::encode(NULL, &[]);
                rsa(RSA_ENCRYPTION, &null, modulus, exponent)
            }
            Self::Dsa([p, q, g, y]) => {
                let parameters = [p, q, g].map(|number| integer(number)).concat();
                let parameters = der::encode(der::SEQUENCE, &parameters);
                let algorithm = [der::encode(der::OID, DSA), parameters].concat();
                info(&algorithm, &integer(y))
            }
            Self::Octets(oid, key) => info(&der::encode(der::OID, oid), key),
            Self::Other(algorithm, key) => info(algorithm, key),
        }
    }

    /// Every form whose hash an owner may have: the canonical one first; a compressed point, RSA with other algorithms
    /// and alone, an SSH key's blob, an Ed25519 key's octets.
    pub fn forms(&self) -> Vec<Vec<u8>> {
        let mut forms = vec![self.spki()];
        match self {
            Self::Ec(curve, point) => {
                forms.extend(curve.compressed(point).map(|point| ec(curve, &point)));
                forms.extend(curve.ssh.map(|name| {
                    let kind = format!("ecdsa-sha2-{name}");
                    ssh::blob(&[kind.as_bytes(), name.as_bytes(), point])
                }));
            }
            Self::Rsa(modulus, exponent) => {
                forms.push(rsa(RSA_ENCRYPTION, &[], modulus, exponent));
                forms.push(rsa(RSASSA_PSS, &[], modulus, exponent));
                forms.push(pkcs1(modulus, exponent));
                forms.push(ssh::blob(&[
                    b"ssh-rsa",
                    &positive(exponent),
                    &positive(modulus),
                ]));
            }
            Self::Dsa(numbers) => {
                let [p, q, g, y] = numbers.each_ref().map(|number| positive(number));
                forms.push(ssh::blob(&[b"ssh-dss", &p, &q, &g, &y]));
            }
            Self::Octets(ED25519, key) => {
                forms.push(ssh::blob(&[b"ssh-ed25519", key]));
                forms.push(key.clone());
            }
            Self::Octets(..) | Self::Other(..) => {}
        }
        forms
    }
}

/// What each line of a file decodes to, and the end of the file from each line on.
fn of_minisign_lines(file: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    /// The longest line that a key can have, with white space in it.
    const MAX_LINE_BYTES: usize = 256;
    let breaks = memchr::memchr2_iter(b'\n', b'\r', file);
    let starts = std::iter::once(0).chain(breaks.map(|at| at + 1));
    starts
        .flat_map(|start| {
            let rest = file.get(start..).unwrap_or_default();
            let line = rest.split(|byte| matches!(byte, b'\n' | b'\r')).next();
            [line.unwrap_or_default(), rest]
        })
        .filter(|text| text.len() <= MAX_LINE_BYTES)
        .filter_map(|line| {
            let line: Vec<u8> = line
                .iter()
                .copied()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
            BASE64.decode(line).ok()
        })
}

/// Fields of an OpenPGP key, read one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn octets(&mut self, count: usize) -> Option<&'a [u8]> {
        let octets;
        (octets, self.0) = self.0.split_at_checked(count)?;
        Some(octets)
    }

    /// A multiprecision integer (RFC 9580 §3.2): its length in bits, and its octets.
    fn number(&mut self) -> Option<&'a [u8]> {
        let (bits, _) = self.octets(2)?.split_first_chunk::<2>()?;
        self.octets(usize::from(u16::from_be_bytes(*bits)).div_ceil(8))
    }
}

/// A SubjectPublicKeyInfo of the content of an AlgorithmIdentifier, and a key.
fn info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let mut content = der::encode(der::SEQUENCE, algorithm);
    content.extend(der::encode(der::BIT_STRING, &[&[0], key].concat()));
    der::encode(der::SEQUENCE, &content)
}

fn ec(curve: &Curve, point: &[u8]) -> Vec<u8> {
    let algorithm = [
        der::encode(der::OID, EC_PUBLIC_KEY),
        der::encode(der::OID, curve.oid),
    ];
    info(&algorithm.concat(), point)
}

fn rsa(oid: &[u8], parameters: &[u8], modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let algorithm = [der::encode(der::OID, oid).as_slice(), parameters].concat();
    info(&algorithm, &pkcs1(modulus, exponent))
}

fn pkcs1(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    der::encode(
        der::SEQUENCE,
        &[integer(modulus), integer(exponent)].concat(),
    )
}

fn integer(number: &[u8]) -> Vec<u8> {
    der::encode(der::INTEGER, &positive(number))
}

/// A number with a zero before it where its first bit is set, which would make it negative.
fn positive(number: &[u8]) -> Vec<u8> {
    let sign = number.first().is_none_or(|first| first & 0x80 != 0);
    [&vec![0; usize::from(sign)], number].concat()
}
