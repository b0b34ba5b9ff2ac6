//! What is asked: conditions that must all hold.

use jiff::Timestamp;
use model_signing::bundle::{Bundle, Content};
use sha2::{Digest as _, Sha256};
use tlog::leaf_hash;

use crate::expect::{self, ExpectError, Expectation, Part};
use crate::identity::Certificate;
use crate::source::rekor_v1::EntryId;
use crate::watch::Glob;

/// The hash algorithms of digests in entries, with the lengths of their digests in hexadecimal digits.
const ALGORITHMS: [(&str, usize); 6] = [
    ("sha1", 40),
    ("sha256", 64),
    ("sha384", 96),
    ("sha512", 128),
    ("sha3-256", 64),
    ("sha3-384", 96),
];

/// A question. Every condition that is given must hold for a signing.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// One of its names, whatever the case of ASCII letters.
    pub identity: Option<String>,
    /// A pattern for one of its names.
    pub identity_glob: Option<Glob>,
    /// The OpenID issuer, exactly.
    pub issuer: Option<String>,
    /// The repository that its certificate names.
    pub repository: Option<Repository>,
    /// A commit that its certificate names, hex in lower case.
    pub commit: Option<String>,
    /// Hashes of the key, any of which may be in the entry; empty: any key.
    pub key: Vec<[u8; 32]>,
    /// The hash among them that every reader computes of this key, whatever its encoding, if the key itself was given.
    pub canonical_key: Option<[u8; 32]>,
    /// The certificate.
    pub certificate: Option<CertificateIs>,
    /// What was signed.
    pub digests: Vec<DigestIs>,
    /// The signing of a bundle.
    pub bundle: Option<BundleIs>,
    /// The entry: the name or origin of its log, and its index over all trees of the log.
    pub entry: Option<(String, u64)>,
    /// The entry, by its id in Rekor v1, or by its leaf hash alone.
    pub uuid: Option<EntryId>,
    /// Logged at this time or later. A signing without a trusted time is never left out.
    pub since: Option<Timestamp>,
    /// Logged before this time, as above.
    pub until: Option<Timestamp>,
    /// In one of these logs, by name; empty: in any.
    pub logs: Vec<String>,
    /// At most this many signings.
    pub limit: usize,
}

impl Question {
    /// All digests that are asked for, as `algorithm:hex`.
    pub fn digests_asked(&self) -> Vec<String> {
        let all = self.digests.iter().flat_map(|digest| &digest.any_of);
        all.cloned().collect()
    }
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its URI, in ASCII lower case.
    pub uri: String,
}

/// Where GitHub's repositories are: old certificates name them without it.
pub(super) const GITHUB: &str = "https://github.com/";

impl Repository {
    /// From its URI, or from `owner/name` for one of GitHub.
    ///
    /// # Errors
    ///
    /// Something else; a sentence for people.
    pub fn parse(written: &str) -> Result<Self, String> {
        let folded = written.to_ascii_lowercase();
        let trimmed = folded.trim_end_matches('/');
        let trimmed = trimmed.strip_suffix(".git").unwrap_or(trimmed);
        let is_plain = !trimmed.is_empty() && !trimmed.contains(['*', ' ']);
        let uri = if trimmed.contains("://") {
            trimmed.to_owned()
        } else if trimmed.split('/').filter(|part| !part.is_empty()).count() == 2
            && trimmed.matches('/').count() == 1
        {
            format!("{GITHUB}{trimmed}")
        } else {
            String::new()
        };
        if uri.is_empty() || !is_plain {
            return Err(
                "write the URI of a repository, such as https://github.com/owner/name, or owner/name"
                    .to_owned(),
            );
        }
        Ok(Self { uri })
    }

    /// `owner/name` of a repository of GitHub.
    pub(super) fn github_name(&self) -> Option<&str> {
        self.uri.strip_prefix(GITHUB)
    }
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateIs {
    /// Its hashes, any of which may be that of the certificate in the entry.
    pub hashes: Vec<[u8; 32]>,
    /// The hash of what CT logs hold of it, hex.
    pub logged: Option<String>,
}

impl CertificateIs {
    /// The certificate itself.
    pub fn of(certificate: &Certificate) -> Self {
        Self {
            hashes: certificate.hashes(),
            logged: certificate.logged_sha256().map(hex::encode),
        }
    }
}

/// A digest that was signed, or that a signed statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestIs {
    /// Any of these, as `algorithm:hex` in lower case: both root digests of a model, or one digest by each algorithm that it may
    /// be of.
    pub any_of: Vec<String>,
}

impl DigestIs {
    /// From `algorithm:hex`, or the hexadecimal digits alone.
    ///
    /// # Errors
    ///
    /// Something else; a sentence for people.
    pub fn parse(written: &str) -> Result<Self, String> {
        let folded = written.to_ascii_lowercase();
        let (algorithm, hex) = match folded.split_once(':') {
            Some((algorithm, hex)) => (Some(algorithm), hex),
            None => (None, folded.as_str()),
        };
        let is_hex = hex.bytes().all(|digit| digit.is_ascii_hexdigit());
        let any_of: Vec<String> = ALGORITHMS
            .iter()
            .filter(|(name, length)| {
                hex.len() == *length && algorithm.is_none_or(|algorithm| algorithm == *name)
            })
            .map(|(name, _)| format!("{name}:{hex}"))
            .collect();
        if any_of.is_empty() || !is_hex {
            return Err("a digest is ALGORITHM:HEX, such as sha256:9f86…, or all of its hexadecimal digits; known algorithms are sha1, sha256, sha384, sha512, sha3-256 and sha3-384".to_owned());
        }
        Ok(Self { any_of })
    }
}

/// The signing that a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleIs {
    /// Leaf hashes of the entries that it may have, hex.
    pub leaves: Vec<String>,
    /// The hash of what CT logs hold of its certificate, hex.
    pub logged: Option<String>,
    /// The signing, in any entry of it: the hash of its signature, and the digests that an entry of it holds, by what they are of.
    pub signature_sha256: Option<String>,
    /// As above.
    pub digests: Vec<(Part, String)>,
}

impl BundleIs {
    /// The signing of a bundle. A bundle with a certificate must verify with the key of its certificate.
    ///
    /// # Errors
    ///
    /// It has a certificate, and does not verify or contradicts itself.
    pub fn of(bundle: &Bundle) -> Result<Self, ExpectError> {
        match expect::of_bundle(bundle) {
            Ok(expectation) => Ok(Self::by_certificate(&expectation)),
            Err(ExpectError::NoCertificate) => Ok(Self::by_key(bundle)),
            Err(error) => Err(error),
        }
    }

    fn by_certificate(expectation: &Expectation) -> Self {
        let signing = expectation.signing.as_ref();
        let digests = signing.into_iter().flat_map(|signing| {
            Part::ALL
                .into_iter()
                .filter_map(|part| Some((part, signing.digest(part)?.to_owned())))
        });
        Self {
            leaves: expectation.leaf_hashes.iter().map(hex::encode).collect(),
            logged: expectation.logged_sha256.map(hex::encode),
            signature_sha256: signing.map(|signing| signing.signature_sha256.clone()),
            digests: digests.collect(),
        }
    }

    /// Signed with a key: its method needs no log. If it was logged all the same, the bundle names the entry, or an entry holds
    /// the digest of what was signed.
    fn by_key(bundle: &Bundle) -> Self {
        let sha256 = |bytes: &[u8]| format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
        let digests = match bundle.content() {
            Content::Dsse(envelope) => vec![
                (Part::Message, sha256(&envelope.pae())),
                (Part::Payload, sha256(&envelope.payload)),
            ],
            Content::Message {
                digest_algorithm,
                digest,
                ..
            } => {
                use crate::entry::HashAlgorithm;
                let algorithm = HashAlgorithm::from_proto_name(digest_algorithm.name());
                let named = algorithm
                    .map(|algorithm| format!("{}:{}", algorithm.as_str(), hex::encode(digest)));
                named
                    .map(|digest| (Part::Message, digest))
                    .into_iter()
                    .collect()
            }
        };
        let bodies = bundle.tlog_entries().iter();
        Self {
            leaves: bodies
                .filter_map(|entry| entry.canonicalized_body.as_deref())
                .map(|body| leaf_hash(body).to_hex())
                .collect(),
            logged: None,
            signature_sha256: None,
            digests,
        }
    }

    /// Whether an entry with these values is of this signing. `signature`: see
    /// [`SignedAs::signature`](crate::expect::SignedAs::signature).
    pub(super) fn is_of(
        &self,
        leaf: &str,
        logged: Option<&str>,
        kind: &str,
        digest: Option<&str>,
        signature: Option<&str>,
    ) -> bool {
        if logged.is_some() {
            return self.logged.as_deref() == logged;
        }
        if self.leaves.iter().any(|own| own == leaf) {
            return true;
        }
        let holds_digest = self
            .digests
            .iter()
            .any(|(part, own)| Part::of_kind(kind) == Some(*part) && Some(own.as_str()) == digest);
        match &self.signature_sha256 {
            Some(own) => holds_digest && Some(own.as_str()) == signature,
            None => holds_digest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_each_algorithm_that_has_its_length() {
        let sixty_four = "AB".repeat(32);
        let of = |written: &str| DigestIs::parse(written).map(|digest| digest.any_of);
        let folded = sixty_four.to_ascii_lowercase();
        assert_eq!(
            of(&sixty_four),
            Ok(vec![
                format!("sha256:{folded}"),
                format!("sha3-256:{folded}")
            ])
        );
        assert_eq!(
            of(&format!("SHA256:{sixty_four}")),
            Ok(vec![format!("sha256:{folded}")])
        );
        for wrong in [
            "",
            "sha256:ab",
            "md5:00",
            "zz",
            &"é".repeat(32),
            &"zz".repeat(32),
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_repository_has_one_form() {
        for written in [
            "https://github.com/Owner/Name",
            "owner/name",
            "https://github.com/owner/name.git",
            "https://github.com/owner/name/",
        ] {
            let repository = Repository::parse(written);
            assert_eq!(
                repository.as_ref().map(|it| it.uri.as_str()),
                Ok("https://github.com/owner/name"),
                "{written}"
            );
            let name = repository
                .ok()
                .and_then(|it| it.github_name().map(str::to_owned));
            assert_eq!(name.as_deref(), Some("owner/name"));
        }
        let elsewhere = Repository::parse("https://gitlab.example/a/b/c");
        assert_eq!(
            elsewhere.as_ref().ok().and_then(Repository::github_name),
            None
        );
        for wrong in ["", "name", "a/b/c", "https://h/*", "a /b", "/b"] {
            assert!(Repository::parse(wrong).is_err(), "{wrong}");
        }
    }
}
