//! The hash functions that subjects have digests by (in-toto attestation framework, "DigestSet").

use aws_lc_rs::digest;

/// A hash function that is computed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are self-explanatory")]
#[non_exhaustive]
pub enum HashFunction {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512Of256,
    Blake2b,
    Blake3,
}

impl HashFunction {
    const ALL: [Self; 8] = [
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
        Self::Sha512Of256,
        Self::Blake2b,
        Self::Blake3,
    ];

    /// The name that subjects give it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Sha512Of256 => "sha512_256",
            Self::Blake2b => "blake2b",
            Self::Blake3 => "blake3",
        }
    }

    /// The function that some reader could take a name for: letter case, hyphens and underscores do not count.
    pub(super) fn meant_by(name: &str) -> Option<Self> {
        let plain = |name: &str| -> String {
            let letters = name.chars().filter(|c| !matches!(c, '-' | '_'));
            letters.map(|c| c.to_ascii_lowercase()).collect()
        };
        // The longest name has ten characters.
        let name = plain(name.get(..16).unwrap_or(name));
        Self::ALL
            .into_iter()
            .find(|known| plain(known.as_str()) == name)
    }

    /// Whether a digest by it is proof of the content. Two contents with one SHA-1 can be made.
    pub(super) const fn is_proof(self) -> bool {
        !matches!(self, Self::Sha1)
    }
}

/// A digest in the making.
pub(super) enum Hasher {
    Sha(digest::Context),
    Blake2b(Box<blake2b_simd::State>),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    pub(super) fn new(function: HashFunction) -> Self {
        let sha = |algorithm| Self::Sha(digest::Context::new(algorithm));
        match function {
            HashFunction::Sha1 => sha(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            HashFunction::Sha224 => sha(&digest::SHA224),
            HashFunction::Sha256 => sha(&digest::SHA256),
            HashFunction::Sha384 => sha(&digest::SHA384),
            HashFunction::Sha512 => sha(&digest::SHA512),
            HashFunction::Sha512Of256 => sha(&digest::SHA512_256),
            HashFunction::Blake2b => Self::Blake2b(Box::default()),
            HashFunction::Blake3 => Self::Blake3(Box::default()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha(context) => context.update(bytes),
            Self::Blake2b(state) => {
                state.update(bytes);
            }
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    /// In lower-case hexadecimal, as subjects have it.
    pub(super) fn finish(self) -> String {
        let hex = |bytes: &[u8]| -> String {
            bytes
                .iter()
                .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
        };
        match self {
            Self::Sha(context) => hex(context.finish().as_ref()),
            Self::Blake2b(state) => hex(state.finalize().as_bytes()),
            Self::Blake3(hasher) => hex(hasher.finalize().as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_published_test_vectors() {
        // FIPS 180-4, RFC 7693 appendix A, and BLAKE3's own vectors.
        for (function, begin) in [
            (HashFunction::Sha1, "a9993e364706816aba3e"),
            (HashFunction::Sha224, "23097d223405d8228642"),
            (HashFunction::Sha256, "ba7816bf8f01cfea4141"),
            (HashFunction::Sha384, "cb00753f45a35e8bb5a0"),
            (HashFunction::Sha512, "ddaf35a193617abacc41"),
            (HashFunction::Sha512Of256, "53048e2681941ef99b2e"),
            (HashFunction::Blake2b, "ba80a53f981c4d0d6a27"),
            (HashFunction::Blake3, "6437b3ac38465133ffb6"),
        ] {
            let mut hasher = Hasher::new(function);
            hasher.update(b"a");
            hasher.update(b"bc");
            let digest = hasher.finish();
            assert!(digest.starts_with(begin), "{function:?} {digest}");
        }
    }

    #[test]
    fn a_name_means_a_function_in_every_spelling_that_a_reader_could_take() {
        for (name, function) in [
            ("sha256", Some(HashFunction::Sha256)),
            ("SHA-256", Some(HashFunction::Sha256)),
            ("sha_512", Some(HashFunction::Sha512)),
            ("SHA512_256", Some(HashFunction::Sha512Of256)),
            ("sha512-256", Some(HashFunction::Sha512Of256)),
            ("md5", None),
            ("gitCommit", None),
            ("", None),
            ("sha256\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", None),
        ] {
            assert_eq!(HashFunction::meant_by(name), function, "{name:?}");
        }
    }
}
