//! Who registered a signing, and how much that counts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who registered a signing; ordered, the strongest is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub enum Authority {
    /// Whoever signed, or could have: a thief of the signing workflow can register so too.
    Signer,
    /// A repository that only its owners can change.
    Repository,
    /// The operator of this monitor.
    Operator,
}

impl Authority {
    /// Every authority, from the weakest to the strongest.
    pub const ALL: [Self; 3] = [Self::Signer, Self::Repository, Self::Operator];

    /// The word in the configuration, in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signer => "signer",
            Self::Repository => "repository",
            Self::Operator => "operator",
        }
    }

    /// From its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// Whether a signing that it registered is expected. Otherwise it stays open until a stronger authority confirms it.
    pub const fn makes_expected(self) -> bool {
        matches!(self, Self::Repository | Self::Operator)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
