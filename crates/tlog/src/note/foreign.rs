//! Keys of algorithms that this crate does not know, with which its caller verifies.
//!
//! Logs sign with Ed25519 or ECDSA P-256, nearly always. For the rest (other curves, RSA) the cryptography would be large,
//! and the program that reads logs has it anyhow: it hands a function over.

use alloc::sync::Arc;
use core::fmt;

/// What kind of key it is: how its id is computed depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignAlgorithm {
    /// ECDSA on any curve.
    Ecdsa,
    /// RSA with PKCS#1 v1.5.
    Rsa,
}

/// Given a message and a signature, says whether the one is by the key over the other.
type Verify = dyn Fn(&[u8], &[u8]) -> bool + Send + Sync;

/// A public key that only its owner can verify with. Clones share it.
#[derive(Clone)]
pub struct ForeignKey {
    algorithm: ForeignAlgorithm,
    verify: Arc<Verify>,
}

impl ForeignKey {
    /// `verify` is given a message and a signature, both written by anybody, and says whether the one is by this key over
    /// the other; it must not panic.
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
