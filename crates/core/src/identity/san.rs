//! Names: the subject alternative names of a certificate, and the names in a key.

use serde::{Deserialize, Serialize};

/// The type of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub enum SanType {
    /// `rfc822Name`.
    Email,
    /// `uniformResourceIdentifier`: workflows, SPIFFE ids.
    Uri,
    /// `dNSName`. Fulcio issues none; foreign certificates hold them.
    Dns,
    /// `iPAddress`. As for [`SanType::Dns`].
    Ip,
    /// `otherName`: Fulcio's user names, and anything else.
    OtherName,
    /// Not of a certificate: a user id of an OpenPGP key, or the address in one. Its maker's word.
    Pgp,
    /// Not of a certificate: the comment of an SSH key. Its maker's word.
    Ssh,
}

impl SanType {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Dns => "dns",
            Self::Ip => "ip",
            Self::OtherName => "othername",
            Self::Pgp => "pgp",
            Self::Ssh => "ssh",
        }
    }
}

impl std::fmt::Display for SanType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One name. The value is unchanged from the certificate or key: with its case, not escaped, with any characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct San {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: SanType,
    /// Its text. An IP address in its usual notation; Fulcio's otherName as its text (`user!domain`); another otherName
    /// as its dotted object identifier, a colon and the hex of its DER value.
    pub value: String,
}

/// Most names in one certificate or key. Fulcio gives one; web servers' certificates have up to a hundred by policy.
pub const MAX_NAMES: usize = 256;
