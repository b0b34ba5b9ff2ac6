//! What it costs to verify a keyless signature, beside the signatures in it alone.
//!
//! `cargo bench -p model-signing --features sigstore --bench keyless`. Each bundle has a key, a certificate, signatures and a
//! log entry of its own; only the authorities and the logs are the same. For Rekor v1 and v2, in CPU time of a bundle:
//!
//! * *first*: verified for the first time;
//! * *again*: verified once more, when each of its signatures is known: all the rest;
//! * *signatures*: those that no two bundles share, verified by the cryptographic library and by nothing else. No verifier
//!   that uses this library needs less.
//!
//! `MODELWATCH_BENCH_BUNDLES` says how many bundles of each (500), `MODELWATCH_BENCH_RUNS` how often they are verified (5):
//! the least of all runs counts.

#[cfg(unix)]
#[path = "../../tests/keyless/fake/mod.rs"]
#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "shared with the tests"
)]
mod fake;

#[cfg(not(unix))]
fn main() {
    eprintln!("CPU time is read on Unix only");
}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test --benches` only tests whether it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    unix::main()
}

#[cfg(unix)]
mod unix {
    use std::env;
    use std::error::Error;
    use std::hint::black_box;

    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, UnparsedPublicKey,
        VerificationAlgorithm,
    };
    use model_signing::bundle::Bundle;
    use model_signing::sigstore::{Artifact, Signer, Trust, verify_bundle};
    use rcgen::{
        KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm,
        SigningKey as _,
    };
    use rustix::time::{ClockId, clock_gettime};

    use super::fake::authority::Leaf;
    use super::fake::{ISSUER, NOW, Signing, Sigstore, payload};

    type Outcome<T> = Result<T, Box<dyn Error>>;

    /// As long as what most of the signatures are over.
    const MESSAGE_BYTES: usize = 1_000;

    pub(super) fn main() -> Outcome<()> {
        let bundles = number("BUNDLES", 500)?;
        let runs = number("RUNS", 5)?;
        let sigstore = Sigstore::new();
        let root = sigstore.trusted_root().to_string();
        let p384 = one(
            &PKCS_ECDSA_P384_SHA384,
            &ECDSA_P384_SHA384_ASN1,
            bundles,
            runs,
        )?;
        let p256 = one(
            &PKCS_ECDSA_P256_SHA256,
            &ECDSA_P256_SHA256_ASN1,
            bundles,
            runs,
        )?;
        let ed25519 = one(&PKCS_ED25519, &ED25519, bundles, runs)?;
        println!("a signature: P-384 {p384:.0} us, P-256 {p256:.0} us, Ed25519 {ed25519:.0} us");
        println!(
            "{:<9} {:>12} {:>12} {:>12}",
            "", "first", "again", "signatures"
        );
        for (name, signing, signatures) in [
            // The certificate, its timestamp by the CT log, the envelope, checkpoint and promise.
            (
                "rekor v1",
                Signing::v1 as fn() -> Signing,
                p384 + 4.0 * p256,
            ),
            // The certificate, its timestamp by the CT log, the envelope, the timestamp, the checkpoint.
            ("rekor v2", Signing::v2, p384 + 3.0 * p256 + ed25519),
        ] {
            let (mut first, mut again) = (f64::MAX, f64::MAX);
            for _ in 0..runs {
                // Of one run before, the signatures would be known.
                let signed = (0..bundles).map(|_| bundle(&sigstore, signing()));
                let signed: Vec<Bundle> = signed.collect::<Outcome<_>>()?;
                let trust = Trust::from_trusted_root(root.as_bytes())?;
                let (mut firsts, mut agains) = (0.0, 0.0);
                for bundle in &signed {
                    firsts += cost(|| verify(bundle, &trust))?;
                    agains += cost(|| verify(bundle, &trust))?;
                }
                first = f64::min(first, firsts / f64::from(bundles));
                again = f64::min(again, agains / f64::from(bundles));
            }
            println!("{name:<9} {first:>9.0} us {again:>9.0} us {signatures:>9.0} us");
        }
        Ok(())
    }

    fn number(name: &str, default: u32) -> Outcome<u32> {
        match env::var(format!("MODELWATCH_BENCH_{name}")) {
            Ok(text) => Ok(text.parse::<u32>()?.max(1)),
            Err(_) => Ok(default),
        }
    }

    /// A signing by a certificate with as many extensions as Fulcio gives to a workflow.
    fn bundle(sigstore: &Sigstore, signing: Signing) -> Outcome<Bundle> {
        let text = |number| (number, format!("{ISSUER}/owner/model/{number}"));
        let leaf = Leaf {
            extensions: (9..=22).map(text).collect(),
            ..Leaf::default()
        };
        let signed = sigstore.sign(&payload(), &Signing { leaf, ..signing });
        Ok(Bundle::parse(signed.to_string().as_bytes())?)
    }

    fn verify(bundle: &Bundle, trust: &Trust) -> Outcome<()> {
        let verified = verify_bundle(
            bundle,
            &Artifact::Statement,
            &Signer::AnyIdentity,
            trust,
            NOW,
        )?;
        black_box(verified);
        Ok(())
    }

    /// CPU us of one signature: the least of all runs over so many keys.
    fn one(
        key: &'static SignatureAlgorithm,
        by: &'static dyn VerificationAlgorithm,
        signatures: u32,
        runs: u32,
    ) -> Outcome<f64> {
        let message = vec![7; MESSAGE_BYTES];
        let mut signed = Vec::new();
        for _ in 0..signatures {
            let pair = KeyPair::generate_for(key)?;
            signed.push((pair.public_key_raw().to_vec(), pair.sign(&message)?));
        }
        let mut least = f64::MAX;
        for _ in 0..runs {
            let all = cost(|| {
                for (key, signature) in &signed {
                    UnparsedPublicKey::new(by, key).verify(&message, signature)?;
                }
                Ok(())
            })?;
            least = f64::min(least, all / f64::from(signatures));
        }
        Ok(least)
    }

    /// CPU us of a call.
    fn cost(call: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
        let before = cpu_us();
        call()?;
        Ok(cpu_us() - before)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a benchmark runs for less than 2^52 ns"
    )]
    fn cpu_us() -> f64 {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
    }
}
