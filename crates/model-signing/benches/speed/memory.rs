//! How much memory hashing, signing and verifying take at most: each in a process of its own, which then asks the system.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use model_signing::hash::Algorithm;
use model_signing::key::PrivateKey;
use model_signing::manifest::{Manifest, Method};
use model_signing::model::{self, Options};
use model_signing::sign::{self, KeySigner, Signer as _};
use model_signing::statement::Statement;
use model_signing::verify::{self, SignatureFile, Verifier};
use model_signing::walk::{Ignored, Model};

/// What the one argument of such a process begins with.
const CHILD: &str = "--child=";

const KEY: &[u8] = include_bytes!("../../tests/data/keys/p256-pkcs8.pem");

/// What is done with the model, and then with its signature.
pub const STEPS: [&str; 3] = ["digest", "sign", "verify"];

/// Does one of [`STEPS`] if this process is there for that.
pub fn child() -> Result<bool, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(step) = arguments
        .next()
        .and_then(|first| Some(first.strip_prefix(CHILD)?.to_owned()))
    else {
        return Ok(false);
    };
    let model = arguments.next().ok_or("no model")?;
    let model = Path::new(&model);
    let file = model.with_extension("sig");
    match &*step {
        "digest" => {
            black_box(manifest(&Model::open(model, false)?)?.root());
        }
        "sign" => {
            let model = Model::open(model, false)?;
            let statement = Statement::new(model.name()?, manifest(&model)?, false, Vec::new())?;
            let payload = statement.to_json();
            drop(statement);
            let signer = KeySigner::new(key()?);
            fs::write(file, sign::bundle(payload.as_bytes(), &signer)?)?;
        }
        _ => {
            let signer = KeySigner::new(key()?);
            let verifier = Verifier::Key(signer.material().key().clone());
            let options = verify::Options::at_present(0, true);
            // Each form of the signature is dropped when the next one is there.
            let signature = SignatureFile::parse(&fs::read(file)?)?;
            let statement = Statement::parse(&signature.verify(&verifier, &options)?.payload)?;
            let model = Model::open(model, false)?;
            model::verify(&model, &statement, &Options::default(), &|_| ())?;
        }
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!(
        "{}",
        peak.ok_or("no VmHWM, proc(5)")?
            .trim()
            .trim_end_matches(" kB")
    );
    Ok(true)
}

/// The most memory that the step takes, in MiB. To verify, there has to be a signature.
pub fn peak_mib(step: &str, model: &Path) -> Result<u64, Box<dyn Error>> {
    let child = Command::new(std::env::current_exe()?)
        .arg(format!("{CHILD}{step}"))
        .arg(model)
        .output()?;
    if !child.status.success() {
        return Err(String::from_utf8_lossy(&child.stderr).into());
    }
    let kib: u64 = String::from_utf8(child.stdout)?.trim().parse()?;
    Ok(kib / 1024)
}

fn manifest(model: &Model) -> Result<Manifest, Box<dyn Error>> {
    let listing = model.walk(&Ignored::none())?;
    let method = Method::files(Algorithm::Sha256);
    Ok(model::hash(model, &listing, method, &|_| ())?)
}

fn key() -> Result<PrivateKey, Box<dyn Error>> {
    Ok(PrivateKey::from_pem(KEY, None)?)
}
