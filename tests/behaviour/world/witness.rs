//! Witnesses that cosign checkpoints (C2SP tlog-cosignature), and logs with new signature types.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tlog::{KeyName, Verifier};

/// One witness.
pub struct Witness {
    name: &'static str,
    key: Ed25519KeyPair,
}

impl Witness {
    pub fn new(name: &'static str) -> Self {
        let seed: [u8; 32] = Sha256::digest(name).into();
        Self {
            name,
            key: Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a seed"),
        }
    }

    pub fn verifier(&self) -> Verifier {
        let key = self.key.public_key().as_ref().try_into();
        let name = KeyName::new(self.name).expect("a name without spaces");
        Verifier::cosigner_ed25519(name, &key.expect("32 bytes")).expect("a point of the curve")
    }

    /// The signature line for a checkpoint's text.
    pub fn cosign(&self, time: i64, text: &str) -> String {
        let message = format!("cosignature/v1\ntime {time}\n{text}");
        let signature = self.key.sign(message.as_bytes());
        let signature = [&time.to_be_bytes()[..], signature.as_ref()].concat();
        line(self.name, *self.verifier().id().as_bytes(), &signature)
    }
}

/// A signature line.
pub fn line(name: &str, id: [u8; 4], signature: &[u8]) -> String {
    let encoded = STANDARD.encode([&id[..], signature].concat());
    format!("\u{2014} {name} {encoded}\n")
}
