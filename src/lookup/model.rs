//! The digests by which a signed statement names a model.

use std::num::NonZeroU64;
use std::path::Path;

use model_signing::hash::Algorithm;
use model_signing::manifest::Method;
use model_signing::model;
use model_signing::walk::{Ignored, Model, WalkError};

use super::question::DigestIs;

/// What signatures in a model are called.
const SIGNATURES: [&str; 3] = ["model.sig", "model.sigstore.json", "claims.jsonl"];

/// The size of a shard that the specification names, and that Python's `model_signing` uses, if the signer asks for no other.
const SHARD_BYTES: NonZeroU64 = NonZeroU64::new(1_000_000_000).expect("it is not zero");

/// The root digests of a model as signatures by `modelwatch sign` and the reference implementation have them: over whole files,
/// and over shards of the usual size, with each hash function of the format, in both orders of files that are in use. Git's files
/// and a signature in the model do not count. Of a model that is one file, also the digests of the file. Each file is read once.
///
/// A signature over shards of another size has another root: it is not among these.
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
    let mut methods = Vec::new();
    for algorithm in Algorithm::ALL {
        methods.push(Method::files(algorithm));
        methods.extend(Method::shards(algorithm, SHARD_BYTES));
    }
    let mut any_of = Vec::new();
    for manifest in model::hash_by_each(&model, &listing, &methods, progress)? {
        // A root is always a SHA-256, over digests by the hash function of the method.
        for root in [manifest.root(), manifest.root_path_order()] {
            any_of.push(format!("sha256:{root}"));
        }
        let method = manifest.method();
        if model.is_file() && method.shard_bytes().is_none() {
            let file = manifest.resources().first();
            any_of.extend(file.map(|file| format!("{}:{}", method.algorithm(), file.digest)));
        }
    }
    any_of.sort_unstable();
    any_of.dedup();
    Ok(DigestIs { any_of })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::fs;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_model_is_known_by_its_files_and_by_its_shards_and_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        // An empty file has no shard: the roots differ.
        for (name, content) in [("config.json", "{}"), ("weights", "0123"), ("empty", "")] {
            fs::write(dir.path().join(name), content).unwrap();
        }
        let listing = |model: &Model| model.walk(&Ignored::none()).unwrap();
        let model = Model::open(dir.path(), false).unwrap();
        let mut expected = Vec::new();
        for algorithm in Algorithm::ALL {
            for method in [
                Method::files(algorithm),
                Method::shards(algorithm, SHARD_BYTES).unwrap(),
            ] {
                let manifest = model::hash(&model, &listing(&model), method, &|_| ()).unwrap();
                expected.push(format!("sha256:{}", manifest.root()));
            }
        }
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(expected.len(), 6);
        // A signature in the model does not count.
        fs::write(dir.path().join("model.sig"), "{}").unwrap();
        let read = AtomicU64::new(0);
        let progress = |bytes: u64| {
            read.fetch_add(bytes, Ordering::Relaxed);
        };
        let found = roots(dir.path(), &progress).unwrap();
        assert_eq!(found.any_of, expected);
        assert_eq!(read.into_inner(), 6);
        let file = roots(&dir.path().join("weights"), &|_| ()).unwrap();
        let digest = Algorithm::Blake3.digest(b"0123");
        assert!(file.any_of.contains(&format!("blake3:{digest}")));
        assert!(roots(&dir.path().join("absent"), &|_| ()).is_err());
    }
}
