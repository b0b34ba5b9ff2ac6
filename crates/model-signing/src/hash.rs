//! The three hashes of the format, and what they yield.

use std::fmt;

pub(crate) mod file;

/// A hash function of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-256: every verifier supports it.
    Sha256,
    /// BLAKE2b with 64 bytes of output, unkeyed.
    Blake2b,
    /// BLAKE3 with 32 bytes of output, unkeyed; the only one that one file keeps all cores busy with.
    Blake3,
}

impl Algorithm {
    /// All of them, in the order in which they came into the format.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Blake2b, Self::Blake3];

    /// The name that signatures record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake2b => "blake2b",
            Self::Blake3 => "blake3",
        }
    }

    /// The algorithm that signatures record under this name.
    ///
    /// ```
    /// use model_signing::hash::Algorithm;
    ///
    /// assert_eq!(Algorithm::from_name("blake2b"), Some(Algorithm::Blake2b));
    /// assert_eq!(Algorithm::from_name("md5"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// How many bytes a digest has.
    pub fn digest_bytes(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake3 => 32,
            Self::Blake2b => 64,
        }
    }

    /// The digest of `bytes`.
    ///
    /// ```
    /// use model_signing::hash::Algorithm;
    ///
    /// let digest = Algorithm::Sha256.digest(b"");
    /// assert!(digest.to_string().starts_with("e3b0c44298fc1c14"));
    /// ```
    pub fn digest(self, bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::new(self);
        hasher.update(bytes);
        hasher.finish()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Most bytes that a digest has: BLAKE2b's.
const MAX_DIGEST_BYTES: usize = 64;

/// A digest, and by which algorithm. Shown in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    /// Zeros past the algorithm's length. In place, since a model may have millions of them.
    bytes: [u8; MAX_DIGEST_BYTES],
}

impl Digest {
    /// A digest from its bytes; `None` if they are not as many as the algorithm yields.
    pub fn new(algorithm: Algorithm, digest: &[u8]) -> Option<Self> {
        if digest.len() != algorithm.digest_bytes() {
            return None;
        }
        let mut bytes = [0; MAX_DIGEST_BYTES];
        bytes.get_mut(..digest.len())?.copy_from_slice(digest);
        Some(Self { algorithm, bytes })
    }

    /// A digest from its form in a signature: lower-case hexadecimal and nothing else.
    pub fn from_hex(algorithm: Algorithm, text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 2 * algorithm.digest_bytes() {
            return None;
        }
        let mut bytes = [0; MAX_DIGEST_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            for &digit in pair {
                let nibble = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                *byte = (*byte << 4) | nibble;
            }
        }
        Some(Self { algorithm, bytes })
    }

    /// By which algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digest itself.
    pub fn as_bytes(&self) -> &[u8] {
        let (bytes, _) = self.bytes.split_at(self.algorithm.digest_bytes());
        bytes
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One text and not a piece for each byte: a manifest shows a million of them.
        let mut text = [0; 2 * MAX_DIGEST_BYTES];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.as_bytes()) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
        let (text, _) = text.split_at(2 * self.algorithm.digest_bytes());
        f.write_str(std::str::from_utf8(text).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{self}", self.algorithm)
    }
}

/// The hexadecimal digit of a number below 16.
fn digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}

/// A digest in the making.
pub(crate) enum Hasher {
    Sha256(aws_lc_rs::digest::Context),
    Blake2b(Box<blake2b_simd::State>),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => {
                Self::Sha256(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256))
            }
            Algorithm::Blake2b => Self::Blake2b(Box::default()),
            Algorithm::Blake3 => Self::Blake3(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(context) => context.update(bytes),
            Self::Blake2b(state) => {
                state.update(bytes);
            }
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    pub(crate) fn finish(self) -> Digest {
        let digest = match self {
            Self::Sha256(context) => Digest::new(Algorithm::Sha256, context.finish().as_ref()),
            Self::Blake2b(state) => Digest::new(Algorithm::Blake2b, state.finalize().as_bytes()),
            Self::Blake3(hasher) => Digest::new(Algorithm::Blake3, hasher.finalize().as_bytes()),
        };
        digest.expect("each library yields as many bytes as its algorithm has")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_published_test_vectors() {
        // FIPS 180-4, RFC 7693 appendix A, and BLAKE3's own vectors (empty input).
        for (algorithm, input, begin) in [
            (Algorithm::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223"),
            (
                Algorithm::Blake2b,
                "abc",
                "ba80a53f981c4d0d6a2797b69f12f6e9",
            ),
            (Algorithm::Blake3, "", "af1349b9f5f9a1a6a0404dea36dcc949"),
        ] {
            let digest = algorithm.digest(input.as_bytes());
            assert!(digest.to_string().starts_with(begin), "{digest:?}");
            assert_eq!(digest.as_bytes().len(), algorithm.digest_bytes());
            assert_eq!(
                Digest::from_hex(algorithm, &digest.to_string()),
                Some(digest)
            );
        }
    }

    #[test]
    fn hexadecimal_has_one_form() {
        let good = "00".repeat(31) + "ff";
        assert!(Digest::from_hex(Algorithm::Sha256, &good).is_some());
        for bad in [
            good.to_uppercase(),
            good.replace("00ff", "0 ff"),
            format!(" {good}"),
            good[2..].to_owned(),
            format!("{good}00"),
            good.replace("ff", "fg"),
            "٠".repeat(32),
            String::new(),
        ] {
            assert_eq!(Digest::from_hex(Algorithm::Sha256, &bad), None, "{bad:?}");
        }
        // The right length for another algorithm.
        assert_eq!(Digest::from_hex(Algorithm::Blake2b, &good), None);
    }
}
