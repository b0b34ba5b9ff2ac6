//! What stays the same about a signing when it is logged again.
//!
//! A bundle is public, and anyone who has it can log its signing again: as another kind of entry, in another log,
//! around another `keyid`, with the second form of its ECDSA signature. These are other leaves, and none of them proves
//! more than the first: the same certificate, digest and signature. Only these are compared: to make another signature,
//! one needs the key.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tlog::hash::leaf_hash;

use super::leaf;
use super::signed::Signed;
use crate::entry::{Digest, Kind, Signing};
use crate::identity::{Certificate, KeyType, der};

/// A registered signing, as entries of any kind hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct RegisteredSigning {
    /// As [`SignedAs::signature`], hex.
    pub signature_sha256: String,
    /// SHA-256 of the certificate's TBSCertificate, hex.
    pub tbs_sha256: String,
    /// The digest in entries that contain that of the signed bytes, as `algorithm:hex`: of a file, or of an envelope's
    /// pre-authentication encoding. `None` with Ed25519, which signs no digest.
    pub message: Option<String>,
    /// The digest in entries that hold that of an envelope's payload.
    pub payload: Option<String>,
    /// RFC 6962 leaf hashes of the entries that the bundle names, hex: every other entry of the signing was logged
    /// again. Empty if it names none: then the first entry is unknown.
    pub leaves: Vec<String>,
}

impl RegisteredSigning {
    /// From a verified bundle that names entries with these leaf hashes.
    pub(super) fn of(
        signed: &Signed<'_>,
        certificate: &Certificate,
        leaves: impl Iterator<Item = [u8; 32]>,
    ) -> Self {
        let digest = |digest: Option<Digest>| digest.map(|digest| digest.to_string());
        Self {
            signature_sha256: hex::encode(signature_sha256(signed.signature)),
            tbs_sha256: hex::encode(certificate.tbs_sha256()),
            message: digest(signed.message),
            payload: digest(signed.payload),
            leaves: leaves.map(hex::encode).collect(),
        }
    }

    /// Whether the bundle names a leaf with this hash, hex; true if it names none at all.
    pub fn names(&self, leaf_hash: &str) -> bool {
        self.leaves.is_empty() || self.leaves.iter().any(|leaf| leaf == leaf_hash)
    }

    /// What an entry whose digest is of this part holds.
    pub fn digest(&self, part: Part) -> Option<&str> {
        match part {
            Part::Message => self.message.as_deref(),
            Part::Payload => self.payload.as_deref(),
        }
    }
}

/// The content whose digest is in an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The bytes that the signature is over: a file, or an envelope's pre-authentication encoding.
    Message,
    /// An envelope's payload.
    Payload,
}

impl Part {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Message, Self::Payload];

    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Payload => "payload",
        }
    }

    /// The digest in entries of this kind, in any version; the kind may be followed by its version. `None` if they do
    /// not contain both a digest and the signature over it.
    pub fn of_kind(kind: &str) -> Option<Self> {
        match kind.split(' ').next() {
            Some("hashedrekord" | "rekord") => Some(Self::Message),
            Some("dsse" | "intoto") => Some(Self::Payload),
            _ => None,
        }
    }
}

/// The values that an entry shares with every other entry of the same signing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAs {
    /// SHA-256 of the signature. An ECDSA signature is valid as (r, s) and as (r, n - s); of these two it is the one
    /// that sorts first.
    pub signature: [u8; 32],
    /// SHA-256 of the TBSCertificate: the part of the certificate that the CA signed. `None` for a bare key.
    pub tbs: Option<[u8; 32]>,
    /// The leaf hashes of the same certificate, digest and signature in Rekor v2, whatever the entry. A registration of
    /// an earlier version contains only such hashes.
    pub leaves: Vec<[u8; 32]>,
}

impl SignedAs {
    /// From a signing in an entry; `None` if the entry does not contain the signature in a supported form.
    pub fn of(kind: &Kind, signing: &Signing) -> Option<Self> {
        let signature = signing.signature.as_deref()?;
        let certificate = signing.signer.certificate();
        let part = Part::of_kind(kind.name());
        let leaves = match (certificate, signing.digest, part) {
            (Some(certificate), Some(digest), Some(part)) => {
                leaves(certificate, digest, part, signature)
            }
            _ => Vec::new(),
        };
        Some(Self {
            signature: signature_sha256(signature),
            tbs: certificate.map(Certificate::tbs_sha256),
            leaves,
        })
    }
}

fn leaves(
    certificate: &Certificate,
    digest: Digest,
    part: Part,
    signature: &[u8],
) -> Vec<[u8; 32]> {
    let Ok(key) = KeyType::of(certificate.spki_der()) else {
        return Vec::new();
    };
    let other = other_form(signature);
    let forms = [Some(signature), other.as_deref()].into_iter().flatten();
    forms
        .flat_map(|signature| {
            let signed = Signed {
                message: (part == Part::Message).then_some(digest),
                payload: (part == Part::Payload).then_some(digest),
                key,
                signature,
            };
            leaf::of_rekor_v2(&signed, certificate)
        })
        .map(|leaf| *leaf_hash(&leaf).as_bytes())
        .collect()
}

pub(super) fn signature_sha256(signature: &[u8]) -> [u8; 32] {
    let other = other_form(signature);
    // Either form gives the same two, and so the same first one.
    let first = match other.as_deref() {
        Some(other) => signature.min(other),
        None => signature,
    };
    Sha256::digest(first).into()
}

/// The other form of an ECDSA signature in DER: (r, n - s) of (r, s). `None` for any other signature.
///
/// Only its length shows the curve of a signature. With a longer curve, numbers as short as those of the next shorter
/// one have a probability of at most 2^-64, and only the holder of the key can choose them.
pub(super) fn other_form(signature: &[u8]) -> Option<Vec<u8>> {
    let mut numbers = der::Reader::new(der::only(signature, der::SEQUENCE).ok()?);
    let (r, s) = (
        numbers.expect(der::INTEGER).ok()?,
        numbers.expect(der::INTEGER).ok()?,
    );
    numbers.end().ok()?;
    let r = positive(numbers.bytes(&r.content))?;
    let s = positive(numbers.bytes(&s.content))?;
    let length = r.len().max(s.len());
    let order = ORDERS.iter().find(|order| order.len() >= length)?;
    let other = difference(order, s)?;
    let numbers = [integer(r), integer(&other)].concat();
    Some(der::encode(der::SEQUENCE, &numbers))
}

/// The orders of the NIST curves P-224, P-256, P-384 and P-521 (SP 800-186 §3.2.1).
const ORDERS: [&[u8]; 4] = [
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x16\xa2\xe0\xb8\xf0\x3e\x13\xdd\x29\x45\x5c\x5c\x2a\x3d",
    b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xc7\x63\x4d\x81\xf4\x37\x2d\xdf\x58\x1a\x0d\xb2\x48\xb0\xa7\x7a\xec\xec\x19\x6a\xcc\xc5\x29\x73",
    b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfa\x51\x86\x87\x83\xbf\x2f\x96\x6b\x7f\xcc\x01\x48\xf7\x09\xa5\xd0\x3b\xb5\xc9\xb8\x89\x9c\x47\xae\xbb\x6f\xb7\x1e\x91\x38\x64\x09",
];

/// The bytes of a positive INTEGER in DER, without the leading zero.
fn positive(content: &[u8]) -> Option<&[u8]> {
    match content {
        [0, rest @ ..] if rest.first() >= Some(&0x80) => Some(rest),
        [1..=0x7f, ..] => Some(content),
        _ => None,
    }
}

fn integer(number: &[u8]) -> Vec<u8> {
    let zero: &[u8] = match number.first() {
        Some(0x80..) => &[0],
        _ => &[],
    };
    der::encode(der::INTEGER, &[zero, number].concat())
}

/// `order - number`, without leading zeros; `None` unless it is positive.
fn difference(order: &[u8], number: &[u8]) -> Option<Vec<u8>> {
    let mut difference = order.to_vec();
    let mut borrow = 0;
    let padded = number.iter().rev().chain(std::iter::repeat(&0));
    for (digit, taken) in difference.iter_mut().rev().zip(padded) {
        let (less, first) = digit.overflowing_sub(*taken);
        let (less, second) = less.overflowing_sub(borrow);
        *digit = less;
        borrow = u8::from(first || second);
    }
    let start = difference.iter().position(|digit| *digit != 0)?;
    (borrow == 0).then(|| difference.split_off(start))
}
