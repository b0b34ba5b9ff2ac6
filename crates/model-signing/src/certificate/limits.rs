//! The limits that a CA's certificate sets on the names below it.

use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{self, Decode as _, Reader as _, SliceReader};
use x509_parser::extensions::{GeneralSubtree, NameConstraints};

/// The limits of a certificate on the names below it.
pub(super) struct Limits<'a> {
    constraints: NameConstraints<'a>,
    /// Every subtree is just a name; anything else has no meaning in X.509.
    pub(super) is_plain: bool,
}

impl<'a> Limits<'a> {
    /// From the extension, parsed and as it is.
    pub(super) fn new(constraints: NameConstraints<'a>, raw: &[u8]) -> Self {
        Self {
            constraints,
            is_plain: has_names_only(raw).is_ok(),
        }
    }

    pub(super) fn permitted(&self) -> &[GeneralSubtree<'a>] {
        self.constraints
            .permitted_subtrees
            .as_deref()
            .unwrap_or_default()
    }

    pub(super) fn excluded(&self) -> &[GeneralSubtree<'a>] {
        self.constraints
            .excluded_subtrees
            .as_deref()
            .unwrap_or_default()
    }
}

/// Whether each subtree of the extension is a single value, its base: `minimum` and `maximum` have no use in X.509
/// (RFC 5280), and OpenSSL refuses them.
fn has_names_only(extension: &[u8]) -> der::Result<()> {
    let mut reader = SliceReader::new(extension)?;
    reader.sequence(|both| -> der::Result<()> {
        while !both.is_finished() {
            let mut list = SliceReader::new(AnyRef::decode(both)?.value())?;
            while !list.is_finished() {
                list.sequence(|subtree| AnyRef::decode(subtree).map(drop))?;
            }
        }
        Ok(())
    })?;
    reader.finish()
}
