//! What the search finds.

use crate::identity::Signer;

/// Something in a leaf.
#[derive(Debug)]
pub enum Found<'a> {
    /// Bytes of the leaf, or what text in it decodes to. A name is in them as it is in its certificate.
    Bytes(&'a [u8]),
    /// A certificate or a key.
    Signer(Signer),
    /// What has the structure of a certificate and cannot be read as one.
    Certificate(&'a [u8]),
}
