//! Implements the protocol of Sigstore's conformance suite (github.com/sigstore/sigstore-conformance, `docs/cli_protocol.md`),
//! as far as verification goes:
//!
//! ```text
//! conformance verify-bundle --bundle FILE (--certificate-identity I --certificate-oidc-issuer U | --key PEM)
//!     [--trusted-root FILE] [--staging] FILE_OR_DIGEST
//! ```
//!
//! Blobs and managed keys are no models, so the command line of `modelwatch` does not have them.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use model_signing::key::PublicKey;
use model_signing::sigstore::{Artifact, IdentityPattern, Instance, Policy, Signer, Trust, verify};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Arguments {
    bundle: Option<PathBuf>,
    identity: Option<String>,
    issuer: Option<String>,
    key: Option<PathBuf>,
    trusted_root: Option<PathBuf>,
    is_staging: bool,
    artifact: Option<String>,
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments = arguments()?;
    let trust = match &arguments.trusted_root {
        Some(path) => Trust::from_trusted_root(&fs::read(path)?)?,
        None if arguments.is_staging => Trust::embedded(Instance::Staging)?,
        None => Trust::embedded(Instance::PublicGood)?,
    };
    let bundle = fs::read(arguments.bundle.ok_or("--bundle is missing")?)?;
    let named = arguments.artifact.ok_or("the artifact is missing")?;
    let content;
    let artifact = if let Some(digest) = named.strip_prefix("sha256:") {
        Artifact::Sha256(from_hex(digest)?)
    } else {
        content = fs::read(named)?;
        Artifact::Bytes(&content)
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "a program of its own needs a clock"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let now = i64::try_from(now.as_secs())?;
    let key;
    let policy;
    let signer = match (arguments.key, arguments.identity, arguments.issuer) {
        (Some(path), None, None) => {
            key = PublicKey::from_pem(&fs::read(path)?)?;
            Signer::Key(key.spki_der())
        }
        (None, Some(identity), Some(issuer)) => {
            policy = Policy {
                identity: IdentityPattern::exact(identity),
                issuer,
                require: Vec::new(),
            };
            Signer::Identity(&policy)
        }
        _ => {
            return Err(
                "either --key, or --certificate-identity and --certificate-oidc-issuer".into(),
            );
        }
    };
    verify(&bundle, &artifact, &signer, &trust, now)?;
    Ok(())
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut given = env::args().skip(1);
    match given.next().as_deref() {
        Some("verify-bundle") => {}
        other => return Err(format!("the command {other:?} is not supported").into()),
    }
    let mut arguments = Arguments::default();
    while let Some(word) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{word} has no value"));
        match word.as_str() {
            "--bundle" => arguments.bundle = Some(value()?.into()),
            "--certificate-identity" => arguments.identity = Some(value()?),
            "--certificate-oidc-issuer" => arguments.issuer = Some(value()?),
            "--key" => arguments.key = Some(value()?.into()),
            "--trusted-root" => arguments.trusted_root = Some(value()?.into()),
            "--staging" => arguments.is_staging = true,
            _ if word.starts_with("--") => return Err(format!("unknown option {word}").into()),
            _ => arguments.artifact = Some(word),
        }
    }
    Ok(arguments)
}

fn from_hex(digits: &str) -> Result<[u8; 32], Box<dyn Error>> {
    let mut digest = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return Err("a SHA-256 digest has 64 hexadecimal digits".into());
    }
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16)?;
    }
    Ok(digest)
}
