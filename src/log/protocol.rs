//! The types of logs, and what each is like.

/// How a log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Rekor v2: checkpoints, tiles and entry bundles as static files (C2SP tlog-tiles).
    RekorV2,
    /// Rekor v1: a REST interface before Trillian trees, of which one follows the other.
    RekorV1,
    /// A certificate transparency log of RFC 6962.
    CtRfc6962,
    /// A certificate transparency log of static files (C2SP static-ct-api).
    CtStatic,
}

/// What the leaves of a log are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafFormat {
    /// Entries of Rekor: JSON with `kind` and `apiVersion`.
    RekorEntry,
    /// `MerkleTreeLeaf` of RFC 6962 section 3.4: a certificate or a precertificate.
    Certificate,
}

impl Protocol {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::RekorV2,
        Self::RekorV1,
        Self::CtStatic,
        Self::CtRfc6962,
    ];

    /// The word in the configuration and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RekorV2 => "rekor-v2",
            Self::RekorV1 => "rekor-v1",
            Self::CtRfc6962 => "ct-rfc6962",
            Self::CtStatic => "ct-static",
        }
    }

    /// By its word in the configuration.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.as_str() == word)
    }

    /// What its leaves are.
    pub const fn leaf_format(self) -> LeafFormat {
        match self {
            Self::RekorV2 | Self::RekorV1 => LeafFormat::RekorEntry,
            Self::CtRfc6962 | Self::CtStatic => LeafFormat::Certificate,
        }
    }

    /// Whether it is a certificate transparency log.
    pub const fn is_ct(self) -> bool {
        matches!(self.leaf_format(), LeafFormat::Certificate)
    }

    /// Whether configuration or trust has to give its origin: its checkpoints bear one that does not follow from its key or
    /// its server.
    pub const fn needs_origin(self) -> bool {
        match self {
            Self::RekorV2 | Self::CtStatic => true,
            Self::RekorV1 | Self::CtRfc6962 => false,
        }
    }
}
