//! The types of logs: a table with one row for each.

/// The protocol of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Rekor v2: checkpoints, tiles and entry bundles as static files (C2SP tlog-tiles).
    RekorV2,
    /// Rekor v1: a REST interface to Trillian trees that follow each other.
    RekorV1,
    /// A certificate transparency log of static files (C2SP static-ct-api).
    CtStatic,
    /// A certificate transparency log of RFC 6962.
    CtRfc6962,
}

/// The format of the leaves of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafFormat {
    /// Entries of Rekor: JSON with `kind` and `apiVersion`.
    RekorEntry,
    /// `MerkleTreeLeaf` of RFC 6962 section 3.4: a certificate or a precertificate.
    Certificate,
}

/// The properties of a type of log.
#[expect(
    clippy::struct_excessive_bools,
    reason = "a row of a table of independent properties"
)]
struct Properties {
    /// The value of `type` in the configuration and in JSON.
    word: &'static str,
    /// The name in messages.
    title: &'static str,
    leaf_format: LeafFormat,
    /// Configuration or trusted root must contain its origin, because it does not follow from its key or its server.
    needs_origin: bool,
    /// It consists of static files, which can also be in a directory.
    is_files: bool,
    /// Its server lists its trees, each with an origin.
    has_several_trees: bool,
    /// Its server has a search index, so that it can be guided.
    has_index: bool,
}

impl Protocol {
    /// All types, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::RekorV2,
        Self::RekorV1,
        Self::CtStatic,
        Self::CtRfc6962,
    ];

    const fn properties(self) -> Properties {
        match self {
            Self::RekorV2 => Properties {
                word: "rekor-v2",
                title: "a Rekor v2 log",
                leaf_format: LeafFormat::RekorEntry,
                needs_origin: true,
                is_files: true,
                has_several_trees: false,
                has_index: false,
            },
            Self::RekorV1 => Properties {
                word: "rekor-v1",
                title: "a Rekor v1 log",
                leaf_format: LeafFormat::RekorEntry,
                needs_origin: false,
                is_files: false,
                has_several_trees: true,
                has_index: true,
            },
            Self::CtStatic => Properties {
                word: "ct-static",
                title: "a static CT log",
                leaf_format: LeafFormat::Certificate,
                needs_origin: true,
                is_files: true,
                has_several_trees: false,
                has_index: false,
            },
            Self::CtRfc6962 => Properties {
                word: "ct-rfc6962",
                title: "a log of RFC 6962",
                leaf_format: LeafFormat::Certificate,
                needs_origin: false,
                is_files: false,
                has_several_trees: false,
                has_index: false,
            },
        }
    }

    /// The word in the configuration and in JSON.
    pub const fn as_str(self) -> &'static str {
        self.properties().word
    }

    /// The type with this word in the configuration.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.as_str() == word)
    }

    /// The name in messages, with its article.
    pub const fn title(self) -> &'static str {
        self.properties().title
    }

    /// The format of its leaves.
    pub const fn leaf_format(self) -> LeafFormat {
        self.properties().leaf_format
    }

    /// Whether it is a certificate transparency log.
    pub const fn is_ct(self) -> bool {
        matches!(self.leaf_format(), LeafFormat::Certificate)
    }

    /// Whether configuration or trusted root must contain its origin, because it does not follow from its key or its
    /// server.
    pub const fn needs_origin(self) -> bool {
        self.properties().needs_origin
    }

    /// Whether it consists of static files, which can also be in a directory.
    pub const fn is_files(self) -> bool {
        self.properties().is_files
    }

    /// Whether its server lists its trees, each with an origin.
    pub const fn has_several_trees(self) -> bool {
        self.properties().has_several_trees
    }

    /// Whether its server has a search index, so that it can be guided.
    pub const fn has_index(self) -> bool {
        self.properties().has_index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_word_of_its_own_that_leads_back_to_it() {
        for protocol in Protocol::ALL {
            assert_eq!(Protocol::from_word(protocol.as_str()), Some(protocol));
            // If an origin is required, it is the origin of the only tree.
            assert!(
                !(protocol.needs_origin() && protocol.has_several_trees()),
                "{protocol:?}"
            );
        }
        assert_eq!(Protocol::from_word("rekor-v3"), None);
    }
}
