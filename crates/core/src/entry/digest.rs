//! Digests in entries.

/// A hash that logs accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// Old kinds of entries only.
    Sha1,
    /// The usual one.
    Sha256,
    /// With P-384.
    Sha384,
    /// With P-521.
    Sha512,
    /// SHA3-256.
    Sha3_256,
    /// SHA3-384.
    Sha3_384,
}

impl HashAlgorithm {
    const ALL: [Self; 6] = [
        Self::Sha1,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
        Self::Sha3_256,
        Self::Sha3_384,
    ];

    /// The word before the colon: `sha256`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Sha3_256 => "sha3-256",
            Self::Sha3_384 => "sha3-384",
        }
    }

    /// The name in protobuf-specs, as Rekor v2 and bundles write it: `SHA2_256`.
    pub const fn proto_name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA2_256",
            Self::Sha384 => "SHA2_384",
            Self::Sha512 => "SHA2_512",
            Self::Sha3_256 => "SHA3_256",
            Self::Sha3_384 => "SHA3_384",
        }
    }

    const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 | Self::Sha3_256 => 32,
            Self::Sha384 | Self::Sha3_384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The algorithm that [`HashAlgorithm::as_str`] calls so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.as_str() == name)
    }

    /// The algorithm that [`HashAlgorithm::proto_name`] calls so.
    pub fn from_proto_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.proto_name() == name)
    }
}

/// A digest with its algorithm; displayed as `sha256:hex`. Small, and copied rather than allocated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: HashAlgorithm,
    bytes: [u8; 64],
}

impl Digest {
    /// A digest, if the bytes have the algorithm's length.
    pub fn new(algorithm: HashAlgorithm, bytes: &[u8]) -> Option<Self> {
        let mut kept = [0; 64];
        if bytes.len() != algorithm.length() {
            return None;
        }
        kept.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self {
            algorithm,
            bytes: kept,
        })
    }

    /// A digest in hex, of either case.
    pub(super) fn from_hex(algorithm: HashAlgorithm, hex: &str) -> Option<Self> {
        let mut bytes = [0; 64];
        hex::decode_to_slice(hex, bytes.get_mut(..algorithm.length())?).ok()?;
        Some(Self { algorithm, bytes })
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
            .get(..self.algorithm.length())
            .unwrap_or_default()
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{}",
            self.algorithm.as_str(),
            hex::encode(self.bytes())
        )
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_its_algorithms_length() {
        let digest = Digest::new(HashAlgorithm::Sha1, &[0xab; 20]).expect("20 bytes");
        assert_eq!(digest.to_string(), format!("sha1:{}", "ab".repeat(20)));
        for algorithm in HashAlgorithm::ALL {
            assert!(Digest::new(algorithm, &[0; 33]).is_none());
            assert!(Digest::new(algorithm, &[]).is_none());
            for length in [0, algorithm.length() - 1, algorithm.length(), 65] {
                let bytes = vec![0xab; length];
                for hex in [hex::encode(&bytes), hex::encode_upper(&bytes)] {
                    let read = Digest::from_hex(algorithm, &hex);
                    assert_eq!(read, Digest::new(algorithm, &bytes), "{hex}");
                }
            }
            assert!(Digest::from_hex(algorithm, &"g".repeat(2 * algorithm.length())).is_none());
            assert_eq!(
                HashAlgorithm::from_name(algorithm.as_str()),
                Some(algorithm)
            );
            assert_eq!(
                HashAlgorithm::from_proto_name(algorithm.proto_name()),
                Some(algorithm)
            );
        }
    }
}
