//! The digests by which a signed statement names a model.

use std::path::Path;

use model_signing::hash::Algorithm;
use model_signing::manifest::Method;
use model_signing::model;
use model_signing::walk::{Ignored, Model, WalkError};

use super::question::DigestIs;

/// What signatures in a model are called.
const SIGNATURES: [&str; 3] = ["model.sig", "model.sigstore.json", "claims.jsonl"];

/// The root digests of a model as signatures by `modelwatch sign` and the reference implementation have them: each file hashed
/// with SHA-256, in both orders of files that are in use. Git's files and a signature in the model do not count. Of a model that
/// is one file, also the digest of the file.
///
/// # Errors
///
/// The model cannot be read.
pub fn roots(path: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<DigestIs, WalkError> {
    let model = Model::open(path, false)?;
    let mut ignored = Ignored::none();
    ignored.add_git_paths();
    for name in SIGNATURES {
        let signature = path.join(name);
        if !model.is_file() && signature.is_file() {
            // It is in the model, so that the path can be ignored.
            let _ = ignored.add(path, &signature);
        }
    }
    let listing = model.walk(&ignored)?;
    let manifest = model::hash(&model, &listing, Method::files(Algorithm::Sha256), progress)?;
    let mut any_of = vec![
        format!("sha256:{}", manifest.root()),
        format!("sha256:{}", manifest.root_path_order()),
    ];
    if model.is_file() {
        let file = manifest.resources().first();
        any_of.extend(file.map(|file| format!("sha256:{}", file.digest)));
    }
    any_of.dedup();
    Ok(DigestIs { any_of })
}
