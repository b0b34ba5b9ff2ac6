//! Kinds of entries.

use std::borrow::Cow;

/// The kind and version that an entry claims: `hashedrekord 0.0.2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kind {
    name: Cow<'static, str>,
    version: Cow<'static, str>,
}

/// Names and versions that need no allocation.
const KNOWN: [&str; 14] = [
    "hashedrekord",
    "dsse",
    "intoto",
    "rekord",
    "rpm",
    "alpine",
    "jar",
    "helm",
    "tuf",
    "cose",
    "rfc3161",
    "0.0.1",
    "0.0.2",
    "",
];

impl Kind {
    /// Longest name or version that is kept; real ones have a dozen characters.
    pub(super) const MAX_CHARS: usize = 64;

    /// The kind of a leaf that claims none.
    pub const UNKNOWN: Self = Self {
        name: Cow::Borrowed("unknown"),
        version: Cow::Borrowed(""),
    };

    /// Of a certificate in a certificate transparency log (RFC 6962 `x509_entry`).
    pub const X509: Self = Self {
        name: Cow::Borrowed("x509"),
        version: Cow::Borrowed(""),
    };

    /// A precertificate in a CT log (RFC 6962 `precert_entry`).
    pub const PRECERTIFICATE: Self = Self {
        name: Cow::Borrowed("precertificate"),
        version: Cow::Borrowed(""),
    };

    /// Whether Rekor v1 may store the payload beside an entry of this kind, and the entry signs its digest.
    pub fn has_stored_payload(&self) -> bool {
        matches!(self.name(), "intoto" | "cose")
    }

    /// The kind that an entry claims. A name longer than any real one is cut: nothing depends on the rest.
    pub(super) fn new(name: &str, version: &str) -> Self {
        let keep = |text: &str| match KNOWN.into_iter().find(|known| *known == text) {
            Some(known) => Cow::Borrowed(known),
            None => Cow::Owned(text.chars().take(Self::MAX_CHARS).collect()),
        };
        Self {
            name: keep(name),
            version: keep(version),
        }
    }

    /// `hashedrekord`, `dsse`, …: the text in the entry, which may be anything up to 64 characters.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `0.0.2`: as for the name.
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if !self.version.is_empty() {
            write!(f, " {}", self.version)?;
        }
        Ok(())
    }
}
