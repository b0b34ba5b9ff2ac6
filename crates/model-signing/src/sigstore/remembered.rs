//! Signatures that were verified before, kept so that they are not verified again.
//!
//! One bundle makes the library verify some signatures several times: once with all log entries and once with each, and again
//! without an authority that was not valid. Bundles share more: the certificate of the [`Bridge`], the intermediates that
//! they carry, and the certificate of a signer that signed several models.
//!
//! Whether a signature is valid depends on its scheme, the key, the message and the signature, and on nothing else: neither on
//! the time nor on what is trusted. All four are the name under which it is kept. What the keys may vouch for, and when, is
//! decided by the callers, for each bundle.
//!
//! [`Bridge`]: super::bridge::Bridge

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use sigstore_verify::crypto::{
    CryptoProvider, HashContext, KeyAlgorithm, Result, SigningKeyPair, SigningScheme,
    aws_lc_provider, install_default_provider,
};
use sigstore_verify::types::HashAlgorithm;

/// Longest message that is named, in bytes: certificates, timestamps, checkpoints, and the statements of most models. To hash a
/// longer one for its name costs more than the signature.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// Signatures of one generation; two are kept, which is 256 KiB at most. A bundle has about six.
const GENERATION: usize = 4_096;

/// A signature with its scheme, key and message: SHA-256 over all of them.
type Name = [u8; 32];

/// The cryptography of the library in this process, which verifies no signature twice. `None` if the program that uses this
/// library has installed another one: then every signature is verified each time.
pub(super) fn remembered() -> Option<&'static Remembered> {
    static REMEMBERED: OnceLock<Remembered> = OnceLock::new();
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    let remembered = REMEMBERED.get_or_init(Remembered::default);
    let is_installed = *INSTALLED.get_or_init(|| install_default_provider(remembered).is_ok());
    is_installed.then_some(remembered)
}

/// The signatures that were verified in this process, up to a limit.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    current: HashSet<Name>,
    before: HashSet<Name>,
}

impl Remembered {
    /// Records a valid signature of `scheme` that this process made with the private key of `key`.
    pub(super) fn record_own(
        &self,
        scheme: SigningScheme,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) {
        if let Some(name) = name(scheme, key, message, signature) {
            self.generations().record(name);
        }
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        // The sets are whole whenever a thread panicked: at worst a name is missing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn contains(&self, name: &Name) -> bool {
        self.current.contains(name) || self.before.contains(name)
    }

    /// Bundles decide how many signatures there are: they must not fill the memory.
    fn record(&mut self, name: Name) {
        if self.current.len() >= GENERATION {
            self.before = std::mem::take(&mut self.current);
        }
        self.current.insert(name);
    }
}

/// The name of a signature; `None` for a long message.
fn name(scheme: SigningScheme, key: &[u8], message: &[u8], signature: &[u8]) -> Option<Name> {
    if message.len() > MAX_MESSAGE_BYTES {
        return None;
    }
    let mut hash = Context::new(&SHA256);
    for part in [scheme.name().as_bytes(), key, signature, message] {
        // With its length, so that no byte can move from one part into the next.
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finish().as_ref().try_into().ok()
}

impl CryptoProvider for Remembered {
    fn hash(&self, algorithm: HashAlgorithm) -> Result<Box<dyn HashContext>> {
        aws_lc_provider().hash(algorithm)
    }

    fn sha256(&self, data: &[u8]) -> [u8; 32] {
        aws_lc_provider().sha256(data)
    }

    fn sha384(&self, data: &[u8]) -> [u8; 48] {
        aws_lc_provider().sha384(data)
    }

    fn sha512(&self, data: &[u8]) -> [u8; 64] {
        aws_lc_provider().sha512(data)
    }

    fn verify_raw(
        &self,
        scheme: SigningScheme,
        spki_pubkey_bytes: &[u8],
        data: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        let verify = || aws_lc_provider().verify_raw(scheme, spki_pubkey_bytes, data, signature);
        let Some(name) = name(scheme, spki_pubkey_bytes, data, signature) else {
            return verify();
        };
        if self.generations().contains(&name) {
            return Ok(());
        }
        // Only what verifies is kept: an invalid signature is refused by the verification itself, each time.
        verify()?;
        self.generations().record(name);
        Ok(())
    }

    fn verify_prehashed(
        &self,
        scheme: SigningScheme,
        spki_pubkey_bytes: &[u8],
        digest: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        aws_lc_provider().verify_prehashed(scheme, spki_pubkey_bytes, digest, signature)
    }

    fn generate_key_pair(&self, algorithm: KeyAlgorithm) -> Result<Box<dyn SigningKeyPair>> {
        aws_lc_provider().generate_key_pair(algorithm)
    }

    fn key_pair_from_pkcs8_der(&self, pkcs8: &[u8]) -> Result<Box<dyn SigningKeyPair>> {
        aws_lc_provider().key_pair_from_pkcs8_der(pkcs8)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
    use sigstore_verify::crypto::try_default_provider;

    use super::*;

    const SCHEME: SigningScheme = SigningScheme::EcdsaP256Sha256;

    struct Signed {
        key: Vec<u8>,
        message: Vec<u8>,
        signature: Vec<u8>,
    }

    fn signed(message: &[u8]) -> Signed {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let signature = pair.sign(&SystemRandom::new(), message);
        Signed {
            key: pair.public_key().as_ref().to_vec(),
            message: message.to_vec(),
            signature: signature.expect("a signature").as_ref().to_vec(),
        }
    }

    fn verifies(by: &Remembered, scheme: SigningScheme, signed: &Signed) -> bool {
        let Signed {
            key,
            message,
            signature,
        } = signed;
        by.verify_raw(scheme, key, message, signature).is_ok()
    }

    fn kept(by: &Remembered) -> usize {
        by.generations().current.len()
    }

    #[test]
    fn what_is_kept_vouches_for_nothing_else() {
        let known = Remembered::default();
        let one = signed(b"one");
        assert!(verifies(&known, SCHEME, &one));
        assert!(verifies(&known, SCHEME, &one));
        assert_eq!(kept(&known), 1);
        let other = signed(b"one");
        let with = |change: fn(&mut Signed, &Signed)| {
            let mut changed = Signed {
                key: one.key.clone(),
                message: one.message.clone(),
                signature: one.signature.clone(),
            };
            change(&mut changed, &other);
            changed
        };
        for changed in [
            with(|changed, other| changed.key.clone_from(&other.key)),
            with(|changed, other| changed.signature.clone_from(&other.signature)),
            with(|changed, _| changed.message = b"two".to_vec()),
            with(|changed, _| changed.message.clear()),
            // A byte moves from the end of one part to the beginning of the next.
            with(|changed, _| {
                let last = changed.key.pop().expect("a byte");
                changed.signature.insert(0, last);
            }),
            with(|changed, _| {
                let last = changed.signature.pop().expect("a byte");
                changed.message.insert(0, last);
            }),
        ] {
            assert!(!verifies(&known, SCHEME, &changed));
        }
        assert!(!verifies(&known, SigningScheme::EcdsaP256Sha384, &one));
        assert!(!verifies(&known, SigningScheme::Ed25519, &one));
        assert_eq!(kept(&known), 1, "what does not verify is not kept");
    }

    #[test]
    fn an_own_signature_is_kept_and_a_long_message_is_not() {
        let known = Remembered::default();
        let one = signed(b"one");
        known.record_own(SCHEME, &one.key, &one.message, &one.signature);
        assert_eq!(kept(&known), 1);
        assert!(verifies(&known, SCHEME, &one));
        assert_eq!(kept(&known), 1);
        let long = signed(&vec![7; MAX_MESSAGE_BYTES + 1]);
        assert!(verifies(&known, SCHEME, &long));
        assert_eq!(kept(&known), 1);
    }

    #[test]
    fn the_oldest_are_forgotten_at_a_limit() {
        let mut kept = Generations::default();
        let name = |number: usize| {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&(number as u64).to_be_bytes());
            name
        };
        for number in 0..=2 * GENERATION {
            kept.record(name(number));
            assert!(kept.contains(&name(number)));
            assert!(kept.current.len() <= GENERATION && kept.before.len() <= GENERATION);
        }
        assert!(!kept.contains(&name(0)));
        assert!(kept.contains(&name(GENERATION)));
    }

    #[test]
    fn the_library_verifies_by_it() {
        let installed = remembered().expect("nothing else is installed here");
        let used = try_default_provider().expect("a provider");
        let one = signed(b"of this test");
        used.verify_raw(SCHEME, &one.key, &one.message, &one.signature)
            .expect("valid");
        let name = name(SCHEME, &one.key, &one.message, &one.signature).expect("a short message");
        assert!(installed.generations().contains(&name));
    }
}
