//! Keys of algorithms that this crate does not implement; the caller verifies with them.
//!
//! Nearly all logs sign with Ed25519 or ECDSA P-256. The code for the other algorithms (other curves, RSA) would be
//! large, and a program that reads logs usually contains it already: the program passes a function.

use alloc::sync::Arc;
use core::fmt;

/// The kind of key: the computation of its id depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignAlgorithm {
    /// ECDSA on any curve.
    Ecdsa,
    /// RSA with PKCS#1 v1.5.
    Rsa,
}

/// Returns whether the second argument is a signature by the key over the first.
type Verify = dyn Fn(&[u8], &[u8]) -> bool + Send + Sync;

/// A public key whose signatures the caller verifies. Clones share it.
#[derive(Clone)]
pub struct ForeignKey {
    algorithm: ForeignAlgorithm,
    verify: Arc<Verify>,
}

impl ForeignKey {
    /// `verify` takes a message and a signature, both from untrusted input, and returns whether the signature is by
    /// this key over the message; it must not panic.
    pub fn new(
        algorithm: ForeignAlgorithm,
        verify: impl Fn(&[u8], &[u8]) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            algorithm,
            verify: Arc::new(verify),
        }
    }

    pub(super) const fn algorithm(&self) -> ForeignAlgorithm {
        self.algorithm
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        (self.verify)(message, signature)
    }
}

impl fmt::Debug for ForeignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ForeignKey").field(&self.algorithm).finish()
    }
}
