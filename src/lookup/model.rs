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
/// as a whole, with each hash function of the format, in both orders of files that are in use. Git's files and a signature in the
/// model do not count. Of a model that is one file, also the digests of the file.
///
/// A signature over shards has another root for each size of a shard: it is not among these.
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
    let mut any_of = Vec::new();
    for algorithm in Algorithm::ALL {
        let manifest = model::hash(&model, &listing, Method::files(algorithm), progress)?;
        // A root is always a SHA-256, over digests by that function.
        for root in [manifest.root(), manifest.root_path_order()] {
            any_of.push(format!("sha256:{root}"));
        }
        if model.is_file() {
            let file = manifest.resources().first();
            any_of.extend(file.map(|file| format!("{}:{}", algorithm.as_str(), file.digest)));
        }
    }
    any_of.sort_unstable();
    any_of.dedup();
    Ok(DigestIs { any_of })
}
